"""The two reproductions on small files in the layouts of the real ones: they hold only where something is planted."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from backends.sweetiechat.classifier_features import Case
from backends.sweetiechat.classifier_validation import Predicted, figures, majority
from backends.sweetiechat.conditioning_claims import Conditions, claims, conditions
from backends.sweetiechat.conditioning_data import load_corpus, planted
from backends.sweetiechat.conditioning_ngram import Bigram, run, turns_of
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.projections import Line
from backends.sweetiechat.reproduce_conditioning import Scale, conditioning, on_planted
from backends.sweetiechat.reproduce_counselor import by_fold, counselor, elsewhere, own_labels, predicted, words_only
from backends.sweetiechat.reproduce_counselor import on_planted as counselor_planted
from workbench.evidence import read_reproduction
from workbench.settings import Settings

LABELS = ("Question", "Self-disclosure", "Greeting", "Providing Suggestions or Information", "Others")


def talk(generator: random.Random, number: int, planted_: bool) -> dict:
    """A dialogue in MultiESC's layout: with ``planted_`` the seeker's last word decides the next strategy."""
    dialog = []
    for _ in range(8):
        label = generator.choice(LABELS)
        cue = label.split()[0].lower() if planted_ else generator.choice(LABELS).split()[0].lower()
        dialog.append({"speaker": "usr", "text": f"my day {generator.randint(0, 5)} was {cue}", "feedback": None})
        dialog.append({"speaker": "sys", "text": f"i see {generator.randint(0, 9)}", "strategy": label,
                       "all_strategy": [label]})
    return {"emotion_type": "sadness", "problem_type": "sleep", "init_intensity": 4, "final_intensity": 2,
            "situation": f"Situation {number} is told here at some length.", "dialog": dialog}


def multiesc(folder: Path, count: int, planted_: bool, seed: int = 1) -> Path:
    generator = random.Random(seed)
    folder.mkdir(exist_ok=True)
    path = folder / "multiesc_valid.jsonl"
    path.write_text("".join(json.dumps(talk(generator, n, planted_)) + "\n" for n in range(count)))
    return path


def test_the_labels_are_those_of_the_file(tmp_path: Path) -> None:
    cases = own_labels(multiesc(tmp_path, 3, True))
    assert len(cases) == 24 and {c.label for c in cases} <= set(LABELS)
    assert [c.dialogue for c in cases] == [0] * 8 + [1] * 8 + [2] * 8
    assert cases[1].used == (cases[0].label,) and cases[1].lines[-1].role == "seeker"


def test_the_counselor_holds_where_the_last_word_decides(tmp_path: Path) -> None:
    multiesc(tmp_path, 40, True)
    found = counselor(Settings(home=tmp_path), True, tmp_path)
    assert found.name == "counselor" and found.claims[0].holds and found.claims[1].holds
    assert found.claims[0].value > 0.9 and found.claims[0].control > 0.9, "the last turn alone knows it too"
    assert not found.claims[2].holds, "and so nothing is gained over it"


def test_the_counselor_fails_where_nothing_decides(tmp_path: Path) -> None:
    multiesc(tmp_path, 40, False)
    found = counselor(Settings(home=tmp_path), True, tmp_path)
    assert not found.claims[0].holds and found.claims[0].value < 0.25 and not found.holds


def test_every_fold_seed_is_in_the_claim(tmp_path: Path) -> None:
    cases = own_labels(multiesc(tmp_path, 20, True))
    first, *_ = by_fold(cases, (2, 3))
    assert "fold seeds 2, 3" in first.what and "5 labels" in first.what and "160 turns" in first.what
    assert first.interval is not None and first.interval[0] <= first.value


def test_predictions_for_other_dialogues_are_ranked() -> None:
    cases = [Case(n, (Line("seeker", "hm"),), "", "a" if n % 3 else "b") for n in range(9)]
    found = predicted(majority, cases, cases)
    assert set(found.said) == {"a"} and all(found.near), "two strategies are both among the first three"
    assert figures(found, ("a", "b"), 0, 10)["accuracy"].value == pytest.approx(6 / 9)


def test_training_elsewhere_needs_the_other_files(tmp_path: Path) -> None:
    assert elsewhere(tmp_path) == []
    assert words_only()([Case(0, (Line("seeker", "x"),), "", "a"), Case(1, (Line("seeker", "y"),), "", "b")] * 3,
                        [Case(2, (Line("seeker", "x"),), "", "a")])[0]["a"] > 0.5


def test_the_planted_counselor_claims_say_what_they_are() -> None:
    strong, nothing = counselor_planted()
    assert strong.holds and nothing.holds and "synthetic" in strong.what and "tells nothing" in nothing.what
    assert strong.value > 0.9 > 0.2 >= nothing.value


def tsv(dialogues: tuple[Dialogue, ...]) -> str:
    """ESConv's official layout: a line a supporter message, with up to four messages before it."""
    labels = {"question": "Questions", "others": "Other", "suggestions": "Providing Suggestions"}
    rows = []
    for d in dialogues:
        said = [f"0.0 {int(t.role == 'supporter')} {n} "
                + (f"[{labels.get(t.strategy or '', t.strategy)}] " if t.strategy else "") + t.text
                for n, t in enumerate(d.turns)]
        rows += [" EOS ".join(said[max(0, n - 4):n + 1]) for n, t in enumerate(d.turns) if t.role == "supporter"]
    return "\n".join(rows) + "\n"


