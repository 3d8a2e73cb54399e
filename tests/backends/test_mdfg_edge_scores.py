"""Edges of scores and of what is said about them: figures against plain counts, judges, disguises, leaks, rules."""

from __future__ import annotations

import csv
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.common.language import Completion, Prompt
from backends.mdfg import bench_query, official
from backends.mdfg.bench_query_sides import ALIAS, sorts
from backends.mdfg.contributions import LONGEST, Part, explain, plain_places, strongest
from backends.mdfg.disguises import DISGUISES, HOMOPHONES, LEET, weaknesses
from backends.mdfg.explore.selection import Selection
from backends.mdfg.leakage import leaks, without_leaks
from backends.mdfg.metrics_binary import (
    arrays,
    at_threshold,
    auc,
    average_precision,
    kappa,
    precision_at,
    precision_at_prevalence,
    ranks,
    spearman,
    wilson,
)
from backends.mdfg.metrics_functional import Case, functional_table, read_cases
from backends.mdfg.scorers.keywords import KeywordScorer
from backends.mdfg.toxicity_judges import CHARS, Judgement, ModelJudge, SimulatedJudge, Vote, decided, read_vote
from backends.mdfg.toxicity_kept import GROUP, KeptJudge
from workbench.contract import UserError

ROWS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25)
ENDS = [(math.inf, True), (math.inf, False), (0.5, True), (-math.inf, False), (-math.inf, True)]


class Shouting:
    """A scorer: the share of exclamation marks among the characters."""

    name, outputs, version = "toxicity", ("quiet", "toxic"), "1"

    def score(self, texts: Sequence[str]) -> np.ndarray:
        loud = [text.count("!") / max(1, len(text)) for text in texts]
        return np.array([[1 - one, one] for one in loud], dtype=np.float32).reshape(-1, 2)


# --- figures ------------------------------------------------------------------------------------------------------

def slow_average_precision(rows: Sequence[tuple[float, bool]]) -> float:
    total = sum(gold for _, gold in rows)
    result = before = 0.0
    for limit in sorted({score for score, _ in rows}, reverse=True):
        said = [gold for score, gold in rows if score >= limit]
        result += (sum(said) - before) / total * sum(said) / len(said)
        before = sum(said)
    return result


