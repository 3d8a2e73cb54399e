"""``reproduce`` and ``bench``: the figures that the project claims, made again on this machine."""

from __future__ import annotations

import contextlib
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping

from workbench import registry
from workbench.contract import Json, load, unknown
from workbench.evidence import Bench, Reproduction, read_bench, read_reproduction
from workbench.settings import Settings
from workbench.verbs import FAILED, OK, Verb, asked, json_flag, print_json, table


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="which one; all are listed without it")
    parser.add_argument("--quick", action="store_true", help="a smaller size that ends in a minute or so")
    json_flag(parser)


def _reproduce(options: Namespace, settings: Settings) -> int:
    if not options.name:
        return _names(registry.REPRODUCTIONS, "reproduce", options.json)
    began = time.monotonic()
    value = _call("reproduction", options, registry.REPRODUCTIONS, settings)
    found = read_reproduction(options.name, value, round(time.monotonic() - began, 2))
    if options.json:
        print_json(found.to_json(), indent=None)
    else:
        _show_claims(found)
    return OK if found.holds else FAILED


def _show_claims(found: Reproduction) -> None:
    rows = [("holds" if claim.holds else "FAILS", f"{claim.value:g}", f"{claim.target:g}",
             "" if claim.control is None else f"{claim.control:g}",
             "" if claim.interval is None else f"{claim.interval[0]:g} to {claim.interval[1]:g}", claim.what)
            for claim in found.claims]
    print(table(rows, ("", "value", "target", "control", "interval", "claim")))
    print(f"{found.name}: {sum(c.holds for c in found.claims)} of {len(rows)} claims hold, {found.seconds:.0f} s")


def _bench(options: Namespace, settings: Settings) -> int:
    if not options.name:
        return _names(registry.BENCHES, "bench", options.json)
    found = read_bench(options.name, _call("benchmark", options, registry.BENCHES, settings))
    if options.json:
        print_json(found.to_json(), indent=None)
    else:
        _show_bench(found)
    return OK if found.same_result else FAILED


def _show_bench(found: Bench) -> None:
    print(f"{found.name} against {found.peer}: {found.ratio:.2f} (ours {found.ours:g}, theirs {found.theirs:g}); "
          f"{'same result' if found.same_result else 'THE RESULTS DIFFER'}")


def _names(known: Mapping[str, str], verb: str, as_json: bool) -> int:
    if as_json:
        print_json(sorted(known))
    else:
        print("\n".join(f"python3 launch.py {verb} {name}" for name in sorted(known)))
    return OK


def _call(what: str, options: Namespace, known: Mapping[str, str], settings: Settings) -> Json:
    """Call the function behind a name. What it prints is progress: with ``--json`` it goes to standard error."""
    with asked():
        if options.name not in known:
            raise unknown(what, options.name, known)
    quiet = contextlib.redirect_stdout(sys.stderr) if options.json else contextlib.nullcontext()
    with quiet:
        return load(known[options.name])(settings, options.quick)


VERBS = {"reproduce": Verb("make a claim of the project again, with its control", _arguments, _reproduce),
         "bench": Verb("measure against a peer on the same work", _arguments, _bench)}
