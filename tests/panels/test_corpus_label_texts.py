"""Every text of the Duplicates, Label and Scorers views is there in both languages, and none is there for nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backends.mdfg.domain import LABELS
from backends.mdfg.explore import queue, sampled
from backends.mdfg.explore.labels import DIMENSIONS, UNSURE
from panels import corpus_duplicates, corpus_label_work, corpus_scorers_make
from panels import corpus_label_desk as desk
from panels import corpus_scorers_kinds as kinds
from panels import corpus_scorers_rounds as rounds
from panels import corpus_scorers_show as show
from workbench import text
from workbench.widgets import corpus_rounds as widget

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*(ROOT / "panels").glob("corpus_*.py"), *(ROOT / "workbench" / "widgets").glob("corpus_*.py")]
CODE = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
TEXTS = {lang: json.loads((text.FOLDER / f"corpus_label.{lang}.json").read_text(encoding="utf-8"))
         for lang in text.LANGUAGES}


def keys_in_code() -> set[str]:
    """Whole keys; those with a place in them are listed in :data:`MADE`."""
    return set(re.findall(r"""["'](label\.[\w.]+?)["']""", CODE)) - {"label.output", "label.domain"}


MADE = {
    "label.value": [*(value for one in DIMENSIONS for value in one.values if one.positive), UNSURE],
    "label.domain": LABELS, "label.what": desk.WHATS, "label.show": desk.SHOWS,
    "label.queue": corpus_label_work.KINDS, "label.left_out": sampled.REASONS,
    "label.make": kinds.KINDS, "label.make.title": kinds.KINDS, "label.do": show.CONTROLS,
    "label.judged": rounds.ONLY, "label.rounds": (*widget.FIGURES, *widget.COUNTS, "gain"),
    "label.clusters.sort": corpus_duplicates.SORTS, "label.clusters.policy": ("quality", "length", "first"),
    "label.clusters.mode": ("off", "mark", "drop"), "label.clusters.why": ("rules", "quality", "length", "first"),
    "label.clusters.do": ("accept", "all", "none", "confirm"), "label.try.sum": ("logit", "bits"),
    "label.toxic": ("0", "1", "empty", "symbols"), "label.rows": ("answers", "documents"),
    "label.words": ("accept", "reject"), "label.why": (*queue.KINDS, "second"),
    "label.lab.recall": ("quality", "toxicity"), "label.lab.prevalence": ("quality", "toxicity"),
    "label.curve": ("loss", "f1", "auc", "control_f1", "control_auc"), "label.domains": ("counts", "sure", "keywords"),
    "label": [f"{name}{more}" for name in ("size", "people", "bins", "seed") for more in ("", ".help")],
    "label.part": ("work", "agreement", "lab"), "label.scorers": ("try", "make")}


def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    en, zh = TEXTS["en"], TEXTS["zh-CN"]
    assert set(en) == set(zh)
    for key in en:
        assert text.places(en[key]) == text.places(zh[key]), key


def test_chinese_texts_are_chinese_and_english_ones_are_not() -> None:
    for key, value in TEXTS["zh-CN"].items():
        plain = re.sub(r"\{\w+\}|[\s\d.%·/,×…（）F1AUCfleiszvohenkap]", "", value, flags=re.IGNORECASE)
        assert not plain or re.search("[一-龥]", plain) or key in ("label.words.support", "label.and"), (key, value)
    for key, value in TEXTS["en"].items():
        assert key == "label.try.sample" or not re.search("[一-龥]", value), key


@pytest.mark.parametrize("key", sorted(keys_in_code()))
def test_every_key_in_the_code_has_a_text(key: str) -> None:
    assert text.known(key)


@pytest.mark.parametrize(("stem", "name"), [(stem, name) for stem, names in MADE.items() for name in names])
def test_every_key_that_is_put_together_has_a_text(stem: str, name: str) -> None:
    assert text.known(f"{stem}.{name}")


def test_no_text_is_there_for_nothing() -> None:
    made = {f"{stem}.{name}" for stem, names in MADE.items() for name in names}
    stems = set(re.findall(r"""f["'](label\.[\w.]+?)\.\{""", CODE))
    unused = [key for key in TEXTS["en"] if key not in keys_in_code() | made
              and not any(key.startswith(f"{stem}.") for stem in stems)]
    assert not unused


def test_the_sample_text_is_long_enough_to_be_scored() -> None:
    for lang in text.LANGUAGES:
        sample = text.say(lang, "label.try.sample")
        assert 60 < len(sample) < 1000 and "\n" in sample


def test_forms_are_made_of_requests_that_exist() -> None:
    assert tuple(corpus_scorers_make.kinds.KINDS) == ("train", "rounds", "domains")
    for kind in kinds.KINDS.values():
        assert kind.task.startswith("mdfg.") and kind.task.endswith(".v1")
