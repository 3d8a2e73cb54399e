"""Tatoeba's pairs: what is the same sentence, who is held out, and that nothing tested on was learned from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sm2.corpora import read_parallel
from backends.sm2.reproduce_bundled import write
from backends.sm2.tatoeba import SHARE, Pairs, Split, held_out, key, read, read_pairs, split
from workbench.context import MemoryContext
from workbench.contract import MissingResource

FEW = settings(max_examples=40, deadline=None)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("Hello, Tom!", "hello tom", True),
        ("I'm here.", "I m here", True),
        ("It's 5 o'clock.", "It's 6 o'clock.", False),
        ("Café", "cafe", False),
        ("ｗｉｄｅ", "wide", True),
        ("two  spaces", "two spaces", True),
        ("well-known", "well known", True),
        ("a", "b", False),
    ],
)
def test_what_makes_a_sentence_the_same(one: str, two: str, same: bool) -> None:
    assert (key(one) == key(two)) is same
    if same:
        assert held_out(one) == held_out(two)


def test_about_the_share_is_held_out_and_more_of_a_larger_share() -> None:
    texts = [f"sentence number {i} of many" for i in range(20_000)]
    small, large = ({t for t in texts if held_out(t, share)} for share in (SHARE, 0.1))
    assert 400 < len(small) < 600 and 1800 < len(large) < 2200 and small <= large
    assert not any(held_out(t, 0.0) for t in texts[:100]) and all(held_out(t, 1.0) for t in texts[:100])


def test_held_out_never_moves() -> None:
    """Written down once: another split would test on what the bundled model has learned from."""
    chosen = [i for i in range(300) if held_out(f"This is sentence {i}.")]
    assert chosen == [57, 96, 106, 118, 134, 135, 137, 175, 213]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Hi.\tHallo!\n", [("Hallo!", "Hi.")]),
        ("Hi.\tHallo!\tCC-BY 2.0 (France)\r\n", [("Hallo!", "Hi.")]),
        ("  Hi. \t Hallo! \n", [("Hallo!", "Hi.")]),
        ("1\t2\n", []),
        ("Hi.\n", []),
        ("\tHallo!\n", []),
        ("Hi.\t\n", []),
        ("...\tHallo!\n", []),
        ("Hi.\t嗨。\n", [("嗨。", "Hi.")]),
        ("Hi.\tHal\0lo!\n", []),
        ("", []),
    ],
)
def test_lines_of_another_form_are_left_out(line: str, expected: list) -> None:
    assert read_pairs([line]) == expected


def test_pairs_count_once_and_keep_their_order() -> None:
    lines = ["Hi.\tHallo!\n", "Hi.\tGrüß Gott!\n", "Hi.\tHallo!\n", "Run!\tLauf!\n"]
    assert read_pairs(lines) == [("Hallo!", "Hi."), ("Grüß Gott!", "Hi."), ("Lauf!", "Run!")]


def some_pairs(count: int) -> list[tuple[str, str]]:
    return [(f"Satz {i} {form}", f"This is sentence {i}.") for i in range(count) for form in ("so", "anders")]


def test_all_translations_of_a_sentence_are_on_one_side() -> None:
    pairs = some_pairs(400)
    train, test = split(pairs, 0.1)
    learned, tested = {key(t) for t in train.target}, {key(t) for t in test.target}
    assert not learned & tested and learned | tested == {key(t) for _, t in pairs}
    assert len(test.target) == len(tested), "each English test sentence once"
    assert all(source.endswith("so") for source in test.source), "its first translation"
    assert len(train.source) == 2 * len(learned)


def test_a_source_that_was_learned_from_is_not_tested() -> None:
    texts = [f"This is sentence {i}." for i in range(200)]
    out = next(t for t in texts if held_out(t, 0.1))
    kept = next(t for t in texts if not held_out(t, 0.1))
    train, test = split([("Gleich", out), ("Gleich", kept), ("Nur hier", out)], 0.1)
    assert train == Pairs(("Gleich",), (kept,)) and test == Pairs(("Nur hier",), (out,))


LINE = st.tuples(st.text("ab c'.", max_size=8), st.text("äö ß1.", max_size=8)).map("\t".join)


@FEW
@given(st.lists(LINE, max_size=40), st.floats(0, 1))
def test_nothing_is_lost_and_nothing_is_on_both_sides(lines: list, share: float) -> None:
    pairs = read_pairs(lines)
    train, test = split(pairs, share)
    assert not {key(t) for t in train.target} & {key(t) for t in test.target}
    assert not {*train.source} & {*test.source}
    assert {*zip(train.source, train.target, strict=True)} == {p for p in pairs if not held_out(p[1], share)}
    assert {*zip(test.source, test.target, strict=True)} <= {*pairs}


def folder_of(path: Path, german: str, chinese: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "deu.txt").write_bytes(b"\xef\xbb\xbf" + german.encode())
    (path / "cmn.txt").write_text(chinese, encoding="utf-8")
    return path


def test_both_languages_are_read_and_share_their_split(tmp_path: Path) -> None:
    german = "1\t2\n" + "".join(f"This is sentence {i}.\tDas ist Satz {i}.\n" for i in range(400))
    chinese = "".join(f"THIS IS sentence {i}!\t这是第{i}句。\n" for i in range(400))
    found = read(folder_of(tmp_path / "tatoeba", german, chinese), 0.1)
    assert set(found.train) == set(found.test) == {"de", "zh"}
    assert [key(t) for t in found.test["de"].target] == [key(t) for t in found.test["zh"].target]
    assert found.train["de"].source[0].startswith("Das ist Satz"), "neither a byte order mark nor a head"
    assert len(found.train["zh"].source) + len(found.test["zh"].source) == 400


@pytest.mark.parametrize("name", ["deu.txt", "cmn.txt"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path / "tatoeba", "Hi.\tHallo!\n", "Hi.\t嗨。\n")
    (folder / name).unlink()
    with pytest.raises(MissingResource, match=name):
        read(folder)


def test_bytes_that_are_no_text_end_no_line(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "tatoeba", "", "Hi.\t嗨。\n")
    (folder / "deu.txt").write_bytes(b"Hi.\tHall\xff\xfeo!\nRun!\tLauf!\n")
    assert len(read(folder, 0.0).train["de"].source) == 2


ODD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(ODD, ODD), min_size=1, max_size=6))
def test_written_files_are_read_back_line_by_line(tmp_path_factory: pytest.TempPathFactory, pairs: list) -> None:
    """Whatever stands in a sentence, line i of one file stays the translation of line i of the other."""
    lines = [f"{target}\t{source}" for source, target in pairs]
    clean = read_pairs("\n".join(lines).split("\n"))
    if not clean:
        return
    folder = tmp_path_factory.mktemp("bundled")
    both = Pairs(tuple(s for s, _ in clean), tuple(t for _, t in clean))
    write(Split({"de": both}, {"de": both}), folder)
    found = read_parallel(
        (f"path:{folder}/train.de.source.txt",),
        (f"path:{folder}/train.de.target.txt",),
        False,
        MemoryContext(folder / "run"),
    )
    assert len(found.source) == len(found.target) == len(clean)


def test_tatoeba_as_it_lies_there(shared: Path) -> None:
    found = read(shared / "mt" / "tatoeba")
    for language, low in (("de", 40_000), ("zh", 18_000)):
        train, test = found.train[language], found.test[language]
        assert len(train.source) > low and 300 < len(test.source) < 2000
        assert not {*train.source} & {*test.source}
        assert not {key(t) for t in train.target} & {key(t) for t in test.target}
    learned = {key(t) for pairs in found.train.values() for t in pairs.target}
    tested = {key(t) for pairs in found.test.values() for t in pairs.target}
    assert not learned & tested, "not even by way of the other language"