@settings(max_examples=100, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_ranking_figures_equal_plain_counts_in_any_order(rows, draw: random.Random) -> None:
    rows = [*rows, (3, True), (3, False)]
    mixed = draw.sample(rows, len(rows))
    pairs = [(a > b) + (a == b) / 2 for a, good in rows if good for b, bad in rows if not bad]
    for scores, truth in (zip(*rows, strict=True), zip(*mixed, strict=True)):
        assert auc(scores, truth) == pytest.approx(sum(pairs) / len(pairs))
        assert average_precision(scores, truth) == pytest.approx(slow_average_precision(rows))
    down, truth = [-score for score, _ in rows], [good for _, good in rows]
    assert auc(down, truth) == pytest.approx(1 - sum(pairs) / len(pairs))


def test_endless_scores_are_ties_like_any_other() -> None:
    scores, truth = zip(*ENDS, strict=True)
    with np.errstate(all="raise"):
        assert average_precision(scores, truth) == pytest.approx(slow_average_precision(ENDS))
    assert average_precision([math.inf] * 2, [False, True]) == average_precision([math.inf] * 2, [True, False]) == 0.5
    assert auc(scores, truth) == pytest.approx((0.5 + 1 + 0 + 1 + 0 + 0.5) / 6)
    assert ranks(scores).tolist() == [4.5, 4.5, 3.0, 1.5, 1.5] and precision_at(scores, truth, 1) == 0.5


@settings(max_examples=80, deadline=None)
@given(ROWS, st.data())
def test_the_best_k_hold_their_expected_share(rows, data) -> None:
    count = data.draw(st.integers(1, len(rows)))
    scores, truth = zip(*rows, strict=True)
    limit = sorted(scores)[-count]
    sure = [good for score, good in rows if score > limit]
    tied = [good for score, good in rows if score == limit]
    expected = (sum(sure) + (count - len(sure)) * sum(tied) / len(tied)) / count
    assert precision_at(scores, truth, count) == pytest.approx(expected)
    for bad in (0, -1, len(rows) + 1):
        with pytest.raises(UserError, match=f"count is {bad}; it must lie between 1 and {len(rows)}"):
            precision_at(scores, truth, bad)


@settings(max_examples=80, deadline=None)
@given(ROWS, st.integers(-1, 7), st.floats(0, 1))
def test_figures_at_a_threshold_equal_plain_counts(rows, limit: int, prevalence: float) -> None:
    cells = Counter((score >= limit, good) for score, good in rows)
    hit, false, missed, right = (cells[key] for key in ((True, True), (True, False), (False, True), (False, False)))
    found = at_threshold(*zip(*rows, strict=True), limit, prevalence)
    assert found.chosen == hit + false and found.accuracy == pytest.approx((hit + right) / len(rows))
    assert (found.precision is None) == (hit + false == 0) and (found.recall is None) == (hit + missed == 0)
    assert found.f1 == pytest.approx(2 * hit / (2 * hit + false + missed) if hit else 0)
    other = 2 * right / (2 * right + false + missed) if right else 0
    assert found.prevalence == prevalence and found.macro_f1 == pytest.approx((found.f1 + other) / 2)
    if found.recall is None or found.false_positive_rate is None:
        assert found.corrected is None
    else:
        assert found.corrected == precision_at_prevalence(found.recall, found.false_positive_rate, prevalence)


@pytest.mark.parametrize(("scores", "truth", "message"), [
    ([], [], "0 scores and 0 labels"), ([1], [], "1 scores and 0 labels"), ([[1]], [[1]], "one entry a text"),
    ([math.nan, 1, math.nan], [1, 0, 1], "2 of 3 scores are not numbers. Leave out the texts"), (1, 1, "1 scores")])
def test_lists_that_are_none_say_so(scores, truth, message: str) -> None:
    for figure in (arrays, auc, average_precision, lambda *both: precision_at(*both, 1),
                   lambda *both: at_threshold(*both, 0.5)):
        with pytest.raises(UserError, match=message):
            figure(scores, truth)


def test_correlation_and_agreement_of_odd_lists() -> None:
    for first, second in (([1, 2], [1, 2, 3]), ([], [1])):
        with pytest.raises(UserError, match=f"There are {len(first)} and {len(second)} values; both lists must"):
            spearman(first, second)
        with pytest.raises(UserError, match=f"The raters gave {len(first)} and {len(second)} labels"):
            kappa(first, second)
    assert spearman([], []) is None and spearman([5], [7]) is None and spearman([1, 1], [1, 2]) is None
    assert spearman([1, 20, 300], [-3, -2, math.inf]) == pytest.approx(1) == kappa(["好", "坏"], ["好", "坏"])
    assert kappa(["\U00020000"] * 3, ["\U00020000"] * 3) is None, "chance is 1"


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 400), st.data())
def test_the_interval_solves_wilsons_equation_and_is_symmetric(count: int, data) -> None:
    hits, z = data.draw(st.integers(0, count)), 1.959964
    low, high = wilson(hits, count)
    share = hits / count if count else 0.0
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1
    if count:
        for end in (low, high):
            assert abs(share - end) == pytest.approx(z * math.sqrt(max(0.0, end * (1 - end)) / count), abs=1e-6)
    assert wilson(count - hits, count) == pytest.approx((1 - high, 1 - low))
    for bad in (-1, count + 1, math.nan):
        with pytest.raises(UserError, match="hits must lie between 0 and the count"):
            wilson(bad, count)


