"""Library, exchange, batches and prompts of the Dialogue tab: over real run directories, without a browser."""

from __future__ import annotations

import csv
import io
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.sweetiechat import bring, exchange, exports
from backends.sweetiechat.importers import task as importing
from backends.sweetiechat.importers.request import CorpusRequest
from backends.sweetiechat.objects import dialogue_from_json, dialogue_to_json
from backends.sweetiechat.requests import GenerateRequest
from panels import dialogue_exchange as giving
from panels import dialogue_library as library
from panels import dialogue_many as many
from panels import dialogue_many_choices as choices
from panels import dialogue_prompts
from panels import dialogue_shelf as shelf
from tests.backends.sweetie import make_dialogue
from tests.panels.test_dialogue_panel import SMOL, Desk, in_play, put_run, run_of, skipped
from tests.panels.test_transcript import dialogue, seeker, supporter
from workbench import text
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.files import read_lines
from workbench.service import Service
from workbench.settings import Settings
from workbench.widgets import batch, quality

EN = partial(text.say, "en")
ASSETS = Path(__file__).resolve().parents[2] / "assets" / "dialogue"


def stored(number: int, *, problem: str = "sleep", language: str = "en", stop: str = "goodbye", said: str = "Hello",
           used: str = "question") -> dict:
    """A dialogue as the file of a generated run holds it."""
    value = dialogue(seeker(0, f"{said} {number}", 4), supporter(1, "Tell me.", used), seeker(2, "I did.", 2),
                     id=f"d{number}", stop_reason=stop, language=language)
    value["scenario"] |= {"problem_type_id": problem, "language": language}
    value["card"]["scenario_id"] = problem
    del value["state"]
    return value


@pytest.fixture
def shelves(settings: Settings) -> Service:
    """Ann's generated run of four, her watched dialogue, and a dialogue of Bob's."""
    service = Service(settings)
    rows = [stored(0), stored(1, problem="friends", stop="max_turns", used="reflection"),
            stored(2, language="zh", said="睡不着"), stored(3, said="A <b>bold</b> word")]
    put_run(settings, rows, task=many.TASK, name="dialogues.jsonl", status="succeeded")
    put_run(settings, in_play(), status="paused")
    put_run(settings, [stored(9, said="Bob's secret")], task=many.TASK, name="dialogues.jsonl", owner="bob")
    service.index.sync()
    return service


def openings(service: Service, visitor: str = "ann", **wanted: str) -> list[str]:
    return [row.opening for row in shelf.find(service, visitor, shelf.Filter(**wanted), "en")]


def test_the_list_holds_watched_and_generated_dialogues_of_this_visitor_only(shelves: Service) -> None:
    assert sorted(openings(shelves)) == sorted(["Hello 0", "Hello 1", "睡不着 2", "A <b>bold</b> word 3",
                                                "I cannot sleep."])
    assert openings(shelves, "bob") == ["Bob's secret 9"] and openings(shelves, "eve") == []


@pytest.mark.parametrize(("wanted", "expected"), [
    ({"problem": "friends"}, ["Hello 1"]), ({"stop_reason": "max_turns"}, ["Hello 1"]),
    ({"language": "zh"}, ["睡不着 2"]),
    ({"text": "BOLD"}, ["A <b>bold</b> word 3"]), ({"text": "睡不"}, ["睡不着 2"]), ({"text": "nowhere said"}, []),
    ({"strategy": "reflection", "problem": "friends"}, ["Hello 1"]), ({"stop_reason": "running"}, ["I cannot sleep."]),
    ({"text": "under it"}, []),
])
def test_filters_narrow_the_list(shelves: Service, wanted: dict, expected: list[str]) -> None:
    assert openings(shelves, **wanted) == expected


def test_a_run_filter_shows_one_run_and_keeps_its_rights(shelves: Service) -> None:
    runs = shelf.runs(shelves, "bob")
    assert openings(shelves, "bob", run=runs[0].id) == ["Bob's secret 9"]
    with pytest.raises(UserError, match="There is no run"):
        openings(shelves, "ann", run=runs[0].id)


