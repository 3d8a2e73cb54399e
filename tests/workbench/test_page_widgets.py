"""Widgets are functions from plain values to HTML: escaped, bounded in size, the same in both languages."""

from __future__ import annotations

import html
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from workbench import failures, text
from workbench.contract import Artifact, UserError
from workbench.runs import Run
from workbench.widgets import actions, badge, curves, empty, facts, markup, progress, runlist, strip

EVIL = """<script>alert(1)</script>"'&<img src=x onerror=alert(1)>"""
CAP = 50_000


class Tags(HTMLParser):
    """Fails on tags that are not closed in order; keeps tags and attributes."""

    VOID = frozenset({"input", "br", "img", "path", "meta"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)
        assert not self.stack, self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def run(**changes: Any) -> Run:
    base: dict[str, Any] = {
        "id": "20261122T101553-97a8fe",
        "path": Path("/nowhere"),
        "task": "toys.count.v1",
        "title": "Count",
        "status": "succeeded",
        "owner": "v-1",
        "created": 1_800_000_000.0,
        "started": 1_800_000_001.0,
        "finished": 1_800_000_009.5,
        "step": 5,
        "total": 10,
    }
    return Run(**{**base, **changes})


# -- nothing a person or a model wrote becomes markup ---------------------------------------------------------------


def everything(evil: str) -> dict[str, str]:
    bad = run(
        title=evil,
        task=evil,
        message=evil,
        status="failed",
        failure={"class": evil, "cause": evil, "advice": evil},
        shared=True,
    )
    return {
        "list": runlist.run_list([bad], 1, 0, "", "en"),
        "progress": progress.progress(run(message=evil), "en"),
        "failure": progress.failure_card(bad.failure, "en"),
        "curves": curves.curves({evil: [(0, 1.0), (1, 2.0)]}, "en"),
        "facts": facts.table({evil: evil, "nested": {evil: [evil, {evil: evil}]}}),
        "inputs": facts.inputs([{"reference": evil, "path": evil, "size": 5, "sha256": evil}], "en"),
        "files": facts.files("20261122T101553-97a8fe", [(Artifact(evil, evil, evil), 5)], "en"),
        "badge": badge.badge(evil, [evil], "en"),
        "empty": empty.empty(evil, evil),
        "copy": markup.copy_button(evil, evil),
        "strip": strip.strip({"models": [{"reference": evil, "rss_mb": 5}], "device": evil, "notices": [evil]}, "en"),
        "fold": facts.fold("a", evil, ""),
        "link": markup.open_link("runs", "20261122T101553-97a8fe", evil),
    }


@pytest.mark.parametrize("name", sorted(everything("x")))
def test_what_was_written_by_others_stays_text(name: str) -> None:
    shown = everything(EVIL)[name]
    tags = Tags(shown)
    assert not [tag for tag, _ in tags.seen if tag in ("script", "img")]
    assert not [a for _, attrs in tags.seen for a in attrs if a.startswith("on")]
    assert "alert(1)" in html.unescape(shown)


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_widget_is_well_formed_in_both_languages(lang: str) -> None:
    for status in ("queued", "running", "paused", "succeeded", "failed", "cancelled", "lost"):
        one = run(status=status, finished=None if status == "running" else 1_800_000_009.5)
        Tags(runlist.run_list([one, run()], 120, 50, one.id, lang) + progress.progress(one, lang))
        assert text.say(lang, f"status.{status}") in runlist.status_mark(status, lang)


# -- markup ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1536, "1.5 kB"),
        (150 * 1024, "150 kB"),
        (5 * 2**20, "5.0 MB"),
        (3 * 2**30, "3.0 GB"),
        (2**41, "2.0 TB"),
    ],
)
def test_sizes(count: int, expected: str) -> None:
    assert markup.size(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.04, "0.0 s"), (8.44, "8.4 s"), (59.4, "59 s"), (60, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, expected: str) -> None:
    assert markup.duration(seconds, "en") == expected