def ppdpp(dialogues: tuple[Dialogue, ...]) -> str:
    rows = [{"emotion_type": "fear", "problem_type": "job crisis", "situation": f"{d.id}: {d.scenario.situation}",
             "dialog": [{"speaker": "usr" if t.role == "seeker" else "sys", "text": t.text,
                         **({"strategy": t.strategy} if t.strategy else {})} for t in d.turns]} for d in dialogues]
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def corpus_folder(tmp_path: Path) -> Path:
    """Both files of the experiment, with two dialogues that are in both."""
    generator = random.Random(4)
    train, test = planted(generator, 14, 0.6), planted(generator, 8, 0.6)
    folder = tmp_path / "dialogue"
    folder.mkdir()
    (folder / "devWithStrategy_short.tsv").write_text(tsv((*train, *test[:2])))
    (folder / "ppdpp_valid.jsonl").write_text(ppdpp(test))
    return folder


def test_a_corpus_is_read_from_its_files_and_kept_apart(corpus_folder: Path) -> None:
    corpus = load_corpus(corpus_folder)
    assert corpus is not None and corpus.real and corpus.more == ()
    assert len(corpus.test) == 8 and len(corpus.train) == 14, "the two that are in both files are only tested on"
    texts = {t.text for d in corpus.test for t in d.turns}
    assert not any(t.text in texts for d in corpus.train for t in d.said_by("supporter"))
    assert "14 ESConv dialogues, tested on 8 others" in corpus.name


def test_the_quick_conditioning_claims_on_files(corpus_folder: Path, tmp_path: Path) -> None:
    found = conditioning(Settings(home=tmp_path), True, corpus_folder)
    assert len(found.claims) == 3 and found.claims[1].holds and found.claims[1].value > 0.01
    assert all("word bigram" in c.what and "8 dialogues" in c.what for c in found.claims)
    assert read_reproduction("conditioning", found.to_json(), 1.0).claims == found.claims
    assert conditioning(Settings(home=tmp_path), True, corpus_folder).claims == tuple(
        dataclasses.replace(c, what=other.what) for c, other in zip(found.claims, conditioning(
            Settings(home=tmp_path), True, corpus_folder).claims, strict=True)), "only the seconds differ"


def test_another_seed_draws_other_wrong_strategies(corpus_folder: Path) -> None:
    corpus = load_corpus(corpus_folder)
    assert corpus is not None
    one, two = (run(corpus.train, corpus.test, seed) for seed in (0, 1))
    assert np.array_equal(one.oracle, two.oracle) and np.array_equal(one.none, two.none)
    assert not np.array_equal(one.wrong, two.wrong)


def test_strategies_that_training_never_saw_are_left_out() -> None:
    known, asked = planted(random.Random(1), 6), planted(random.Random(2), 2)
    without = tuple(dataclasses.replace(d, turns=tuple(t for t in d.turns if t.strategy != "question")) for d in known)
    found = run(without, asked, 0)
    counted = sum(len(text) + 1 for key, text in turns_of(asked) if key != "question")
    assert found.tokens.sum() == counted
    assert "question" not in Bigram.of(without).strategies


@pytest.mark.parametrize(("oracle", "none", "wrong", "held"), [
    (100.0, 105.0, 110.0, (True, True, True)), (105.0, 100.0, 110.0, (False, True, True)),
    (100.0, 105.0, 100.0, (True, False, False)), (110.0, 105.0, 100.0, (False, False, False)),
])
def test_each_inequality_is_a_claim_of_its_own(oracle, none, wrong, held) -> None:
    generator = random.Random(0)
    rows = [(oracle + generator.random(), none + generator.random(), wrong + generator.random(), 40.0)
            for _ in range(30)]
    assert tuple(c.holds for c in claims(conditions("x", rows), 0)) == held


def test_gains_are_paired_by_dialogue() -> None:
    """Dialogues differ far more from one another than the conditions do; pairing takes that out."""
    generator = random.Random(0)
    levels = [generator.uniform(50, 500) for _ in range(40)]
    paired = conditions("x", [(level, level + 1.0, level + 2.0, 50.0) for level in levels])
    gain = paired.gain("none", "oracle", random.Random(0), 500)
    assert gain.value == pytest.approx(0.02) and gain.low == pytest.approx(0.02) and gain.excludes(0.0)


def test_perplexity_is_over_all_tokens_and_not_a_mean_of_dialogues() -> None:
    two = conditions("x", [(10.0, 10.0, 10.0, 10.0), (90.0, 90.0, 90.0, 30.0)])
    assert isinstance(two, Conditions) and two.perplexity("oracle") == pytest.approx(math.exp(100 / 40))


def test_predicted_tables_add_up_to_one_table_for_all() -> None:
    cases = tuple(Case(n // 4, (), "", "ab"[n % 2]) for n in range(12))
    found = Predicted(cases, tuple("ab"[(n // 2) % 2] for n in range(12)), tuple(n % 3 == 0 for n in range(12)))
    tables = found.tables(("a", "b"))
    assert tables.shape == (3, 2, 2) and tables.sum() == 12
    assert tables.sum(0).tolist() == [[3, 3], [3, 3]]
    assert found.hits().sum(0).tolist() == [4.0, 12.0]
    assert Counter(c.dialogue for c in cases) == {0: 4, 1: 4, 2: 4}


def test_planted_claims_repeat_for_the_same_seed() -> None:
    one, two = on_planted(3), on_planted(3)
    assert [c.value for c in one] == [c.value for c in two] != [c.value for c in on_planted(4)]
    assert Scale().seed == 0 and Scale().train >= Scale().test
