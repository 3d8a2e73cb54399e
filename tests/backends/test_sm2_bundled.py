"""The recipe of the bundled translator on made-up files: trained, measured, kept with its card, used again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from backends.sm2 import reproduce_bundled, reproduce_models
from backends.sm2.reproduce_bundled import MOST_MB, STEPS, request, stated, table
from backends.sm2.requests import CurveResult, Point
from backends.sm2.storage import open_translator
from backends.sm2.tatoeba import Pairs, Split
from tests.backends.sm2_cases import folder_of, small
from workbench.contract import MissingResource
from workbench.evidence import Reproduction
from workbench.registry import REPRODUCTIONS

ORIGINAL = request
SUBJECTS = ("the dog", "a cat", "my friend", "our teacher", "the old man", "a small child", "the king", "her brother")
VERBS = ("sees", "hears", "likes", "knows", "helps", "paints", "finds")
THINGS = ("the house", "a tree", "the river", "his book", "the red car", "an apple", "the moon")


def made(path: Path) -> Path:
    """Files of the form of Tatoeba's: 392 English sentences, "translated" by capitals and by single characters."""
    path.mkdir()
    texts = [f"{a} {v} {t}." for a in SUBJECTS for v in VERBS for t in THINGS]
    (path / "deu.txt").write_text("1\t2\n" + "".join(f"{t}\t{t.upper()}\n" for t in texts), encoding="utf-8")
    coded = (f"{t}\t{''.join(chr(0x4E00 + ord(c)) for c in t if c.isalpha())}\n" for t in texts[:300])
    (path / "cmn.txt").write_text("".join(coded), encoding="utf-8")
    return path