def test_elements_leave_out_what_is_false_and_escape_the_rest() -> None:
    made = markup.element("a", "<b>x</b>", class_="c", data_wb_run='"', hidden=True, disabled=False, title=None)
    assert made == '<a class="c" data-wb-run="&quot;" hidden><b>x</b></a>'


# -- progress and failure -------------------------------------------------------------------------------------------


def test_progress_says_how_far_how_long_and_how_long_still() -> None:
    import time

    now = time.time()
    shown = progress.progress(
        run(status="running", started=now - 20, finished=None, step=5, total=10, message="at it"), "en"
    )
    assert 'aria-valuenow="50"' in shown and "50%" in shown and "5 of 10" in shown and "about 20 s left" in shown
    assert "at it" in shown and "width:50.0%" in shown


def test_progress_without_a_total_promises_nothing() -> None:
    shown = progress.progress(run(status="running", finished=None, total=0, step=3), "en")
    assert "wb-unknown" in shown and "left" not in shown and "step 3" in shown and "%</b>" not in shown


def test_progress_never_passes_its_end() -> None:
    assert "width:100.0%" in progress.progress(run(step=50, total=10), "en")


@pytest.mark.parametrize("kind", sorted(failures.ADVICE))
@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_class_of_failure_has_words_in_both_languages(kind: str, lang: str) -> None:
    shown = progress.failure_card(failures.failure(kind, "what happened"), lang)
    slug = kind.replace(" ", "_")
    assert html.escape(text.say(lang, f"failure.{slug}")) in shown and "what happened" in shown
    assert html.escape(text.say(lang, f"advice.{slug}")) in shown
    assert text.say("en", f"advice.{slug}") == failures.ADVICE[kind]


def test_advice_of_the_task_itself_is_shown_as_it_stands() -> None:
    shown = progress.failure_card(
        {"class": "user error", "cause": "beta is 3", "advice": "Choose `beta` <= 1."}, "zh-CN"
    )
    assert "<code>beta</code> &lt;= 1." in shown and progress.failure_card(None, "en") == ""


# -- curves ---------------------------------------------------------------------------------------------------------


def numbers(drawn: str) -> list[tuple[float, float]]:
    path = re.findall(r'<path d="M([^"]+)"', drawn)
    return [tuple(map(float, pair.split())) for part in path for pair in part.split("L")]  # type: ignore[misc]


def test_a_curve_spans_its_chart_and_keeps_its_order() -> None:
    points = numbers(curves.chart("loss", [(0, 4.0), (5, 2.0), (10, 0.0)]))
    assert points == [(0.0, 3.0), (150.0, curves.HEIGHT / 2), (300.0, curves.HEIGHT - 3)]


@pytest.mark.parametrize(
    ("values", "last"),
    [
        ([(0, 1.0)], "1"),
        ([(0, 2.0), (1, 2.0)], "2"),
        ([], "–"),
        ([(0, math.nan)], "not a number"),
        ([(0, 1.0), (1, math.inf)], "inf"),
    ],
)
def test_odd_curves_are_drawn_or_left_out_but_never_break(values: list[tuple[int, float]], last: str) -> None:
    drawn = curves.chart("m", values)
    Tags(drawn)
    assert last in drawn and "nan" not in "".join(re.findall(r'd="([^"]*)"', drawn))


def test_a_gap_stays_a_gap() -> None:
    drawn = curves.chart("m", [(0, 1.0), (1, 2.0), (2, math.nan), (3, 3.0), (4, 1.0)])
    assert len(re.findall(r'<path d="M[\d. L]+"/>', drawn)) == 2