# --- functional tests ---------------------------------------------------------------------------------------------

CASES = [("否定", "我不恨<script>", "non-hateful"), ("slur", "you!!", "hateful"),
         ("否定", "a,\"b\"\n\U00020000!", "hateful")]


def write_cases(path: Path, rows: Sequence[Sequence[str]], names=("functionality", "test_case", "label_gold")) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def test_cases_of_any_text_are_read_and_the_table_is_a_plain_count(tmp_path: Path) -> None:
    cases = read_cases(write_cases(tmp_path / "c.csv", CASES))
    assert [(case.functionality, case.text, case.hateful) for case in cases] == [
        (name, text, gold == "hateful") for name, text, gold in CASES]
    table = functional_table(Shouting(), cases, threshold=0.3, output=1)
    assert [(row.name, row.cases, row.hateful, row.accuracy) for row in table] == [("否定", 2, 1, 0.5),
                                                                                  ("slur", 1, 1, 1.0)]
    assert table[0].wrong == (CASES[2][1],) and table[1].wrong == ()
    many = functional_table(Shouting(), [Case("x", f"calm {i}", True) for i in range(9)], output=1, shown=2)
    assert many[0].wrong == ("calm 0", "calm 1") and many[0].accuracy == 0
    assert read_cases(write_cases(tmp_path / "e.csv", [])) == []
    with pytest.raises(UserError, match="no functional case"):
        functional_table(Shouting(), [])


@pytest.mark.parametrize(("row", "wrong"), [
    (("", "x", "hateful"), "functionality"), (("a", "", "hateful"), "test_case"), (("a", "x", "Hateful"), "label_gold"),
    (("a",), "test_case, label_gold"), (("", "", ""), "test_case, functionality, label_gold")])
def test_a_line_that_is_no_case_is_named(tmp_path: Path, row, wrong: str) -> None:
    path = write_cases(tmp_path / "c.csv", [*CASES[:1], row])
    with pytest.raises(UserError, match=rf"Line 3 of c\.csv is no HateCheck case \(missing or wrong: {wrong}\)"):
        read_cases(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00x", b"functionality\n\xe4\xb8", None])
def test_files_that_are_no_table_are_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "b.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"b\.csv cannot be read as CSV .*Save it as UTF-8 CSV"):
        read_cases(tmp_path / "b.csv")


# --- disguises ----------------------------------------------------------------------------------------------------

@settings(max_examples=60, deadline=None)
@given(st.text("的猪傻aeiT 。!\U00020000😀é\n", max_size=30), st.integers(0, 99))
def test_disguises_change_only_what_they_say(text: str, seed: int) -> None:
    draw = random.Random(seed)
    for language, changes in DISGUISES.items():
        for name, change in changes.items():
            found = change(text, draw)
            if name == "masked characters":
                assert all(new in (old, "*") and (new == old or old.isalpha())
                           for old, new in zip(text, found, strict=True)), language
            elif name == "swapped characters":
                assert [c for c in found if not c.isalpha()] == [c for c in text if not c.isalpha()]
            elif name == "homophones":
                assert all((old == new) == (ord(old) not in HOMOPHONES) for old, new in zip(text, found, strict=True))
            elif name == "digits for letters":
                assert all(new == chr(LEET.get(ord(old.lower()), ord(old.lower())))
                           for old, new in zip(text, found, strict=True))
    assert all(key != value for key, value in HOMOPHONES.items()), "no character stands for itself"


def test_recall_under_disguise_the_worst_first() -> None:
    rows = weaknesses(Shouting(), ["!!!!", "!a!a", "!!!一"], "zh", random.Random(0), output=1)
    assert [row.disguised for row in rows] == sorted(row.disguised for row in rows)
    assert {row.name for row in rows} == set(DISGUISES["zh"]) and {(row.texts, row.plain) for row in rows} == {(3, 1.0)}
    assert {row.name: row.disguised for row in rows}["homophones"] == 1.0
    assert rows == weaknesses(Shouting(), ["!!!!", "!a!a", "!!!一"], "zh", random.Random(0), output=1)
    with pytest.raises(UserError, match="There is no toxic text to disguise"):
        weaknesses(Shouting(), [], "zh", random.Random(0))
    with pytest.raises(UserError, match=r"There is no language named 'fr'. Did you mean en or zh\?"):
        weaknesses(Shouting(), ["a"], "fr", random.Random(0))


# --- leaks --------------------------------------------------------------------------------------------------------

def slow_leak(train: Sequence[str], text: str, similar: float) -> float:
    """The greatest likeness of a text to any training text, where it is one."""
    def plain(one: str) -> str:
        return "".join(one.lower().split())
    def shingles(one: str) -> set[str]:
        return {plain(one)[i:i + 4] for i in range(len(plain(one)) - 3)}
    likeness = [1.0 if plain(one) == plain(text)
                else len(shingles(one) & shingles(text)) / max(1, len(shingles(one) | shingles(text))) for one in train]
    return max((one for one in likeness if one >= similar), default=0.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("甲乙Ab \u3000\U00020000", max_size=14), max_size=6),
       st.lists(st.text("甲乙aB \U00020000", max_size=14), max_size=6))
