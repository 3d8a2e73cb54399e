"""The practice clips that come with the project, under the name ``practice``, beside everybody's own manifests."""

from __future__ import annotations

from pathlib import Path

from workbench.contract import Context, MissingResource

PRACTICE = "practice"
FOLDER = Path(__file__).resolve().parents[3] / "assets" / "speech" / "practice"
CLIPS, ENGLISH = (FOLDER / f"{name}.jsonl" for name in ("manifest", "english"))
"""The clips with what is said in them, and with the same in English: the bundled language model knows no German."""
SAID = FOLDER / "said.jsonl"
"""One English sentence by espeak-ng in three settings of its voice (synthetic): the example of a conversation."""
CONTINUATIONS, EMOTIONAL, ANSWERS = (FOLDER / f"{name}.jsonl" for name in ("continuations", "emotional", "answers"))
"""What the bundled language model continues the English texts with: as they are, in the clips' emotion, in all five."""


def is_practice(reference: str) -> bool:
    """Whether a request means the practice clips: it names none, or ``practice``."""
    return reference.strip() in ("", PRACTICE)


def located(reference: str, bundled: Path, context: Context) -> Path:
    """The file that a request names, or ``bundled`` where it means the practice clips.

    Raises ``MissingResource`` or ``UserError`` as ``context.resource`` does."""
    if not is_practice(reference):
        return context.resource(reference)
    if not bundled.is_file():
        raise MissingResource(f"The practice clips have no {bundled.name}.",
                              advice="Copy the project again, with its assets.")
    return bundled