def test_thinning_keeps_peaks_ends_and_order() -> None:
    points = [(i, math.sin(i / 50)) for i in range(5000)]
    points[1234], points[3456] = (1234, 99.0), (3456, -99.0)
    kept = curves.thin(points)
    assert len(kept) <= curves.MOST_POINTS + 1 and (1234, 99.0) in kept and (3456, -99.0) in kept
    assert kept == sorted(kept) and kept[-1] == points[-1] and curves.thin(points[:5]) == points[:5]


def test_the_most_charts_at_full_length_fit_into_one_update() -> None:
    metrics = {f"metric_{i}_with_a_long_name": [(s, math.sin(s * i) * 1e-5) for s in range(2000)] for i in range(40)}
    drawn = curves.curves(metrics, "en")
    assert len(drawn.encode()) < CAP and drawn.count("<figure") == curves.MOST_CHARTS and "31 more" in drawn


def test_the_exported_chart_holds_every_curve_and_its_own_script() -> None:
    page = curves.chart_page("A </script> title", {"loss": [(0, 1.0), (1, math.nan)], "</script>": [(0, 2.0)]})
    assert page.count("</script>") == 2 and "plotly.js v3" in page[:2000] and "cdn" not in page[:2000]
    data = json.loads(re.search(r"Plotly\.newPlot\('chart', \.\.\.(.*), \{responsive: true\}\)</script>$", page)[1])
    assert [trace["name"] for trace in data[0]] == ["loss", "</script>"] and data[0][0]["y"] == [1.0, None]


def test_without_plotly_the_export_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="plotly"):
        curves.chart_page("t", {})


# -- the list -------------------------------------------------------------------------------------------------------


def test_the_list_never_has_more_than_fifty_rows_and_fits_into_one_update() -> None:
    many = [run(id=f"20261122T101553-{i:06x}", title="A rather long title " * 8, shared=True) for i in range(300)]
    shown = runlist.run_list(many, 300, 0, many[3].id, "zh-CN")
    assert shown.count("data-wb-row") == runlist.PAGE == 50 and len(shown.encode()) < CAP
    assert shown.count("aria-current") == 1 and f'data-wb-row="{many[3].id}" aria-current' in shown


@pytest.mark.parametrize(
    ("offset", "count", "newer", "older"), [(0, 120, None, 50), (50, 120, 0, 100), (100, 120, 50, None)]
)
def test_the_pager_leads_to_the_pages_beside(offset: int, count: int, newer: int | None, older: int | None) -> None:
    shown = runlist.run_list([run()] * min(50, count - offset), count, offset, "", "en")
    buttons = [attrs for tag, attrs in Tags(shown).seen if tag == "button"]
    led = [None if "disabled" in attrs else int(attrs["data-page"]) for attrs in buttons]
    assert led == [newer, older]
    assert f"{offset + 1}–{min(offset + 50, count)} of {count}" in shown


def test_one_page_has_no_pager_and_rows_are_links() -> None:
    shown = runlist.run_list([run()], 1, 0, "", "en")
    assert "wb-pager" not in shown
    link = next(attrs for tag, attrs in Tags(shown).seen if tag == "a")
    assert link["href"] == "?tab=runs&run=20261122T101553-97a8fe"


# -- facts, badge, strip --------------------------------------------------------------------------------------------


def test_long_values_are_cut_with_a_mark() -> None:
    assert len(facts.value("x" * 100_000)) < facts.LONGEST + 50 and "(100000)" in facts.value("x" * 100_000)
    assert facts.value(list(range(1000))).count(",") == facts.MOST - 1
    assert facts.value([]) == facts.value({}) == facts.value("") == "–" and facts.value(None) == "null"
    assert facts.value(True) == "true" and facts.value([{"a": 1}]).startswith("<ol>")


def test_files_link_to_the_address_that_asks_for_rights() -> None:
    shown = facts.files("20261122T101553-97a8fe", [(Artifact("a b.json", "artifacts/a b.json", "json"), 2048)], "en")
    assert "href='/workbench/runs/20261122T101553-97a8fe/a%20b.json' download" in shown and "2.0 kB" in shown


