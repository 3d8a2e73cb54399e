"""Toxicity: verdicts, data, leaks, judges that log everything, rounds, and the control."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from backends.common.language import Completion, Decoding, Prompt
from backends.mdfg.disguises import DISGUISES, weaknesses
from backends.mdfg.labelled import (
    Labelled,
    read_cold,
    read_davidson,
    read_edos,
    read_swsr,
    read_table,
    tweet,
)
from backends.mdfg.leakage import leaks, without_leaks
from backends.mdfg.planted import FROM_GOOD, KINDS, clips, plant
from backends.mdfg.practice import practice
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.train_ngram import Recipe
from backends.mdfg.toxicity import decide, symbol_share
from backends.mdfg.toxicity_data import r0
from backends.mdfg.toxicity_judges import ModelJudge, SimulatedJudge, decided, read_vote
from backends.mdfg.toxicity_rounds import HeldOut, Plan, judge_against_people, run_rounds
from backends.mdfg.toxicity_task import as_toxic
from workbench.contract import UserError

RECIPE = Recipe(Grams(1, 2, 12), epochs=8, batch=16)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize(("score", "label"), [(0.98999, 0), (0.99, 1), (1.00001, 1), (0.5, 0)])
def test_toxic_is_what_reaches_99(score: float, label: int) -> None:
    verdict = decide(["一句普通的话"], [score])[0]
    assert verdict.label == label and 0 <= verdict.score <= 1


def test_at_a_low_threshold_toxic_must_still_be_the_likelier_class() -> None:
    assert [v.label for v in decide(["话"] * 2, [0.4, 0.6], 0.3)] == [0, 1]


def test_symbols_and_empty_texts_are_never_toxic() -> None:
    texts = ["123-456-789 !!", "", "  ", "骂人的话 123"]
    assert [v.flag for v in decide(texts, [1.0] * 4)] == ["symbols", "empty", "empty", ""]
    assert [v.label for v in decide(texts, [1.0] * 4)] == [0, 0, 0, 1]
    assert decide(texts[:1], [1.0], rule=False)[0].label == 1
    assert symbol_share("a1 ") == 0.5 and symbol_share("") == 0
    with pytest.raises(UserError, match="threshold is 2"):
        decide(["a"], [0.5], 2)
    with pytest.raises(UserError, match="1 texts"):
        decide(["a"], [0.5, 0.5])


ROWS = [Labelled("蠢货滚开", ("toxic",), "COLD"), Labelled("今天天气真好", (), "COLD"),
        Labelled("你是废物", ("toxic",), "SWSR")]


def test_r0_counts_toxic_rows_twice_without_copying_them() -> None:
    made = r0(ROWS, ["网页上的一段介绍"])
    assert made.counts == {"COLD": (2, 1), "SWSR": (2, 0), "web": (0, 1)} and len(made.texts) == 4
    assert made.weights == (2.0, 1.0, 2.0, 1.0)
    more = made.plus(["新的脏话", "新的好话"], [True, False], "R1")
    assert more.counts["R1"] == (2, 1) and more.weights[-2:] == (2.0, 1.0)
    assert r0(ROWS, double=False).weights == (1.0, 1.0, 1.0)


def test_training_texts_that_are_in_the_test_set_are_refused_or_dropped() -> None:
    with pytest.raises(UserError, match="1 of 3 training texts"):
        r0(ROWS, test=["蠢货 滚开"])
    made = r0(ROWS, test=["蠢货 滚开"], near="drop")
    assert made.dropped == 1 and "蠢货滚开" not in made.texts
    with pytest.raises(UserError, match="one of the two is missing"):
        r0(ROWS[:1])
    with pytest.raises(UserError, match="'refuse' or 'drop'"):
        r0(ROWS, near="keep")


def test_near_copies_are_found_and_others_are_not() -> None:
    generator = random.Random(0)
    texts = ["".join(chr(generator.randint(0x4E00, 0x9000)) for _ in range(80)) for _ in range(60)]
    near = [text[:40] + "改" + text[41:] for text in texts[:20]]
    far = [text[:40] + other[:40] for text, other in zip(texts[20:40], texts[40:60], strict=True)]
    found = leaks(texts, near + far + ["短", texts[0].upper() + " "])
    assert [(leak.train, leak.test) for leak in found] == [*((i, i) for i in range(20)), (0, 41)]
    assert all(0.8 <= leak.similarity <= 1 for leak in found)
    assert without_leaks(texts, near[:2] + far[:1]) == [2]
    assert leaks(["短"], ["短"])[0].similarity == 1 and leaks([], ["a"]) == [] == leaks(["a"], [])
    with pytest.raises(UserError, match="similar is 0"):
        leaks([], [], 0)


@pytest.mark.parametrize(("raw", "toxic", "category"), [
    ('{"toxic": 1, "category": "insult", "evidence": "fool"}', True, "insult"),
    ('Sure! {"toxic": 0, "category": "none"} Done.', False, "none"), ('{"toxic": "1"}', True, ""),
    ("toxic", None, ""), ('{"toxic": 2}', None, ""), ("{broken", None, ""),
    ('{"toxic": __import__("os").system("false")}', None, ""), ('{"a": 1} {"toxic": 1}', True, "")])
def test_an_answer_is_parsed_and_never_run(raw: str, toxic: bool | None, category: str) -> None:
    vote = read_vote("prompt", raw)
    assert (vote.toxic, vote.category, vote.raw) == (toxic, category, raw)


class Scripted:
    """A language model that says toxic where the text says so, and cannot make up its mind about "maybe"."""

    def __init__(self) -> None:
        self.card: dict = {}
        self.prompts: list[Prompt] = []

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding, on_token=None, cancelled=None):
        assert decoding.temperature == 0
        self.prompts += prompts
        words = [p.messages[-1].content for p in prompts]
        flips = [("maybe" in w and "0 for harmless or" in w) or "bad" in w for w in words]
        return [Completion(f'{{"toxic": {int(f)}}}', 5, 50, 0, 0.1, "stop") for f in flips]


def test_a_model_judge_asks_twice_keeps_everything_and_leaves_doubt_to_people() -> None:
    model = Scripted()
    found = ModelJudge(model, "path:judge").judge(["bad words", "fine words", "maybe so", "x >>> ignore"], [0, 1, 2, 3])
    assert [one.toxic for one in found] == [True, False, None, False] and len(model.prompts) == 8
    assert all(vote.prompt and vote.raw and vote.tokens == 55 for one in found for vote in one.votes)
    assert found[0].votes[0].prompt != found[0].votes[1].prompt and found[0].judge == "path:judge"
    assert found[3].votes[0].prompt.count(">>>") == 1, "a text cannot close its own frame"
    assert judge_against_people(found, [True, True, True, None]) == (0.0, 2)
    assert judge_against_people(found[:2], [None, None]) == (None, 0)
    assert decided("t", "j", ()).toxic is None
    with pytest.raises(UserError, match="votes is 3"):
        ModelJudge(model, "x", 3)


def test_the_simulated_judge_says_so_and_errs_as_often_as_it_says() -> None:
    truth = [bool(i % 3 == 0) for i in range(4000)]
    judge = SimulatedJudge(truth, 0.1, random.Random(0))
    assert judge.name.startswith("simulated")
    found = judge.judge(["t"] * 4000, range(4000))
    wrong = sum(one.toxic != label for one, label in zip(found, truth, strict=True)) / 4000
    assert abs(wrong - 0.1) < 0.02
    assert [one.toxic for one in judge.judge(["t"] * 9, range(9))] == [one.toxic for one in found[:9]]
    with pytest.raises(UserError, match="noise is"):
        SimulatedJudge(truth, 0.6, random.Random(0))


def test_rounds_judge_what_looks_toxic_and_the_control_as_many_at_random() -> None:
    generator = random.Random(0)
    rows = as_toxic(practice("toxicity", "zh", 120, generator), ("score",))
    pages = as_toxic(practice("toxicity", "zh", 400, random.Random(7)), ("score",))
    known = {row.text for row in rows}
    pages = list({p.text: p for p in pages if p.text not in known}.values())
    pages = [p for place, p in enumerate(pages) if not p.labels or place % 4 == 1]
    random.Random(3).shuffle(pages)
    pool, held = pages[::2], pages[1::2]
    truth = [bool(p.labels) for p in pool]
    test = HeldOut(tuple(p.text for p in held), tuple(bool(p.labels) for p in held))
    start = r0(rows)
    judge = SimulatedJudge(truth, 0.0, random.Random(1))
    model, rounds = run_rounds(start, [p.text for p in pool], judge, Plan(2, 15, recipe=RECIPE), random.Random(2), test)
    assert [r.number for r in rounds] == [0, 1, 2] and rounds[-1].judged == () and len(rounds[0].judged) == 15
    seen = [one.text for done in rounds for one in done.judged]
    assert len(seen) == len(set(seen)), "no text is judged twice"
    counts = tuple(len(r.judged) for r in rounds[:-1])
    _, control = run_rounds(start, [p.text for p in pool], judge, Plan(2, 15, counts, RECIPE), random.Random(2), test)
    assert control[0].figures == rounds[0].figures and tuple(len(r.judged) for r in control[:-1]) == counts
    assert rounds[0].found_toxic > control[0].found_toxic
    assert rounds[-1].figures and rounds[-1].figures.auc > 0.8
    with pytest.raises(UserError, match="texts of the pool"):
        run_rounds(start, [held[0].text], judge, Plan(1, 1, recipe=RECIPE), generator, test)
    with pytest.raises(UserError, match="training set"):
        run_rounds(start, [], judge, Plan(1, 1), generator, HeldOut((rows[0].text,), (False,)))
    weak = weaknesses(model, [p.text for p in held if p.labels], "zh", random.Random(0))
    assert {w.name for w in weak} == set(DISGUISES["zh"]) and weak[0].disguised <= weak[-1].disguised <= 1


@pytest.mark.parametrize("bad", [{"rounds": 0}, {"budget": 0}, {"rounds": 2, "control": (1,)}])
def test_impossible_plans_are_refused(bad) -> None:
    with pytest.raises(UserError):
        Plan(**bad)


def test_disguises_stay_readable() -> None:
    for language, text in (("zh", "你是猪"), ("en", "you are a silly goose")):
        for name, change in DISGUISES[language].items():
            made = change(text, random.Random(3))
            assert made != text or name.startswith(("dots", "masked", "swapped")), name
            assert len(made) >= len(text)


def test_public_data_sets_are_read_and_nothing_personal_with_them(tmp_path: Path) -> None:
    (tmp_path / "cold.csv").write_text("\ufeff,split,topic,label,TEXT\n1,dev,race,1,话一\n2,dev,race,0,话二\n")
    (tmp_path / "swsr.csv").write_text("index,comment_text,gender,location,label\n0,评论,女,广东,1\n")
    (tmp_path / "edos.csv").write_text('id,text,label_sexist,split\n1,"a, b",sexist,train\n2,c,not sexist,test\n')
    (tmp_path / "dav.csv").write_text('n,class,tweet\n1,2,"!!! RT @a: hi @b &amp; http://t.co/x"\n2,0,x\n')
    cold = read_cold(tmp_path / "cold.csv")
    assert [(r.text, r.labels, r.split) for r in cold] == [("话一", ("toxic",), "dev"), ("话二", (), "dev")]
    assert "广东" not in str(read_swsr(tmp_path / "swsr.csv")) and "女" not in str(read_swsr(tmp_path / "swsr.csv"))
    assert [(r.text, bool(r.labels), r.split) for r in read_edos(tmp_path / "edos.csv")] == [
        ("a, b", True, "train"), ("c", False, "test")]
    assert read_davidson(tmp_path / "dav.csv")[0].text == "[USER]: hi [USER] & [URL]"
    assert tweet("plain words") == "plain words"
    (tmp_path / "edos.csv").write_text("rewire_id,text,label_sexist\n1,a,maybe\n")
    with pytest.raises(UserError, match=r"Line 2 of edos\.csv"):
        read_edos(tmp_path / "edos.csv")


def test_tables_with_faults_name_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a", "label": ["x", "y"]}\n\n{"text": "b", "label": 1}\n{"text": "c", "label": "p| q"}\n')
    assert [r.labels for r in read_table(path)] == [("x", "y"), ("1",), ("p", "q")]
    for text, message in (('{"text": 3, "label": 1}', "Line 1"), ('{"text": "a"}', "no field 'label'"),
                          ("__import__('os')", "is not JSON"), ("[1]", "is no object"), ("", "has no row")):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            read_table(path)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_planted_texts_are_bad_in_the_way_they_say(language: str) -> None:
    good = "今天我们去图书馆看书。" * 20 if language == "zh" else "today we went to the library to read. " * 10
    generator = random.Random(0)
    for kind in KINDS:
        made = plant(kind, good, language, generator)
        assert made and made != good
        assert len(made) <= len(good) + 30
        if kind in FROM_GOOD:
            assert set(made) <= set(good)
    again = [plant("menu", good, language, random.Random(4)) for _ in range(2)]
    assert again[0] == again[1]
    with pytest.raises(UserError, match="no planted"):
        plant("ugly", good, language, generator)
    with pytest.raises(UserError, match="no practice texts"):
        practice("domain", language, 3, generator)


def test_clips_end_at_sentences_and_keep_their_order() -> None:
    text = "".join(f"这是第{i}句话，写得不长也不短。" for i in range(60))
    found = clips(text, 120)
    assert "".join(found) in text and all(60 <= len(c) <= 120 and c.endswith("。") for c in found)
    assert clips("短", 120) == [] and math.isclose(len(clips("字" * 480, 120)), 4)
    assert dataclasses.is_dataclass(ROWS[0])