def test_what_leaks_is_alike_and_equal_texts_always_leak(train: list[str], test: list[str]) -> None:
    found = {leak.test: leak for leak in leaks(train, test)}
    for place, text in enumerate(test):
        wanted = slow_leak(train, text, 0.8)
        if place in found:
            own = slow_leak([train[found[place].train]], text, 0.8)
            assert found[place].similarity == pytest.approx(own) and 0.8 <= own <= wanted
        else:
            assert wanted < 1
    assert without_leaks(train, test) == [place for place in range(len(test)) if place not in found]
    assert without_leaks(test, test) == [], "nothing is new beside itself"


@pytest.mark.parametrize("similar", [0, -1, 1.01, math.nan])
def test_a_likeness_that_is_none(similar: float) -> None:
    with pytest.raises(UserError, match=r"similar is .*; it must lie above 0 and at most 1"):
        leaks(["a"], ["a"], similar)
    text = "".join(map(chr, range(0x4E00, 0x4E60)))
    assert [leaks([text], [text[:-1]], one) == [] for one in (0.5, 1.0)] == [False, True], "at 1 only copies"


# --- what pushed a score ------------------------------------------------------------------------------------------

@settings(max_examples=60, deadline=None)
@given(st.text("法院判决Court \u3000\U00020000<>", max_size=30))
def test_shares_of_keywords_add_up_to_the_score_however_the_lists_are_written(text: str) -> None:
    scorer = KeywordScorer("domain", ("law", "general"), {"law": ("法院", "法院", "Court", "court", "判决", "院")})
    found = explain(scorer, text, "law")
    assert found is not None and len(found.shares) == len(text)
    assert sum(found.shares) == pytest.approx(found.total) and found.base == 0.0
    assert found.score == pytest.approx(1 - 2 ** -found.total, abs=1e-6), "a word that is listed twice counts once"
    for part in found.parts:
        assert part.times == sum(text.lower().startswith(part.text, place) for place in range(len(text)))
    marked = {place for place, share in enumerate(found.shares) if share}
    assert marked == {place + step for part in found.parts for place in range(len(text))
                      if text.lower().startswith(part.text, place) for step in range(len(part.text))}


def test_the_longest_text_is_explained_and_one_more_character_is_not() -> None:
    scorer = KeywordScorer("domain", ("law", "general"), {"law": ("法",)})
    assert len(explain(scorer, "法" * LONGEST, "law").shares) == LONGEST
    with pytest.raises(UserError, match=r"20,001 characters; at most 20,000 are explained\. Take a part"):
        explain(scorer, "法" * (LONGEST + 1), "law")
    with pytest.raises(UserError, match="has no output '<script>'; it has law, general"):
        explain(scorer, "", "<script>")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(Part, st.text("ab ", max_size=3), st.integers(1, 3), st.sampled_from([-2.0, -1.0, 0, 1, 2])),
                max_size=10), st.integers(0, 4))