def test_pages_are_cut_on_the_server(settings: Settings) -> None:
    service = Service(settings)
    put_run(settings, [stored(i) for i in range(70)], task=many.TASK, name="dialogues.jsonl")
    service.index.sync()
    sizes = [len(shelf.page(service, "ann", shelf.Filter(), "en", number)[0]) for number in range(4)]
    assert sizes == [30, 30, 10, 0] and max(sizes) <= 50
    rows, count = shelf.page(service, "ann", shelf.Filter(), "en", 1)
    assert count == 70 and rows[0].opening == "Hello 30" and rows[0].key.endswith("/30")
    assert (rows[0].first, rows[0].last, rows[0].turns) == (4, 2, 3)


def test_a_half_written_or_damaged_line_hides_only_itself(settings: Settings) -> None:
    service = Service(settings)
    run = put_run(settings, [stored(0), stored(1)], task=many.TASK, name="dialogues.jsonl")
    path = run.path / "artifacts" / "dialogues.jsonl"
    good = path.read_text().splitlines()
    path.write_text("\n".join([good[0], "{ broken", '{"no": "turns"}', good[1], good[0][:50]]))
    service.index.sync()
    assert openings(service) == ["Hello 0", "Hello 1"]
    assert shelf.read(service, "ann", f"{run.id}/1")["id"] == "d1"


def test_a_growing_file_is_read_anew(settings: Settings) -> None:
    service = Service(settings)
    run = put_run(settings, [stored(0)], task=many.TASK, name="dialogues.jsonl")
    service.index.sync()
    assert len(openings(service)) == 1
    with (run.path / "artifacts" / "dialogues.jsonl").open("a") as file:
        file.write(json.dumps(stored(1)) + "\n")
    assert len(openings(service)) == 2


@pytest.mark.parametrize("key", ["", "x", "20260101T000000-ffffff/0", "{run}/99", "{run}/-1", "{run}/0/../1",
                                 "../../etc/0"])
def test_a_dialogue_is_found_by_its_key_only(shelves: Service, key: str) -> None:
    run = shelf.runs(shelves, "ann")[0].id
    with pytest.raises(UserError):
        shelf.read(shelves, "ann", key.replace("{run}", run))


# --- drawing and reading -------------------------------------------------------------------------------------------

def test_the_notes_of_the_page_are_read_and_nonsense_in_them_does_no_harm() -> None:
    wanted, number, picked, opened = library.state_of(["sleep", "", "", "", "", " x ", "", "2", '["a/0"]', "a/0"])
    assert wanted == shelf.Filter(problem="sleep", text="x") and (number, picked, opened) == (2, ["a/0"], "a/0")
    for page, ticks in (("-1", "{"), ("many", "7"), ("", "")):
        assert library.state_of([*[""] * 7, page, ticks, ""])[1:3] == (0, [])


def test_the_table_goes_back_to_the_last_page_when_a_filter_leaves_fewer(shelves: Service) -> None:
    table, count, page = library._draw(Desk(shelves), SimpleNamespace(), [*[""] * 7, "7", "[]", ""], step=0)
    assert page == "0" and "of 5" in count and "Hello 0" in table and "&lt;b&gt;bold" in table


def test_one_dialogue_is_read_with_its_case_and_can_only_be_branched(shelves: Service) -> None:
    key = next(shelf.find(shelves, "ann", shelf.Filter(problem="friends"), "en")).key
    case, shown = library.opened_dialogue(Desk(shelves), "ann", key, "en") if hasattr(Desk, "open_link") else (
        library.opened_dialogue(Linking(shelves), "ann", key, "en"))
    assert "Hello 1" in shown and "Turn limit" in shown and "ward nurse" in case
    assert shown.count("data-act") == shown.count('data-act="branch"') > 0


class Linking(Desk):
    def open_link(self, panel_id: str, run_id: str, words: str) -> str:
        return f"<a href='?tab={panel_id}&run={run_id}'>{words}</a>"


# --- export and import ---------------------------------------------------------------------------------------------

def exported(desk: Desk, layout: str, *values: str, which: str = "all") -> str:
    notes = list(values) or [*[""] * 7, "0", "[]", ""]
    return giving.write_export(desk, "ann", "en", layout, which, notes)[0].read_text(encoding="utf-8")


def test_everything_that_matches_is_exported_when_nothing_is_ticked(shelves: Service) -> None:
    lines = exported(Desk(shelves), "jsonl").splitlines()
    assert len(lines) == 5 and {json.loads(line)["id"] for line in lines} == {"d0", "d1", "d2", "d3"}
    assert len(exchange.from_jsonl("\n".join(lines))) == 5