@pytest.fixture
def small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe with made-up data and a tiny model; its place is where the bundled model would be kept."""

    def tiny(folder: Path, steps: int = STEPS):
        return dataclasses.replace(
            ORIGINAL(folder, steps),
            vocabulary=400,
            width=16,
            inner=32,
            heads=2,
            layers=1,
            tokens=256,
            max_steps=6,
            warmup=2,
            held_out=10,
        )

    monkeypatch.setattr(reproduce_bundled, "DATA", made(tmp_path / "tatoeba"))
    monkeypatch.setattr(reproduce_bundled, "MODEL", tmp_path / "assets" / "models" / "sm2-tatoeba-en")
    monkeypatch.setattr(reproduce_bundled, "request", tiny)
    return tmp_path / "assets" / "models" / "sm2-tatoeba-en"


def test_the_whole_recipe(settings, small_scale: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = reproduce_bundled.run(settings)
    assert isinstance(found, Reproduction) and found.name == "sm2-bundled" and len(found.claims) == 5
    assert [c.what.split(":")[0] for c in found.claims[:4]] == ["German", "German", "Chinese", "Chinese"]
    assert found.claims[-1].holds and found.claims[-1].value < MOST_MB
    opened = open_translator(small_scale)
    assert opened.ready and opened.title == "SM2 of Tatoeba, German and Chinese to English"
    card = (small_scale / "README.md").read_text(encoding="utf-8")
    for words in (
        "license: cc-by-2.0",
        "CC BY 2.0 FR",
        "German and",
        "Chinese pairs",
        "## Limits",
        "SM2 0.7",
        "wait-5",
        "full sentence",
        "reproduce sm2-bundled",
        "held-out sentences",
    ):
        assert words in card, words
    assert "German to English" in capsys.readouterr().out
    for name in ("config.json", "README.md"):
        assert str(settings.home) not in (small_scale / name).read_text(encoding="utf-8")
    json.dumps(found.to_json())


def test_what_is_trained_is_used_again(settings, small_scale: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = reproduce_bundled.run(settings)

    def never(*_: object) -> None:
        raise AssertionError("trained twice")

    monkeypatch.setattr(reproduce_models, "train", never)
    again = reproduce_bundled.run(settings)
    assert [(c.what, c.value) for c in again.claims] == [(c.what, c.value) for c in first.claims]


def test_quick_keeps_nothing(settings, small_scale: Path) -> None:
    found = reproduce_bundled.run(settings, quick=True)
    assert len(found.claims) == 5 and not small_scale.exists()


def test_quick_measures_the_model_that_is_there(settings, small_scale: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reproduce_bundled.run(settings)
    before = {path.name: path.read_bytes() for path in small_scale.iterdir()}
    seen = []
    real = reproduce_bundled.measured

    def measured(model: Path, folder: Path, language: str, *rest):
        seen.append((model, language))
        return real(model, folder, language, *rest)

    monkeypatch.setattr(reproduce_bundled, "measured", measured)
    monkeypatch.setattr(reproduce_models, "train", None)
    reproduce_bundled.run(settings, quick=True)
    assert seen == [(small_scale, "de"), (small_scale, "zh")]
    assert before == {path.name: path.read_bytes() for path in small_scale.iterdir()}


def test_data_that_is_not_there_is_said(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce_bundled, "DATA", tmp_path / "nowhere")
    with pytest.raises(MissingResource, match=r"deu\.txt"):
        reproduce_bundled.run(settings, quick=True)


def test_the_request_is_both_languages_at_once(tmp_path: Path) -> None:
    asked = request(tmp_path)
    assert len(asked.source) == len(asked.target) == 2 and asked.max_steps == STEPS and asked.half
    assert [name.rsplit("/", 1)[1] for name in asked.source] == ["train.de.source.txt", "train.zh.source.txt"]
    assert asked.objective == "sm2" and asked.licence.startswith("cc-by") and request(tmp_path, 20).warmup == 20


def point(policy: str, bleu: float, al: float | None) -> Point:
    words = {"AL": al, "LAAL": 1.0, "AP": 0.5, "DAL": 1.0, "CW": 1.0}
    return Point(policy, "sm2", 0.5, bleu, bleu - 1, bleu + 1, words, 0.0, 9.0, words, 0.0, None, 0, 1.0)


def curve(full: float, eager: float, sm2_al: float | None, full_al: float = 8.0) -> CurveResult:
    points = (point("SM2 0.7", 25.0, sm2_al), point("wait-1", eager, 1.0), point("full sentence", full, full_al))
    return CurveResult(points, "nrefs:1|case:mixed", 1234)


@pytest.mark.parametrize(
    ("full", "eager", "al", "holds"),
    [(30, 20, 4, [True, True]), (20, 30, 4, [False, True]), (30, 20, 8, [True, False]), (30, 20, None, [True, True])],
)
def test_claims_hold_and_fail(full: float, eager: float, al: float | None, holds: list) -> None:
    claims = stated(curve(full, eager, al), "de")
    assert [claim.holds for claim in claims] == holds
    assert claims[0].control == eager and claims[0].interval == (full - 1, full + 1)
    assert claims[1].value == pytest.approx((al or 0) / 8)


def test_a_table_has_a_row_for_each_policy() -> None:
    lines = table(curve(30, 20, 4), "zh").splitlines()
    assert lines[0] == "Chinese to English, 1,234 held-out sentences (`nrefs:1|case:mixed`)"
    assert lines[4] == "| SM2 0.7 | 25.0 | 24.0 to 26.0 | 4.00 | 1.00 | 0.50 |" and len(lines) == 7


def test_keeping_replaces_what_was_there(small_scale: Path, tmp_path: Path) -> None:
    small_scale.mkdir(parents=True)
    (small_scale / "old.txt").write_text("x", encoding="utf-8")
    one = Pairs(("Hallo!",), ("Hi.",))
    reproduce_bundled.keep(
        folder_of(tmp_path / "m", small()),
        {"de": curve(30, 20, 4)},
        Split({"de": one, "zh": one}, {"de": one, "zh": one}),
    )
    assert not (small_scale / "old.txt").exists() and open_translator(small_scale).ready
    assert "1 German and 1 Chinese pairs" in (small_scale / "README.md").read_text(encoding="utf-8")


def test_it_can_be_called_by_name() -> None:
    assert REPRODUCTIONS["sm2-bundled"] == "backends.sm2.reproduce_bundled:run"
