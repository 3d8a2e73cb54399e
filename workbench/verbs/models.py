"""``models`` and ``data``: what is known, what is on this machine, and how the rest gets here."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from workbench import hub
from workbench.contract import Json
from workbench.data_sets import DataSet, data_sets, place_of
from workbench.fields import to_json
from workbench.settings import Settings
from workbench.verbs import OK, Verb, asked, json_flag, print_json, table


def _models_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("reference", nargs="*", help="further references to look at, e.g. path:/folder")
    parser.add_argument("--fetch", metavar="REF", help="bring a model to this machine, ready to use")
    parser.add_argument("--accept", metavar="REF", help="accept the licence of a model that asks for it")
    parser.add_argument("--unload", metavar="REF", help="give the memory of a loaded model back")
    json_flag(parser)


def _models(options: Namespace, settings: Settings) -> int:
    for reference in (options.fetch, options.accept, options.unload):
        if reference:
            with asked():
                hub.card(reference, settings)
    if options.accept:
        card = hub.accept(options.accept, settings)
        print(f"You accepted the {card.licence} ({card.licence_url}) for {card.title}.")
    if options.fetch:
        show = terminal_line()
        resolved = hub.resolve(options.fetch, settings, show)
        show("")
        print(f"{resolved.card.title} is ready in {resolved.path}")
    if options.unload:
        from workbench import sessions

        sessions.unload(settings, options.unload)
        print(f"{options.unload} is unloaded.")
    if not (options.accept or options.fetch or options.unload):
        _list(options, settings)
    return OK


def _list(options: Namespace, settings: Settings) -> None:
    with asked():
        cards = hub.catalogue(settings) + [hub.card(text, settings) for text in options.reference]
    states = [hub.state(card.reference, settings) for card in cards]
    if options.json:
        print_json([{**to_json(card), "state": state.status, "detail": state.detail,
                     "default": card.reference == settings.default_model}
                    for card, state in zip(cards, states, strict=True)])
        return
    rows = [(card.reference, state.status, card.kind, ", ".join(card.languages) or "not stated",
             f"{card.parameters / 1e6:.0f} M" if card.parameters else "", f"{card.size_mb} MB" if card.size_mb else "",
             card.licence or "not stated") for card, state in zip(cards, states, strict=True)]
    print(table(rows, ("reference", "state", "kind", "languages", "weights", "fetch", "licence")))
    print(f"\nFurther ones: {', '.join(form for form in hub.FORMS if not form.startswith('package'))}")


def terminal_line() -> Callable[[str], None]:
    """A listener that keeps its text on one line of a terminal, and prints only new phases elsewhere."""
    phases: list[str] = []

    def show(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[2K{text[:110]}", end="", file=sys.stderr, flush=True)
            return
        phase = text.split(":")[0].split(" (")[0]
        if phase and phase not in phases:
            phases.append(phase)
            print(phase, file=sys.stderr, flush=True)

    return show


def _data_arguments(parser: ArgumentParser) -> None:
    json_flag(parser)


def _data(options: Namespace, settings: Settings) -> int:
    known = data_sets()
    if options.json:
        print_json([_data_json(entry, settings) for entry in known])
        return OK
    rows = [(entry.name, "here" if place_of(entry, settings) else "not here", entry.size, entry.licence, entry.title)
            for entry in known]
    print(table(rows, ("name", "state", "holds", "licence", "what it is")))
    print("\nOwn files: path:/folder/file.jsonl. From the hub: hub:datasets/ORG/NAME.")
    return OK


def _data_json(entry: DataSet, settings: Settings) -> dict[str, Json]:
    place = place_of(entry, settings)
    return {**to_json(entry), "path": str(place) if place else None}


VERBS = {"models": Verb("list models; fetch one, accept its licence, unload it", _models_arguments, _models),
         "data": Verb("list known data sets and which are on this machine", _data_arguments, _data)}
