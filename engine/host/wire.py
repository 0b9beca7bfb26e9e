"""What is said beside the sound between the audio process and a host process: JSON with bytes behind it, over a local socket.

Runs on: audio process (control thread), host process (main thread).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.core.errors import PluginError

MOST_BYTES = 128 << 20  # of one message
_HEAD = struct.Struct("<II")  # bytes of the JSON, bytes behind it
SAYS = "algoritmo-editor: "  # before what an editor's process says: plugins print what they like
BELL, WORDS = b"bell", b"word"  # what a connection is for
_CREDENTIALS = struct.Struct("3i")

Message = tuple[dict[str, Any], bytes]


def editors(segment: str) -> str:
    """Return where the audio process waits for editors of plugins."""
    return _address(f"{segment}-editors")


def address(segment: str, host: int) -> str:
    """Return where the audio process waits for a host process; `segment` names the run."""
    return _address(f"{segment}-host{host}")


def _address(name: str) -> str:
    has_names = sys.platform.startswith("linux")  # that go with the process, and leave no file
    return f"\0{name}" if has_names else str(Path(tempfile.gettempdir()) / name)


def listen(where: str) -> socket.socket:
    """Return the socket that host processes come to."""
    if not where.startswith("\0"):
        with contextlib.suppress(OSError):
            Path(where).unlink()
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(where)
    door.listen(4)
    door.setblocking(False)
    return door


def is_ours(peer: socket.socket) -> bool:
    """Whether the process at the other end runs for the same user: nobody else may talk here."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the file of the socket lies in the user's own folder
    found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(found)[1] == os.getuid())


def ready(these: Sequence[socket.socket | Words]) -> list[socket.socket | Words]:
    """Return those of them that have something to say, or that somebody has come to. Nobody waits."""
    return select.select(these, (), (), 0)[0] if these else []


class Words:
    """One end of a connection. Nothing waits: `say` keeps what does not go out at once, `heard` gives what is there."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._in = bytearray()
        self._out = bytearray()
        self.messages: deque[Message] = deque()

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    @property
    def is_full(self) -> bool:
        """Whether something still waits to go out."""
        return bool(self._out)

    def say(self, message: dict[str, Any], behind: bytes = b"") -> None:
        """Send a message. Raises OSError when nobody is there any more."""
        text = json.dumps(message).encode()
        self._out += _HEAD.pack(len(text), len(behind)) + text + behind
        self.push()

    def push(self) -> None:
        """Send on what did not go out."""
        while self._out:
            try:
                sent = self._socket.send(self._out[: 1 << 18])
            except BlockingIOError:
                return
            del self._out[:sent]

    def heard(self) -> list[Message]:
        """Return what came. Raises OSError when nobody is there any more, PluginError when it makes no sense."""
        self.push()
        ended = False
        while True:
            try:
                part = self._socket.recv(1 << 18)
            except BlockingIOError:
                break
            if not part:
                ended = True
                break
            self._in += part
        found: list[Message] = []
        while len(self._in) >= _HEAD.size:
            head, behind = _HEAD.unpack_from(self._in)
            if head + behind > MOST_BYTES:
                raise PluginError(f"a message of {head + behind} bytes")
            end = _HEAD.size + head + behind
            if len(self._in) < end:
                break
            try:
                message = json.loads(self._in[_HEAD.size : _HEAD.size + head])
            except ValueError as error:
                raise PluginError(f"a message that is no JSON ({error})") from error
            found.append((message, bytes(self._in[_HEAD.size + head : end])))
            del self._in[:end]
        if ended and not found:
            raise ConnectionResetError("the other end is closed")
        return found

    def wait(self, timeout_s: float) -> bool:
        """Wait until something came or can go out."""
        here, there, _ = select.select([self], [self] if self._out else [], [], timeout_s)
        return bool(here or there)

    def close(self) -> None:
        """Close it."""
        self._socket.close()