def test_parts_that_are_shown_do_not_lie_in_each_other(parts: list[Part], most: int) -> None:
    found = strongest(parts, most)
    assert len(found) <= most and set(found) <= set(parts) and all(part.push and part.text.strip() for part in found)
    assert [abs(part.push) for part in found] == sorted((abs(part.push) for part in found), reverse=True)
    for a in found:
        assert not any(a is not b and a.push * b.push > 0 and a.text in b.text for b in found)
    assert plain_places("") == plain_places(" \u3000\n") == []


# --- judges -------------------------------------------------------------------------------------------------------

class Model:
    """A language model that always gives one answer and keeps what it was asked."""

    def __init__(self, answer: str) -> None:
        self.answer, self.prompts, self.card = answer, [], {}

    def generate(self, prompts: Sequence[Prompt], decoding, on_token=None, cancelled=None) -> list[Completion]:
        self.prompts += prompts
        return [Completion(self.answer, 5, 40, 0, 0.1, "stop") for _ in prompts]


@settings(max_examples=80, deadline=None)
@given(st.text("<>{}a字\U00020000\n", max_size=40))
def test_no_text_closes_its_frame(text: str) -> None:
    model = Model('{"toxic": 1}')
    found = ModelJudge(model, "m").judge([text], [0])[0]
    assert found.text == text and found.toxic is True and len(found.votes) == 2
    for prompt in model.prompts:
        asked = prompt.messages[-1].content
        assert asked.count("<<<") == asked.count(">>>") == 1
        held = asked.partition("<<<\n")[2].partition("\n>>>")[0]
        assert held.replace("<", "").replace(">", "") == text.replace("<", "").replace(">", "")
        if "<<<" not in text and ">>>" not in text:
            assert held == text


def test_a_long_row_of_brackets_and_no_text_at_all() -> None:
    model = Model("no JSON")
    assert ModelJudge(model, "m").judge([], []) == [] and model.prompts == []
    found = ModelJudge(model, "m", 1).judge([">" * 5000, ""], [0, 1])
    assert [one.toxic for one in found] == [None, None] and found[0].text == ">" * 5000
    assert max(len(prompt.messages[-1].content) for prompt in model.prompts) < CHARS


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.integers(-1, 2), st.booleans(), st.none(), st.text(max_size=3), st.lists(st.integers())),
       st.text(max_size=60), st.text("{[\"\\x", max_size=5))
def test_only_0_and_1_are_verdicts(value, evidence: str, before: str) -> None:
    raw = before.replace("{", "") + json.dumps({"toxic": value, "evidence": evidence.replace("{", "").replace("}", "")})
    vote = read_vote("p", raw, 7, 0.5)
    assert vote.raw == raw and (vote.tokens, vote.seconds) == (7, 0.5) and len(vote.evidence) <= 200
    assert vote.toxic is (bool(int(value)) if value in (0, 1, "0", "1") else None)
    assert decided("t", "j", [vote, Vote("p", "r", True)]).toxic is (True if vote.toxic else None)


def test_simulated_answers_belong_to_places() -> None:
    judge = SimulatedJudge([True, False] * 20, 0.3, random.Random(1))
    once = judge.judge([str(i) for i in range(40)], range(40))
    back = judge.judge([str(i) for i in reversed(range(40))], list(reversed(range(40))))
    assert [one.toxic for one in once] == [one.toxic for one in reversed(back)]
    assert judge.name == "simulated (known labels, 30% wrong)" and judge.judge([], []) == []
    with pytest.raises(UserError, match=r"noise is nan; it must lie between 0 and \.5"):
        SimulatedJudge([], math.nan, random.Random(0))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.sampled_from(["", "骂人", "<script>", "a\nb", "\U00020000", "\u2028"]), max_size=2 * GROUP))
