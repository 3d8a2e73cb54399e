"""How a caller and a resident model process talk: where the socket is, and one JSON object a line.

A connection carries one operation: the caller sends one line ``{"operation", "payload"}`` and reads lines until
``result`` or ``error``; closing the connection cancels. The socket lies in a directory that only its owner may
enter (0700), which is what keeps other people of the machine out; the peer's user is checked besides.
"""

from __future__ import annotations

import hashlib
import os
import select
import socket
import stat
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.contract import Json, UserError
from workbench.files import dumps, read_json

MESSAGE_BYTES = 16 * 2**20
"""Longest line either side accepts (ours: far above any dialogue, far below what would hurt)."""
SOCKET_PATH_BYTES = 100
"""Room for a socket's path: the system allows 107 bytes on Linux and 103 on macOS."""


@dataclass(frozen=True)
class Place:
    """The files of one resident model: record, state, log and lock in the home; the socket in a short private path."""

    record: Path
    state: Path
    log: Path
    lock: Path
    socket: Path


def place(home: Path, reference: str) -> Place:
    """Where the process of this model keeps its files. Makes the folders.

    A running process has written its socket's address down: the temporary folder may be another one for us."""
    name = digest(reference)
    folder = home / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / f"{name}.json"
    known = read_json(record, {})
    known = known.get("socket") if isinstance(known, dict) else None
    address = Path(known) if isinstance(known, str) else socket_folder(home) / f"{name}.sock"
    return Place(record, folder / f"{name}.state", folder / f"{name}.log", folder / f"{name}.lock", address)


def digest(text: str) -> str:
    """Twelve hexadecimal digits that stand for a reference or a path."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def socket_folder(home: Path) -> Path:
    """The private folder of this home's sockets, with a path short enough for a socket address."""
    name = f"wb-{os.getuid()}-{digest(str(home))}"
    folder = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(folder)) + 20 > SOCKET_PATH_BYTES:
        folder = Path("/tmp") / name
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise UserError(f"{folder} is not a folder that only you can enter, so no model process can be reached in it.",
                        advice=f"Remove it, or run: chmod 700 {folder}")
    return folder


def send(connection: socket.socket, message: Json) -> None:
    """Send one message. ``UserError`` when it is longer than the other side accepts."""
    line = (dumps(message) + "\n").encode()
    if len(line) > MESSAGE_BYTES:
        raise UserError(f"A message to or from the model has {len(line):,} bytes; at most {MESSAGE_BYTES:,} fit.",
                        advice="Send fewer or shorter prompts at once.")
    connection.sendall(line)


def lines(connection: socket.socket) -> Iterator[bytes | None]:
    """Lines as they arrive; ``None`` whenever the socket's time-out passes without one. Ends when the peer closes.

    Raises ``UserError`` for a line above :data:`MESSAGE_BYTES`."""
    buffer = bytearray()
    while True:
        try:
            data = connection.recv(65536)
        except TimeoutError:
            yield None
            continue
        except ConnectionError:
            return
        if not data:
            return
        if b"\n" not in data:
            buffer += data
            if len(buffer) > MESSAGE_BYTES:
                raise UserError(f"A message is longer than {MESSAGE_BYTES:,} bytes.",
                                advice="Send fewer or shorter prompts at once.")
            continue
        first, *others, rest = data.split(b"\n")
        yield bytes(buffer + first)
        yield from others
        buffer = bytearray(rest)


def same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to our user (where the system can tell)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[1]) == os.getuid()


def closed(connection: socket.socket) -> bool:
    """Whether the peer has closed its end; never waits."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
