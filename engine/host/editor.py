"""An editor: the window of a second instance of a plugin that plays, which never hears a note and can never take the sound.

`python -m engine.host.editor ADDRESS TRACK [WORD]` asks the audio process, at ADDRESS, for the plugin that plays TRACK (or that
its insert WORD is), loads it with its state, and shows its window. What is turned there is turned in the one that plays, and
the other way round.

Runs on: a process of its own, which a window may cost.
"""

from __future__ import annotations

import math
import socket
import sys
import time
from typing import Any

import numpy as np

from engine.core.errors import AlgoritmoError, PluginError
from engine.host import backends, wire
from engine.host.display import has_display, ignore_errors
from engine.host.plugin import CHANNELS, PARAMETER, About, Event, Moment
from engine.host.vst3 import Vst3Editor
from engine.host.x11 import NO_DISPLAY

EVERY_S = 1 / 30
ANSWER_S = 5.0
FRAMES, RATE_HZ = 64, 48000.0
OVER = 3  # exit status: the jam, or the plugin there, is gone


class Mirror:
    """A second instance of a plugin, and what is said between it and the one that plays."""

    def __init__(self, words: wire.Words, message: dict[str, Any], state: bytes) -> None:
        """`message`: what the audio process said of the plugin. Raises PluginError."""
        self.words = words
        self.title = str(message["label"])
        self.plugin = backends.load(About.of(message["about"]))
        self.plugin.activate(RATE_HZ, FRAMES)
        if state:
            self.plugin.restore(state)
        self.is_over = False
        self._places = {knob.key: index for index, knob in enumerate(self.plugin.knobs)}
        self._in, self._out = np.zeros((CHANNELS, FRAMES), np.float32), np.zeros((CHANNELS, FRAMES), np.float32)
        self._turn(message["values"])
        self._seen = self._values()

    def _values(self) -> list[float]:
        return [self.plugin.value(index) for index in range(len(self.plugin.knobs))]

    def _turn(self, values: dict[str, float]) -> None:
        """Turn knobs as they are turned in the one that plays."""
        events: list[Event] = [
            (0, PARAMETER, 0, 0, 0, self._places[key], float(value)) for key, value in values.items() if key in self._places
        ]
        for first in range(0, max(len(events), 1), 256):
            self.plugin.process(self._in, self._in, self._out, events[first : first + 256], Moment())

    def look(self) -> bool:
        """Do what is due on both sides; return whether there is still something to show."""
        try:
            for message, behind in self.words.heard():
                self._hear(message, behind)
        except (OSError, PluginError):
            self.is_over = True
        if self.is_over:
            return False
        self.plugin.process(self._in, self._in, self._out, (), Moment())  # some tell of their window's knobs only then
        now = self._values()
        moved = [i for i, (value, before) in enumerate(zip(now, self._seen, strict=False)) if not math.isclose(value, before)]
        self._seen = now
        for index in moved:
            self.words.say({"do": "turn", "key": self.plugin.knobs[index].key, "value": now[index]})
        if self.plugin.is_dirty:
            self.words.say({"do": "state"}, self.plugin.state())
        return True

    def _hear(self, message: dict[str, Any], behind: bytes) -> None:
        said = message.get("said")
        if said == "values":
            self._turn(message["values"])
        elif said == "state" and behind:
            self.plugin.restore(behind)
        elif said == "gone":
            self.is_over = True
        self._seen = self._values()

    def run(self) -> None:
        """Show the window until it is closed. Raises PluginError."""
        editor = self.plugin.open_editor(self.title)
        sys.stdout.write(f"\n{wire.SAYS}{self.title}: its window is open; close it, or press Ctrl-C\n")
        sys.stdout.flush()
        try:
            if isinstance(editor, Vst3Editor):
                editor.run(self.look, EVERY_S)
                return
            while editor.idle() and self.look():
                self.plugin.idle()
                self.words.wait(EVERY_S)
        finally:
            editor.close()


def ask(address: str, where: str, word: str) -> tuple[wire.Words, dict[str, Any], bytes]:
    """Return the connection to the audio process, what it says of the plugin, and its state. Raises PluginError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(address)
    except OSError as error:
        connection.close()
        raise PluginError("the jam is over, or was begun by another version") from error
    words = wire.Words(connection)
    words.say({"do": "edit", "where": where, "word": word})
    end_s = time.monotonic() + ANSWER_S
    while time.monotonic() < end_s:
        words.wait(EVERY_S)
        for message, behind in words.heard():
            if message.get("said") == "plugin":
                return words, message, behind
            raise PluginError(str(message.get("why", "the jam does not say which plugin")))
    raise PluginError(f"the jam did not answer within {ANSWER_S:.0f} s")


def main() -> int:
    """Show the window; return the exit status."""
    address, where, word = (*sys.argv[1:], "")[:3]
    address = address.replace("@", "\0", 1) if address.startswith("@") else address
    try:
        if not has_display():
            raise PluginError(NO_DISPLAY)
        ignore_errors()
        words, message, state = ask(address, where, word)
        mirror = Mirror(words, message, state)
        mirror.run()
        if mirror.is_over:
            sys.stderr.write(f"{mirror.title} is not there any more; its window is closed\n")
            return OVER
    except (AlgoritmoError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
