"""The reproductions: claims that can fail, quick forms that run anywhere, and the files of scorers that they leave."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from backends.mdfg import (
    model_cards,
    official,
    reproduce_mdfg,
    reproduce_mdfg_models,
    reproduce_rounds,
    reproduce_rules,
    reproduce_ust,
)
from backends.mdfg.domain import LABELS, DomainVerdict
from backends.mdfg.labelled import Labelled
from backends.mdfg.metrics_domain import domain_figures
from backends.mdfg.reproduce_rounds import RoundsOutcome
from backends.mdfg.scorers import keywords, ngram_files
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.keywords import KeywordScorer
from backends.mdfg.scorers.ngram import NgramScorer, Stack, stacked
from backends.mdfg.scorers.opening import open_scorer
from backends.mdfg.scorers.train_ngram import Recipe
from backends.mdfg.toxicity_data import TOXIC
from backends.mdfg.toxicity_rounds import Figures
from backends.mdfg.words import NONE, WordList
from workbench.contract import MissingResource, UserError
from workbench.evidence import Claim
from workbench.registry import BENCHES, REPRODUCTIONS
from workbench.settings import Settings

POSTS = reproduce_rounds.Posts(
    [Labelled(f"你是蠢货第{i}号", (TOXIC,), "a") if i % 2 else Labelled(f"第{i}天的天气", (), "b") for i in range(80)],
    [f"好吃的面{i}" for i in range(20)], [f"我们谈到天气{i}" for i in range(60)], [f"蠢货滚开{i}" for i in range(40)])


# the rules' claims


def test_every_planted_document_agrees_with_the_published_steps() -> None:
    same, rarest = reproduce_rules.synthetic(400)
    assert same.holds and same.value == 400 == same.target
    assert rarest.value >= 0 and rarest.what.startswith("planted documents")


@pytest.mark.parametrize("change", [
    {"n_chars": 0}, {"traditional": True}, {"sens_ratio": 9.0}, {"dup_ratio": 0.123}, {"mean_line": 1.0}])
def test_a_reference_that_differs_in_one_value_is_noticed(monkeypatch: pytest.MonkeyPatch, change) -> None:
    plain = official.measure
    monkeypatch.setattr(official, "measure", lambda text, words: dataclasses.replace(plain(text, words), **change))
    same, _ = reproduce_rules.compared(["春天的雨下了一整夜。" * 30, "山里的路变得很滑。"], WordList(NONE))
    assert same == 0


def test_the_hundred_pages_are_claims_that_hold(shared: Path) -> None:
    claims = reproduce_rules.golden(shared / "corpus")
    assert len(claims) == 9 and all(claim.holds for claim in claims)
    assert [claim.value for claim in claims[:7]] == [92, 1, 0, 0, 6, 0, 1]
    assert claims[-1].value == 100


def test_the_pages_of_another_file_do_not_hold(tmp_path: Path) -> None:
    (tmp_path / reproduce_rules.PAGES).write_text(json.dumps({"raw_content": "短"}) + "\n")
    (tmp_path / reproduce_rules.WORDS).write_text("other\t词\n", encoding="utf-8")
    claims = reproduce_rules.golden(tmp_path)
    assert not claims[0].holds and claims[0].value == 0
    assert claims[-1].holds, "but they still agree with the published steps"


def test_without_the_data_only_the_claims_that_need_none_are_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                                  capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(reproduce_mdfg, "DATA", tmp_path / "none")
    monkeypatch.setattr(reproduce_rules, "QUICK", 300)
    found = reproduce_mdfg.mdfg(Settings(), quick=True)
    assert found.name == "mdfg" and len(found.claims) == 2 and found.claims[0].holds
    assert "claims that need them are left out" in capsys.readouterr().out


def test_models_are_not_trained_without_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reproduce_mdfg_models, "DATA", tmp_path / "none")
    with pytest.raises(MissingResource, match="not beside the project"):
        reproduce_mdfg_models.models(Settings())


def test_the_domain_claims_are_the_papers_figures(shared: Path) -> None:
    claims = reproduce_mdfg.domain(shared / "corpus")
    assert [claim.target for claim in claims[:5]] == [0.900, 0.644, 0.811, 0.839, 0.840]
    assert all(claim.holds for claim in claims)
    assert [round(claim.control, 3) for claim in claims[5:]] == [0.297, 0.282, 0.297, 0.282, 0.215]
    names = ("top-1 precision", "top-1 recall", "multi precision", "multi recall", "micro-F1")
    for claim, name, theirs in zip(claims[5:], names, ("0.900", "0.644", "0.811", "0.839", "0.840"), strict=True):
        assert claim.what.startswith(f"{name} of our bundled") and f"the authors' {theirs}" in claim.what
        assert claim.value > claim.control == claim.target


def test_our_domain_claims_fail_where_general_for_all_is_as_good() -> None:
    gold = [("general", "news"), ("general",), ("law",)]
    said = [DomainVerdict("general", ("general",)), DomainVerdict("news", (), below=True), DomainVerdict("law", ())]
    figures = domain_figures(gold, gold)
    claims = reproduce_mdfg._ours(said, gold, (figures, figures))
    assert [claim.value for claim in claims] == pytest.approx([2 / 3, 0.5, 1 / 3, 1 / 6, 0.4])
    assert [claim.control for claim in claims] == pytest.approx([2 / 3, 0.5, 2 / 3, 0.5, 4 / 7])
    assert not any(claim.holds for claim in claims), "an equal figure does not hold"


@pytest.mark.parametrize("table", [BENCHES, REPRODUCTIONS])
def test_what_is_registered_can_be_called(table: dict[str, str]) -> None:
    for name, target in table.items():
        if "mdfg" in target:
            module, _, function = target.partition(":")
            assert callable(getattr(import_module(module), function)), name
    assert {"mdfg", "mdfg-models"} <= set(REPRODUCTIONS) and "corpus" in BENCHES


# paired differences


@pytest.mark.parametrize(("differences", "holds"), [
    ([0.1, 0.1001], True), ([0.1, -0.1], False), ([0.01, 0.02, 0.03, 0.04, 0.05], True), ([1.0, 0.0, 0.0, 0.0], False),
    ([-0.1, -0.11, -0.12], False), ([0.5], False)])
def test_a_difference_holds_when_its_interval_lies_above_0(differences: list[float], holds: bool) -> None:
    claim = reproduce_mdfg.paired("x", differences)
    assert claim.holds is holds and claim.value == pytest.approx(sum(differences) / len(differences))
    if len(differences) > 1:
        low, high = claim.interval
        assert low <= claim.value <= high and (low > 0) == holds
    else:
        assert claim.interval is None


def test_the_quick_form_asks_for_the_direction_and_says_so() -> None:
    loose, strict = (reproduce_mdfg.paired("x", [0.3, 0.01, 0.02], strict) for strict in (False, True))
    assert loose.holds and not strict.holds and loose.interval == strict.interval
    assert "direction only, 3 seeds" in loose.what and strict.what == "x"
    assert not reproduce_mdfg.paired("x", [-0.3, 0.1, 0.1], False).holds


def test_the_interval_is_students() -> None:
    from scipy.stats import t, ttest_1samp

    values = [0.012, 0.03, -0.004, 0.022, 0.018]
    low, high = reproduce_mdfg.paired("x", values).interval
    wanted = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((wanted.low, wanted.high))
    half = t.ppf(0.975, 4) * np.std(values, ddof=1) / math.sqrt(5)
    assert high - low == pytest.approx(2 * half)


def test_a_difference_that_no_seed_has_does_not_hold() -> None:
    claim = reproduce_mdfg.paired("x", [])
    assert (claim.value, claim.holds, claim.interval) == (0.0, False, None)


def outcome(f1: tuple[float, float, float], sure: tuple[float | None, float | None] = (0.9, 0.2),
            half: tuple[float | None, float | None] = (0.6, 0.7), control: float = 0.3) -> RoundsOutcome:
    rounds = (*(Figures(value, 0.9, 0.9, 0.1, 0.5, 0.5) for value in f1[:2]), Figures(f1[2], 0.9, *sure, *half))
    return RoundsOutcome(rounds, (rounds[0], Figures(control, 0.9, 0.9, 0.1)), (4, 4))


ROUNDS_CLAIMS = ("F1 of R2 - F1 of R0", "F1 of R1 - F1 of R0", "F1 of R2 - F1 of R1",
                 "F1 of R2 - F1 of the random-judging control", "precision of R2 at .99 - at .5",
                 "recall of R2 at .5 - at .99")


@pytest.mark.parametrize(("outcomes", "values", "fails"), [
    ([outcome((0.2, 0.4, 0.5)), outcome((0.21, 0.4, 0.51))], (0.3, 0.195, 0.105, 0.205, 0.3, 0.5), ()),
    ([outcome((0.2, 0.5, 0.4)), outcome((0.2, 0.51, 0.41))], (0.205, 0.305, -0.1, 0.105, 0.3, 0.5), (2,)),
    ([outcome((0.4, 0.3, 0.45)), outcome((0.4, 0.3, 0.45))], (0.05, -0.1, 0.15, 0.15, 0.3, 0.5), (1,)),
    ([outcome((0.2, 0.4, 0.5), control=0.6)] * 2, (0.3, 0.2, 0.1, -0.1, 0.3, 0.5), (3,)),
    ([outcome((0.2, 0.4, 0.5), sure=(0.5, 0.8))] * 2, (0.3, 0.2, 0.1, 0.2, -0.1, -0.1), (4, 5))])
def test_the_rounds_claim_the_direction_of_each_round(outcomes, values: tuple[float, ...],
                                                      fails: tuple[int, ...]) -> None:
    claims = reproduce_mdfg.rounds_claims(outcomes)
    assert tuple(claim.what.split(": ")[1] for claim in claims) == ROUNDS_CLAIMS
    assert [claim.value for claim in claims] == pytest.approx(values)
    assert [number for number, claim in enumerate(claims) if not claim.holds] == list(fails)
    assert all(claim.interval and claim.interval[0] <= claim.value <= claim.interval[1] for claim in claims)


def test_a_difference_between_rounds_that_seeds_disagree_on_does_not_hold() -> None:
    outcomes = [outcome((0.2, 0.4, last)) for last in (0.45, 0.41, 0.39, 0.42)]
    strict, loose = (reproduce_mdfg.rounds_claims(outcomes, strict)[2] for strict in (True, False))
    assert strict.value == loose.value == pytest.approx(0.0175)
    assert not strict.holds and loose.holds and "direction only, 4 seeds" in loose.what


def test_seeds_without_a_precision_at_99_are_left_out_and_counted() -> None:
    outcomes = [outcome((0.2, 0.4, 0.5), sure=(None, 0.0)), outcome((0.2, 0.4, 0.5)), outcome((0.2, 0.4, 0.5))]
    precision, recall = reproduce_mdfg.rounds_claims(outcomes)[4:]
    assert "(0 / 0, left out: 1 of 3 seeds)" in precision.what and precision.value == pytest.approx(0.3)
    assert recall.value == pytest.approx((0.7 + 0.5 + 0.5) / 3) and "left out" not in recall.what
    none = reproduce_mdfg.rounds_claims([outcome((0.2, 0.4, 0.5), sure=(None, 0.0))] * 2)[4]
    assert not none.holds and none.value == 0.0


@pytest.mark.parametrize(("auc", "fails"), [
    ((0.8, 0.9, 0.8), ()), ((0.9, 0.9, 0.8), (1,)), ((0.8, 0.8, 0.8), (0, 1)), ((0.8, 0.85, 0.9), (0,))])
def test_self_training_claims_more_than_stage_1_and_than_the_control(auc: tuple[float, float, float],
                                                                     fails: tuple[int, ...]) -> None:
    outcomes = [reproduce_ust.UstOutcome((auc[0], 0.5), (auc[1], 0.5), (auc[2], 0.5), purity) for purity in (0.8, 0.9)]
    claims = reproduce_mdfg.ust_claims(outcomes)
    assert [claim.value for claim in claims] == pytest.approx([auc[1] - auc[2], auc[1] - auc[0], 0.85])
    assert [number for number, claim in enumerate(claims) if not claim.holds] == list(fails)
    assert claims[2].control == claims[2].target == pytest.approx(0.6)
    assert not reproduce_mdfg.ust_claims([dataclasses.replace(outcomes[0], negative_purity=0.6)] * 2)[2].holds


# what the rounds and self-training are made of


def test_rounds_and_control_begin_alike_and_judge_as_many() -> None:
    found = reproduce_rounds.one_seed(POSTS, random.Random(0), count=120, budget=12)
    again = reproduce_rounds.one_seed(POSTS, random.Random(0), count=120, budget=12)
    assert found == again, "the seed decides everything"
    assert len(found.rounds) == len(found.control) == 3 and len(found.judged) == 2
    assert found.rounds[0] == found.control[0], "R0 is one model"
    for figures in found.rounds:
        assert figures.recall is not None and figures.sure_recall is not None
        assert figures.recall >= figures.sure_recall, "fewer texts reach .99"
        p, r = figures.precision or 0.0, figures.recall
        assert figures.f1 == pytest.approx(2 * p * r / (p + r) if p + r else 0.0)
    assert len(reproduce_mdfg.rounds_claims([found, again])) == 6
    assert all(count <= 12 for count in found.judged)
    assert reproduce_rounds.labels_used(POSTS) == {"a": 40, "b": 0}


@pytest.mark.parametrize("count", [25, 100, 333])
def test_pages_hold_the_share_of_toxic_posts_that_they_say(count: int) -> None:
    texts, labels = reproduce_rounds.pages(POSTS.fillers, POSTS.toxic, count, random.Random(1))
    assert len(texts) == len(labels) == count and sum(labels) == round(count * reproduce_rounds.TOXIC_SHARE)
    for text, toxic in zip(texts, labels, strict=True):
        assert ("蠢货" in text) == toxic
        assert reproduce_rounds.POSTS[0] <= len(text.split("\n")) <= reproduce_rounds.POSTS[1]


def test_self_training_data_keep_their_shares_and_their_documents_apart() -> None:
    draw = random.Random(9)
    documents = ["".join(chr(0x4E00 + draw.randrange(6000)) for _ in range(700)) for _ in range(30)]
    data = reproduce_ust.make_data(documents, ["帖子"], random.Random(3))
    owner = {text[i:i + 20]: number for number, text in enumerate(documents) for i in range(0, 680)}

    def owners(texts: list[str]) -> set[int]:
        return {owner[text[:20]] for text in texts if text[:20] in owner}
    good_pool = [text for text, yes in zip(data.pool, data.pool_good, strict=True) if yes]
    good_test = [text for text, yes in zip(data.test, data.test_good, strict=True) if yes]
    assert not owners(data.curated) & owners(good_pool) and not owners(good_pool) & owners(good_test)
    assert data == reproduce_ust.make_data(documents, ["帖子"], random.Random(3))


def test_as_many_steps_are_as_many_texts() -> None:
    found = reproduce_ust._as_many(["a", "b", "c"], [1.0, 0.0, 1.0], 8, random.Random(0))
    assert len(found) == 8 and {text for text, _ in found} == {"a", "b", "c"}
    assert all(label == (text != "b") for text, label in found)


# the makers of the bundled scorers


def test_a_held_out_share_is_always_the_same() -> None:
    rows = [Labelled(str(i), (), "x") for i in range(50)]
    rest, held = reproduce_mdfg_models.parted(rows, 0.2)
    assert (rest, held) == reproduce_mdfg_models.parted(rows, 0.2) and len(held) == 10
    assert sorted(int(row.text) for row in (*rest, *held)) == list(range(50))


def test_makers_are_named_as_their_folders() -> None:
    assert set(reproduce_mdfg_models.MAKERS) == {path.name for path in reproduce_mdfg_models.MODELS.glob("mdfg-*")}
    assert reproduce_mdfg_models.recipe("zh", epochs=9) == Recipe(Grams(1, 3, 18), drop=0.2, epochs=9)


def test_figures_of_a_card_are_rounded_and_complete() -> None:
    class Fixed:
        def score(self, texts):
            return np.array([[0.995 if "坏" in t else 0.2] for t in texts], dtype=np.float32)
    rows = [Labelled("坏", (TOXIC,), "x"), Labelled("好", (), "x")] * 10
    found = reproduce_mdfg_models.yes_no(Fixed(), rows, TOXIC)
    assert (found["texts"], found["share positive"], found["AUC"], found["recall at .99"]) == (20, 0.5, 1.0, 1.0)
    assert found["precision where 1 in 1000 is positive"] == 1.0
    assert "AUC" in model_cards.card("x", {"language": "zh", "data": [], "texts": 20, "held out": {"t": found},
                                           "weaknesses": [], "limits": []})


def test_the_quality_claims_are_about_unseen_documents_and_unseen_topics() -> None:
    documents = [f"文档{i}。" + "".join(f"这是文档{i}的第{k}句话，讲平常的事情。" for k in range(60)) for i in range(6)]
    scorer, claims = reproduce_mdfg_models.quality("zh", documents, ["随便骂人的帖子", "哈哈"] * 8, ["made for a test"])
    assert [claim.what for claim in claims] == ["AUC on documents not seen", "AUC on topics of the sample not seen"]
    assert all(0.5 < claim.value <= 1 and claim.control == 0.5 for claim in claims)
    assert set(scorer.card["held out"]) == {"documents not seen", "topics of the sample not seen"}
    assert len(scorer.card["weaknesses"]) >= 5


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_claim_without_a_number_is_refused(value: float) -> None:
    with pytest.raises(UserError, match=r"finite|must be a number"):
        Claim("x", value, 0.0, False)


# files of scorers


def ngram(name: str = "toxicity", seed: int = 0, outputs: tuple[str, ...] = ("score",), bits: int = 9) -> NgramScorer:
    draw = np.random.default_rng(seed)
    count = len(outputs)
    return NgramScorer(name, outputs, Grams(1, 2, bits), draw.normal(size=(1 << bits, count)).astype(np.float32),
                       draw.normal(size=count), np.ones(count), np.zeros(count), np.zeros(count),
                       card={"data": ["made"], "nested": {"a": [1, None]}})


@pytest.mark.parametrize("outputs", [("score",), ("0", "1"), LABELS])
def test_scorers_keep_their_numbers_to_half_precision(tmp_path: Path, outputs: tuple[str, ...]) -> None:
    made = ngram_files.rounded(ngram(outputs=outputs))
    read = open_scorer(ngram_files.save(made, tmp_path / "s"))
    texts = ["法院判决", "", "some words 12", "😀"]
    assert np.array_equal(read.score(texts), made.score(texts)) and read.version == made.version
    assert dict(read.card) == dict(made.card) and read.outputs == outputs
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["scorer.json", "scorer.safetensors"]


@pytest.mark.parametrize(("name", "change"), [
    ("scorer.json", lambda data: b""), ("scorer.json", lambda data: b"[]"), ("scorer.json", lambda data: b"{"),
    ("scorer.json", lambda data: data.replace(b"mdfg.ngram.v1", b"mdfg.ngram.v9")),
    ("scorer.json", lambda data: data.replace(b'"ova"', b'"other"')),
    ("scorer.json", lambda data: data.replace(b'"bits": 9', b'"bits": 10')),
    ("scorer.json", lambda data: data.replace(b'"bits": 9', b'"bits": 99')),
    ("scorer.json", lambda data: data.replace(b'"version"', b'"verse"')),
    ("scorer.json", lambda data: data.replace(b'"power": 0.5', b'"power": 0.25')),
    ("scorer.safetensors", lambda data: b""), ("scorer.safetensors", lambda data: data[:-20]),
    ("scorer.safetensors", lambda data: b"PK\x03\x04" + data), ("scorer.safetensors", lambda data: b"\xff" * 400),
    ("scorer.safetensors", lambda data: data[:-4] + b"\x00\x00\x00\x40")])
def test_changed_files_of_a_scorer_are_found_out(tmp_path: Path, name: str, change) -> None:
    folder = ngram_files.save(ngram(), tmp_path / "s")
    before = (folder / name).read_bytes()
    changed = change(before)
    assert changed != before, "the test changes something"
    (folder / name).write_bytes(changed)
    with pytest.raises(UserError, match="The scorer in s cannot be read"):
        open_scorer(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "mdfg.keywords.v1"}', '{"format": "other"}', "null",
                                     '{"format": "mdfg.keywords.v1", "name": "d", "outputs": ["a", "general"], '
                                     '"keywords": {"b": ["x"]}, "card": {}}',
                                     '{"format": "mdfg.keywords.v1", "name": "d", "outputs": ["a", "general"], '
                                     '"keywords": {"a": []}, "card": {}}'])
def test_changed_keyword_files_are_found_out(tmp_path: Path, content: str) -> None:
    folder = keywords.save(KeywordScorer("d", ("a", "general"), {"a": ("x",)}), tmp_path / "k")
    assert open_scorer(folder).outputs == ("a", "general")
    (folder / keywords.FACTS).write_text(content)
    with pytest.raises(UserError, match="The keyword scorer in k cannot be read"):
        open_scorer(folder)


def test_a_folder_without_a_scorer_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"holds no scorer \(scorer\.json, keywords\.json or berteval\.json\)"):
        open_scorer(tmp_path)
    with pytest.raises(MissingResource):
        open_scorer(tmp_path / "not there")


def test_scorers_that_read_alike_are_put_together() -> None:
    first, second, wide, other = ngram("a"), ngram("b", 1), ngram("c", 2, ("x", "y")), ngram("d", 3, bits=10)
    found = stacked([first, other, second, wide])
    assert [type(one) for one in found] == [Stack, NgramScorer]
    assert found[0].outputs == ("a.score", "b.score", "c.x", "c.y")
    texts = ["一段文字", "", "words and more", "字" * 500]
    alone = np.concatenate([one.score(texts) for one in (first, second, wide)], axis=1)
    assert np.allclose(found[0].score(texts), alone, atol=1e-6)
    assert stacked([]) == []
    with pytest.raises(UserError, match="no scorer to put together"):
        Stack([])
