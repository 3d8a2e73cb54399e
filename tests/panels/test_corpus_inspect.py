"""The Inspect view over a real filtering run: figures against plain counting, presses, the reader, exports, rights."""

from __future__ import annotations

import csv
import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.query import NOTES, Note, Query
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.explore.shelf import Shelf
from backends.mdfg.recipes import load_recipe
from panels import corpus as tab
from panels import corpus_desk as desks
from panels import corpus_draw as drawing
from panels import corpus_head as heads
from panels import corpus_inspect as view
from panels import corpus_reader as reading
from panels import corpus_search as searching
from panels import corpus_take as taking
from panels.corpus_state import State, changed, read
from tests.backends.explore_cases import filtered, full_texts, table
from tests.panels.corpus_page import adopt, pressing
from tests.panels.test_dialogue_scenarios import shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench.contract import UserError
from workbench.runs import Run
from workbench.text import say

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run over 160 planted documents with given scores."""
    return filtered(tmp_path_factory.mktemp("corpus"), 160)


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, Any]]:
    """Its attributes as plain rows."""
    return table(folder)


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Iterator[Corpus]:
    opened = Corpus.open(folder)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with noting(tmp_path_factory.mktemp("inspect")) as built:
        yield built


@pytest.fixture(scope="module")
def run(page: Page, folder: Path) -> Run:
    """Ann's run of the page's home."""
    return adopt(page.service, folder)


def plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def names_of(corpus: Corpus, mask: int) -> list[str]:
    return [rule for i, rule in enumerate(corpus.recipe.names) if mask >> i & 1]


def numbers(drawn: str) -> dict[str, dict[str, int]]:
    """The three counts of every rule, out of the funnel."""
    found: dict[str, dict[str, int]] = {}
    for act, rule, n in re.findall(r'class="co-n"[^>]*data-act="(\w+)" data-key="(\w+)"[^>]*>([\d,]+)<', drawn):
        found.setdefault(rule, {})[act] = int(n.replace(",", ""))
    return found


# --- rules -----------------------------------------------------------------------------------------------------------

def test_the_three_counts_equal_plain_counting(corpus: Corpus, rows: list) -> None:
    found = numbers(drawing.rules(corpus, State("r"), "en"))
    masks = [names_of(corpus, row["rule_fail"]) for row in rows]
    assert list(found) == list(corpus.recipe.names)
    assert {rule: n["failed"] for rule, n in found.items()} == {
        rule: sum(rule in mask for mask in masks) for rule in found}
    assert {rule: n["first"] for rule, n in found.items()} == {
        rule: sum(mask[:1] == [rule] for mask in masks) for rule in found}
    assert {rule: n["only"] for rule, n in found.items()} == {rule: masks.count([rule]) for rule in found}


def test_first_failures_and_all_failures_differ_and_both_are_shown(corpus: Corpus, rows: list) -> None:
    found = numbers(drawing.rules(corpus, State("r"), "en"))
    dropped = sum(not row["kept"] for row in rows)
    assert sum(n["first"] for n in found.values()) == dropped
    assert sum(n["failed"] for n in found.values()) > dropped


def test_the_funnel_follows_the_selection_whatever_its_verdicts(corpus: Corpus, rows: list) -> None:
    state = changed(changed(State("r"), "pick", "domains", "law"), "first", "length")
    chosen = [row for row in rows if row["given.domain"] == "law"]
    drawn = drawing.rules(corpus, state, "en")
    assert f"{sum(row['kept'] for row in chosen)} of {len(chosen)} kept" in plain(drawn)
    assert 'aria-pressed="true" data-act="first" data-key="length"' in drawn


def test_overlap_counts_pairs(corpus: Corpus, rows: list) -> None:
    masks = [set(names_of(corpus, row["rule_fail"])) for row in rows]
    both = sum({"length", "script"} <= mask for mask in masks)
    title = f"{both} documents fail both length and script"
    assert title in html.unescape(drawing.rules(corpus, State("r"), "en"))


def test_a_moved_limit_decides_anew_and_says_what_changes(corpus: Corpus, rows: list) -> None:
    state = changed(State("r"), "move", "0", "60")
    now = [row["n_chars"] > 60 and not row["rule_fail"] & ~1 for row in rows]
    more = sum(one and not row["kept"] for one, row in zip(now, rows, strict=True))
    drawn = plain(drawing.rules(corpus, state, "en"))
    assert more > 0 and f"{sum(now)} of {len(rows)} kept" in drawn
    assert f"Against the recipe, {more} more documents are kept and 0 more are dropped." in drawn
    assert "back to 200" in drawn and "Put all limits back" in drawn
    assert f"{sum(now)} of {len(rows)} documents" in plain(drawing.bar(corpus, changed(state, "show", "kept"), "en"))


def test_every_test_has_a_slider_whose_curve_is_what_would_be_kept(corpus: Corpus, rows: list) -> None:
    drawn = drawing.rules(corpus, State("r"), "en")
    assert drawn.count('type="range"') == len(corpus.recipe.tests)
    slider = next(one for rule, one in drawing._sliders(corpus, Selection()) if rule == "length")
    others = [row for row in rows if not row["rule_fail"] & ~1]
    for stop, kept in zip(slider.stops, slider.kept, strict=True):
        assert kept == sum(row["n_chars"] > stop for row in others), stop


def test_near_duplicates_that_are_dropped_have_no_slider(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, 40, near_duplicates="drop"))
    drawn = drawing.rules(opened, State("r"), "en")
    assert "near-duplicate" in plain(drawn) and drawn.count('type="range"') == len(opened.recipe.tests) - 1
    assert "may choose another" in drawing.rules(opened, changed(State("r"), "move", "0", "10"), "en")
    opened.close()


def test_a_recipe_without_rules_is_drawn(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, 12, recipe="name: none\nlanguage: zh\nrules: []\n"))
    made = view.draw(opened, State("r"), "en")
    assert "no rule" in made["rules"] and "all 12 documents" in plain(made["bar"]) and "<svg" not in made["rules"]
    assert "Document 3" in plain(view.draw(opened, State("r", opened=3), "en", ("reader",))["reader"])
    opened.close()


# --- charts ----------------------------------------------------------------------------------------------------------

def test_charts_are_those_of_the_rules_with_quality_and_toxicity(corpus: Corpus) -> None:
    shown = drawing.shown_columns(corpus, State("r"))
    assert shown[:2] == ["quality", "toxicity"]
    assert set(shown[2:]) == {test.column for test in corpus.recipe.tests}
    assert drawing.shown_columns(corpus, State("r", charts=("n_lines", "no such"))) == ["n_lines"]


def test_columns_are_offered_once(corpus: Corpus) -> None:
    offered = dict(drawing.offered_columns(corpus, "en"))
    assert len(offered) == len(set(offered.values())) and "given.quality" not in offered.values()
    assert {"quality", "n_chars", "phones"} <= set(offered.values())


def test_a_histogram_holds_every_document(corpus: Corpus, rows: list) -> None:
    state = State("r", Selection(show="dropped"), charts=("n_chars",))
    drawn = drawing.charts(corpus, state, "en")
    dropped = sum(not row["kept"] for row in rows)
    assert f"characters: {dropped} of {len(rows)} documents that have a value" in html.unescape(drawn)
    limit = re.findall(r'class="co-limit"[^>]*title="([^"]*)"', drawn)
    assert limit == ["limit 200"]


def test_a_brush_filters_every_other_chart_but_its_own(corpus: Corpus, rows: list) -> None:
    state = State("r", Selection(spans=(Span("n_chars", 0.0, 100.0),)), charts=("n_chars", "script_ratio"))
    drawn = html.unescape(drawing.charts(corpus, state, "en"))
    short = sum(row["n_chars"] < 100 for row in rows)
    assert f"characters: {len(rows)} of {len(rows)}" in drawn
    assert f"share of the script: {short} of {len(rows)}" in drawn
    assert 'data-shade style="left:' in drawn


def test_documents_without_a_score_can_be_chosen(corpus: Corpus, rows: list) -> None:
    missing = sum(row["given.quality"] is None or row["given.quality"] != row["given.quality"] for row in rows)
    assert missing and f"{missing} without" in plain(drawing.charts(corpus, State("r"), "en"))
    state = changed(State("r"), "missing", "quality")
    assert f"{missing} of {len(rows)} documents" in plain(drawing.bar(corpus, state, "en"))
    assert "quality: no value" in plain(drawing.bar(corpus, state, "en"))


def test_a_cell_of_the_map_shows_exactly_its_documents(corpus: Corpus) -> None:
    drawn = drawing.charts(corpus, State("r"), "en")
    cells = re.findall(r'title="(\d+) documents[^>]*?data-act="cell" data-key="([^"]*)" data-value="([^"]*)"', drawn)
    full = [cell for cell in cells if int(cell[0]) > 0]
    assert len(full) > 3
    for n, key, value in full[:4]:
        state = changed(State("r"), "cell", key, value)
        assert f"{n} of {corpus.total} documents" in plain(drawing.bar(corpus, state, "en"))
        assert drawing.charts(corpus, state, "en").count('aria-pressed="true" data-act="cell"') == 1


def test_domains_words_and_files_are_counted(corpus: Corpus, rows: list) -> None:
    said = plain(drawing.charts(corpus, State("r"), "en"))
    laws = sum(row["given.domain"] == "law" for row in rows)
    assert f"law {laws} / {laws}" in said and f"source.jsonl {len(rows)} / {len(rows)}" in said
    words = Counter(word for row in rows for word in row["sensitive_words"])
    word, n = words.most_common(1)[0]
    assert f"{word} {n} / {n}" in said


def test_without_scores_there_is_no_map_and_no_domains(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, texts=["春天的雨。" * 60, "风。" * 10]))
    drawn = drawing.charts(opened, State("r"), "en")
    assert "co-grid" not in drawn and "No scorer gave domains." in drawn and "characters" in plain(drawn)
    opened.close()


# --- notes of a search, chips and counts ------------------------------------------------------------------------------

def test_every_part_of_the_filter_has_a_chip_that_takes_it_away(corpus: Corpus) -> None:
    full = Selection(show="dropped", failed=("length", "script"), first="length", only="script",
                     spans=(Span("n_chars", 10.0, None), Span("quality")), domains=("law", ""),
                     sources=("source.jsonl",), words=("赌场",), cluster=3, search=Query("words", "雨"),
                     moved=((0, 60.0),))
    state = State("r", full)
    chips = drawing.chips(corpus, full, "en")
    assert [text for _, text in chips] == [
        "fails length", "fails script", "fails first: length", "fails only script", "characters 10 –",
        "quality: no value", "domain law", "domain (none)", "file source.jsonl", "word 赌场", "cluster 3", "words: 雨",
        "length: limit 60"]
    for key, _ in chips:
        state = changed(state, "unchip", key)
    assert state.selection == Selection(show="dropped")


@pytest.mark.parametrize(("lang", "said"), [
    ("en", "Only the best 2,000 of 3,456 hits are shown. Only 12% of the pieces"),
    ("zh-CN", "命中 3,456 篇，只显示得分最高的 2,000 篇。 这段文字的片段只有 12%")])
def test_what_should_be_known_about_hits_is_said_under_the_count(corpus: Corpus, monkeypatch: pytest.MonkeyPatch,
                                                                 lang: str, said: str) -> None:
    query = Query("words", "雨")
    notes = (Note("best", (("most", "2,000"), ("found", "3,456"))), Note("known", (("share", "12%"),)))
    found = replace(corpus.hits(query), notes=notes)
    monkeypatch.setattr(corpus, "hits", lambda asked: found)
    assert said in plain(drawing.bar(corpus, State("r", Selection(search=query)), lang))
    assert "role=\"note\"" not in drawing.bar(corpus, State("r"), lang)


def test_every_note_has_a_text_in_both_languages() -> None:
    values = {"most": "1", "found": "2", "share": "3%", "count": "4", "right": "5", "tried": "6"}
    for key in NOTES:
        for lang in ("en", "zh-CN"):
            told = say(lang, f"corpus.hits.{key}", **values)
            assert not re.search(r"[{}]|corpus\.", told) and re.search(r"\d", told), (key, lang)
        assert re.search(r"\d", Note(key, tuple(values.items())).text)


def test_a_concept_is_told_by_its_examples(corpus: Corpus) -> None:
    chips = drawing.chips(corpus, Selection(search=Query("concept", like=(1, 2), unlike=(3,))), "en")
    assert chips == [("search", "concept: 2 examples, 1 counter-examples")]


def test_the_count_names_the_filter_and_changes_with_it(corpus: Corpus) -> None:
    all_of = plain(drawing.bar(corpus, State("r"), "en"))
    kept = plain(drawing.bar(corpus, State("r", Selection(show="kept")), "en"))
    digits = [re.search(r"filter ([0-9a-f]{8})", text) for text in (all_of, kept)]
    assert digits[0] and digits[1] and digits[0][1] != digits[1][1] and "all 160 documents" in all_of


# --- the list --------------------------------------------------------------------------------------------------------

def listed(drawn: str) -> list[int]:
    return [int(place) for place in re.findall(r'data-act="open" data-key="(\d+)"', drawn)]


def test_fifty_rows_a_page_in_order(corpus: Corpus, rows: list) -> None:
    assert listed(reading.listing(corpus, State("r"), "en")) == list(range(50))
    last = reading.listing(corpus, State("r", offset=150), "en")
    assert listed(last) == list(range(150, 160)) and "151 – 160 of 160" in plain(last)
    longest = sorted(range(len(rows)), key=lambda i: (-rows[i]["n_chars"], i))[:50]
    assert listed(reading.listing(corpus, State("r", sort="n_chars", down=True), "en")) == longest


def test_a_sorted_value_that_is_not_listed_gets_a_column(corpus: Corpus) -> None:
    drawn = reading.listing(corpus, State("r", sort="dup_ratio", down=True), "en")
    assert "repeated windows ↓" in drawn
    with pytest.raises(UserError, match="no such"):
        reading.listing(corpus, State("r", sort="no such"), "en")


def test_an_order_by_matches_needs_a_search(corpus: Corpus) -> None:
    with pytest.raises(UserError, match="nothing is searched"):
        reading.listing(corpus, State("r", sort="score"), "en")
    found = State("r", Selection(search=Query("words", "雨")), sort="score", down=True)
    drawn = reading.listing(corpus, found, "en")
    assert "match ↓" in drawn and "<mark>雨</mark>" in drawn


def test_no_list_holds_a_whole_text(corpus: Corpus, folder: Path) -> None:
    drawn = html.unescape(re.sub(r"</?mark>", "", reading.listing(corpus, State("r"), "en")))
    assert not [text for text in full_texts(folder)[:50] if len(text) > 200 and text[:150] in drawn]


def test_the_way_through_the_list_crosses_pages_and_ends(corpus: Corpus) -> None:
    state = State("r", Selection(), opened=49)
    assert reading.stepped(corpus, state, 1) == (50, 50)
    assert reading.stepped(corpus, replace(state, offset=50, opened=50), -1) == (49, 0)
    assert reading.stepped(corpus, replace(state, opened=0), -1) is None
    assert reading.stepped(corpus, replace(state, offset=150, opened=159), 1) is None
    assert reading.stepped(corpus, replace(state, opened=None), 1) == (0, 0)
    assert reading.stepped(corpus, State("r", Selection(cluster=10**6)), 1) is None


def test_a_document_that_left_the_list_gives_way_to_its_first(corpus: Corpus) -> None:
    state = State("r", Selection(show="dropped"), opened=next(
        place for (place,) in corpus.rows("SELECT place FROM docs WHERE kept LIMIT 1")))
    first = corpus.rows("SELECT min(place) FROM docs WHERE NOT kept")[0][0]
    assert reading.stepped(corpus, state, 1) == (first, 0)


# --- the reader ------------------------------------------------------------------------------------------------------

def text_of(drawn: str) -> str:
    inner = re.search(r'<div class="co-text"[^>]*>(.*?)</div>', drawn, re.S)
    assert inner
    return html.unescape(re.sub(r"<[^>]*>", "", inner[1]))


def test_every_document_is_read_whole_with_its_verdict(corpus: Corpus, rows: list, folder: Path) -> None:
    texts = full_texts(folder)
    for place in range(0, len(rows), 7):
        drawn = reading.document(corpus, State("r", opened=place), "en")
        assert text_of(drawn) == texts[place], place
        failed = names_of(corpus, rows[place]["rule_fail"])
        assert drawn.count("co-is-first") == min(1, len(failed)) and drawn.count("co-is-passes") == 6 - len(failed)
        assert ("dropped by" in drawn) == bool(failed)


def test_the_evidence_of_a_dropped_document_is_marked(corpus: Corpus, rows: list) -> None:
    bit = 1 << corpus.recipe.names.index("sensitive")
    place = next(i for i, row in enumerate(rows) if row["rule_fail"] & bit)
    drawn = reading.document(corpus, State("r", opened=place), "en")
    marked = html.unescape(" ".join(re.findall(r'<mark class="co-m co-m-sensitive[^"]*"[^>]*>([^<]*)', drawn)))
    assert rows[place]["sensitive_words"] and all(word in marked for word in rows[place]["sensitive_words"])
    assert f"· {rows[place]['n_lines']} lines" in plain(drawn) and "listed word " in plain(drawn)


def test_the_reader_shows_moved_limits_and_search_hits(corpus: Corpus) -> None:
    state = State("r", Selection(moved=((0, 1e6),), search=Query("words", "雨")), opened=corpus.rows(
        "SELECT place FROM docs WHERE kept LIMIT 1")[0][0])
    drawn = reading.document(corpus, state, "en")
    assert "moved" in plain(drawn) and "dropped by length" in plain(drawn)


def test_a_hostile_document_is_read_as_text(tmp_path: Path) -> None:
    record = {"text": f"{HOSTILE}{'春天的雨下了一整夜。' * 30}", "title": HOSTILE, "url": "javascript:alert(1)"}
    opened = Corpus.open(filtered(tmp_path, records=[record]))
    made = view.draw(opened, State("r", opened=0, charts=("n_chars",)), "zh-CN")
    assert "<script" not in "".join(made.values()) and text_of(made["reader"]) == record["text"]
    assert "javascript:" in made["reader"] and "href" not in made["reader"]
    opened.close()


def test_clusters_of_near_duplicates_are_offered(corpus: Corpus) -> None:
    place, cluster, size = corpus.rows("SELECT place, dup_cluster, dup_size FROM docs WHERE dup_size > 1 LIMIT 1")[0]
    drawn = reading.document(corpus, State("r", opened=place), "en")
    assert f'data-act="cluster" data-key="{cluster}"' in drawn and f"{size} near-duplicates" in drawn
    shown = changed(State("r"), "cluster", str(cluster))
    assert f"{size} of {corpus.total} documents" in plain(drawing.bar(corpus, shown, "en"))


def test_without_a_document_the_reader_says_what_to_do(corpus: Corpus) -> None:
    assert "Open a document of the list." in reading.document(corpus, State("r"), "en")
    with pytest.raises(UserError, match="no document"):
        reading.document(corpus, State("r", opened=10**6), "en")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_the_whole_view_is_small(corpus: Corpus, lang: str) -> None:
    made = view.draw(corpus, State("r", opened=1), lang)
    assert sum(len(part.encode()) for part in made.values()) < 200_000
    assert not re.findall(r"corpus\.[a-z]+\.[a-z]+", " ".join(map(plain, made.values())))


# --- presses on the page ---------------------------------------------------------------------------------------------

def press(page: Page, run: Run, text: str, act: str, key: Any = "", value: Any = "", lang: str = "en") -> list[Any]:
    event = pressing(act, key, value)
    *drawn, button, _, _, _, _ = page.call("corpus_inspect", "press", run.id, text, asking(lang=lang), event)
    assert skipped(button), "only a press that needs the index shows its button"
    return drawn


def apart(values: list[Any]) -> tuple[Any, list[Any], list[Any]]:
    """The state, the parts, what is drawn in each."""
    return values[0], values[1:1 + len(view.PARTS)], values[1 + len(view.PARTS):]


NOTHING = [""] * len(view.PARTS)


def skipped(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type__") == "update" and len(value) == 1


def test_a_press_changes_the_state_and_draws_everything_that_hangs_on_it(page: Page, run: Run) -> None:
    text, parts, keys = apart(press(page, run, "", "first", "length"))
    assert read(text, run.id).selection.first == "length"
    assert keys == list(view.keys_of(read(text, run.id), "en").values())
    assert len(parts) == len(view.PARTS) and not any(map(skipped, parts))
    assert "fails first: length" in plain(parts[0])


@pytest.mark.parametrize(("act", "key", "drawn"), [
    ("open", 3, {"table", "reader"}), ("page", 50, {"table"}), ("sort", "n_chars", {"table"})])
def test_reading_draws_only_the_list(page: Page, run: Run, act: str, key: Any, drawn: set) -> None:
    _, parts, keys = apart(press(page, run, "", act, key))
    assert [skipped(key) for key in keys] == [skipped(part) for part in parts], "it says nothing of other parts"
    assert {name for name, part in zip(view.PARTS, parts, strict=True) if not skipped(part)} == drawn


def test_keys_step_through_the_list(page: Page, run: Run) -> None:
    text = press(page, run, "", "step", "", "1")[0]
    assert read(text, run.id).opened == 0
    text = press(page, run, press(page, run, text, "step", "", "1")[0], "step", "", "-1")[0]
    assert read(text, run.id).opened == 0 and all(map(skipped, press(page, run, text, "step", "", "-1")))


def test_a_press_on_a_broken_address_begins_anew(page: Page, run: Run) -> None:
    assert read(press(page, run, "range=x", "show", "kept")[0], run.id).selection == Selection(show="kept")


@pytest.mark.parametrize(("act", "key", "value"), [
    ("failed", "no such rule", ""), ("brush", "no_such", "1 2"), ("brush", "n_chars", "1"), ("cell", "a b", "1 2 3 4"),
    ("move", "99", "1"), ("open", "-1", ""), ("sort", "id; DROP TABLE docs", ""), ("nothing", "", ""),
    ("brush", 'n_chars" OR 1=1 --', "1 2")])
def test_forged_presses_are_refused_in_words(page: Page, run: Run, act: str, key: str, value: str) -> None:
    with pytest.raises(gr.Error) as refused:
        press(page, run, "", act, key, value)
    assert "TypeError" not in str(refused.value) and "SQL" not in str(refused.value)
    assert "160" in plain(press(page, run, "", "clear")[1])


def test_an_event_without_data_is_refused(page: Page, run: Run) -> None:
    with pytest.raises(gr.Error):
        page.call("corpus_inspect", "press", run.id, "", asking(), type("E", (), {"_data": None})())


def test_nobody_presses_in_the_corpus_of_another(page: Page, run: Run) -> None:
    with pytest.raises(gr.Error, match="There is no run"):
        page.call("corpus_inspect", "press", run.id, "", asking(OTHER), pressing("show", "kept"))


def test_examples_teach_a_concept_and_say_what_is_missing(page: Page, run: Run) -> None:
    made = adopt(page.service, Path("/nowhere"), task="mdfg.index.v1", fields={"corpus": f"run:{run.id}"})
    with pytest.raises(gr.Error, match="holds no index"):
        press(page, run, "", "like", 3)
    with pytest.raises(gr.Error, match="begins with an example"):
        press(page, run, "", "unlike", 3)
    page.service.delete(ANN, made.id)


def test_the_search_box_searches(page: Page, run: Run, folder: Path) -> None:
    text, bar, *_ = page.call("corpus_inspect", "search", "words", "雨", None, run.id, "", asking())
    found = sum("雨" in one for one in full_texts(folder))
    assert f"{found} of 160 documents" in plain(bar) and read(text, run.id).sort == "score"
    text, bar, *_ = page.call("corpus_inspect", "search", "words", " ", None, run.id, text, asking())
    assert text == "" and "all 160" in plain(bar)


@pytest.mark.parametrize(("kind", "words"), [("regex", "("), ("regex", "(?=a)"), ("meaning", "rain"), ("guess", "x")])
def test_searches_that_cannot_be_are_refused_in_words(page: Page, run: Run, kind: str, words: str) -> None:
    with pytest.raises(gr.Error) as refused:
        page.call("corpus_inspect", "search", kind, words, None, run.id, "", asking())
    assert "went wrong" not in str(refused.value)


def test_charts_can_be_chosen(page: Page, run: Run) -> None:
    text, parts, _ = apart(page.call("corpus_inspect", "choose", ["n_lines"], run.id, "", asking()))
    assert read(text, run.id).charts == ("n_lines",)
    assert [name for name, part in zip(view.PARTS, parts, strict=True) if not skipped(part)] == ["charts"]
    assert "lines" in plain(parts[2]) and "characters a line" not in plain(parts[2])


# --- the timer -------------------------------------------------------------------------------------------------------

def look(page: Page, run_id: str, text: str = "", sent: list[str] | None = None, lang: str = "en") -> Any:
    return page.call("corpus_inspect", "look", run_id, text, *(sent or NOTHING), asking(lang=lang))


def test_the_timer_draws_once_and_again_for_another_language(page: Page, run: Run) -> None:
    _, parts, sent = apart(look(page, run.id))
    assert len(parts) == len(view.PARTS) and all(parts)
    assert skipped(look(page, run.id, "", sent))
    assert not skipped(look(page, run.id, "", sent, "zh-CN")) and skipped(look(page, ""))


def test_an_address_opens_filter_page_and_document(page: Page, run: Run) -> None:
    text = State(run.id, Selection(show="dropped"), offset=0, opened=5).text
    kept, (bar, *_, reader), sent = apart(look(page, run.id, text))
    assert skipped(kept) and "dropped" in text and "Document 5" in plain(reader)
    assert skipped(look(page, run.id, text, sent))
    assert 'data-key="dropped" data-focus="show.dropped" aria-pressed="true"' in bar


def test_a_filter_of_another_corpus_is_left(page: Page, run: Run) -> None:
    text, (bar, *_), sent = apart(look(page, run.id, State("other", Selection(show="kept")).text))
    assert text == "" and "all 160" in plain(bar) and skipped(look(page, run.id, text, sent))


@pytest.mark.parametrize("text", ["show=some", "failed=nothing", "range=nope~1~2", "limit=77~1", "sort=nope"])
def test_an_address_that_cannot_be_read_is_told_once(page: Page, run: Run, text: str) -> None:
    _, (told, *others), sent = apart(look(page, run.id, text))
    assert 'role="alert"' in told and 'data-act="clear"' in told and others == [""] * 4
    assert skipped(look(page, run.id, text, sent))


def test_the_timer_mends_what_a_partial_drawing_left(page: Page, run: Run) -> None:
    """The list is turned while a filter that another view asked for is not drawn yet: "12 of 160" over all rows."""
    _, _, sent = apart(look(page, run.id))
    asked, _ = page.call("corpus_inspect", "ask", "failed=sensitive&place=3", run.id, "")
    text, parts, keys = apart(press(page, run, asked, "sort", "n_chars"))
    sent = [old if skipped(new) else new for old, new in zip(sent, keys, strict=True)]
    _, mended, now = apart(look(page, run.id, text, sent))
    drawn = [name for name, part in zip(view.PARTS, mended, strict=True) if not skipped(part)]
    assert drawn == ["bar", "rules", "charts", "reader"] and "fails" in plain(mended[0]) and not skipped(parts[3])
    sent = [old if skipped(new) else new for old, new in zip(sent, now, strict=True)]
    assert skipped(look(page, run.id, text, sent))


def test_a_late_drawing_of_an_older_state_is_mended(page: Page, run: Run) -> None:
    """What was drawn goes with the note of it, whichever answer comes last."""
    text, _, newer = apart(press(page, run, "", "show", "kept"))
    _, _, older = apart(look(page, run.id))
    _, parts, keys = apart(look(page, run.id, text, older))
    assert not any(map(skipped, parts[:4])) and [*keys[:4], newer[4]] == newer


@pytest.mark.parametrize(("change", "hangs"), [
    ({"sort": "n_chars"}, {"table"}), ({"offset": 50}, {"table"}), ({"opened": 4}, {"table", "reader"}),
    ({"charts": ("n_lines",)}, {"charts"}), ({"selection": Selection(show="kept")}, set(view.PARTS)),
    ({"of": "another"}, set(view.PARTS))])
def test_what_a_part_hangs_on(change: dict[str, Any], hangs: set[str]) -> None:
    before, after = (view.keys_of(state, "en") for state in (State("r"), replace(State("r"), **change)))
    assert {name for name in view.PARTS if before[name] != after[name]} == hangs
    assert not set(before.values()) & set(view.keys_of(State("r"), "zh-CN").values())


def test_an_address_that_was_told_is_mended_by_any_press(page: Page, run: Run) -> None:
    _, _, sent = apart(look(page, run.id, "sort=nope"))
    text, _, keys = apart(press(page, run, "sort=nope", "sort", "n_chars"))
    sent = [old if skipped(new) else new for old, new in zip(sent, keys, strict=True)]
    _, parts, _ = apart(look(page, run.id, text, sent))
    assert [bool(part) and not skipped(part) for part in parts] == [True, True, True, False, True]


# --- following the run, the sample, other views ----------------------------------------------------------------------

def test_the_body_is_seen_once_there_is_a_corpus(page: Page, run: Run) -> None:
    *_, hint, body, charts = page.call("corpus_inspect", "follow", run.id, "", "", asking())
    assert (hint["visible"], body["visible"]) == (False, True) and charts["value"][:2] == ["quality", "toxicity"]
    *_, hint, body, charts = page.call("corpus_inspect", "follow", "", "", "", asking())
    assert (hint["visible"], body["visible"]) == (True, False) and skipped(charts)


def test_the_sample_is_one_press(page: Page) -> None:
    page.made.clear()
    assert page.call("corpus_inspect", "begin", asking()) == "r-new"
    task, fields, more = page.made[-1]
    assert task == "mdfg.filter.v1" and fields["sources"] == ["sample"] and more["visitor"] == ANN


@pytest.mark.parametrize(("status", "failure", "said"), [
    ("running", None, "Filtering: reading"), ("failed", {"cause": f"disk {HOSTILE}", "advice": ""}, "disk"),
    ("cancelled", None, "cancelled")])
def test_the_sample_is_awaited(page: Page, folder: Path, status: str, failure: Any, said: str) -> None:
    made = adopt(page.service, Path("/nowhere"), status=status, failure=failure)
    waiting, corpus, told = page.call("corpus_inspect", "wait", made.id, asking())
    assert skipped(corpus) and said in plain(told) and "<script" not in told
    assert skipped(waiting) == (status == "running")


def test_the_finished_sample_is_looked_at(page: Page, run: Run) -> None:
    assert page.call("corpus_inspect", "wait", run.id, asking()) == ("", run.id, "")
    assert skipped(page.call("corpus_inspect", "wait", "", asking()))


def test_other_views_ask_for_a_document_or_a_filter(page: Page, run: Run) -> None:
    held = State(run.id, Selection(show="kept"), charts=("n_lines",)).text
    text, asked = page.call("corpus_inspect", "ask", "place=17", run.id, held)
    assert asked == "" and read(text, run.id) == State(run.id, Selection(show="kept"), opened=17, charts=("n_lines",))
    text, _ = page.call("corpus_inspect", "ask", "failed=length&place=3", run.id, held)
    assert read(text, run.id) == State(run.id, Selection(failed=("length",)), opened=3, charts=("n_lines",))
    assert page.call("corpus_inspect", "ask", "", run.id, held) == (held, "")


# --- take away -------------------------------------------------------------------------------------------------------

def test_the_shown_documents_leave_as_json_lines(page: Page, run: Run, corpus: Corpus, rows: list,
                                                 folder: Path) -> None:
    state = State(run.id, Selection(show="dropped", moved=((0, 60.0),)), sort="n_chars", down=True)
    path, written, shown = taking.write(shell_of(page), corpus, state, "jsonl")
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    dropped = [i for i, row in enumerate(rows) if row["n_chars"] <= 60 or row["rule_fail"] & ~1]
    assert written == shown == len(found) == len(dropped) and path.name == "selection.jsonl"
    assert [one["n_chars"] for one in found] == sorted((one["n_chars"] for one in found), reverse=True)
    texts = full_texts(folder)
    assert Counter(one["text"] for one in found) == Counter(texts[i] for i in dropped)
    assert all(one["rules_failed"] and one["filter"] == state.selection.hash for one in found)


def test_a_table_for_spreadsheets_runs_no_formula(page: Page, tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, texts=['=HYPERLINK("http://x")', "+1", "@a", "plain, with \"quotes\"\n2"]))
    path, written, _ = taking.write(shell_of(page), opened, State("r"), "csv")
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert written == 4 and [one["text"][:2] for one in found] == ["'=", "'+", "'@", "pl"]
    assert found[3]["text"] == "plain, with \"quotes\"\n2" and found[3]["rules_failed"].startswith("length")
    opened.close()


def test_an_export_is_bounded_and_says_so(page: Page, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "MOST", 7)
    assert taking.write(shell_of(page), corpus, State("r"), "jsonl")[1:] == (7, 160)
    monkeypatch.setattr(taking, "MOST", 160)
    monkeypatch.setattr(taking, "CHARACTERS", 1500)
    path, written, _ = taking.write(shell_of(page), corpus, State("r"), "csv")
    assert 0 < written < 160 and path.stat().st_size < 20_000


@pytest.mark.parametrize(("state", "layout", "said"), [
    (State("r", Selection(cluster=10**6)), "jsonl", "no document"), (State("r"), "exe", "layout")])
def test_exports_that_cannot_be_are_refused(page: Page, corpus: Corpus, state: State, layout: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        taking.write(shell_of(page), corpus, state, layout)


def test_the_export_button_gives_a_file_nobody_can_guess(page: Page, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda words, duration: told.append(words))
    given = page.call("corpus_take", "give", "jsonl", run.id, "", True, asking())
    path = Path(given["value"])
    assert given["visible"] and len(path.parent.name) == 32 and told == ["160 documents are in the file."]
    assert path.is_relative_to(page.service.settings.home / "cache" / "page")
    with pytest.raises(gr.Error, match="There is no run"):
        page.call("corpus_take", "give", "jsonl", run.id, "", True, asking(OTHER))


def test_moved_limits_become_a_recipe_that_runs_again(page: Page, run: Run, corpus: Corpus) -> None:
    text = changed(State(run.id), "move", "0", "60").text
    shown, file, button = page.call("corpus_take", "keep", "my limits", run.id, text, asking())
    made = load_recipe(shown["value"])
    assert made.rules[0].limit == 60 and made.name == "my limits" and made.hash != corpus.recipe.hash
    assert made.hash in shown["label"] and Path(file["value"]).name == "my-limits.yaml" and button["visible"]
    assert load_recipe(Path(file["value"]).read_text()).hash == made.hash
    page.made.clear()
    run_id, tabs = page.call("corpus_take", "again", shown["value"], run.id, asking())
    task, fields, more = page.made[-1]
    assert (run_id, task, fields["sources"]) == ("r-new", "mdfg.filter.v1", ["sample"]) and tabs.selected == "filter"
    assert load_recipe(fields["recipe"]).hash == made.hash and more["parents"] == (run.id,)


def test_a_recipe_without_moved_limits_has_the_hash_of_the_run(corpus: Corpus) -> None:
    same = taking.recipe_of(corpus, State("r"))
    assert same.hash == corpus.recipe.hash and same.name == "zh-paper-code"
    assert taking.recipe_of(corpus, changed(State("r"), "move", "0", "1")).name == "zh-paper-code moved"


@pytest.mark.parametrize(("name", "file"), [("../../etc/passwd", "etc-passwd"), ("", "recipe"), ("中文 1", "中文-1")])
def test_names_of_recipes_make_plain_file_names(name: str, file: str) -> None:
    assert taking._safe(name) == file


def test_the_limits_go_over_to_compare(page: Page, run: Run) -> None:
    text = changed(State(run.id), "move", "0", "60").text
    note, tabs = page.call("corpus_take", "side_by_side", run.id, text)
    assert "60" in note and run.id in note and tabs.selected == "compare"


# --- the head and the index of meaning -------------------------------------------------------------------------------

def test_the_head_offers_this_visitors_finished_runs(page: Page, run: Run, folder: Path) -> None:
    adopt(page.service, folder, owner=BOB, title="Bob's")
    adopt(page.service, Path("/nowhere"), status="failed", title="broken")
    offered = heads.choices(shell_of(page), ANN, "en")
    assert (f"Texts · {run.id}", run.id) in offered and all("Bob" not in words for words, _ in offered)
    assert all("broken" not in words for words, _ in offered)


def test_the_head_says_what_the_corpus_is(page: Page, run: Run, rows: list) -> None:
    picker, facts = page.call("corpus_head", "follow", run.id, asking())
    kept = sum(row["kept"] for row in rows)
    assert picker["value"] == run.id and f"160 documents, {kept} kept" in plain(facts)
    assert load_recipe("zh-paper-code").hash in facts and f"run={run.id}" in facts
    picker, facts = page.call("corpus_head", "follow", "", asking(lang="zh-CN"))
    assert picker["value"] is None and "过滤文本" in facts


def test_the_head_follows_a_choice(page: Page) -> None:
    assert page.call("corpus_head", "choose", "r1") == "r1" and page.call("corpus_head", "choose", None) == ""


def test_a_run_that_is_no_filtering_run_is_refused(page: Page, folder: Path) -> None:
    other = adopt(page.service, folder, task="mdfg.score.v1")
    going = adopt(page.service, folder, status="running")
    for one in (other, going):
        with pytest.raises(gr.Error, match="not a filtering run that has succeeded"):
            page.call("corpus_head", "follow", one.id, asking())


def test_the_newest_index_of_a_corpus_is_found(page: Page, run: Run) -> None:
    shell = shell_of(page)
    assert heads.index_of(shell, ANN, run.id) is None
    adopt(page.service, Path("/nowhere"), task="mdfg.index.v1", fields={"corpus": f"run:{run.id}x"})
    adopt(page.service, Path("/nowhere"), task="mdfg.index.v1", fields={"corpus": f"run:{run.id}"}, owner=BOB)
    assert heads.index_of(shell, ANN, run.id) is None
    made = adopt(page.service, Path("/nowhere"), task="mdfg.index.v1", fields={"corpus": f"run:{run.id}"})
    assert heads.index_of(shell, ANN, run.id) == made.path
    page.service.delete(ANN, made.id)


def test_an_index_is_offered_where_a_search_needs_it(page: Page, run: Run) -> None:
    def offered(kind: str, run_id: str, text: str = "") -> bool:
        return page.call("corpus_search", "offer", kind, run_id, text, asking())["visible"]
    assert not offered("words", run.id) and offered("meaning", run.id) and not offered("meaning", "")
    page.made.clear()
    assert page.call("corpus_search", "make", run.id, asking()) == "r-new"
    assert page.made[-1][:2] == ("mdfg.index.v1", {"corpus": f"run:{run.id}"})


@pytest.mark.parametrize(("text", "kind"), [
    (State("", Selection(search=Query("concept", like=(3,), least=0.5))).text, "concept"),
    (State("", Selection(search=Query("meaning", "雨"))).text, "meaning"),
    (State("", Selection(search=Query("words", "雨"))).text, "words"), ("", ""), ("show=<odd>", ""),
    ("of=another&find=concept%3A&like=3", "")])
def test_an_index_is_offered_for_a_search_that_the_address_holds(page: Page, run: Run, text: str, kind: str) -> None:
    text = text.replace("of=&", f"of={run.id}&")
    assert searching.held(text, run.id) == kind
    shown = page.call("corpus_search", "offer", "words", run.id, text, asking())["visible"]
    assert shown == (kind in searching.BY_MEANING)


@pytest.mark.parametrize(("lang", "said"), [("en", "Press “Make the index” beside"),
                                            ("zh-CN", "请按搜索框旁的“建立索引”")])
@pytest.mark.parametrize("act", ["like", "unlike"])
def test_more_like_this_offers_the_index_that_it_lacks(page: Page, run: Run, monkeypatch: pytest.MonkeyPatch, act: str,
                                                       lang: str, said: str) -> None:
    """The sentence names the button, and the button is there; what is drawn stays."""
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda words, duration: told.append(words))
    *drawn, button, _, _, _, _ = page.call("corpus_inspect", "press", run.id, "", asking(lang=lang), pressing(act, 3))
    assert all(map(skipped, drawn)) and button["visible"] is True and said in told[0] and "mdfg." not in told[0]
    assert page.find("corpus_search", "offer").outputs == page.find("corpus_inspect", "press").outputs[-5:-4]


@pytest.mark.parametrize(("query", "kind", "words", "least"), [
    (Query("words", "雨"), "words", "雨", None), (Query("regex", "雨+", least=0.3), "regex", "雨+", 0.3)])
def test_the_box_shows_the_search_of_an_address_and_of_a_press(page: Page, run: Run, query: Query, kind: str,
                                                               words: str, least: float | None) -> None:
    """Once: while the search stays the same, nobody's typing is disturbed; where it goes, the words go with it."""
    state = State(run.id, Selection(search=query))
    *box, key = page.call("corpus_inspect", "follow", run.id, state.text, "", asking())[:4]
    assert box == [kind, words, least] and key == searching.key_of(state.text, run.id)
    assert all(map(skipped, page.call("corpus_inspect", "follow", run.id, state.text, key, asking())[:4]))
    kept = page.call("corpus_inspect", "press", run.id, state.text, asking(), pressing("show", "dropped"))[-4:]
    assert all(map(skipped, kept)), "another part of the filter changed"
    gone = page.call("corpus_inspect", "press", run.id, state.text, asking(), pressing("clear"))[-4:]
    assert skipped(gone[0]) and gone[1:] == ["", None, ""]