def test_ticked_dialogues_are_exported_alone(shelves: Service) -> None:
    key = next(shelf.find(shelves, "ann", shelf.Filter(problem="friends"), "en")).key
    assert len(exported(Desk(shelves), "jsonl", *[""] * 7, "0", json.dumps([key]), "").splitlines()) == 1


@pytest.mark.parametrize("layout", [name for name in giving.LAYOUTS if name != "convokit"])
def test_every_layout_is_written_and_has_a_name_on_the_page(shelves: Service, layout: str) -> None:
    body = exported(Desk(shelves), layout)
    assert "Hello 1" in body and "睡不着 2" in body
    assert all(f"dialogue.export.{layout}" in text.catalogue(lang) for lang in text.LANGUAGES)
    if layout == "esconv":
        assert {row["problem_type"] for row in json.loads(body)} == {"sleep", "friends"}
    if layout == "csv":
        assert len(list(csv.DictReader(io.StringIO(body.lstrip("\ufeff"))))) == 4 * 3 + 5


def test_nothing_of_somebody_else_is_exported_even_when_asked_for(shelves: Service) -> None:
    theirs = next(shelf.find(shelves, "bob", shelf.Filter(), "en")).key
    with pytest.raises(UserError, match="There is no run"):
        exported(Desk(shelves), "jsonl", *[""] * 7, "0", json.dumps([theirs]), "")


def test_an_empty_choice_says_so(shelves: Service) -> None:
    with pytest.raises(UserError, match="nothing to export"):
        exported(Desk(shelves), "jsonl", "", "", "", "", "", "never said", "", "0", "[]", "")


def test_two_exports_never_lie_at_the_same_place(shelves: Service) -> None:
    notes = [*[""] * 7, "0", "[]", ""]
    assert giving.write_export(Desk(shelves), "ann", "en", "csv", "all", notes)[0] != giving.write_export(
        Desk(shelves), "ann", "en", "csv", "all", notes)[0]


def taken(shelves: Service, path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict]:
    """Task and fields of the import that the page starts for a file."""
    asked: list[tuple] = []
    monkeypatch.setattr(shelves, "submit", lambda task, fields, **more: asked.append((task, fields, more)) or "r9")
    assert giving.take_in(Desk(shelves), "ann", path) == "r9"
    assert asked[0][2]["title"] == path.name
    return asked[0][:2]


