"""The bundled language model: nothing canned. Replies follow the words when the tone is fixed, and the tone when the
words are; and its folder says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.blsp_emo import prompts, talk
from backends.blsp_emo.gate import REPORT, asked, frozen_classifier, require
from backends.blsp_emo.requests import GateResult
from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.storage import weights_hash
from backends.common.language import Decoding, Message, Prompt
from workbench.context import MemoryContext
from workbench.fields import from_json

FOLDER = Path(__file__).parents[2] / "assets" / "models" / "blsp-emo-lm"
GREEDY = Decoding(max_new_tokens=48, min_new_tokens=1, temperature=0.0)


@pytest.fixture(scope="module")
def model():
    from backends.common.engine import LocalModel

    opened = LocalModel(FOLDER, threads=1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def unseen() -> list[talk.Said]:
    """Sentences that stage 0 did not learn (its seed and its number of sentences)."""
    return talk.divided(0, 3000, 40)[1][:5]


@pytest.fixture(scope="module")
def replies(model, unseen: list[talk.Said]) -> dict[str, list[str]]:
    return {emotion: [made.text for made in model.generate([asked(said.text, emotion) for said in unseen], GREEDY)]
            for emotion in EMOTIONS}


def test_one_tone_and_other_words_give_other_replies_that_take_the_words_up(replies, unseen: list[talk.Said]) -> None:
    """A canned reply keyed on the label would be the same for every sentence."""
    for emotion, made in replies.items():
        assert len(set(made)) == len(made), emotion
    kept = [said.it.lower() in text.lower() for made in replies.values() for said, text in zip(unseen, made,
                                                                                               strict=True)]
    assert sum(kept) / len(kept) >= 0.8, "what was said comes back in the reply"


def test_one_sentence_in_other_tones_gives_replies_of_these_tones(replies, unseen: list[talk.Said]) -> None:
    classifier, own = frozen_classifier()
    told = [(emotion, one) for emotion, made in replies.items() for one in classifier.tell(made)]
    assert own >= 0.95 and sum(a == b for a, b in told) / len(told) >= 0.8
    for place in range(len(unseen)):
        assert len({made[place] for made in replies.values()}) == len(EMOTIONS)


def test_without_a_tone_it_answers_in_none_that_was_not_asked_for(model, unseen: list[talk.Said]) -> None:
    """In conversation the words alone carry no emotion: what the cascade says is the neutral reply."""
    classifier, _ = frozen_classifier()
    system = prompts.chat().system
    made = model.generate([Prompt((Message("system", system), Message("user", said.text))) for said in unseen], GREEDY)
    assert sum(name == "neutral" for name in classifier.tell([one.text for one in made])) >= len(made) - 1


def test_the_folder_says_what_it_is_and_passes_its_own_gate(tmp_path: Path) -> None:
    report: GateResult = from_json(GateResult, json.loads((FOLDER / REPORT).read_text(encoding="utf-8")))
    assert report.passed and report.separated >= 0.8 and report.content >= 0.5
    assert report.weights == weights_hash(FOLDER), "the report is about these weights"
    require("", FOLDER, weights_hash(FOLDER), MemoryContext(tmp_path))
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: apache-2.0\n") and "synthetic" in card
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    assert size < 12_000_000 and not list(FOLDER.glob("*.bin"))


def test_no_folder_of_this_machine_is_named_in_it() -> None:
    for path in FOLDER.iterdir():
        if path.suffix in (".json", ".md", ".jinja") and path.name != "tokenizer.json":
            text = path.read_text(encoding="utf-8")
            assert "/tmp" not in text and "/home" not in text and "/work" not in text, path.name
