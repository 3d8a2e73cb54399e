"""Human scores: WMT's files, MQM weights and spans, Pearmut, Appraise, z without division by zero, correlation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backends.common.mt.campaigns import read_appraise, read_pearmut
from backends.common.mt.correlation import correlate, segment_tau
from backends.common.mt.human import Rating, Ratings, Span, segment_scores, standardised, system_scores, times
from backends.common.mt.human_wmt import read_da, read_esa, read_mqm, span, weight
from backends.common.mt.reproduce import official
from workbench.contract import UserError

ESA = 'ann,{system},3,{kind},eng,zho,{score},doc#x,False,"{spans}",10.0,{end}\n'
MQM_HEAD = "system\tdoc\tdoc_id\tseg_id\trater\tsource\ttarget\tcategory\tseverity\n"


def esa(system: str = "A", kind: str = "TGT", score: float = 80, spans: str = "[]", end: float = 12.5) -> str:
    return ESA.format(system=system, kind=kind, score=score, spans=spans.replace('"', '""'), end=end)


def test_z_values_are_by_annotator_and_never_divide_by_zero() -> None:
    rows = [
        Rating("A", 0, 90, "p"),
        Rating("A", 1, 70, "p"),
        Rating("B", 0, 5, "q"),
        Rating("B", 1, 50, "r"),
        Rating("A", 2, 50, "r"),
    ]
    z, notes = standardised(rows)
    assert z == pytest.approx([2**-0.5, -(2**-0.5), 0, 0, 0])
    assert notes == ["2 annotators have one rating or only equal ones (q, r); their z is 0"]
    assert standardised([]) == ([], []) and standardised(rows[:2])[1] == []


def test_attention_checks_and_tutorials_are_no_system_scores() -> None:
    rows = (Rating("A", 0, 90, "p"), Rating("A", 1, 10, "p", kind="bad"), Rating("tut", 0, 0, "p", kind="tutorial"))
    found = system_scores(Ratings("ESA", rows))
    assert [(row.system, row.mean, row.ratings) for row in found] == [("A", 90, 1)]
    assert segment_scores(rows) == {"A": {0: 90}}


@pytest.mark.parametrize(
    ("category", "severity", "expected"),
    [
        ("Accuracy/Mistranslation", "Major", 5),
        ("Accuracy/Mistranslation", "minor", 1),
        ("Fluency/Punctuation", "Minor", 0.1),
        ("Fluency/Punctuation", "Major", 5),
        ("Non-translation!", "Major", 25),
        ("Style/Awkward", "Neutral", 0),
        ("No-error", "No-error", 0),
    ],
)
def test_mqm_weights(category: str, severity: str, expected: float) -> None:
    assert weight(category, severity) == expected


def test_mqm_scores_are_means_over_raters_of_sums_over_errors() -> None:
    text = (
        MQM_HEAD
        + "\n".join(
            [
                "A\td\t1\t1\tr1\tsrc\tthe <v>cat</v> sat\tAccuracy/Mistranslation\tMajor",
                "A\td\t1\t1\tr1\tsrc\t<v>the</v> cat sat\tFluency/Punctuation\tMinor",
                "A\td\t1\t1\tr2\tsrc\tthe cat sat down\tNo-error\tNo-error",
                "B\td\t1\t2\tr1\t<v>src</v>\tx\tAccuracy/Omission\tMinor",
            ]
        )
        + "\n"
    )
    found = read_mqm(text)
    assert [(r.system, r.segment, r.annotator, r.score) for r in found.ratings] == [
        ("A", 0, "r1", -5.1),
        ("A", 0, "r2", 0.0),
        ("B", 1, "r1", -1.0),
    ]
    assert found.ratings[0].spans[0] == Span(4, 7, "Major", "Accuracy/Mistranslation")
    assert found.ratings[1].spans == () and found.ratings[2].spans[0].start is None
    assert "1 of 2 targets differ" in found.notes[0], "a rater edited the target"
    assert segment_scores(found.ratings)["A"] == {0: pytest.approx(-2.55)} and found.segments == ("d:1", "d:2")


def test_spans_end_inclusively_in_the_files_and_exclusively_here() -> None:
    made = span({"start_i": 8, "end_i": 11, "severity": "minor"})
    assert "The dog walked"[made.start : made.end] == "walk" and made.severity == "minor"
    assert span({"start_i": "missing", "end_i": "missing", "severity": None, "error_type": None}) == Span(
        None, None, "", ""
    )


def test_esa_rows() -> None:
    text = (
        esa()
        + esa(kind="BAD", score=5)
        + esa("ende-tutorial1")
        + esa(spans='[{"start_i":0,"end_i":1,"severity":"minor"}]', end=10.5)
    )
    found = read_esa(text)
    assert [r.kind for r in found.ratings] == ["target", "bad", "tutorial", "target"]
    assert found.ratings[0].document == "doc" and found.ratings[0].segment == 3 and found.ratings[3].spans[0].end == 2
    assert times(found.targets) == times([found.ratings[0], found.ratings[3]])
    assert times(found.targets).usable == 1 and times(found.targets).median == 2.5


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (read_da, "a b\n", "DA scores begin with SYS SID"),
        (read_da, "SYS SID RAW.SCR Z.SCR N \nA x 1 2 3\n", "line 2"),
        (read_da, "", "begins with ''"),
        (read_esa, "a,b,c\n", "row 1 has 3 columns"),
        (read_esa, esa() + esa().replace("zho", "jpn"), "eng-jpn, eng-zho"),
        (read_esa, esa(score="x"), "row 1 cannot be read"),
        (read_esa, esa(spans="[3"), "row 1 cannot be read"),
        (read_mqm, "a\tb\n", "an MQM tsv begins with system doc"),
        (read_mqm, MQM_HEAD + "A\td\n", "line 2 has 2 columns"),
        (read_mqm, MQM_HEAD + "A\td\t1\t1\tr\ts\tt\tStyle\tHuge\n", "Huge"),
    ],
)
def test_what_is_no_such_file(read, text: str, words: str) -> None:
    with pytest.raises(UserError) as told:
        read(text)
    assert words in str(told.value)


def test_pearmut_campaigns_and_answers() -> None:
    item = {"src": "hello", "tgt": {"A": "hallo", "B": "servus"}, "item_id": "doc1 # 1"}
    check = {**item, "item_id": "x", "validation": {"A": {"score": [0, 5]}}}
    tutorial = {**check, "skippable": True}
    campaign = read_pearmut({"info": {"protocol": "ESA"}, "campaign_id": "c", "data": [[[item, check], [tutorial]]]})
    assert campaign.protocol == "ESA" and [i.kind for i in campaign.items] == ["target", "bad", "tutorial"]
    assert campaign.items[0].document == "doc1" and campaign.items[0].targets["B"] == "servus"
    answer = {
        "A": {"score": 70, "error_spans": [{"start_i": 0, "end_i": 1, "severity": "minor"}]},
        "B": {"score": None},
    }
    entry = {"user_id": "u", "item_i": 0, "item": [item], "annotation": [answer]}
    apart = {**entry, "item_i": "welcome_0"}
    for value in ({"c": [entry, apart]}, [entry, apart]):
        found = read_pearmut(value)
        first = found.ratings.ratings[0]
        assert (first.system, first.segment, first.score, first.kind) == ("A", 0, 70.0, "target")
        assert found.ratings.ratings[0].spans[0].end == 2 and "2 answers have no score" in found.ratings.notes[0]
    skipped = {**entry, "annotation": [None]}
    assert read_pearmut([skipped]).ratings.ratings == ()


@pytest.mark.parametrize(
    ("read", "value", "words"),
    [
        (read_pearmut, {"x": 1}, "no Pearmut campaign"),
        (read_pearmut, {"data": [[[{"src": "x"}]]]}, "no 'tgt'"),
        (read_appraise, {"x": 1}, "no Appraise campaign"),
        (read_appraise, [], "no Appraise campaign"),
        (read_appraise, [{"items": [{"sourceText": "x"}]}], "lacks targetText"),
    ],
)
def test_what_is_no_campaign(read, value, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read(value)


def test_appraise_examples(shared: Path) -> None:
    for name, protocol in (("esa", "ESA"), ("mqm", "ESA")):
        value = json.loads((shared / "mt" / "appraise_examples" / f"batches_{name}.json").read_text(encoding="utf-8"))
        found = read_appraise(value, name)
        kinds = {item.kind for item in found.items}
        assert (
            (found.protocol == protocol
            and kinds == {"target", "bad", "tutorial"}
            and len(found.items) == 200)
            or len(found.items) > 50
        )
        assert all(len(item.targets) == 1 for item in found.items)


def test_correlations_turn_the_sign_and_need_three_systems() -> None:
    people = Ratings(
        "DA",
        tuple(Rating(name, i, score + i, "p") for name, score in (("A", 90), ("B", 70), ("C", 50)) for i in range(2)),
    )
    corpus = {"A": 10.0, "B": 20.0, "C": 30.0, "D": 5.0}
    each = {name: np.array([value, value]) for name, value in corpus.items()}
    found = correlate("ter", corpus, each, people, -1.0, "mean")
    assert found.systems == 3 and found.pearson == pytest.approx(1) and found.segment_tau == pytest.approx(1)
    assert "3 systems are few" in found.warning and found.points[0] == ("A", 10.0, 90.5)
    with pytest.raises(UserError, match="2 systems have both"):
        correlate("bleu", {"A": 1.0, "B": 2.0}, each, people)
    with pytest.raises(UserError, match="same metric score"):
        correlate("bleu", dict.fromkeys("ABC", 1.0), each, people)
    left = correlate("bleu", corpus, each, Ratings("DA", (*people.ratings, Rating("E", 0, 1, "p"))), value="mean")
    assert "rated but not scored: E" in left.warning


def test_segment_tau_leaves_out_segments_without_two_ratings() -> None:
    assert segment_tau(
        {"A": np.array([1.0, 2.0]), "B": np.array([2.0, 1.0])}, {"A": {0: 1, 1: 5}, "B": {0: 2, 1: 5}}, 1.0
    ) == (1, 1.0)
    assert segment_tau({"A": np.array([1.0])}, {"A": {0: 1}}, 1.0) == (0, None)


def test_wmt24_esa(shared: Path) -> None:
    ratings: list[Rating] = []
    for wave in (2, 3):
        text = (shared / "mt" / "wmt24" / f"esa_generalMT2024_wave{wave}.csv").read_text(encoding="utf-8")
        ratings += read_esa(text, "esa", "eng", "zho").ratings
    found = Ratings("ESA", tuple(ratings))
    assert sum(r.kind == "tutorial" for r in ratings) + len(found.targets) == 9422 and len(found.targets) == 8784
    assert sum(r.kind == "bad" for r in ratings) == 1278 and sum(len(r.spans) for r in ratings) == 5551
    measured = times(found.targets)
    assert measured.usable == 2888 and measured.median == pytest.approx(8.8, abs=0.05)
    scores = {row.system: row for row in system_scores(found)}
    assert [round(scores[name].mean, 1) for name in ("GPT-4", "refA", "IKUN-C")] == [90.9, 88.9, 82.0]
    assert len(scores) == 13 and {min(r.ratings for r in scores.values()), max(r.ratings for r in scores.values())} == {
        640,
        703,
    }


def test_wmt22_da(shared: Path) -> None:
    folder = shared / "mt" / "wmt22"
    ratings = read_da((folder / "ad-seg-scores-zh-en.csv").read_text(encoding="utf-8"))
    assert len({r.system for r in ratings.ratings}) == 13 and "Online-B" in {r.system for r in ratings.ratings}
    assert min(r.segment for r in ratings.ratings) == 0 and max(r.segment for r in ratings.ratings) == 1874
    published = {row.system: row.z for row in system_scores(official(shared / "mt", ratings))}
    assert published["HUMAN-B"] == pytest.approx(0.1338, abs=1e-4)


def test_mqm_ted(shared: Path) -> None:
    found = read_mqm((shared / "mt" / "mqm" / "mqm_ted_ende.tsv").read_text(encoding="utf-8"))
    assert (
        all(rating.score <= 0 for rating in found.ratings) and sum(len(r.spans) for r in found.ratings) == 1867 + 2164
    )
    assert system_scores(found)[0].mean > -3