def test_a_concept_leaves_the_kind_of_the_box_and_empties_its_words(page: Page, run: Run) -> None:
    text = State(run.id, Selection(search=Query("concept", "", like=(3,)))).text
    kind, words, least, _ = page.call("corpus_inspect", "follow", run.id, text, "", asking())[:4]
    assert skipped(kind) and words == "" and least is None


def test_more_like_this_of_somebody_else_s_corpus_is_refused(page: Page, run: Run) -> None:
    with pytest.raises(gr.Error, match="There is no run"):
        page.call("corpus_inspect", "press", run.id, "", asking(OTHER), pressing("like", 3))


@pytest.mark.parametrize(("status", "failure", "said", "over"), [
    ("running", None, "The index is being made: reading", False), ("succeeded", None, "The index is ready.", True),
    ("failed", {"cause": "no room", "advice": ""}, "no room", True)])
def test_the_index_is_followed(page: Page, status: str, failure: Any, said: str, over: bool) -> None:
    made = adopt(page.service, Path("/nowhere"), task="mdfg.index.v1", fields={"corpus": "run:none"}, status=status,
                 failure=failure)
    told, button, note = searching.progress(shell_of(page), made.id, asking())
    assert said in plain(told) and (note == "") == over and button["visible"] == (status == "failed")
    assert skipped(searching.progress(shell_of(page), "", asking()))


