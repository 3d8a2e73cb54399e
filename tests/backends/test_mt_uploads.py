"""Files side by side: roles, names, unequal lines, where they shift; nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.common.mt.uploads import Upload, gather, guess, shift, stem
from tests.backends.mt_cases import jsonl, systems, workbook


def txt(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def test_three_systems_two_references_and_a_source() -> None:
    made, reference = systems(3, size=10)
    uploads = [
        *(Upload(f"{name}.txt", txt(lines), "system") for name, lines in made.items()),
        Upload("ref.a.txt", txt(reference)),
        Upload("reference b.txt", txt(reference)),
        Upload("source.txt", txt(reference)),
    ]
    found = gather(uploads)
    assert not found.problems and found.comparison is not None
    assert list(found.comparison.systems) == list(made) and len(found.comparison.references) == 2
    assert found.comparison.source == tuple(reference) and found.comparison.size == 10
    assert len(found.preview) == 5 and found.preview[0]["system: system 0"] == made["system 0"][0]


@pytest.mark.parametrize(
    "upload",
    [
        Upload("all.tsv", b"src\tref\tA\tB\tdomain\nx\ty\ty\tz\tnews\nx2\ty2\ty2\tz2\tlaw\n"),
        Upload("all.csv", b"src,ref,A,B,domain\nx,y,y,z,news\nx2,y2,y2,z2,law\n"),
        Upload(
            "all.jsonl",
            jsonl(
                [
                    {"src": f"x{i}", "ref": f"y{i}", "A": "y", "B": "z", "domain": d}
                    for i, d in enumerate(("news", "law"))
                ]
            ),
        ),
        Upload(
            "all.xlsx",
            workbook(
                [["src", "ref", "A", "B", "domain"], ["x", "y", "y", "z", "news"], ["x2", "y2", "y2", "z2", "law"]]
            ),
        ),
    ],
)
def test_a_table_holds_everything(upload: Upload) -> None:
    made = gather([upload]).comparison
    assert made is not None and list(made.systems) == ["A", "B"] and list(made.references) == ["ref"]
    assert made.domains == ("news", "law") and made.source is not None


def test_columns_can_be_given_other_roles() -> None:
    upload = Upload("all.tsv", b"x\ty\tz\n1\t2\t3\n", columns={"x": "source", "y": "reference", "z": "system"})
    made = gather([upload]).comparison
    assert (
        made is not None
        and made.source == ("1",)
        and made.references == {"y": ("2",)}
        and made.systems == {"z": ("3",)}
    )


def test_unequal_lines_say_how_many_and_where() -> None:
    made, reference = systems(1, size=40)
    short = [*made["system 0"][:25], *made["system 0"][26:]]
    found = gather(
        [
            Upload("ref.txt", txt(reference)),
            Upload("B.txt", txt(reference), "system"),
            Upload("A.txt", txt(short), "system"),
        ]
    )
    assert found.comparison is None
    assert found.problems == (
        "A (A.txt) has 39 lines and ref (ref.txt) 40: 1 too few. The lines seem to shift at line 26; "
        "look there. Every file must have one line for each segment.",
    )
    assert len(found.columns) == 3 and found.preview, "what was read is still there"


@pytest.mark.parametrize(("gone", "line"), [((0,), 1), ((10,), 11), ((10, 11), 11), ((39,), 40)])
def test_the_shift_is_found(gone: tuple, line: int) -> None:
    _, reference = systems(1, size=40)
    short = [text for i, text in enumerate(reference) if i not in gone]
    assert shift(short, reference) == line
    assert shift(reference, reference) == 0
    assert shift(["a"] * 3, ["b"] * 30) in range(5), "no common words: it may not be told"


def test_a_bad_file_does_not_lose_the_good_ones() -> None:
    good = Upload("A.txt", b"one\ntwo\n", "system")
    found = gather([good, Upload("B.txt", b"\x1f\x8b\x00", "system"), Upload("C.txt", b"", "system")])
    assert [column.name for column in found.columns] == ["A"]
    assert len(found.problems) == 2 and "gzip" in found.problems[0] and "empty" in found.problems[1]


def test_two_systems_of_one_name_are_both_kept() -> None:
    found = gather(
        [
            Upload("A.txt", b"one\n", "system"),
            Upload("A.txt", b"two\n", "system"),
            Upload("A (2).txt", b"x\n", "system"),
        ]
    )
    assert found.comparison is not None
    assert found.comparison.systems == {"A": ("one",), "A (3)": ("two",), "A (2)": ("x",)}
    assert "two systems are named 'A'" in found.notes[0].text


IDS = "id\tA\n1\tone\n2\ttwo\n3\tthree\n"


@pytest.mark.parametrize(
    ("second", "problem", "note"),
    [
        ("id\tB\n1\tx\n2\ty\n3\tz\n", "", ""),
        ("id\tB\n1\tx\n3\tz\n2\ty\n", "b.tsv has the ids of a.tsv in another order (entry 2 is '3' and there '2')", ""),
        ("segment\tB\n3\tx\n1\tz\n2\ty\n", "entry 1 is '3' and there '1'). Sort both by 'segment'.", ""),
        ("id\tB\na\tx\nb\tz\nc\ty\n", "", ""),
        ("id\tB\n1\tx\n2\ty\n2\tz\n", "", "'id' has '2' 2 times; segments are put side by side by their lines"),
        ("id\tB\n\tx\n\ty\n\tz\n", "", "'id' has '' 3 times"),
        ("B\n2\n1\n3\n", "", ""),
    ],
)
def test_ids_tell_of_another_order_and_of_twins(second: str, problem: str, note: str) -> None:
    found = gather([Upload("a.tsv", IDS.encode()), Upload("b.tsv", second.encode())])
    assert any(problem in told for told in found.problems) if problem else not found.problems
    assert any(note in told.text for told in found.notes) if note else not any("times" in n.text for n in found.notes)
    assert [column.name for column in found.columns] == ["A", "B"], "both stay in either case"
    assert (found.comparison is None) is bool(problem)


def test_a_column_of_ids_that_was_made_a_system_is_compared_as_one() -> None:
    turned = IDS.replace("1\t", "9\t").replace("3\t", "1\t").replace("9\t", "3\t")
    files = [Upload("a.tsv", IDS.encode()), Upload("b.tsv", turned.encode(), columns={"id": "system"})]
    assert gather([files[0], Upload("b.tsv", turned.encode())]).comparison is None
    made = gather(files).comparison
    assert made is not None and made.systems["id"] == ("3", "2", "1")


def test_empty_hypotheses() -> None:
    some = gather([Upload("A.txt", b"one\n\n", "system"), Upload("ref.txt", b"a\nb\n")])
    assert some.comparison is not None and "1 of 2 segments are empty" in some.notes[0].text
    every = gather([Upload("A.tsv", b"A\tref\n\tx\n \ty\n")])
    assert every.comparison is None and "Every segment of A" in every.problems[0]


@pytest.mark.parametrize(
    ("uploads", "words"),
    [
        ([], "There is no system"),
        ([Upload("ref.txt", b"a\n")], "There is no system"),
        (
            [Upload("A.txt", b"a\n", "system"), Upload("x.txt", b"a\n", "source"), Upload("y.txt", b"a\n", "source")],
            "2 columns are marked as source (x, y)",
        ),
    ],
)
def test_problems_are_sentences(uploads: list, words: str) -> None:
    assert any(words in problem for problem in gather(uploads).problems)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("generaltest2022.zh-en.hyp.Online-A.en", "Online-A"),
        ("generaltest2022.zh-en.ref.B.en", "ref B"),
        ("generaltest2022.zh-en.src.zh", "src"),
        ("system-outputs.GPT-4.txt", "GPT-4"),
        ("references.en-zh.refA.txt", "ref A"),
        ("sources.en-zh.txt", "sources en-zh"),
        ("my system.txt", "my system"),
        ("v1.2.de", "v1.2"),
        (".txt", ".txt"),
    ],
)
def test_names_of_files(name: str, expected: str) -> None:
    assert stem(name) == expected


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("src", "source"),
        ("Source text", "source"),
        ("ref", "reference"),
        ("refA", "reference"),
        ("Domain", "domain"),
        ("id", "ignore"),
        ("GPT-4", "system"),
        ("resource", "system"),
    ],
)
def test_roles_are_guessed(label: str, role: str) -> None:
    assert guess(label) == role


def test_wmt22_as_it_lies_there(shared: Path) -> None:
    folder = shared / "mt" / "wmt22" / "zh-en"
    names = ("hyp.Online-W.en", "hyp.NiuTrans.en", "ref.A.en", "ref.B.en", "src.zh")
    found = gather(
        [Upload(f"generaltest2022.zh-en.{n}", (folder / f"generaltest2022.zh-en.{n}").read_bytes()) for n in names]
    )
    assert found.comparison is not None and found.comparison.size == 1875
    assert list(found.comparison.systems) == ["Online-W", "NiuTrans"] and list(found.comparison.references) == [
        "ref A",
        "ref B",
    ]
    assert found.notes[0].line == 1479, "Online-W has one empty line"