@pytest.mark.parametrize("layout", exports.EXACT)
def test_an_exported_file_comes_back_as_equal_dialogues(shelves: Service, layout: str,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [dialogue_to_json(make_dialogue("I cannot sleep.", "Why?", used=("question",), id=name, stop_reason="user"))
             for name in ("a", "b", "a")]
    run = put_run(shelves.settings, whole, task=many.TASK, name="dialogues.jsonl", status="succeeded")
    shelves.index.sync()
    notes = [*[""] * 6, run.id, "0", "[]", ""]
    path, waiting = giving.write_export(Desk(shelves), "ann", "en", layout, "all", notes)
    task, fields = taken(shelves, path, monkeypatch)
    assert task == giving.IMPORT_TASK == "sweetiechat.import.v2" and waiting == 0
    request = from_json(CorpusRequest, fields)
    assert bring.upload_path(request.source, shelves.settings.home).read_bytes() == path.read_bytes()
    context = MemoryContext(shelves.settings.home / "runs" / "taken", settings=shelves.settings)
    assert importing.run(request, context).dialogues == 3
    back = read_lines(context.run / "artifacts" / "dialogues.jsonl")
    assert [row["id"] for row in back] == ["a", "b", "a-2"], "a name that comes twice is told apart"
    assert back[:2] == json.loads(json.dumps(whole[:2])) and back[2]["turns"] == back[0]["turns"]


@pytest.mark.parametrize("data", [b"", b"  \n "])
def test_an_empty_file_is_refused_and_not_kept(shelves: Service, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f.jsonl").write_bytes(data)
    with pytest.raises(UserError, match="is empty"):
        giving.take_in(Desk(shelves), "ann", tmp_path / "f.jsonl")
    assert not (shelves.settings.home / "uploads").exists()


def test_what_the_page_takes_in_ends_as_the_importers_know() -> None:
    assert {".json", ".jsonl", ".csv", ".tsv", ".txt", ".zip"} <= set(giving.TAKEN)


@pytest.mark.parametrize(("source", "said"), [("f" * 64, "no longer here"), ("../../secret", "must be path"),
                                              ("/etc/passwd", "must be path")])
def test_the_import_task_reads_only_what_it_may(settings: Settings, tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        importing.run(CorpusRequest(source=source), MemoryContext(tmp_path / "run"))


def test_an_import_is_followed_until_its_list_is_shown(settings: Settings, tmp_path: Path) -> None:
    service = Service(settings)
    good = json.loads((ASSETS / "sample.esconv.json").read_text(encoding="utf-8"))
    (tmp_path / "talks <1>.json").write_text(json.dumps([*good, {"dialog": [{"speaker": "robot", "content": "x"}]}]))
    run_id = giving.take_in(Desk(service), "ann", tmp_path / "talks <1>.json")
    note, kept, shown = giving.progress(Desk(service), run_id, SimpleNamespace())
    assert "talks &lt;1&gt;.json" in note
    service.wait("ann", run_id, 60)
    note, kept, shown = giving.progress(Desk(service), run_id, SimpleNamespace())
    assert "2 dialogues with 7 turns, 1 entries left out" in note and "robot" in note and "line " in note
    assert (kept, shown) == ("", run_id)
    assert all(skipped(update) for update in giving.progress(Desk(service), "", SimpleNamespace()))


def test_an_import_of_nothing_says_why(settings: Settings, tmp_path: Path) -> None:
    service = Service(settings)
    (tmp_path / "x.json").write_text("[1, 2]")
    run_id = giving.take_in(Desk(service), "ann", tmp_path / "x.json")
    service.wait("ann", run_id, 60)
    note, kept, shown = giving.progress(Desk(service), run_id, SimpleNamespace())
    assert "none of the known formats" in note and "role='alert'" in note and kept == "" and skipped(shown)


# --- quality control in the library --------------------------------------------------------------------------------

def checked(number: int, status: str, **changes: object) -> dict:
    """A stored dialogue with a report of this status."""
    report = {"dialogue": f"d{number}", "status": status, "verdicts": [
        {"rule": "format", "passed": status != "rejected", "value": {"length": [1], "tokenizer": "treebank"},
         "reason": "a length <outside> the limits"},
        {"rule": "crisis", "passed": status != "quarantined", "value": [], "reason": "words"},
        {"rule": "strategy_consistency", "passed": None, "value": None, "reason": "not checked: no scorer"}]}
    return {**stored(number, **changes), "qc": {"report": report, "limits": {"min_tokens": 3, "max_tokens": 80}}}


@pytest.fixture
def judged(settings: Settings) -> Service:
    """Ann's run with an accepted, a rejected and an unjudged dialogue, and one in quarantine."""
    service = Service(settings)
    rows = [checked(0, "accepted"), checked(1, "rejected"), stored(2)]
    run = put_run(settings, rows, task=many.TASK, name="dialogues.jsonl", status="succeeded")
    line = json.dumps(checked(3, "quarantined", said="I am not safe"), ensure_ascii=False)
    (run.path / "artifacts" / "quarantined.jsonl").write_text(line + "\n", encoding="utf-8")
    service.index.sync()
    return service


@pytest.mark.parametrize(("status", "expected"), [
    ("", ["Hello 0", "Hello 1", "Hello 2", "I am not safe 3"]), ("accepted", ["Hello 0"]), ("rejected", ["Hello 1"]),
    ("unjudged", ["Hello 2"]), ("quarantined", ["I am not safe 3"])])
def test_the_list_is_narrowed_by_quality(judged: Service, status: str, expected: list[str]) -> None:
    assert openings(judged, status=status) == expected


def waiting(service: Service, visitor: str = "ann") -> str:
    return next(row.key for row in shelf.find(service, visitor, shelf.Filter(), "en") if "/q" in row.key)


def test_a_persons_decision_moves_a_dialogue_in_the_list_and_stays_on_record(judged: Service) -> None:
    key = waiting(judged)
    shown, may = library.checks(Desk(judged), "ann", key, "en")
    assert may and "waits for a person" in shown
    shelf.decide(judged, "ann", key, "accept")
    assert openings(judged, status="accepted") == ["Hello 0", "I am not safe 3"]
    assert openings(judged, status="quarantined") == []
    shown, _ = library.checks(Desk(judged), "ann", key, "en")
    assert "A person accepted it" in shown
    assert shelf.read(judged, "ann", key)["qc"]["review"]["decision"] == "accept"
    shelf.decide(judged, "ann", key, "reject")
    assert openings(judged, status="rejected") == ["Hello 1", "I am not safe 3"]


def test_nobody_else_decides_and_only_what_waits_is_decided_on(judged: Service) -> None:
    key = waiting(judged)
    run = judged.run("ann", key.partition("/")[0])
    with pytest.raises(UserError, match="There is no run"):
        shelf.decide(judged, "bob", key, "accept")
    judged.share("ann", run.id, True)
    with pytest.raises(UserError, match="only its owner"):
        shelf.decide(judged, "bob", key, "accept")
    assert library.checks(Desk(judged, "bob"), "bob", key, "en")[1] is False
    with pytest.raises(UserError, match="not in quarantine"):
        shelf.decide(judged, "ann", f"{run.id}/0", "accept")
    with pytest.raises(UserError, match="accept or reject"):
        shelf.decide(judged, "ann", key, "perhaps")
    for bad in ("q9", "q", "q-1", "x0", "qq0"):
        with pytest.raises(UserError, match="no dialogue"):
            shelf.read(judged, "ann", f"{run.id}/{bad}")


def test_the_report_shows_every_rule_with_reason_value_and_limits(judged: Service) -> None:
    key = next(row.key for row in shelf.find(judged, "ann", shelf.Filter(status="rejected"), "en"))
    shown, may = library.checks(Desk(judged), "ann", key, "en")
    assert not may and "a length &lt;outside&gt; the limits" in shown
    for words in ("Form", "Shortest turn 3 · Longest turn 80", "length 1", "not checked: no scorer",
                  "1 of 3 rules failed", "qc-rejected"):
        assert words in shown
    plain = next(row.key for row in shelf.find(judged, "ann", shelf.Filter(status="unjudged"), "en"))
    assert library.checks(Desk(judged), "ann", plain, "en") == ("", False)


@pytest.mark.parametrize(("which", "ids", "left"), [("accepted", {"d0", "d2"}, 1), ("rejected", {"d1"}, 1),
                                                    ("all", {"d0", "d1", "d2"}, 1)])
def test_what_leaves_is_chosen_by_quality(judged: Service, which: str, ids: set, left: int) -> None:
    path, count = giving.write_export(Desk(judged), "ann", "en", "jsonl", which, [*[""] * 7, "0", "[]", ""])
    assert {json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()} == ids and count == left


def test_a_ticked_dialogue_in_quarantine_does_not_leave_either(judged: Service) -> None:
    key = waiting(judged)
    with pytest.raises(UserError, match="nothing to export under"):
        giving.write_export(Desk(judged), "ann", "en", "chat", "all", [*[""] * 7, "0", json.dumps([key]), ""])
    shelf.decide(judged, "ann", key, "accept")
    path, _ = giving.write_export(Desk(judged), "ann", "en", "chat", "all", [*[""] * 7, "0", json.dumps([key]), ""])
    assert "I am not safe" in path.read_text(encoding="utf-8")


def test_counts_of_a_batch_show_statuses_and_rules() -> None:
    state = {**PROGRESS, "quality": {"accepted": 2, "rejected": 1, "quarantined": 1}, "failed": {"format": 2, "new": 1},
             "unchecked": {"strategy_consistency": 4}}
    shown = batch.progress("running", state, 10.0, "", None, {}, EN)
    for words in ("Quality control", "accepted", "waits for a person", "Form", "new", "Strategy carried out"):
        assert words in shown
    assert quality.counts(PROGRESS, EN) == ""


@pytest.mark.parametrize("qc", [None, 5, {}, {"report": 5}, {"report": {"verdicts": 5}}, {"report": {"verdicts": [5]}},
                                {"report": {"verdicts": [{"rule": None, "value": {"a": [[1]], "b": True}}]}}])
def test_a_report_of_any_shape_is_drawn(qc: object) -> None:
    assert isinstance(quality.report({"qc": qc}, EN), str) and isinstance(quality.standing(qc), str)


# --- generate many: library, classifier, limits --------------------------------------------------------------------

def test_the_form_names_library_classifier_checker_and_changed_limits_only() -> None:
    values = {"library": " run:20250101T000000-abcdef ", "counselor": "classifier", "classifier": "run:x/classifier",
              "checker": "", "limits.min_tokens": 3, "limits.max_tokens": 40.0, "limits.max_similarity": None}
    assert choices.fields_of_form(values) == {"library": "run:20250101T000000-abcdef", "classifier": "run:x/classifier",
                                              "limits": {"max_tokens": 40}}
    assert choices.fields_of_form({**values, "counselor": "scored", "library": ""}) == {"limits": {"max_tokens": 40}}
    request = from_json(GenerateRequest, many.request_of({**values, "quality": False}, SMOL))
    assert request.limits.max_tokens == 40 and request.quality is False and request.classifier == "run:x/classifier"


def test_libraries_of_this_visitors_runs_are_offered_with_their_problems(settings: Settings) -> None:
    service = Service(settings)
    run = put_run(settings, {"x": 1}, task=choices.SCENARIOS, name="progress.json", status="succeeded")
    scenario = {"id": "own-1", "problem_type_id": "own", "emotion": "fear", "intensity_0": 4, "situation": "I am lost."}
    (run.path / "artifacts" / "scenarios.jsonl").write_text(json.dumps(scenario) + "\n", encoding="utf-8")
    (run.path / "artifacts" / "cards.jsonl").write_text("", encoding="utf-8")
    service.index.sync()
    offered = choices.libraries(Desk(service), "ann", "en")
    assert offered[0][1] == "" and offered[1][1] == f"run:{run.id}" and "1 scenarios" in offered[1][0]
    assert choices.libraries(Desk(service), "eve", "en")[1:] == []
    assert ("own", "own") in choices.problems(Desk(service), "ann", "en", f"run:{run.id}", "en")
    bundled = choices.problems(Desk(service), "ann", "zh-CN", "", "zh")
    assert len(bundled) > 24 and bundled[0][0].startswith("▸")
    with pytest.raises(UserError, match="There is no run"):
        choices.problems(Desk(service), "eve", "en", f"run:{run.id}", "en")


# --- generate many -------------------------------------------------------------------------------------------------

def test_the_views_fields_make_a_request() -> None:
    fields = many.request_of({"count": 40.0, "batch": None, "problems": ["sleep", "work"], "model": "",
                              "temperature": 1, "seeker_model": "hub:a/b", "language": "en", "counselor": "none"}, SMOL)
    request = from_json(GenerateRequest, fields)
    assert (request.count, request.batch, request.problems) == (40, GenerateRequest().batch, ("sleep", "work"))
    assert (request.seeker_model, request.supporter_model, request.counselor) == ("hub:a/b", SMOL, "none")


def test_the_example_of_the_empty_state_is_small_and_valid() -> None:
    request = from_json(GenerateRequest, many.request_of(many.EXAMPLE, SMOL))
    assert request.count <= 4 and request.max_turns <= 8


PROGRESS = {"count": 16, "done": 4, "running": 12, "turn": 5, "tokens": 900, "turns": 40,
            "stop_reasons": {"max_turns": 3, "safety": 1, "user": 0}, "strategies": {"question": 9, "others": 2}}


@pytest.mark.parametrize(("state", "seconds", "expected"), [
    (PROGRESS, 10.0, (4, 16, 10.0, 90.0)), ({}, 10.0, (0, 0, 0.0, 0.0)), (PROGRESS, 0.0, (4, 16, 0.0, 0.0)),
    ({"done": "x", "count": -3, "tokens": True}, 5.0, (0, 0, 0.0, 0.0)),
])
def test_speed_counts_the_running_batch_too(state: dict, seconds: float, expected: tuple) -> None:
    assert batch.figures(state, seconds) == expected


@pytest.mark.parametrize(("status", "stop", "go_on"), [("running", True, False), ("queued", True, False),
                                                       ("succeeded", False, False), ("cancelled", False, True),
                                                       ("lost", False, True), ("failed", False, True)])
def test_a_batch_can_be_cancelled_while_it_runs_and_continued_after(status: str, stop: bool, go_on: bool) -> None:
    run = run_of(status, task=many.TASK, failure={"cause": "It broke <b>", "advice": "Again"})
    seen = many.looks(run, PROGRESS, True, "en", EN)
    assert (seen["stop"], seen["continue"], seen["browse"]) == (stop, go_on, True)
    assert list(seen) == ["progress", *many.CONTROLS]
    assert ("It broke &lt;b&gt;" in seen["progress"]) is (status == "failed")
    theirs = many.looks(run, {}, False, "en", EN)
    assert not theirs["stop"] and not theirs["continue"] and not theirs["browse"]


def test_progress_shows_counts_stop_reasons_and_strategies_in_words() -> None:
    shown = batch.progress("running", PROGRESS, 10.0, "", None, {"question": "Question!"}, EN)
    for words in ("4 / 16", "10.00", "90.0 tok/s", "Turn limit", "Stopped for safety", "Question!", "others",
                  "at turn 6"):
        assert words in shown
    assert "Stopped by you" not in shown and shown.index("Turn limit") < shown.index("Stopped for safety")


def test_while_nothing_is_made_yet_the_runs_message_is_shown() -> None:
    assert "fetching 3 MB" in batch.progress("running", {}, 1.0, "fetching 3 MB", None, {}, EN)


def test_a_tick_of_a_batch_sends_only_what_changed(settings: Settings) -> None:
    service = Service(settings)
    run = put_run(settings, PROGRESS, task=many.TASK, name="progress.json", status="succeeded")
    first = many.tick(Desk(service), run.id, "{}", SimpleNamespace())
    assert "4 / 16" in first[0] and len(first) == 5
    assert all(skipped(update) for update in many.tick(Desk(service), run.id, first[-1], SimpleNamespace()))
    with pytest.raises(UserError):
        many.tick(Desk(service, "bob"), run.id, "{}", SimpleNamespace())


# --- what each role sees -------------------------------------------------------------------------------------------

def test_prompts_come_from_the_barrier_and_know_their_turn(settings: Settings) -> None:
    value = in_play()
    for place, roles in ((0, {"seeker"}), (1, {"seeker", "supporter", "counselor"}), (2, {"seeker", "supporter",
                                                                                         "counselor"})):
        made = dialogue_prompts.prompts_at(value, place, settings)
        assert set(made) == roles
        assert {made[role]["turn"] for role in roles} <= {place, place - 1}
        for role in roles - {"seeker"}:
            words = json.dumps(made[role], ensure_ascii=False)
            assert "An error last month." not in words and "ward nurse" not in words


def test_a_prompt_is_verified_against_the_hash_that_was_noted(settings: Settings) -> None:
    from backends.common.language import Prompt
    from backends.sweetiechat.speaking import hash_of
    value = in_play()
    made = dialogue_prompts.prompts_at(value, 1, settings)["supporter"]
    assert made["verified"] is None
    prompt = from_json(Prompt, {k: v for k, v in made.items() if k not in ("turn", "verified")})
    value["turns"][1]["meta"]["prompt_hash"] = hash_of(prompt)
    assert dialogue_prompts.prompts_at(value, 1, settings)["supporter"]["verified"] is True
    value["turns"][0]["text"] = "Somebody edited this."
    assert dialogue_prompts.prompts_at(value, 1, settings)["supporter"]["verified"] is False


@pytest.mark.parametrize(("noted", "kind", "item"), [("reveal:1", "reveal", 1), ("open", "open", None),
                                                     ("detail:x", "detail", None), ("", None, None),
                                                     ("dance", None, None)])
def test_the_seekers_plan_is_read_from_its_note(noted: str, kind: str | None, item: int | None) -> None:
    value = in_play()
    value["turns"][0]["private"]["aim"] = noted
    aim = dialogue_prompts.aim_of(dialogue_from_json(value).turns[0])
    assert (aim and aim.kind, aim and aim.item) == (kind, item)


def test_every_seeker_prompt_of_a_real_dialogue_is_found_again_by_its_hash(settings: Settings, tmp_path: Path) -> None:
    from backends.sweetiechat import play
    from backends.sweetiechat.requests import DialogueRequest
    from tests.panels.replies import opener
    from workbench.context import MemoryContext

    context = MemoryContext(tmp_path / "run")
    names = dict.fromkeys(("seeker_model", "counselor_model", "supporter_model"), SMOL)
    play.run(DialogueRequest(min_turns=2, max_turns=10, redraws=0, **names), context, opener=opener)
    value = json.loads((context.run / "artifacts" / "dialogue.json").read_text(encoding="utf-8"))
    assert len(value["turns"]) >= 4
    for place in range(len(value["turns"])):
        made = dialogue_prompts.prompts_at(value, place, settings)
        assert all(made[role]["verified"] for role in made if role != "counselor"), place
