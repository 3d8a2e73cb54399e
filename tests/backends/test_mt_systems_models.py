"""Translating with several systems at once: real tiny models in processes of their own, servers, programs, failures."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backends.common.mt.systems import child, seq2seq, task
from backends.common.mt.systems.lines import Line
from backends.common.mt.systems.requests import SystemsRequest
from backends.common.mt.uploads import Upload, gather
from backends.sm2.system import open_system, practice
from tests.backends.mt_systems_cases import (
    ORDER,
    ORDER_RIGHT,
    context_in,
    of,
    program,
    tiny_marian,
    tiny_t5,
    translated,
)
from tests.backends.servers import Handler, piece, serving, sse
from workbench import sessions
from workbench.contract import Cancelled, UserError

OPTIONS: dict[str, Any] = {"source": "de", "target": "en", "longest": 12, "beams": 1, "threads": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_marian(tmp_path_factory.mktemp("models") / "tiny-marian")


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An NLLB with random weights and its real tokenizer over letters."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    path = tmp_path_factory.mktemp("models") / "tiny-nllb"
    letters = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz"]
    tokenizer = NllbTokenizer(vocab={letter: i for i, letter in enumerate(letters)}, merges=[],
                              additional_special_tokens=["deu_Latn", "eng_Latn", "zho_Hans"])
    tokenizer.save_pretrained(path)
    config = M2M100Config(vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1,
                          encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
                          max_position_embeddings=64)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        M2M100ForConditionalGeneration(config).save_pretrained(path)
    return path


def said(system: Any, lines: list[Line]) -> list[dict]:
    found: list[dict] = []
    system.translate(lines, found.append)
    return found


def texts(events: list[dict]) -> dict[int, str]:
    return {event["line"]: event["text"] for event in events if "text" in event}


# --- encoder-decoder models -------------------------------------------------------------------------------------------


def test_marian_writes_what_generate_writes_and_is_seen_writing(marian: Path) -> None:
    import torch
    from transformers import MarianMTModel, MarianTokenizer

    model, tokenizer = MarianMTModel.from_pretrained(marian).eval(), MarianTokenizer.from_pretrained(marian)
    lines = [(0, "ich sehe den alten hund"), (3, "du siehst")]
    found = said(seq2seq.open_system(marian, OPTIONS), lines)
    for place, text in lines:
        with torch.inference_mode():
            out = model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=12, num_beams=1)
        expected = tokenizer.decode(out[0], skip_special_tokens=True)
        assert texts(found)[place] == " ".join(expected.split())
        pieces = [event["delta"] for event in found if event["line"] == place and "delta" in event]
        assert len(pieces) > 2 and expected.startswith("".join(pieces).strip())
    assert [event["line"] for event in found] == sorted(event["line"] for event in found)


def test_many_lines_go_in_groups_with_the_same_result_and_beams_are_not_streamed(marian: Path) -> None:
    many = [(place, f"ich sehe {'den ' * (place % 5)}hund") for place in range(seq2seq.SEEN + 3)]
    grouped = said(seq2seq.open_system(marian, OPTIONS), many)
    assert all("delta" not in event for event in grouped) and len(grouped) == len(many)
    alone = said(seq2seq.open_system(marian, OPTIONS), many[:5])
    assert {place: texts(grouped)[place] for place in range(5)} == texts(alone)
    beams = said(seq2seq.open_system(marian, {**OPTIONS, "beams": 3}), many[:2])
    assert all("delta" not in event for event in beams) and len(texts(beams)) == 2


def test_a_line_that_is_too_long_fails_alone(marian: Path) -> None:
    found = said(seq2seq.open_system(marian, OPTIONS), [(0, "hund"), (1, "der hund " * 400), (2, "haus")])
    assert set(texts(found)) == {0, 2}
    (failed,) = [event for event in found if "error" in event]
    assert failed["line"] == 1 and "this model takes 64" in failed["error"]["cause"]


def test_a_translation_that_is_cut_says_so(marian: Path) -> None:
    found = said(seq2seq.open_system(marian, {**OPTIONS, "longest": 3}), [(0, "ich sehe den hund")])
    assert found[-1]["cut"] and found[-1]["tokens"] == 3


def test_nllb_is_told_both_languages(nllb: Path) -> None:
    system = seq2seq.open_system(nllb, OPTIONS)
    vocabulary = system.tokenizer.get_vocab()
    assert system.first == vocabulary["eng_Latn"] and system.prefix == ""
    assert system.tokenizer("hallo")["input_ids"][0] == vocabulary["deu_Latn"]
    assert system._generate(["hallo welt"], None)[0][0] == vocabulary["eng_Latn"]
    other = seq2seq.open_system(nllb, {**OPTIONS, "source": "zh", "target": "de"})
    assert other.first == vocabulary["deu_Latn"] and other.tokenizer("a")["input_ids"][0] == vocabulary["zho_Hans"]
    for wrong in ({"target": "fr"}, {"source": "fr"}):
        with pytest.raises(UserError, match=r"no language 'fr'; of the known ones it has .*de"):
            seq2seq.open_system(nllb, {**OPTIONS, **wrong})


class Words:
    """A vocabulary with what a tokenizer says of itself."""

    def __init__(self, *words: str, codes: bool = False) -> None:
        self.words = {word: i for i, word in enumerate(words)}
        if codes:
            self.supported_language_codes = [word for word in words if word.startswith(">>")]

    def get_vocab(self) -> dict[str, int]:
        return self.words


@pytest.mark.parametrize(("words", "kind", "prefix", "first", "source"), [
    (Words("x", "de_DE", "en_XX"), "mbart", "", 2, "de_DE"), (Words("__de__", "__en__"), "m2m_100", "", 1, "de"),
    (Words(">>eng<<", ">>fra<<", codes=True), "marian", ">>eng<< ", None, None),
    (Words("<2en>", "<2de>"), "t5", "<2en> ", None, None),
    (Words("a"), "t5", "translate German to English: ", None, None), (Words("a"), "marian", "", None, None)])
def test_every_family_is_told_languages_its_own_way(words: Words, kind: str, prefix: str, first: int | None,
                                                    source: str | None) -> None:
    assert seq2seq.told(words, kind, "de", "en") == (prefix, first)
    assert getattr(words, "src_lang", None) == source


@pytest.mark.parametrize(("words", "kind"), [(Words(">>fra<<", codes=True), "marian"), (Words("a"), "m2m_100"),
                                             (Words("en_XX"), "mbart")])
def test_a_model_of_several_languages_refuses_others(words: Words, kind: str) -> None:
    with pytest.raises(UserError, match="has no language"):
        seq2seq.told(words, kind, "de", "en")


def test_t5_gets_its_instruction(tmp_path: Path) -> None:
    system = seq2seq.open_system(tiny_t5(tmp_path / "t5"), OPTIONS)
    assert system.prefix == "translate German to English: " and system.window == 512
    assert len(texts(said(system, [(0, "hund"), (1, "\u4f60\u597d")]))) == 2


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "marian"}', encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        seq2seq.open_system(tmp_path, OPTIONS)


def test_the_practice_model_translates_whole_sentences() -> None:
    lines = [(place, text) for place, text in enumerate(ORDER.split("\n"))] * 9
    found = said(open_system(practice(), OPTIONS), [(i, text) for i, (_, text) in enumerate(lines)])
    assert [texts(found)[i] for i in range(4)] == ORDER_RIGHT * 2 and len(found) == 18
    assert all(event["tokens"] == 8 and not event["cut"] for event in found)


# --- the task ---------------------------------------------------------------------------------------------------------


def test_several_systems_at_once_with_one_that_fails(marian: Path, tmp_path: Path) -> None:
    context = context_in(tmp_path)
    text = "\nsvo n1 n2 v3 o4 o5 o6 o7\n\x00\nich bin kein wort\nsov n1 n2 o4 o5 o6 o7 v3\n\n"
    events = translated(context, text, systems=("practice", f"path:{marian}", "path:/no/such/model"), longest=12)
    assert events[0]["lines"] == 5 and [one["name"] for one in events[0]["systems"]] == ["practice", "tiny-marian",
                                                                                         "model"]
    assert of(events, "practice", "text") == {1: ORDER_RIGHT[0], 4: ORDER_RIGHT[1]}
    assert "no word 'ich'" in of(events, "practice", "error")[3]["cause"]
    assert set(of(events, "tiny-marian", "text")) == {1, 3, 4}
    (failed,) = [event for event in events if event.get("system") == "model" and "error" in event]
    assert "nothing at" in failed["error"]["cause"]
    done = {one["name"]: one for one in events[-1]["done"]["systems"]}
    assert (done["practice"]["lines"], done["practice"]["failed"], done["practice"]["kind"]) == (2, 1, "sm2")
    assert done["tiny-marian"]["kind"] == "seq2seq" and done["tiny-marian"]["tokens_per_second"] > 0
    assert done["model"]["error"] and done["model"]["lines"] == 0
    files = {path.name: path.read_text(encoding="utf-8") for path in (context.run / "artifacts").glob("*.txt")}
    assert set(files) == {"source.txt", "practice.txt", "tiny-marian.txt"}
    assert files["practice.txt"] == f"\n{ORDER_RIGHT[0]}\n\n\n{ORDER_RIGHT[1]}\n"
    assert all(text.count("\n") == 5 for text in files.values())
    board = json.loads((context.run / "artifacts" / "translations.json").read_text(encoding="utf-8"))
    assert [one["state"] for one in board["systems"]] == ["done", "done", "failed"]


def test_what_was_translated_can_be_compared_as_it_lies_there(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    translated(context, f"{ORDER}\nzzz", reference="\n".join([*ORDER_RIGHT, "Z"]), systems=("practice", "practice"))
    folder = context.run / "artifacts"
    found = gather([Upload(path.name, path.read_bytes()) for path in sorted(folder.glob("*.txt"))])
    assert found.problems == () and found.comparison is not None and found.comparison.size == 3
    assert set(found.comparison.systems) == {"practice", "practice-(2)"}
    assert list(found.comparison.references) == ["reference"] and found.comparison.source is not None


def test_a_file_is_read_and_bad_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbf" + ORDER.replace("\n", "\r\n").encode())
    events = translated(context_in(tmp_path), "", file=f"path:{path}")
    assert list(of(events, "practice", "text").values()) == ORDER_RIGHT
    for number, data in enumerate((b"\xff\xfea\x00", b"PK\x03\x04", b"  \n\n", b"")):
        path.write_bytes(data)
        with pytest.raises(UserError):
            translated(context_in(tmp_path / str(number)), "", file=f"path:{path}")
    (tmp_path / "no file").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        translated(context_in(tmp_path / "folder"), "", file=f"path:{tmp_path / 'no file'}")
    with pytest.raises(UserError, match="no text"):
        translated(context_in(tmp_path / "empty"), "\x00 \u2028")


def test_when_no_system_can_work_the_run_fails_with_the_reason_and_keeps_it(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    with pytest.raises(UserError, match=r"No system could translate. model: There is nothing at"):
        translated(context, systems=("path:/no/such/model", "path:/nor/this"))
    board = json.loads((context.run / "artifacts" / "translations.json").read_text(encoding="utf-8"))
    assert [one["state"] for one in board["systems"]] == ["failed", "failed"]


def test_a_model_of_another_kind_is_refused_for_that_system_alone(tmp_path: Path) -> None:
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}', encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"x")
    events = translated(context_in(tmp_path), systems=(f"path:{folder}", "practice"))
    assert events[-1]["done"]["systems"][0]["error"]["cause"].endswith("type 'bert', which does not translate.")
    assert len(of(events, "practice", "text")) == 2


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True)
            if one.status() != psutil.STATUS_ZOMBIE and any("systems.child" in part for part in one.cmdline())]


def test_memory_is_given_back_when_a_system_is_done_and_when_it_is_stopped(marian: Path, tmp_path: Path) -> None:
    translated(context_in(tmp_path / "whole"), systems=("practice",))
    assert children() == []
    events = task.run(SystemsRequest(ORDER, systems=("practice", f"path:{marian}")), context_in(tmp_path / "stopped"))
    next(event for event in events if event.get("kind"))
    deadline = time.monotonic() + 20
    while not children():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    began = time.monotonic()
    events.close()  # type: ignore[attr-defined]
    assert children() == [] and time.monotonic() - began < 5
    board = json.loads((tmp_path / "stopped" / "run" / "artifacts" / "translations.json").read_text(encoding="utf-8"))
    assert {one["state"] for one in board["systems"]} == {"stopped"}


def test_a_cancel_is_noticed_while_a_model_loads(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        translated(context_in(tmp_path, cancel_after=3))
    assert children() == []


def test_a_child_that_dies_fails_its_system_alone(marian: Path, tmp_path: Path) -> None:
    found: list[dict] = []
    for event in task.run(SystemsRequest(ORDER, systems=(f"path:{marian}", "practice"), at_once=1),
                          context_in(tmp_path)):
        found.append(event)
        if event.get("kind") == "seq2seq":
            def kill() -> None:
                deadline = time.monotonic() + 20
                while not children() and time.monotonic() < deadline:
                    time.sleep(0.01)
                children()[0].kill()
            threading.Thread(target=kill).start()
    done = found[-1]["done"]["systems"]
    assert "ended by itself (SIGKILL)" in done[0]["error"]["cause"] and done[1]["lines"] == 2


def test_a_child_ends_with_its_parent() -> None:
    local = child.Local("backends.sm2.system:open_system", practice(), OPTIONS)
    process = local._start()
    assert process is not None and process.stdin is not None
    process.stdin.write(json.dumps({**local._asked, "lines": []}).encode() + b"\n")
    process.stdin.close()
    assert process.wait(timeout=30) in (0, 1)
    local.close()
    local.translate([(0, "x")], lambda event: pytest.fail(f"a closed system said {event}"))


def test_a_fault_inside_a_child_comes_back_in_words(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    for opener, expected in (("backends.sm2.system:open_system", r"no vocabulary|of type"),
                             ("backends.common.mt.systems.nowhere:open", "ModuleNotFoundError")):
        with pytest.raises(UserError, match=expected):
            child.Local(opener, tmp_path, OPTIONS).translate([(0, "x")], lambda _: None)


def test_what_a_library_prints_does_not_break_the_protocol(tmp_path: Path) -> None:
    found: list[dict] = []
    hostile = [(0, "\u2028 \x85"), (1, "\ud800".encode("utf-8", "replace").decode()), (2, "\U0001f600" * 2000)]
    child.Local("tests.backends.mt_systems_cases:open_chatty", tmp_path, {}).translate(hostile, found.append)
    assert [event["line"] for event in found] == [0, 1, 2] and found[2]["text"] == hostile[2][1]


# --- language models --------------------------------------------------------------------------------------------------


@pytest.fixture
def resident(tmp_path: Path) -> Iterator[Any]:
    context = context_in(tmp_path)
    yield context
    for model in sessions.processes(context.settings):
        sessions.unload(context.settings, model.reference)


def test_a_language_model_of_this_machine_translates_by_the_prompt(resident: Any, tiny_lm: Path) -> None:
    text = "hund\n\nkatze\n" + "x" * 5000
    events = translated(resident, text, systems=(f"path:{tiny_lm}",), longest=8, template="{text} ->")
    name = events[0]["systems"][0]["name"]
    assert set(of(events, name, "text")) == {0, 2}
    assert "context window holds 4096" in of(events, name, "error")[3]["cause"]
    pieces = [event["delta"] for event in events if event.get("line") == 0 and "delta" in event]
    assert " ".join("".join(pieces).split("\n\n")[0].split()).startswith(of(events, name, "text")[0])
    (done,) = events[-1]["done"]["systems"]
    assert done["kind"] == "causal" and done["lines"] == 2 and done["failed"] == 1 and done["tokens"] > 0


def test_a_server_is_asked_for_every_line_and_its_failure_is_its_own(tmp_path: Path) -> None:
    def behave(handler: Handler, path: str, body: dict) -> None:
        asked = body["messages"][-1]["content"]
        if "broken" in asked:
            return handler.answer(b'{"error": {"message": "too hot"}}', status=500)
        handler.open_stream()
        handler.part(sse(piece("Good "), piece("day.", None), piece("\n\nNote.", "stop")))
    text = "Guten Tag.\nbroken\nsvo n1 n2 v3 o4 o5 o6 o7"
    with serving(behave) as (base, seen):
        events = translated(context_in(tmp_path), text, systems=(f"endpoint:{base}#m", "practice"))
    assert of(events, "m", "text") == {0: "Good day.", 2: "Good day."} and 1 in of(events, "m", "error")
    prompts = {body["messages"][-1]["content"] for _, body, _ in seen}
    assert "Translate this from German into English:\nGerman: Guten Tag.\nEnglish:" in prompts
    assert of(events, "practice", "text") == {2: ORDER_RIGHT[0]}
    (one, two) = events[-1]["done"]["systems"]
    assert one["lines"] == 2 and two["lines"] == 1


def test_a_server_that_is_not_there_ends_its_system_after_three_lines(tmp_path: Path) -> None:
    events = translated(context_in(tmp_path), "\n".join([ORDER] * 10), systems=("endpoint:http://127.0.0.1:9/v1#m",
                                                                                "practice"))
    assert len(of(events, "m", "error")) == 3 and events[-1]["done"]["systems"][0]["error"]["cause"]
    assert len(of(events, "practice", "text")) == 20


# --- apertium ---------------------------------------------------------------------------------------------------------


def test_apertium_is_one_of_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    events = translated(context_in(tmp_path), "a cat\n\nexplode", source="en", target="es",
                        systems=("apertium:", "apertium:spa-eng", "apertium:cat-ita"))
    assert of(events, "apertium", "text") == {0: "eng-spa A CAT"}
    assert of(events, "apertium spa-eng", "text") == {0: "spa-eng A CAT"}
    done = events[-1]["done"]["systems"]
    assert [one["unit"] for one in done] == ["words"] * 3 and done[0]["tokens"] == 3 and done[0]["failed"] == 1
    assert "no direction cat-ita" in done[2]["error"]["cause"]


def test_the_real_apertium(tmp_path: Path) -> None:
    from backends.common.mt.systems import apertium

    if shutil.which("apertium") is None or "eng-spa" not in apertium.modes():
        pytest.skip("apertium with eng-spa is not installed")
    events = translated(context_in(tmp_path), "The cat sees the house.\n\nThe house [is] ^big$.", source="en",
                        target="es", systems=("apertium:eng-spa",))
    found = of(events, "apertium eng-spa", "text")
    assert set(found) == {0, 2} and "gato" in found[0] and "casa" in found[0]
