"""Human scores and campaigns out and in again, also those of WMT, Google and Appraise as they lie there."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.mt.campaign_files import appraise_batches, items_of, pearmut_answers, pearmut_campaign
from backends.common.mt.campaign_table import rows_of
from backends.common.mt.campaigns import Campaign, parsed, read_appraise, read_pearmut
from backends.common.mt.compare import run
from backends.common.mt.exports import exports
from backends.common.mt.human import Rating, Ratings, Span, aligned, system_scores
from backends.common.mt.human_files import da_csv, esa_csv, mark, mqm_tsv
from backends.common.mt.human_wmt import read_da, read_esa, read_mqm, span, weight
from backends.common.mt.practice import practice
from backends.common.mt.requests import EXPORTS, CompareRequest
from backends.common.mt.uploads import Comparison
from tests.backends.mt_cases import wmt
from workbench.context import MemoryContext
from workbench.contract import UserError

FEW = settings(max_examples=40, deadline=None)
SOURCE = ("eins", "zwei zwei", "drei")
SYSTEMS = {"A": ("one of ten", "two two two", "three 三三三"), "B": ("a one is it", "b two is it", "c three is")}
ERRORS = st.builds(Span, st.integers(0, 4), st.integers(5, 9), st.sampled_from(["Minor", "Major", "Neutral"]),
                   st.sampled_from(["Accuracy/Mistranslation", "Fluency/Punctuation", "Non-translation!"]))
MARKED = st.lists(st.builds(lambda system, segment, person, errors: Rating(
    system, segment, 0.0 - sum(weight(e.category, e.severity) for e in errors), person, "doc", "target", tuple(errors)),
    st.sampled_from("AB"), st.integers(0, 2), st.sampled_from(["r1", "r2"]), st.lists(ERRORS, max_size=3)),
    max_size=8, unique_by=lambda r: (r.system, r.segment, r.annotator))


def keyed(ratings: Ratings) -> dict[tuple, Rating]:
    return {(r.system, r.segment, r.annotator): r for r in ratings.ratings}


@pytest.fixture(scope="module")
def waves(request: pytest.FixtureRequest) -> list[str]:
    folder = request.getfixturevalue("shared") / "mt" / "wmt24"
    return [(folder / f"esa_generalMT2024_wave{wave}.csv").read_text(encoding="utf-8") for wave in (2, 3)]


# --- WMT's files ---


@FEW
@given(MARKED)
def test_mqm_comes_back_with_its_marks(ratings: list) -> None:
    given_ratings = Ratings("MQM", tuple(ratings))
    found = aligned(read_mqm(mqm_tsv(given_ratings, SOURCE, SYSTEMS)), SOURCE)
    assert keyed(found).keys() == keyed(given_ratings).keys()
    for key, rating in keyed(found).items():
        before = keyed(given_ratings)[key]
        assert rating.score == pytest.approx(before.score) and rating.document == before.document
        assert rating.spans == before.spans and not found.notes


def test_an_mqm_line_holds_one_error_and_one_that_says_none() -> None:
    rows = (Rating("A", 0, -5.0, "r", "d", "target", (Span(4, 6, "Major", "Style/Awkward"),)),
            Rating("B", 1, 0.0, "r", "d"), Rating("A", 2, -1.0, "r", "d", "target", (Span(None, None, "Minor", "x"),)))
    lines = mqm_tsv(Ratings("MQM", rows), SOURCE, SYSTEMS).split("\n")
    assert lines[1].split("\t") == ["A", "d", "1", "1", "r", "eins", "one <v>of</v> ten", "Style/Awkward", "Major"]
    assert lines[2].split("\t")[5:] == ["zwei zwei", "b two is it", "No-error", "No-error"]
    assert lines[3].split("\t")[6] == "three 三三三", "an error without a place marks nothing"


def test_tabs_and_line_ends_in_a_text_do_not_move_its_marks() -> None:
    texts = {"A": ("a\tb\nc bad",)}
    rating = Rating("A", 0, -1.0, "r", "d", "target", (Span(6, 9, "Minor", "x"),))
    found = read_mqm(mqm_tsv(Ratings("MQM", (rating,)), ("s\r\nt",), texts))
    assert found.ratings == (rating,) and found.sources == ("s  t",)


@pytest.mark.parametrize(("rating", "words"), [
    (Rating("A", 0, 80.0, "p"), "p gave segment 1 of A 80, and the errors marked there weigh 0"),
    (Rating("A", 1, -1.0, "p", spans=(Span(0, 1, "Major", "x"),)), "weigh -5"),
    (Rating("A", 1, -1.0, "p", spans=(Span(0, 1, "huge", "x"),)), "severity is 'huge'"),
])
def test_scores_that_are_no_mqm_are_refused(rating: Rating, words: str) -> None:
    with pytest.raises(UserError, match=words):
        mqm_tsv(Ratings("MQM", (rating,)), SOURCE, SYSTEMS)


def test_what_has_no_text_has_no_mqm_line() -> None:
    places = (("A", 0), ("C", 0), ("A", -2), ("A", 9))
    rows = tuple(Rating(system, segment, 0.0, "r", "d") for system, segment in places)
    assert len(mqm_tsv(Ratings("MQM", rows), SOURCE, SYSTEMS).splitlines()) == 2


@FEW
@given(st.lists(st.tuples(st.sampled_from(["A", "my system", "v1.2"]), st.integers(0, 3), st.floats(0, 100),
                          st.floats(-3, 3)), min_size=1, max_size=8, unique_by=lambda r: r[:2]))
def test_da_comes_back(rows: list) -> None:
    ratings = tuple(Rating(system, segment, score, "mean of the crowd", z=z) for system, segment, score, z in rows)
    found = read_da(da_csv(Ratings("DA", ratings)))
    plain = [(r.system.replace(" ", "_"), r.segment, r.score, r.z) for r in ratings]
    assert [(r.system, r.segment, r.score, r.z) for r in found.ratings] == plain


def test_da_is_a_mean_over_people_of_targets_and_their_z() -> None:
    rows = (Rating("A", 0, 90, "p"), Rating("A", 0, 70, "q"), Rating("B", 0, 50, "p"), Rating("B", -1, 10, "q"),
            Rating("A", 1, 0, "p", kind="bad"))
    lines = da_csv(Ratings("ESA", rows)).splitlines()
    assert lines[0] == "SYS SID RAW.SCR Z.SCR N" and len(lines) == 3
    assert lines[1].split()[:3] == ["A.1", "1", "80.0"] and lines[1].split()[4] == "2"
    assert float(lines[1].split()[3]) == pytest.approx(2**-0.5), "p and q rated two each, and A above the other"


def test_the_crowd_of_wmt22_comes_back(shared: Path) -> None:
    ratings = read_da((shared / "mt" / "wmt22" / "ad-seg-scores-zh-en.csv").read_text(encoding="utf-8"))
    assert keyed(read_da(da_csv(ratings))) == keyed(ratings) and len(keyed(ratings)) > 10_000


def test_wmt24_comes_back(waves: list[str]) -> None:
    for text in waves:
        ratings = read_esa(text, "esa", "eng", "zho")
        rows = [r for r in ratings.ratings if r.kind != "tutorial"]
        again = read_esa(esa_csv(Ratings("ESA", tuple(rows)), "eng", "zho"))
        for before, after in zip(rows, again.ratings, strict=True):
            assert (after.system, after.segment, after.score, after.kind, after.spans, after.annotator) == (
                before.system, before.segment, before.score, before.kind, before.spans, before.annotator)
        assert system_scores(again) == system_scores(ratings)


def test_marks_of_wmt24_end_inclusively(waves: list[str], shared: Path) -> None:
    """With the last character as the end no mark runs over its text, counted as browsers count; many end with it."""
    folder = shared / "mt" / "wmt24" / "en-zh"
    texts = {file.name.split(".", 1)[1][:-4]: wmt(file) for file in folder.glob("system-outputs.*.txt")}
    ends = [(texts[r.system][r.segment], mark.end) for text in waves
            for r in read_esa(text, "esa", "eng", "zho").targets if r.system in texts
            for mark in r.spans if mark.end is not None]
    room = [len(text.encode("utf-16-le")) // 2 - end for text, end in ends]
    assert len(room) == 2463 and min(room) == 0 and room.count(0) > 100
    over = {text for text, end in ends if end > len(text)}
    assert over == {"\U0001f64c", "\U0001f4c9"}, "an emoji is one character and two units"


def test_google_marks_come_back(shared: Path) -> None:
    """All ratings of TED en-de, the places of their errors to the character."""
    text = (shared / "mt" / "mqm" / "mqm_ted_ende.tsv").read_text(encoding="utf-8")
    found = read_mqm(text)
    numbers = {name: number for number, name in enumerate(found.segments)}
    systems: dict[str, list[str]] = {}
    for row in csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row[0] != "system":
            lines = systems.setdefault(row[0], [""] * len(numbers))
            lines[numbers[f"{row[1]}:{row[3]}"]] = re.sub(r"</?v>", "", row[6])
    again = aligned(read_mqm(mqm_tsv(found, found.sources, systems)), found.sources)
    left, right = keyed(found), keyed(again)
    assert left.keys() == right.keys() and len(left) == 7406 and not found.notes and not again.notes
    assert all(right[key].score == rating.score and right[key].spans == rating.spans for key, rating in left.items())


@FEW
@given(st.one_of(st.just(Span(None, None, "minor", "x")),
                 st.builds(Span, st.integers(0, 9), st.integers(10, 20), st.sampled_from(["", "major"]), st.just(""))))
def test_a_mark_is_read_as_it_was_written(one: Span) -> None:
    assert span(mark(one)) == one
    assert span({**mark(one), "error_type": "y", "category": None}).category == "y", "Appraise's name for it"


# --- campaigns ---


def test_appraise_as_it_lies_there_comes_back(shared: Path) -> None:
    for name in ("esa", "mqm"):
        value = json.loads((shared / "mt" / "appraise_examples" / f"batches_{name}.json").read_text(encoding="utf-8"))
        items = [item for item in read_appraise(value).items if item.kind == "target"]
        made = appraise_batches(items, "eng", "deu", random.Random(1))
        again = read_appraise(json.loads(json.dumps(made))).items
        texts = sorted((i.document, i.source, *next(iter(i.targets.items()))) for i in items)
        assert texts == sorted((i.document, i.source, *next(iter(i.targets.items()))) for i in again) and texts


def test_wmt24_as_a_pearmut_campaign_and_its_answers(waves: list[str], shared: Path) -> None:
    folder = shared / "mt" / "wmt24" / "en-zh"
    source = tuple(wmt(folder / "sources.en-zh.txt"))
    names = ("GPT-4", "IKUN-C")
    comparison = Comparison({name: tuple(wmt(folder / f"system-outputs.{name}.txt")) for name in names}, {}, source)
    campaign = read_pearmut(json.loads(json.dumps(pearmut_campaign(items_of(comparison), "wmt24"))))
    assert tuple(item.source for item in campaign.items) == source
    ratings = tuple(r for r in read_esa(waves[0], "esa", "eng", "zho").targets if r.system in names)
    entries = pearmut_answers(Campaign("ESA", campaign.items, Ratings("ESA", ratings)))
    found = aligned(read_pearmut(parsed("\n".join(json.dumps(entry) for entry in entries))).ratings, source)

    def plain(rows: tuple[Rating, ...]) -> list:
        return sorted((r.system, source[r.segment], r.annotator, r.score, str([(s.start, s.end) for s in r.spans]))
                      for r in rows)

    assert len(ratings) > 200 and plain(found.ratings) == plain(ratings)


def test_campaigns_of_one_comparison_hold_the_same_texts() -> None:
    items = items_of(practice())
    tables = [rows_of(value, "x") for value in (pearmut_campaign(items, "c"),
                                                appraise_batches(items, "deu", "eng", random.Random(3)))]
    one, two = ({row["source"]: {k: v for k, v in row.items() if k not in ("source", "reference")} for row in rows}
                for rows in tables)
    assert one == two and len(one) == 12


# --- the task ---


def asked(tmp_path: Path, *names: str, human: str = "", format: str = "table", **more) -> tuple:
    fields: dict = {"metrics": ("chrf",), "resamples": 10, "trials": 10, "human_exports": names, **more}
    if human:
        tmp_path.mkdir(exist_ok=True)
        (tmp_path / "human.csv").write_text(human, encoding="utf-8")
        fields.update(human=f"path:{tmp_path}/human.csv", human_format=format)
    context = MemoryContext(tmp_path / "run")
    return run(CompareRequest(**fields), context), context.run / "artifacts"


def scores() -> str:
    return "system,segment,score,annotator\n" + "".join(
        f"{name},{i + 1},{90 - 9 * k - i},{who}\n" for k, name in enumerate(practice().systems) for i in range(12)
        for who in "pq")


def test_a_comparison_writes_what_was_asked_for_and_no_more(tmp_path: Path) -> None:
    _, folder = asked(tmp_path, "pearmut", "appraise", "wmt-da", "wmt-esa", human=scores(), human_pair="deu-eng")
    assert len(read_pearmut(parsed((folder / "pearmut.json").read_text())).items) == 12
    appraise = parsed((folder / "appraise.json").read_text())
    assert appraise[0]["task"]["sourceLanguage"] == "deu" and sum(len(b["items"]) for b in appraise) == 36
    ratings = read_esa((folder / "scores.esa.csv").read_text(), "x", "deu", "eng")
    assert len(ratings.ratings) == 72 and len(read_da((folder / "scores.da.csv").read_text()).ratings) == 36
    _, plain = asked(tmp_path / "plain")
    assert not {"pearmut.json", "appraise.json", "scores.da.csv"} & {path.name for path in plain.iterdir()}


def test_mqm_answers_become_an_mqm_table(tmp_path: Path) -> None:
    sample = practice()
    rows = tuple(Rating(name, i, -1.0 * k, "p", "d", "target", (Span(0, 3, "Minor", "Style"),) * k)
                 for k, name in enumerate(sample.systems) for i in range(12))
    _, folder = asked(tmp_path, "mqm", human=mqm_tsv(Ratings("MQM", rows), sample.source, sample.systems), format="mqm")
    found = aligned(read_mqm((folder / "scores.mqm.tsv").read_text(encoding="utf-8")), sample.source)
    assert keyed(found) == keyed(Ratings("MQM", rows))


def test_a_language_that_nobody_named_is_undetermined(tmp_path: Path) -> None:
    _, folder = asked(tmp_path, "appraise")
    assert parsed((folder / "appraise.json").read_text())[0]["task"]["targetLanguage"] == "und"


@pytest.mark.parametrize(("fields", "words"), [
    ({"human_exports": ("pearmutt",)}, "human_exports has pearmutt; it may have pearmut, appraise, wmt-da"),
    ({"human_exports": ("wmt-da",)}, "human is empty: there are no scores to write"),
    ({"human_exports": ("mqm", "pearmut")}, "has mqm and human is empty"),
])
def test_what_cannot_be_asked_for(fields: Mapping, words: str) -> None:
    with pytest.raises(UserError, match=words):
        CompareRequest(**fields)


@pytest.mark.parametrize("name", EXPORTS)
def test_a_campaign_or_mqm_without_a_source_is_refused_before_any_score(name: str) -> None:
    comparison = Comparison({"A": ("x",)}, {"ref": ("x",)})
    request = CompareRequest(human="path:/x", human_exports=(name,))
    ratings = Ratings("DA", (Rating("A", 0, 0.0, "p"),))
    if name in ("wmt-da", "wmt-esa"):
        assert exports(request, comparison, ratings)
        return
    with pytest.raises(UserError, match="no source text"):
        exports(request, comparison, ratings)


def test_scores_of_another_protocol_end_it_before_any_metric(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no MQM scores"):
        asked(tmp_path, "mqm", human=scores())
    assert list((tmp_path / "run" / "artifacts").iterdir()) == []


def test_no_table_goes_out_without_its_signature(tmp_path: Path) -> None:
    result, folder = asked(tmp_path, metrics=("bleu", "chrf"))
    for name in ("systems.tsv", "pairs.tsv"):
        rows = list(csv.DictReader((folder / name).open(encoding="utf-8"), delimiter="\t"))
        assert {(row["metric"], row["signature"]) for row in rows} == set(result.signatures.items())
    for name in ("systems.md", "systems.tex"):
        text = (folder / name).read_text(encoding="utf-8").replace("\\_", "_")
        assert all(signature in text for signature in result.signatures.values())
    head = (folder / "segments.tsv").read_text(encoding="utf-8").split("\n")[0].split("\t")
    assert "plain bleu" in head and "plain text" in head
