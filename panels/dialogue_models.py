"""Which models the dialogue form offers for a language, what it says about each, and how a missing one is brought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from workbench import hub
from workbench.contract import UserError
from workbench.settings import Settings

Say = Callable[..., str]
NAMED = ("en", "zh", "de", "es", "fr", "it", "pt")
FETCH_TASK = "common.fetch_model.v1"


@dataclass(frozen=True)
class Offer:
    """A model as the form shows it. ``status`` is :class:`workbench.hub.State`'s, or ``"unknown"``."""

    card: hub.ModelCard
    status: str
    detail: str = ""

    @property
    def reference(self) -> str:
        """The reference that a request names it by."""
        return self.card.reference


def offers(language: str, settings: Settings) -> tuple[list[Offer], list[Offer]]:
    """Models of the catalogue that may speak ``language`` (``en`` or ``zh``), and those that state others only."""
    fit: list[Offer] = []
    unfit: list[Offer] = []
    for card in hub.catalogue(settings):
        if not card.writes:
            continue
        state = hub.state(card.reference, settings)
        (unfit if hub.speaks(card, language) is False else fit).append(Offer(card, state.status, state.detail))
    return fit, unfit


def choices(language: str, settings: Settings, say: Say) -> list[tuple[str, str]]:
    """``(words, reference)`` of every model that is offered for a language."""
    return [(f"{offer.card.title} · {status_words(offer, say)}", offer.reference)
            for offer in offers(language, settings)[0]]


def status_words(offer: Offer, say: Say) -> str:
    """``ready``, ``93 MB to fetch``, ``licence to accept`` ... in the reader's language."""
    key = offer.status.replace(" ", "_")
    known = ("ready", "to_fetch", "to_convert", "needs_acceptance", "missing", "unknown")
    return say(f"dialogue.model.{key}", size=offer.card.size_mb) if key in known else offer.status


def default(language: str, settings: Settings) -> str:
    """The model that is chosen at first: the settings' one when it speaks the language, else the first that does."""
    fit = [offer.reference for offer in offers(language, settings)[0]]
    try:
        if hub.speaks(hub.card(settings.default_model, settings), language) is not False:
            return settings.default_model
    except UserError:
        pass
    return next(iter(fit), "")


def look_up(reference: str, settings: Settings) -> Offer:
    """What is known of any reference a person types. Raises ``UserError`` for a text that is no reference."""
    state = hub.state(reference, settings)
    return Offer(hub.card(reference, settings), state.status, state.detail)


def facts(offer: Offer, say: Say) -> str:
    """Languages, size, licence and state of one model as a line of HTML."""
    card = offer.card
    spoken = spoken_by(card, say) or say("dialogue.model.languages_unknown")
    parts = [say("dialogue.model.languages", languages=spoken)]
    if card.parameters:
        parts.append(say("dialogue.model.parameters", millions=round(card.parameters / 1e6)))
    if card.kind == "base":
        parts.append(say("dialogue.model.base"))
    if not card.can_score:
        parts.append(say("dialogue.model.cannot_score"))
    licence = escape(card.licence)
    if card.licence_url.startswith(("https://", "http://")):
        licence = (f'<a href="{escape(card.licence_url, quote=True)}" target="_blank" rel="noreferrer noopener">'
                   f"{licence}</a>")
    words = [escape(part) for part in parts] + ([licence] if licence else [])
    return f"{' · '.join(words)} · <b>{escape(status_words(offer, say))}</b>"


def spoken_by(card: hub.ModelCard, say: Say) -> str:
    """The languages that a model states, by name where the page has one."""
    return ", ".join(say(f"dialogue.language.{code}") if code in NAMED else code for code in card.languages)


def note(references: Sequence[str], language: str, settings: Settings, say: Say) -> str:
    """The paragraph under the model pickers: each chosen model's facts, then what is not offered and why."""
    rows = []
    for reference in dict.fromkeys(ref.strip() for ref in references if ref and ref.strip()):
        try:
            offer = look_up(reference, settings)
        except UserError as error:
            rows.append(f'<p class="dt-bad">{escape(str(error))}</p>')
            continue
        rows.append(f"<p><b>{escape(offer.card.title)}</b><br>{facts(offer, say)}</p>")
        if hub.speaks(offer.card, language) is False:
            rows.append(f'<p class="dt-bad">{escape(wrong_language(offer, language, say))}</p>')
        if offer.detail and offer.status == "missing":
            rows.append(f'<p class="dt-bad">{escape(offer.detail)}</p>')
    unfit = offers(language, settings)[1]
    rows += [f"<p>{escape(wrong_language(offer, language, say))}</p>" for offer in unfit]
    if unfit:
        rows.append(f'<p>{escape(say(f"dialogue.model.bring.{language}"))}</p>')
    return f'<div class="dt dt-models">{"".join(rows)}</div>'


def wrong_language(offer: Offer, language: str, say: Say) -> str:
    """Why a model is not offered: ``SmolLM2 speaks en only, not Chinese.``"""
    return say("dialogue.model.wrong_language", title=offer.card.title, languages=spoken_by(offer.card, say),
               language=say(f"dialogue.language.{language}"))


def check(references: Sequence[str], language: str, settings: Settings, say: Say) -> None:
    """Refuse a dialogue with a model that states other languages only, before a run is made."""
    for reference in dict.fromkeys(ref for ref in references if ref):
        offer = look_up(reference, settings)
        if hub.speaks(offer.card, language) is False:
            raise UserError(wrong_language(offer, language, say), advice=say(f"dialogue.model.bring.{language}"))
        if offer.status == "needs acceptance":
            raise UserError(say("dialogue.model.accept_first", title=offer.card.title, licence=offer.card.licence))
    if not any(references):
        raise UserError(say("dialogue.model.none", language=say(f"dialogue.language.{language}")),
                        advice=say(f"dialogue.model.bring.{language}"))
