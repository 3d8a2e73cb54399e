"""Curves, logs and artifacts as the page reads them, and what a hand-edited list may not do."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pytest

from workbench import reading
from workbench.contract import Artifact, UserError
from workbench.files import append_line
from workbench.reading import CurveReader, artifact_path, artifacts, log_tail


def lines(path: Path, *entries: dict[str, object]) -> None:
    for entry in entries:
        append_line(path, entry)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


class TestCurves:
    def test_one_curve_a_name(self, path: Path) -> None:
        lines(path, {"step": 1, "at": 5.0, "loss": 2.0, "rate": 0.1}, {"step": 2, "at": 6.0, "loss": 1.0})
        assert CurveReader().read(path) == {"loss": [(1, 2.0), (2, 1.0)], "rate": [(1, 0.1)]}

    def test_no_file_is_no_curve(self, path: Path) -> None:
        assert CurveReader().read(path) == {}

    def test_only_what_is_new_is_parsed(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        reader, parsed = CurveReader(), []
        real = json.loads
        monkeypatch.setattr(reading.json, "loads", lambda text: parsed.append(text) or real(text))
        lines(path, {"step": 1, "loss": 1.0}, {"step": 2, "loss": 2.0})
        reader.read(path)
        before = len([text for text in parsed if text])
        lines(path, {"step": 3, "loss": 3.0})
        assert reader.read(path)["loss"][-1] == (3, 3.0)
        assert len([text for text in parsed if text]) == before + 1

    def test_a_half_written_line_waits_for_its_end(self, path: Path) -> None:
        reader = CurveReader()
        path.write_text('{"step": 1, "loss": 1.0}\n{"step": 2, "lo')
        assert reader.read(path) == {"loss": [(1, 1.0)]}
        with path.open("a") as file:
            file.write('ss": 2.0}\n')
        assert reader.read(path) == {"loss": [(1, 1.0), (2, 2.0)]}

    def test_going_on_from_a_checkpoint_drops_what_came_after_it(self, path: Path) -> None:
        lines(path, *({"step": n, "loss": float(n)} for n in range(1, 8)), {"step": 4, "loss": 40.0},
              {"step": 5, "loss": 50.0})
        assert CurveReader().read(path)["loss"] == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0), (5, 50.0)]

    def test_a_value_said_twice_counts_once(self, path: Path) -> None:
        lines(path, {"step": 1, "loss": 1.0}, {"step": 1, "loss": 2.0}, {"step": 1, "other": 3.0})
        assert CurveReader().read(path) == {"loss": [(1, 2.0)], "other": [(1, 3.0)]}

    def test_not_a_number_is_a_gap(self, path: Path) -> None:
        lines(path, {"step": 1, "loss": math.nan}, {"step": 2, "loss": 1.0})
        curve = CurveReader().read(path)["loss"]
        assert math.isnan(curve[0][1]) and curve[1] == (2, 1.0)

    @pytest.mark.parametrize("junk", ["oops", "[1]", '{"loss": 1}', '{"step": "x", "loss": 1}', '{"step": 2.5}',
                                      '{"step": 2, "loss": "high"}', '{"step": 2, "loss": [1]}', "null"])
    def test_junk_lines_are_left_out(self, junk: str, path: Path) -> None:
        path.write_text(f'{{"step": 1, "loss": 1.0}}\n{junk}\n{{"step": 3, "loss": 3.0}}\n')
        assert CurveReader().read(path) == {"loss": [(1, 1.0), (3, 3.0)]}

    @pytest.mark.parametrize("change", ["shorter", "replaced"])
    def test_a_file_made_anew_is_read_anew(self, change: str, path: Path) -> None:
        reader = CurveReader()
        lines(path, *({"step": n, "loss": 1.0} for n in range(10)))
        reader.read(path)
        if change == "shorter":
            path.write_text('{"step": 1, "loss": 9.0}\n')
        else:
            other = path.with_name("new")
            other.write_text('{"step": 1, "loss": 9.0}\n' * 100)
            other.replace(path)
        assert reader.read(path) == {"loss": [(1, 9.0)]}

    @pytest.mark.parametrize(("count", "points", "kept"), [(10, 100, 10), (10, 10, 10), (11, 10, 6), (1000, 100, 101),
                                                           (1, 1, 1), (5, 1, 2)])
    def test_long_curves_are_thinned_and_keep_their_last_point(self, count: int, points: int, kept: int,
                                                               path: Path) -> None:
        path.write_text("".join(f'{{"step": {n}, "loss": {n}.5}}\n' for n in range(count)))
        curve = CurveReader().read(path, points)["loss"]
        assert len(curve) == kept and curve[0] == (0, 0.5) and curve[-1] == (count - 1, count - 0.5)

    def test_a_reader_keeps_only_so_many_runs(self, tmp_path: Path) -> None:
        reader = CurveReader()
        for number in range(reading.KEPT + 5):
            lines(tmp_path / f"{number}.jsonl", {"step": 1, "loss": 1.0})
            reader.read(tmp_path / f"{number}.jsonl")
        assert len(reader._seen) == reading.KEPT

    def test_a_poll_of_a_long_curve_is_cheap(self, path: Path) -> None:
        path.write_text("".join(f'{{"step": {n}, "loss": {n}.5}}\n' for n in range(50_000)))
        reader = CurveReader()
        reader.read(path)
        began = time.perf_counter()
        reader.read(path)
        assert time.perf_counter() - began < 0.02


class TestLog:
    @pytest.mark.parametrize(("text", "count", "expected"), [
        ("", 5, ""), ("a\n", 5, "a"), ("a\nb\nc\n", 2, "b\nc"), ("a\nb", 1, "b"), ("a\nb\n", 0, "b"),
        ("10%\r20%\r30%\ndone\n", 5, "30%\ndone"), ("10%\r20%\r", 5, "20%"),
        ("windows\r\nline\r\n", 5, "windows\nline"),
        ("caf\udce9 \ufffd", 5, "caf\ufffd \ufffd")])
    def test_the_last_lines(self, text: str, count: int, expected: str, tmp_path: Path) -> None:
        (tmp_path / "log.txt").write_bytes(text.encode("utf-8", "surrogateescape"))
        assert log_tail(tmp_path / "log.txt", count) == expected

    def test_no_log_is_empty(self, tmp_path: Path) -> None:
        assert log_tail(tmp_path / "log.txt") == ""

    def test_a_huge_log_is_read_from_its_end(self, tmp_path: Path) -> None:
        with (tmp_path / "log.txt").open("w") as file:
            file.truncate(500_000_000)
            file.seek(0, 2)
            file.write("x" * reading.TAIL_BYTES + "\nlast but one\nlast\n")
        began = time.perf_counter()
        assert log_tail(tmp_path / "log.txt", 2) == "last but one\nlast"
        assert log_tail(tmp_path / "log.txt", 100).split("\n")[0] == "last but one", "no half line at the top"
        assert time.perf_counter() - began < 0.2


class TestArtifacts:
    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        run = tmp_path / "runs" / "20260101T000000-abcdef"
        (run / "artifacts").mkdir(parents=True)
        (run / "artifacts" / "a.txt").write_text("inside")
        (tmp_path / "secret.txt").write_text("outside")
        return run

    def listed(self, run: Path, path: str, name: str = "a") -> None:
        append_line(run / "artifacts.jsonl", {"name": name, "path": path, "kind": "text"})

    def test_the_last_entry_of_a_name_counts_in_its_first_place(self, run: Path) -> None:
        for name, path in (("a", "1"), ("b", "2"), ("a", "3")):
            self.listed(run, path, name)
        assert artifacts(run) == [Artifact("a", "3", "text"), Artifact("b", "2", "text")]

    @pytest.mark.parametrize("entry", [{}, {"name": "a"}, {"name": 3, "path": "x", "kind": "y"},
                                       {"name": "a", "path": None, "kind": "y"}])
    def test_entries_that_are_none_are_left_out(self, entry: dict[str, object], run: Path) -> None:
        append_line(run / "artifacts.jsonl", entry)
        assert artifacts(run) == []

    def test_a_listed_file_is_found(self, run: Path) -> None:
        self.listed(run, "artifacts/a.txt")
        assert artifact_path(run, "a").read_text() == "inside"

    @pytest.mark.parametrize("path", ["../../secret.txt", "artifacts/../../../secret.txt", "/etc/passwd", "link.txt",
                                      "folder/secret.txt", "", ".", "..", "artifacts/.."])
    def test_nothing_outside_the_run_is_opened(self, path: str, run: Path, tmp_path: Path) -> None:
        (run / "link.txt").symlink_to(tmp_path / "secret.txt")
        (run / "folder").symlink_to(tmp_path)
        self.listed(run, path)
        with pytest.raises(UserError, match="points outside the run"):
            artifact_path(run, "a")

    @pytest.mark.parametrize("path", ["artifacts/\0", "artifacts/" + "x" * 5000])
    def test_impossible_paths_are_refused(self, path: str, run: Path) -> None:
        self.listed(run, path)
        with pytest.raises((UserError, OSError)):
            artifact_path(run, "a")

    @pytest.mark.parametrize("name", ["artifacts/a.txt", "../secret.txt", "b", "", "state.json"])
    def test_only_listed_names_are_known(self, name: str, run: Path) -> None:
        self.listed(run, "artifacts/a.txt")
        with pytest.raises(UserError, match="has no artifact"):
            artifact_path(run, name)

    def test_a_file_that_is_gone_is_said_to_be(self, run: Path) -> None:
        self.listed(run, "artifacts/gone.txt")
        with pytest.raises(UserError, match="is gone"):
            artifact_path(run, "a")
