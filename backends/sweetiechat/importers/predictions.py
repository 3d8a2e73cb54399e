"""Released predictions in the layout of Kang et al. (2024): a history, the gold reply, and what a model made of it.

``[{sample_id, context, situation, problem_type, emotion_type, strg_gold, res_gold, strg_pred, res_pred}]``. The gold
reply becomes the last turn; the prediction stays in its ``meta["predicted"]``. Many samples come from one dialogue and
share its situation, which is how :func:`splitting.split` keeps them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backends.sweetiechat.importers.draft import Draft, Format, Said, text_in, text_of
from workbench.contract import Json, UserError

_FIELDS = {"- Strategy: ": "strategy", "- Utterance: ": "text"}


def read(entry: Json) -> Draft:
    """One sample as a dialogue that ends with the gold reply."""
    context = text_in(entry, "context", "the sample")
    history = tuple(_history(context))
    if context.strip() and not history:
        raise UserError("its context holds no message: a line 'seeker' or 'supporter', then '- Utterance: ...'")
    predicted = {"strategy": text_of(entry, "strg_pred"), "text": text_of(entry, "res_pred")}
    gold = Said("supporter", text_in(entry, "res_gold", "the sample"), (text_in(entry, "strg_gold", "the sample"),),
                meta={"predicted": predicted})
    return Draft((*history, gold), text_of(entry, "situation"), text_of(entry, "emotion_type"),
                 text_of(entry, "problem_type"), notes={"sample_id": text_of(entry, "sample_id")})


def _history(context: str) -> Iterator[Said]:
    """Messages of the history; a line that begins neither a message nor a field goes on with the one before."""
    role, found, last = "", dict[str, str](), ""
    for line in [*context.split("\n"), "seeker"]:
        mark = next((mark for mark in _FIELDS if f"{line} ".startswith(mark)), "")
        if line in ("seeker", "supporter"):
            if role and found.get("text"):
                yield _said(role, found)
            role, found, last = line, {}, ""
        elif mark and role:
            last = _FIELDS[mark]
            found[last] = line[len(mark):]
        elif last:
            found[last] += f"\n{line}"


def _said(role: str, found: Mapping[str, str]) -> Said:
    if role == "seeker":
        return Said("seeker", found["text"])
    label = found.get("strategy", "").strip()
    return Said("supporter", found["text"], (label,) if label else ())


def _looks(entry: Json) -> bool:
    return isinstance(entry, Mapping) and {"context", "res_gold", "strg_gold"} <= set(entry)


FORM = Format("predictions", "Gold and predicted replies (Kang et al.)", _looks, read, strategies="esconv-8",
              language="en", made_by="people")
