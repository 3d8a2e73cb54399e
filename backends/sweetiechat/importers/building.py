"""From a draft to a dialogue: cleaned texts, merged turns, strategy keys, the survey, a scenario and stable ids.

* Messages of one speaker in a row become one turn, joined by a space, so that its tokens are those of its parts.
  ``meta["parts"]`` keeps the messages, ``meta["all_strategy"]`` every strategy in order; ``strategy`` is the first of
  them (as in MultiESC and StraQ: our default where corpora differ).
* ``qc["survey"]`` has initial, final, empathy, relevance and feedback as far as the file gives them; a seeker turn's
  stars are in ``meta["feedback"]`` (the last ones of merged messages; all of them in ``meta["all_feedback"]``).
* A file that tells no situation gets the seeker's first words for one; ``qc["source"]["guessed"]`` lists what was.
* Ids are hashes of what is said, so the same dialogue has the same id in every import.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from backends.sweetiechat.importers.draft import Draft, Format, Said, shown
from backends.sweetiechat.importers.labels import Labels, Normalisers
from backends.sweetiechat.importers.topics import feeling, problem_id
from backends.sweetiechat.objects import Dialogue, Language, Scenario, Turn
from workbench.contract import Json, UserError

CODE_VERSION = "sweetiechat-import-1"
LONGEST_TURN = 20_000
LONGEST_SITUATION = 4000
MOST_TURNS = 2000
"""Characters of a message and of a situation, and messages of a dialogue; more is a broken file (our default)."""
GUESS_FROM, GUESS_TO = 60, 400
MIDDLE = 3
SURVEY: Mapping[str, tuple[str, ...]] = {
    "initial": ("initial", "initial_emotion_intensity", "init_intensity"),
    "final": ("final", "final_emotion_intensity", "final_intensity"),
    "empathy": ("empathy",), "relevance": ("relevance",), "supporter_relevance": ("supporter_relevance",)}
_LINE_END = re.compile("\r\n?|[\u0085\u2028\u2029]")
_DROPPED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
                      "\ufff9-\ufffb\ue000-\uf8ff]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")


def build(draft: Draft, form: Format, where: str, file: str, known: Normalisers) -> Dialogue:
    """The dialogue of a draft. Raises ``UserError`` saying which message or value cannot be used."""
    said = checked(draft.said)
    language = form.language or language_of(part.text for part in said)
    labels = known.of(form.strategies) if form.strategies else known.fitting(
        label for part in said for label in part.labels)
    turns = merge(said, labels)
    survey = survey_of(draft.survey, turns)
    name = draft.name or f"{form.name}-{digest(*(f'{t.role}:{t.text}' for t in turns))}"
    situation, guessed = _situation(draft, turns)
    scenario = Scenario(
        f"seed-{digest(squash(situation))}", problem_id(draft.problem), feeling(draft.emotion, language),
        survey.get("initial", MIDDLE), situation, trigger=cleaned(draft.trigger)[:1000], language=language)
    missing = {"emotion": not draft.emotion, "problem": not draft.problem, "intensity_0": "initial" not in survey}
    source = {"format": form.name, "file": file, "where": where, "made_by": form.made_by,
              "guessed": [*guessed, *(field for field, absent in missing.items() if absent)], **draft.notes}
    qc: dict[str, Json] = {"source": source, **({"survey": survey} if survey else {})}
    return Dialogue(name, scenario, None, labels.strategies, turns, "imported", language, "none", qc=qc,
                    code_version=CODE_VERSION)


def checked(said: Sequence[Said]) -> list[Said]:
    """The messages with clean texts, empty ones left out. Raises ``UserError`` for too long ones and for none."""
    if len(said) > MOST_TURNS:
        raise UserError(f"it has {len(said):,} messages; at most {MOST_TURNS:,} are read")
    kept = []
    for number, part in enumerate(said, 1):
        if len(part.text) > LONGEST_TURN:
            raise UserError(f"message {number} has {len(part.text):,} characters; at most {LONGEST_TURN:,} are read")
        text = cleaned(part.text)
        if text:
            kept.append(Said(part.role, text, part.labels, part.stars, part.meta))
    if not kept:
        raise UserError("it has no message with any text")
    return kept


def cleaned(text: str) -> str:
    """The text without control and direction characters, lone surrogates and outer space; line ends inside stay."""
    whole = _LINE_END.sub("\n", text.encode("utf-8", "ignore").decode("utf-8"))
    return re.sub(r"[^\S\n]+", " ", _DROPPED.sub("", whole)).strip()


def language_of(texts: Iterable[str]) -> Language:
    """Chinese when three letters of ten or more are Chinese (our default), else English."""
    words = " ".join(texts)
    letters = len(_LETTER.findall(words))
    return "zh" if letters and len(_HAN.findall(words)) / letters >= 0.3 else "en"


def merge(said: Sequence[Said], labels: Labels) -> tuple[Turn, ...]:
    """One turn for every run of messages of one speaker."""
    runs: list[list[Said]] = []
    for part in said:
        if runs and runs[-1][0].role == part.role:
            runs[-1].append(part)
        else:
            runs.append([part])
    return tuple(_turn(place, run, labels) for place, run in enumerate(runs))


def _turn(place: int, run: Sequence[Said], labels: Labels) -> Turn:
    role = run[0].role
    meta: dict[str, Json] = {"author": "imported"}
    for part in run:
        meta.update(part.meta)
    if len(run) > 1:
        meta["parts"] = [part.text for part in run]
    stars = [level(part.stars, f"the feedback of turn {place + 1}") for part in run if part.stars not in (None, "")]
    if stars:
        meta["feedback"] = stars[-1]
    if len(stars) > 1:
        meta["all_feedback"] = stars
    keys: list[str] = []
    if role == "supporter":
        keys = [key for part in run for label in part.labels for key in labels.keys(label)]
        meta |= {"all_strategy": keys} if keys else {}
    return Turn(place, role, " ".join(part.text for part in run), keys[0] if keys else None, meta=meta)


def survey_of(raw: Mapping[str, Json], turns: Sequence[Turn]) -> dict[str, int]:
    """The survey by our names, each 1..5; what the file leaves empty is left out. ``feedback`` is the last stars.

    Raises ``UserError`` for a value that is no whole number from 1 to 5.
    """
    found: dict[str, int] = {}
    for name, spellings in SURVEY.items():
        value = next((raw[s] for s in spellings if raw.get(s) not in (None, "")), None)
        if value is not None:
            found[name] = level(value, name)
    stars = [turn.meta["feedback"] for turn in turns if turn.role == "seeker" and "feedback" in turn.meta]
    if stars:
        found["feedback"] = int(stars[-1])
    return found


def level(value: Json, what: str) -> int:
    """A whole number from 1 to 5, also as text; ``UserError`` for anything else."""
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, str | int | float) or text not in {
            "1", "2", "3", "4", "5", "1.0", "2.0", "3.0", "4.0", "5.0"}:
        raise UserError(f"{what} is {shown(value)}; it must be a whole number from 1 to 5")
    return int(text[0])


def _situation(draft: Draft, turns: Sequence[Turn]) -> tuple[str, list[str]]:
    text = cleaned(draft.situation)
    if len(text) > LONGEST_SITUATION:
        raise UserError(f"the situation has {len(text):,} characters; at most {LONGEST_SITUATION:,} are read")
    if text:
        return text, []
    words = ""
    for turn in [turn for turn in turns if turn.role == "seeker"] or turns:
        words = f"{words} {turn.text}".strip()
        if len(words) >= GUESS_FROM:
            break
    return words[:GUESS_TO], ["situation"]


def squash(text: str) -> str:
    """Letters and digits only, without case: how a text is compared between files that space it differently."""
    return re.sub(r"[\W_]+", "", text.casefold())


def digest(*parts: str) -> str:
    """Twelve hex digits that depend on the parts only."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:12]
