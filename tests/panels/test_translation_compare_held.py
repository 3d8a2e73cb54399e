"""What somebody brings to Compare: bad files each get their sentence, and nothing that was given is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.common.mt.roles import Choice
from backends.common.mt.uploads import side_by_side
from panels import translation_compare_form as forms
from panels import translation_compare_held as held_module
from panels.translation_compare_held import MOST, TOLD, Held, column_at, held, opened, pasted_name, view
from panels.translation_files import name_of
from tests.backends.mt_cases import workbook
from tests.panels.compare_cases import holding, put
from tests.panels.test_dialogue_scenarios import shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, Page, asking, noting
from workbench.contract import UserError
from workbench.shell import PageShell

GOOD = "one\ntwo\nthree\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("held")) as built:
        yield built


@pytest.fixture
def shell(page: Page) -> PageShell:
    """What a view is given."""
    return shell_of(page)


def brought(shell: PageShell, folder: Path, files: dict[str, bytes], before: str = "{}") -> Held:
    """These files, taken in by the door of the page."""
    paths = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        paths.append(str(folder / name))
    return held(forms.bring(shell, paths, before))


def drawn(shell: PageShell, of: Held, language: str = "", tokenizer: str = "", lang: str = "en") -> str:
    return forms.drawn(shell, asking(lang=lang), of.note(), language, tokenizer)


# --- the note ---

SOME = Held(("path:/a", "path:/b", "path:/c"), (Choice(1, "x", "system", "one"), Choice(3, "y", "source")), ("odd",))


def test_a_note_gives_back_what_is_held() -> None:
    assert held(SOME.note()) == SOME and held(Held().note()) == Held()


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        "null",
        "{",
        "5",
        "[" * 100_000,
        '{"files": 7, "columns": "x", "refused": {}}',
        '{"files": ["a"], "columns": ["[9, \\"x\\"]"]}',
        '{"files": [], "columns": ["nonsense"]}',
    ],
)
def test_a_note_of_anybody_is_no_danger(note: str) -> None:
    assert held(note) == Held()


def test_a_note_is_cut_to_what_a_comparison_may_have() -> None:
    note = json.dumps({"files": [f"path:/{i}" for i in range(500)], "refused": [str(i) for i in range(500)]})
    assert len(held(note).files) == MOST and len(held(note).refused) == TOLD


def test_adding_takes_no_file_twice_and_says_what_was_left_out() -> None:
    made = SOME.add(["path:/b", "path:/d", "path:/d"], ["e is empty."])
    assert made.files == ("path:/a", "path:/b", "path:/c", "path:/d") and made.refused == ("odd", "e is empty.")
    full = SOME.add([f"path:/{i}" for i in range(50)])
    assert len(full.files) == MOST and full.refused[-1] == "13 files were left out: 40 are the most."


@pytest.mark.parametrize(
    ("number", "files", "chosen"),
    [
        (1, ("path:/b", "path:/c"), [(2, "y")]),
        (2, ("path:/a", "path:/c"), [(1, "x"), (2, "y")]),
        (3, ("path:/a", "path:/b"), [(1, "x")]),
        (0, SOME.files, [(1, "x"), (3, "y")]),
        (4, SOME.files, [(1, "x"), (3, "y")]),
    ],
)
def test_removing_a_file_keeps_what_was_said_of_the_others(number: int, files: tuple, chosen: list) -> None:
    made = SOME.remove(number)
    assert made.files == files and [(c.file, c.column) for c in made.chosen] == chosen


def test_a_role_keeps_the_name_and_a_name_the_role() -> None:
    made = SOME.say(1, "x", role="reference").say(1, "x", name="  Two ").say(2, "text", role="ignore")
    assert {(c.file, c.column): (c.role, c.name) for c in made.chosen} == {
        (1, "x"): ("reference", "Two"),
        (3, "y"): ("source", ""),
        (2, "text"): ("ignore", ""),
    }
    assert made.say(1, "x", name="   ").chosen[-1].name == "Two"


# --- bad files ---

BAD = {
    "gzip.txt": (b"\x1f\x8b\x08rest", "a gzip archive"),
    "scan.pdf": (b"%PDF-1.4", "a PDF"),
    "binary.txt": (b"one\x00two", "binary file"),
    "wide.txt": ("one\n".encode("utf-16"), "UTF-16"),
    "latin.txt": (b"fa\xe7ade\n", "not UTF-8"),
    "blank.txt": (b" \n\n", "is empty"),
    "long.txt": (b"x" * 10_000_000, "10,000,000 characters"),
    "ragged.csv": (b"a,b\n1,2\n1,2,3\n", "3 columns and the first row 2"),
    "head.tsv": (b"a\tb\n", "nothing below it"),
    "lines.jsonl": (b'{"a": "1"}\nnot json\n', "line 2 is not valid JSON"),
    "list.jsonl": (b"[1]\n[2]\n", "neither a list of objects"),
    "book.xlsx": (b"PK\x03\x04broken", "no xlsx workbook"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_its_sentence_and_the_good_ones_stay(shell: PageShell, tmp_path: Path, name: str) -> None:
    data, words = BAD[name]
    of = brought(shell, tmp_path, {"a.txt": GOOD.encode(), name: data, "ref.txt": GOOD.encode()})
    assert [name_of(reference) for reference in of.files] == ["a.txt", name, "ref.txt"]
    of = of.say(1, "text", name="mine")
    html = drawn(shell, of)
    assert words in html and "mine" in html and html.count("mt-file-bad") == 1 and name in html
    again = held(forms.pressed(shell, asking(), of.note(), {"act": "remove", "key": "2"}))
    assert [name_of(r) for r in again.files] == ["a.txt", "ref.txt"] and again.chosen[0].name == "mine"
    assert "mt-file-bad" not in drawn(shell, again) and "side by side" in drawn(shell, again)


def test_an_empty_file_is_refused_with_a_sentence_and_the_others_are_taken(shell: PageShell, tmp_path: Path) -> None:
    of = brought(shell, tmp_path, {"nothing.txt": b"", "a.txt": GOOD.encode()})
    assert len(of.files) == 1 and "nothing.txt is empty" in of.refused[0] and "nothing.txt" in drawn(shell, of)
    assert held(forms.pressed(shell, asking(), of.note(), {"act": "dismiss"})).refused == ()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.txt": b"one\n", "ref.txt": GOOD.encode()}, ["2 too few", "The lines seem to shift"]),
        ({"a.txt": GOOD.encode()}, ["There is no reference"]),
        ({"ref.txt": GOOD.encode()}, ["There is no system"]),
        ({"a.txt": b"x\n\n\n", "ref.txt": GOOD.encode()}, []),
        ({"a.txt": b"x\n", "src1.txt": b"x\n"}, ["There is no reference"]),
        (
            {"src.txt": GOOD.encode(), "source.txt": b"a\nb\nc\n", "a.txt": b"d\ne\nf\n", "ref.txt": GOOD.encode()},
            ["2 columns are marked as source"],
        ),
    ],
)
def test_what_stands_in_the_way_is_told_before_anything_starts(
    shell: PageShell, tmp_path: Path, files: dict, words: list
) -> None:
    html = drawn(shell, brought(shell, tmp_path, files))
    for text in words:
        assert text in html
    assert ("cannot be compared yet" in html) == bool(words)


def test_marks_and_line_ends_are_taken_off_and_told(shell: PageShell, tmp_path: Path) -> None:
    of = brought(shell, tmp_path, {"a.txt": b"\xef\xbb\xbfone\r\ntwo\r\nthree\r\n", "ref.txt": GOOD.encode()})
    html = drawn(shell, of)
    assert "byte order mark" in html and "CR LF" in html and "cannot be compared" not in html
    columns = side_by_side(opened(shell, ANN, of)).columns
    assert columns[0].segments == columns[1].segments == ("one", "two", "three")


def test_empty_hypotheses_are_told_and_two_systems_of_one_name_both_stay(shell: PageShell, tmp_path: Path) -> None:
    first = brought(shell, tmp_path, {"a.txt": b"one\n\nthree\n", "ref.txt": GOOD.encode()})
    of = brought(shell, tmp_path, {"a.txt": b"eins\nzwei\ndrei\n"}, first.note())
    html = drawn(shell, of)
    assert "1 of 3 segments are empty" in html and "a (2)" in html
    assert [c.name for c in side_by_side(opened(shell, ANN, of)).columns] == ["a", "ref", "a (2)"]


def test_a_workbook_and_a_table_give_their_columns(shell: PageShell, tmp_path: Path) -> None:
    book = workbook([["source", "reference", "A", "id"], ["ein", "one", "1", 1], ["zwei", "two", "2", 2]], sheets=2)
    of = brought(shell, tmp_path, {"t.xlsx": book})
    html = drawn(shell, of)
    assert "only the first sheet" in html and html.count('data-act="role"') == 4
    made = side_by_side(opened(shell, ANN, of)).comparison
    assert made is not None and made.source == ("ein", "zwei") and list(made.systems) == ["A"]


# --- roles, names, presses ---


def test_a_press_gives_a_column_its_role_and_name(shell: PageShell) -> None:
    of = holding(shell, {"t.tsv": "src\tx\ty\nein\tone\tuno\n", "b.txt": "two\n"})
    note = of.note()
    for act, key, value in (("role", "1.1", "reference"), ("name", "1.2", "Mine"), ("name", "2.0", "Other")):
        note = forms.pressed(shell, asking(), note, {"act": act, "key": key, "value": value})
    columns = side_by_side(opened(shell, ANN, held(note))).columns
    assert [(c.role, c.name) for c in columns] == [
        ("source", "src"),
        ("reference", "x"),
        ("system", "Mine"),
        ("system", "Other"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"act": "role", "key": "1.0", "value": "winner"},
        {"act": "role", "key": "9.0", "value": "system"},
        {"act": "role", "key": "1.7", "value": "system"},
        {"act": "name", "key": "x", "value": "a"},
        {"act": "remove", "key": "-1"},
        {"act": "remove", "key": "99"},
        {"act": "open", "key": "1"},
    ],
)
def test_a_press_that_means_nothing_changes_nothing(shell: PageShell, data: dict) -> None:
    of = holding(shell, {"a.txt": GOOD})
    assert forms.pressed(shell, asking(), of.note(), data) == of.note()


@pytest.mark.parametrize(("key", "expected"), [("1.1", (1, "x")), ("1.", (0, "")), ("0.0", (0, "")), ("2.5", (0, ""))])
def test_columns_are_found_by_number(shell: PageShell, key: str, expected: tuple) -> None:
    of = holding(shell, {"t.tsv": "src\tx\nein\tone\n", "b.txt": "two\n"})
    assert column_at(opened(shell, ANN, of), key) == expected


# --- language and tokeniser ---

ZH = "今天天气很好。\n他没有来。\n"


@pytest.mark.parametrize(
    ("text", "language", "tokenizer", "words"),
    [
        (GOOD, "", "", ["tokeniser 13a."]),
        (GOOD, "de", "", ["13a (target language de)"]),
        (ZH, "", "", ["tokeniser zh", "references are zh"]),
        (ZH, "zh", "13a", ["BLEU is far too low. Use zh"]),
        (ZH, "", "13a", ["BLEU is far too low. Use zh"]),
        (ZH, "en", "", ["tokeniser 13a (target language en)", "look like zh, but the target language is en"]),
        (ZH, "zh-TW", "", ["tokeniser zh (target language zh-TW)"]),
    ],
)
def test_the_tokeniser_is_shown_with_its_warning(
    shell: PageShell, text: str, language: str, tokenizer: str, words: list
) -> None:
    html = drawn(shell, holding(shell, {"a.txt": text, "ref.txt": text}), language, tokenizer)
    for part in words:
        assert part in html
    assert ("mt-warn" in html) == ((len(words) > 1 and "references are" not in words[-1]) or "far too low" in words[0])


def test_the_intake_speaks_chinese(shell: PageShell) -> None:
    html = drawn(shell, holding(shell, {"a.txt": GOOD, "ref.txt": GOOD}), lang="zh-CN")
    assert "并排查看前 3 个句段" in html and "BLEU 将使用分词器 13a" in html


# --- pasted text ---


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("one\ntwo", "", "pasted 1.txt"),
        ("one", " Mine ", "Mine.txt"),
        ("a\tb\n1\t2", "", "pasted 1.tsv"),
        ("a\tb", "", "pasted 1.txt"),
        ("a\tb\n1\n", "", "pasted 1.txt"),
        ('{"src": "a"}\n', "", "pasted 1.jsonl"),
        ("{broken", "", "pasted 1.txt"),
        ("one", "ref.en", "ref.en"),
        ("one", ".x", ".x.txt"),
    ],
)
def test_a_pasted_text_is_named_by_its_content(text: str, name: str, expected: str) -> None:
    assert pasted_name(text, 0, name) == expected


def test_pasted_text_becomes_a_file(shell: PageShell) -> None:
    note = forms.paste(shell, "eins\nzwei", "reference", holding(shell, {"a.txt": "one\ntwo\n"}).note())
    columns = side_by_side(opened(shell, ANN, held(note))).columns
    assert [(c.role, c.name, c.segments) for c in columns][1] == ("reference", "reference", ("eins", "zwei"))
    with pytest.raises(UserError, match="is empty"):
        forms.paste(shell, " \n ", "", note)


# --- rights ---


def test_a_file_of_another_visitors_run_is_not_read(page: Page, shell: PageShell, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("secret\n")
    run = put(page.service, tmp_path, owner=BOB)
    files = opened(shell, ANN, Held((f"run:{run.id}/out.txt",)))
    assert files[0].table is None and "There is no run" in files[0].problem and "secret" not in files[0].problem
    assert opened(shell, BOB, Held((f"run:{run.id}/out.txt",)))[0].table is not None


@pytest.mark.parametrize("reference", ["nonsense", "path:/there/is/nothing", "run:../../etc/passwd", "path:", "run:"])
def test_a_reference_that_leads_nowhere_is_a_problem_and_no_error(shell: PageShell, reference: str) -> None:
    files = opened(shell, ANN, Held((reference,)))
    assert files[0].table is None and files[0].problem
    assert view(files, Held((reference,)), "", "", "en").files[0].problem


def test_texts_of_a_run_are_held_by_reference(page: Page, shell: PageShell, tmp_path: Path) -> None:
    (tmp_path / "A.txt").write_text("one\n")
    (tmp_path / "board.json").write_text("{}")
    run = put(page.service, tmp_path, task="common.translate.v1")
    lines = [{"name": name, "kind": "translations", "path": f"artifacts/{name}"} for name in ("A.txt", "board.json")]
    (run.path / "artifacts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert held(forms.from_run(shell, asking(), run.id)).files == (f"run:{run.id}/A.txt",)


def test_the_same_file_is_read_once(shell: PageShell, monkeypatch: pytest.MonkeyPatch) -> None:
    of = holding(shell, {"once.txt": "only once\n"})
    opened(shell, ANN, of)
    monkeypatch.setattr(held_module, "read_table", lambda *_: pytest.fail("read again"))
    assert opened(shell, ANN, of)[0].table is not None
