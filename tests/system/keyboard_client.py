"""A keyboard and a synthesiser on a JACK server, in a process of their own that can be pulled like a cable.

It plays a MIDI file again and again through its port `keys`, and keeps account of the notes that come in at `notes`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


class Keyboard:
    """The process, for who sets up a stage."""

    def __init__(self, server: str, file: Path) -> None:
        command = [sys.executable, __file__, server, str(file)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "ready"

    def order(self, **what: Any) -> None:
        """`play`: whether the file is played; `notes`: messages now; `hold`: seconds of silence."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def hanging(self) -> list[list[int]]:
        """Return channel and pitch of the notes that began and did not end."""
        self.order(tell=True)
        assert self._process.stdout is not None
        return list(json.loads(self._process.stdout.readline()))

    def pull(self) -> None:
        """End it as a cable is pulled."""
        self._process.kill()
        self._process.wait()


class _Client:
    def __init__(self, server: str, file: Path) -> None:
        import jack
        import mido

        self._to_send: deque[bytes] = deque()
        self._sounding: set[tuple[int, int]] = set()
        self._held: set[int] = set()
        self._plays, self._next_s = True, time.monotonic()
        at_s, self._song = 0.0, []
        for message in mido.MidiFile(file):
            at_s += message.time
            if not message.is_meta:
                self._song.append((at_s, bytes(message.bytes())))
        self._client = jack.Client("stage", no_start_server=True, servername=server)
        self._keys = self._client.midi_outports.register("keys")
        self._notes = self._client.midi_inports.register("notes")
        self._client.set_process_callback(self._process)
        self._client.activate()

    def _process(self, frames: int) -> None:
        for _, message in self._notes.incoming_midi_events():
            self._hear(bytes(message))
        self._keys.clear_buffer()
        for at in range(min(len(self._to_send), frames)):
            self._keys.write_midi_event(at, self._to_send.popleft())

    def _hear(self, message: bytes) -> None:
        status, number, value = (*message, 0, 0)[:3]
        key = (status & 0x0F, number)
        if status & 0xF0 == 0x90 and value:
            self._sounding.add(key)
        elif status & 0xF0 in (0x80, 0x90):
            self._sounding.discard(key)
        elif status & 0xF0 == 0xB0 and number in (120, 123):
            self._sounding = {other for other in self._sounding if other[0] != key[0]}

    def play(self) -> None:
        """Play the file again and again."""
        while True:
            begun_s = time.monotonic()
            for at_s, message in self._song:
                while (left_s := begun_s + at_s - time.monotonic()) > 0:
                    time.sleep(min(left_s, 0.05))
                if self._plays:
                    self._to_send.append(message)

    def order(self, what: dict[str, Any]) -> None:
        """Follow one order."""
        if "play" in what:
            self._plays = what["play"]
            if not self._plays:
                self._to_send.extend(bytes((0xB0 | channel, 123, 0)) for channel in range(16))
        self._to_send.extend(bytes(message) for message in what.get("notes", ()))
        if "tell" in what:
            sys.stdout.write(json.dumps(sorted(self._sounding)) + "\n")
            sys.stdout.flush()


def main() -> None:
    """Serve until the orders end, or the server does."""
    client = _Client(sys.argv[1], Path(sys.argv[2]))
    threading.Thread(target=client.play, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        client.order(json.loads(line))


if __name__ == "__main__":
    main()