def test_inputs_show_each_file_with_its_checksum() -> None:
    shown = facts.inputs(
        [{"reference": "package:x", "files": [{"path": "/m/a", "size": 2**20, "sha256": "ab" * 32}] * 30}], "en"
    )
    assert shown.count("sha256") == 20 and "1.0 MB" in shown and "abababababababab<" in shown


@pytest.mark.parametrize(
    ("inputs", "result", "expected"),
    [
        ([], None, ""),
        ([{"reference": "package:x"}], None, "synthetic · made by package:x"),
        ([{"reference": "shared:corpus"}], {"provenance": "real data"}, "real data"),
        ([], {"provenance": "real noise + planted signal"}, "real noise + planted signal"),
        (
            [{"reference": "hub:a/b"}, {"reference": "endpoint:http://x"}],
            {},
            "synthetic · made by hub:a/b, endpoint:http://x",
        ),
    ],
)
def test_the_badge_of_a_run(inputs: list, result: dict | None, expected: str) -> None:
    shown = badge.run_badge(inputs, result, "en")
    assert html.unescape(re.sub(r"<[^>]+>", "", shown)) == expected


def test_the_badge_speaks_chinese() -> None:
    assert "真实数据" in badge.badge("real data", [], "zh-CN") and "合成" in badge.badge("synthetic", [], "zh-CN")


@pytest.mark.parametrize("broken", [None, [], {}, "text", {"a": "b"}, [1, 2], {"a": None}])
def test_hand_edited_inputs_are_read_as_none(broken: object) -> None:
    assert actions.as_list(broken) == []


def test_inputs_are_listed_by_reference() -> None:
    assert actions.as_list({"package:x": {"path": "p"}}) == [{"reference": "package:x", "path": "p"}]


STATUS = {
    "queued": 2,
    "running": 1,
    "paused": 0,
    "memory_mb": 3300,
    "memory_total_mb": 24000,
    "device": "cpu",
    "threads": 2,
    "offline": True,
    "notices": ["The index was rebuilt."],
    "models": [
        {"reference": "package:x", "pid": 1, "rss_mb": 412.3, "busy": False, "idle_s": 42},
        {"reference": "hub:a/b", "pid": 2, "rss_mb": 1000, "busy": True, "idle_s": 0},
    ],
}


def test_the_strip_says_jobs_models_memory_device_and_network() -> None:
    shown = re.sub(r"<[^>]+>", " ", strip.strip(STATUS, "en"))
    for words in (
        "1 running · 2 queued",
        "2 · 1.4 GB",
        "3.2 / 23 GB",
        "cpu · 2 threads",
        "offline",
        "The index was rebuilt.",
        "412 MB · idle 40 s",
        "1000 MB · busy",
    ):
        assert words in " ".join(shown.split()), words
    Tags(strip.strip(STATUS, "zh-CN"))


def test_a_busy_model_cannot_be_unloaded_and_an_idle_one_can() -> None:
    buttons = [attrs for tag, attrs in Tags(strip.strip(STATUS, "en")).seen if "data-wb-unload" in attrs]
    assert [(b["data-wb-unload"], "disabled" in b) for b in buttons] == [("package:x", False), ("hub:a/b", True)]


def test_the_strip_is_steady_while_nothing_worth_telling_changes() -> None:
    later = {**STATUS, "memory_mb": 3310, "models": [{**STATUS["models"][0], "idle_s": 47}, STATUS["models"][1]]}
    assert strip.strip(STATUS, "en") == strip.strip(later, "en")
    assert strip.strip({}, "en").count("wb-cell ") == 2


def test_the_strip_warns_when_memory_runs_out() -> None:
    assert "wb-warn" in strip.strip({"memory_mb": 950, "memory_total_mb": 1000}, "en")
    assert "wb-warn" not in strip.strip({"memory_mb": 500, "memory_total_mb": 1000}, "en")