# --- opening the tab -------------------------------------------------------------------------------------------------

def test_the_tab_opens_a_run_where_it_belongs(page: Page, run: Run, folder: Path) -> None:
    shell = shell_of(page)
    going = adopt(page.service, folder, status="running")
    scorer = adopt(page.service, Path("/nowhere"), task="mdfg.train_scorer.v1")
    index = adopt(page.service, Path("/nowhere"), task="mdfg.index.v1", fields={"corpus": f"run:{run.id}"})
    assert tab.opening(shell, run.id, asking()) == ("inspect", {"inspect": run.id, "filter": run.id})
    assert tab.opening(shell, going.id, asking()) == ("filter", {"filter": going.id})
    assert tab.opening(shell, scorer.id, asking()) == ("scorers", {"scorers": scorer.id})
    assert tab.opening(shell, index.id, asking()) == ("inspect", {"inspect": run.id})
    for reference in ("sample", "path:/somewhere", ""):
        alone = adopt(page.service, Path("/nowhere"), task="mdfg.index.v1", fields={"corpus": reference})
        assert tab.opening(shell, alone.id, asking()) == ("filter", {})
    assert tab.opening(shell, "20200101T000000-abcdef", asking())[0] == "filter"
    page.service.delete(ANN, index.id)


def test_without_a_run_the_newest_corpus_is_opened(page: Page, folder: Path) -> None:
    newest = adopt(page.service, folder, title="newest")
    assert tab.opening(shell_of(page), "", asking()) == ("inspect", {"inspect": newest.id})
    assert tab.opening(shell_of(page), "", asking("c" * 32)) == ("", {})


def test_every_view_finds_the_same_corpus_on_the_shelf(page: Page, run: Run) -> None:
    shelf, shell = Shelf(), shell_of(page)
    inspect = SimpleNamespace(shelf=shelf)
    made = adopt(page.service, Path("/nowhere"), task="mdfg.index.v1", fields={"corpus": f"run:{run.id}"})
    found = {id(desks.corpus_of(shell, shelf, asking(), run.id)), id(view.corpus(shell, inspect, asking(), run.id))}
    assert len(found) == 1 and len(shelf) == 1
    assert desks.corpus_of(shell, shelf, asking(), run.id).index == made.path
    page.service.delete(ANN, made.id)
    assert desks.corpus_of(shell, shelf, asking(), run.id).index is None
    shelf.forget(run.path)


def test_what_corpora_write_lies_in_the_home(page: Page, run: Run) -> None:
    facts = page.call("corpus_head", "follow", run.id, asking())[1]
    assert "160" in facts and list((page.service.settings.home / "tmp").glob("corpus-*/lock"))


def test_one_shelf_serves_every_view(page: Page, run: Run) -> None:
    shelf = Shelf()
    assert shelf.get(run.path) is shelf.get(run.path) and len(shelf) == 1
