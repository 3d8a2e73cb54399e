"""The line between a caller and a model process: framing, limits, and where its files are."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from workbench import wire
from workbench.contract import UserError


@pytest.fixture
def pair():
    one, two = socket.socketpair()
    one.settimeout(0.2)
    two.settimeout(0.2)
    with one, two:
        yield one, two


@pytest.mark.parametrize("message", [{"a": 1}, {"text": "难过 \u2028 \n \x00 😢"}, [], "x" * 200_000, {"n": None}])
def test_a_message_arrives_as_it_was_sent(pair, message) -> None:
    import json

    one, two = pair
    sender = threading.Thread(target=wire.send, args=(one, message))
    sender.start()
    line = next(line for line in wire.lines(two) if line is not None)
    sender.join()
    assert json.loads(line) == message


@pytest.mark.parametrize("pieces", [[b"a\nb\nc\n"], [b"a", b"\nb\n", b"c\n"], [b"a\n", b"b", b"\nc", b"\n"]])
def test_lines_wherever_the_pieces_fall(pair, pieces: list[bytes]) -> None:
    one, two = pair
    found = []
    reader = wire.lines(two)
    for data in pieces:
        one.sendall(data)
    one.close()
    for line in reader:
        if line is not None:
            found.append(line)
    assert found == [b"a", b"b", b"c"]


def test_an_unfinished_line_at_the_end_is_no_line(pair) -> None:
    one, two = pair
    one.sendall(b"whole\nhalf")
    one.close()
    assert [line for line in wire.lines(two) if line is not None] == [b"whole"]


def test_silence_is_reported_again_and_again(pair) -> None:
    _, two = pair
    reader = wire.lines(two)
    assert [next(reader), next(reader)] == [None, None]


def test_an_endless_line_is_refused(pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MESSAGE_BYTES", 1000)
    one, two = pair
    one.sendall(b"x" * 1500)
    with pytest.raises(UserError, match="longer than 1,000 bytes"):
        list(wire.lines(two))
    with pytest.raises(UserError, match="at most 1,000 fit"):
        wire.send(one, "x" * 1000)


def test_a_closed_peer_is_noticed_without_waiting(pair) -> None:
    one, two = pair
    assert not wire.closed(two)
    one.sendall(b"data")
    assert not wire.closed(two)
    assert two.recv(10) == b"data"
    one.close()
    assert wire.closed(two)
    two.close()
    assert wire.closed(two)


def test_the_peer_is_ourselves(pair, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wire.same_user(pair[0])
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not wire.same_user(pair[0])


def test_a_place_is_the_same_for_everyone_and_different_for_each_model(tmp_path: Path) -> None:
    first, again, other = (wire.place(tmp_path, r) for r in ("path:/a", "path:/a", "path:/b"))
    assert first == again and first.socket != other.socket and first.record != other.record
    assert first.record.parent == tmp_path / "sessions"
    assert stat.S_IMODE(first.socket.parent.stat().st_mode) == 0o700
    assert wire.place(tmp_path / "other", "path:/a").socket != first.socket


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = wire.socket_folder(tmp_path)
    folder.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(UserError, match="not a folder that only you can enter"):
        wire.socket_folder(tmp_path)


@pytest.mark.parametrize("text", ["", "path:/x", "难过", "\udcff broken"])
def test_digests_are_twelve_plain_digits(text: str) -> None:
    assert len(wire.digest(text)) == 12 and int(wire.digest(text), 16) >= 0