def test_answers_survive_a_new_start(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("kept") / "deep" / "answers.jsonl"
    places = list(range(len(texts)))
    truth = [bool(texts.index(text) % 2) for text in texts]
    first = KeptJudge(SimulatedJudge(truth, 0.0, random.Random(0)), path).judge(texts, places)
    again = KeptJudge(SimulatedJudge([not one for one in truth], 0.0, random.Random(0)), path)
    assert again.known == len(set(texts)) and again.judge(texts, places) == first
    assert [one.toxic for one in first] == truth and all(isinstance(one, Judgement) for one in first)


# --- the published rules, and the benchmark's table ---------------------------------------------------------------

@settings(max_examples=60, deadline=None)
@given(st.text("中国國ab \n\t\U00020000", max_size=60),
       st.lists(st.sampled_from(["中", "国a", "\U00020000"]), unique=True))
def test_the_published_values_of_any_text(text: str, words: list[str]) -> None:
    found = official.measure(text, words)
    lines = text.split("\n")
    assert found.n_chars == len(text) and found.mean_line == pytest.approx(len(text) / len(lines))
    assert found.script_ratio == pytest.approx(sum(c in "中国國" for c in text) / max(1, len(text)))
    assert found.traditional == ("國" in text) and found.sens_ratio * len(lines) == pytest.approx(
        sum(word in text for word in words))
    assert 0 <= found.dup_ratio <= 1 and found.fails[0] is True and len(found.fails) == len(official.RULES)


@pytest.mark.parametrize(("text", "wanted"), [("", 0.0), ("一", 0.0), ("一" * 13, 0.0), ("一" * 14, 0.0),
                                              ("一" * 15, 1.0), ("一 \n\t" * 15, 1.0), ("Aa" * 13, 1.0),
                                              ("\U00020000" * 15, 1.0), ("一" * 13 + "二三", 0.0)])
def test_repetition_around_the_length_of_a_window(text: str, wanted: float) -> None:
    assert official.duplication(text) == wanted


def test_limits_of_the_published_rules_are_on_the_side_they_say() -> None:
    at = official.Values(200, 10.0, 0.3, False, 0.5, 0.5)
    assert at.fails == (True, False, False, False, False, False), "only a length of exactly 200 drops"
    past = [replace(at, n_chars=201), replace(at, n_chars=201, mean_line=9.99),
            replace(at, n_chars=201, script_ratio=0.29), replace(at, n_chars=201, traditional=True),
            replace(at, n_chars=201, sens_ratio=0.51), replace(at, n_chars=201, dup_ratio=0.51)]
    assert [one.fails.index(True) if any(one.fails) else -1 for one in past] == [-1, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_steps_travel_as_json_and_open_as_addresses(steps: int) -> None:
    found = bench_query.drawn(steps, seed=3)
    assert json.loads(json.dumps(found)) == found and len(found) == steps
    for step in found:
        selection = Selection.from_query(step["query"])
        assert selection.to_query() == step["query"] and step["offset"] % 50 == 0 and step["sort"] in sorts()
        assert all(span.high is None or span.low < span.high for span in selection.spans)
    assert set(ALIAS) <= set(sorts())


def test_no_rows_write_no_table(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    bench_query.tiled(pa.table({"n_chars": [1]}), 0, path, np.random.Generator(np.random.PCG64(0)))
    assert not path.exists()
    pq.write_table(pa.table({"n_chars": [1]}), path)
    with pytest.raises(UserError, match="needs the value 'mean_line', which was not measured"):
        bench_query.tiled(pq.read_table(path), 1, path, np.random.Generator(np.random.PCG64(0)))
