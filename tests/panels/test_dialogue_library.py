"""Library, exchange, batches and prompts of the Dialogue tab: over real run directories, without a browser."""

from __future__ import annotations

import csv
import io
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.sweetiechat import bring, exchange
from backends.sweetiechat.import_request import ImportRequest
from backends.sweetiechat.objects import dialogue_from_json
from backends.sweetiechat.requests import GenerateRequest
from panels import dialogue_exchange as giving
from panels import dialogue_library as library
from panels import dialogue_many as many
from panels import dialogue_prompts
from panels import dialogue_shelf as shelf
from tests.panels.test_dialogue_panel import SMOL, Desk, in_play, put_run, run_of, skipped
from tests.panels.test_transcript import dialogue, seeker, supporter
from workbench import text
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.service import Service
from workbench.settings import Settings
from workbench.widgets import batch

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
    wanted, number, picked, opened = library.state_of(["sleep", "", "", "", " x ", "", "2", '["a/0"]', "a/0"])
    assert wanted == shelf.Filter(problem="sleep", text="x") and (number, picked, opened) == (2, ["a/0"], "a/0")
    for page, ticks in (("-1", "{"), ("many", "7"), ("", "")):
        assert library.state_of([*[""] * 6, page, ticks, ""])[1:3] == (0, [])


def test_the_table_goes_back_to_the_last_page_when_a_filter_leaves_fewer(shelves: Service) -> None:
    table, count, page = library._draw(Desk(shelves), SimpleNamespace(), [*[""] * 6, "7", "[]", ""], step=0)
    assert page == "0" and "of 5" in count and "Hello 0" in table and "&lt;b&gt;bold" in table


def test_one_dialogue_is_read_with_its_case_and_without_tools(shelves: Service) -> None:
    key = next(shelf.find(shelves, "ann", shelf.Filter(problem="friends"), "en")).key
    case, shown = library.opened_dialogue(Desk(shelves), "ann", key, "en") if hasattr(Desk, "open_link") else (
        library.opened_dialogue(Linking(shelves), "ann", key, "en"))
    assert "Hello 1" in shown and "Turn limit" in shown and "data-act" not in shown and "ward nurse" in case


class Linking(Desk):
    def open_link(self, panel_id: str, run_id: str, words: str) -> str:
        return f"<a href='?tab={panel_id}&run={run_id}'>{words}</a>"


# --- export and import ---------------------------------------------------------------------------------------------

def exported(desk: Desk, layout: str, *values: str) -> str:
    notes = list(values) or [*[""] * 6, "0", "[]", ""]
    return giving.write_export(desk, "ann", "en", layout, notes).read_text(encoding="utf-8")


def test_everything_that_matches_is_exported_when_nothing_is_ticked(shelves: Service) -> None:
    lines = exported(Desk(shelves), "jsonl").splitlines()
    assert len(lines) == 5 and {json.loads(line)["id"] for line in lines} == {"d0", "d1", "d2", "d3"}
    assert len(exchange.from_jsonl("\n".join(lines))) == 5


def test_ticked_dialogues_are_exported_alone(shelves: Service) -> None:
    key = next(shelf.find(shelves, "ann", shelf.Filter(problem="friends"), "en")).key
    assert len(exported(Desk(shelves), "jsonl", *[""] * 6, "0", json.dumps([key]), "").splitlines()) == 1


@pytest.mark.parametrize("layout", giving.LAYOUTS)
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
        exported(Desk(shelves), "jsonl", *[""] * 6, "0", json.dumps([theirs]), "")


def test_an_empty_choice_says_so(shelves: Service) -> None:
    with pytest.raises(UserError, match="nothing to export"):
        exported(Desk(shelves), "jsonl", "", "", "", "", "never said", "", "0", "[]", "")


def test_two_exports_never_lie_at_the_same_place(shelves: Service) -> None:
    notes = [*[""] * 6, "0", "[]", ""]
    assert giving.write_export(Desk(shelves), "ann", "en", "csv", notes) != giving.write_export(
        Desk(shelves), "ann", "en", "csv", notes)


def test_an_exported_file_comes_back_as_equal_dialogues(shelves: Service, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    body = exported(Desk(shelves), "jsonl")
    (tmp_path / "mine.jsonl").write_text(body, encoding="utf-8")
    asked: list[tuple] = []
    monkeypatch.setattr(shelves, "submit", lambda task, fields, **more: asked.append((task, fields, more)) or "r9")
    assert giving.take_in(Desk(shelves), "ann", tmp_path / "mine.jsonl") == ("r9", 5)
    task, fields, more = asked[0]
    assert task == giving.IMPORT_TASK and fields["layout"] == "jsonl" and more["title"] == "mine.jsonl"
    request = from_json(ImportRequest, fields)
    kept = bring.upload_path(request.source, shelves.settings.home)
    assert bring.parse(kept.read_text(encoding="utf-8"), "jsonl") == exchange.from_jsonl(body)


@pytest.mark.parametrize(("data", "said"), [
    (b"", "no dialogue"), (b"\xff\xfe\x00", "UTF-8"), (b"[]", "no dialogue"), (b"{}\n", "Line 1"), (b"hello", "Line 1"),
    (b'[{"dialog": [{"speaker": "robot"}]}]', "robot"),
])
def test_a_file_that_holds_no_dialogues_is_refused_and_not_kept(shelves: Service, tmp_path: Path, data: bytes,
                                                                said: str) -> None:
    (tmp_path / "f.jsonl").write_bytes(data)
    with pytest.raises(UserError, match=said):
        giving.take_in(Desk(shelves), "ann", tmp_path / "f.jsonl")
    assert not (shelves.settings.home / "uploads").exists()


def test_the_sample_is_in_esconvs_layout_and_is_read() -> None:
    body = (ASSETS / "sample.esconv.json").read_text(encoding="utf-8")
    assert bring.layout_of(body) == "esconv" and bring.layout_of("\ufeff {}") == "jsonl"
    found = bring.parse(body, "esconv")
    assert len(found) == 2 and found[0].turns[1].strategy == "reflection" and found[0].stop_reason == "imported"


def test_the_import_task_writes_the_whole_file_or_nothing(settings: Settings, tmp_path: Path) -> None:
    from workbench.context import MemoryContext
    context = MemoryContext(tmp_path / "run")
    result = bring.run(ImportRequest(), context)
    assert (result.dialogues, result.turns) == (2, 7)
    lines = (context.run / "artifacts" / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()
    assert [dialogue_from_json(json.loads(line)).stop_reason for line in lines] == ["imported"] * 2


@pytest.mark.parametrize(("source", "said"), [("f" * 64, "no longer here"), ("../../secret", "must be path"),
                                              ("/etc/passwd", "must be path")])
def test_the_import_task_reads_only_what_it_may(settings: Settings, tmp_path: Path, source: str, said: str) -> None:
    from workbench.context import MemoryContext
    with pytest.raises(UserError, match=said):
        bring.run(ImportRequest(source=source), MemoryContext(tmp_path / "run"))


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
