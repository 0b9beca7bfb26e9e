"""The computer keyboard as a row of knobs while a jam runs in a terminal.

Runs on: main process. Where standard input is no terminal, or the system has no termios, there are no keys.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

from engine.control.commands import Commands
from engine.core.parameters import LEARN_PLACE, Live
from engine.jam.modes import MODES

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]  # the module is looked at before it is used

HELP = (
    "space panic, m mode, up/down temperature, right/left density, +/- tempo, t tap it, 1-9 mute a track, l learn a control, "
    "r reset, q quit; F1-F9 scene, n next, p previous, a A/B, u undo"
)
STEP = 1.1  # one key press turns a knob by so much
# What a terminal sends for a key that is no character.
ARROWS = {"\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left"}
FUNCTIONS = {f"\x1bO{letter}": f"F{number}" for number, letter in enumerate("PQRS", 1)}
FUNCTIONS |= {f"\x1b[{code}~": f"F{number}" for number, code in enumerate((15, 17, 18, 19, 20), 5)}
NAMED = ARROWS | FUNCTIONS
SCENES = {"n": "next", "p": "previous", "u": "undo", "a": "ab"}


class Keyboard:
    """Reads keys as they are pressed; the terminal is as it was when the block is left."""

    def __init__(self, tell: Callable[[int, str], None]) -> None:
        self._tell = tell
        self._before: list[Any] | None = None
        self._name: str | None = None  # as far as it is typed, of what a MIDI control is to be learned for

    def __enter__(self) -> Keyboard:
        self.take()
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()

    def take(self) -> None:
        """Take the keys, where there is a terminal and this program is before it: not in the background."""
        if termios is not None and sys.stdin is not None and sys.stdin.isatty() and is_before(sys.stdin.fileno()):
            with contextlib.suppress(termios.error):
                self._before = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin, termios.TCSANOW)  # not when all is shown: that may take for ever

    def release(self) -> None:
        """Leave the terminal as it was."""
        if self._before is not None:
            with contextlib.suppress(termios.error, OSError):  # it may have been closed
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self._before)
            self._before = None

    @property
    def here(self) -> bool:
        """Whether keys can be read; a program that has come out of the background takes them first."""
        if self._before is None:
            self.take()
        return self._before is not None and bool(is_before(self.fileno()))

    def fileno(self) -> int:
        """What to wait on."""
        return sys.stdin.fileno()

    def act(self, live: Live) -> bool:
        """Do what the keys pressed mean; return True when one asked to quit."""
        try:
            data = os.read(self.fileno(), 256)
        except OSError:  # the terminal was closed
            data = b""
        if not data:  # the terminal is gone: it would be ready for ever
            self._before = None
        quits = False
        for key in split(data.decode(errors="ignore")):
            if self._name is not None:
                self._ask(key, live)
            elif key == "l":
                self._name = ""
                self._tell(0, "learn: type the name of what a MIDI control is to move, then Enter; Esc leaves it")
            else:
                quits |= press(key, live, self._tell)
        return quits

    def _ask(self, key: str, live: Live) -> None:
        """Take one key of the name of a parameter that a MIDI control is to be learned for."""
        name = self._name or ""
        if key == "\x1b":
            self._name = None
            live.set(LEARN_PLACE, 0)
            self._tell(0, "learn: nothing")
        elif key in ("\r", "\n"):
            self._name = None
            found = matching(name, live)
            if found:
                live.set(LEARN_PLACE, 0)
                live.set(LEARN_PLACE, 1 + live.registry.place(found[0]))
                self._tell(0, f"learn: move the control that is to move {found[0]}")
            else:
                self._tell(1, f"learn: there is no {name}")
        else:
            self._name = name[:-1] if key in ("\x7f", "\x08") else name + key if key.isprintable() and len(key) == 1 else name
            found = matching(self._name, live)
            self._tell(0, f"learn: {self._name}_  {'  '.join(found[:4]) or 'there is no such name'}")


def matching(name: str, live: Live) -> list[str]:
    """Return the parameters that a part of a name means: the one that is called so, those that begin so, those that have it."""
    live.refresh()
    ids = [parameter.id for parameter in live.registry if parameter.id != LEARN_PLACE]
    name = name.strip().lower()
    ranks = [(0 if i == name else 1 if i.startswith(name) else 2, len(i), i) for i in ids if name in i]
    return [i for *_, i in sorted(ranks)] if name else []


def is_before(terminal: int) -> bool | None:
    """Whether a terminal is this program's; in the background it is the shell's. None where nobody can tell."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except (OSError, AttributeError):
        return None


def split(text: str) -> list[str]:
    """Return the keys in what the terminal sent: characters, and names of arrows and function keys."""
    keys = []
    while text:
        size = next((size for size in (5, 3) if text[:size] in NAMED), 1)
        keys.append(NAMED.get(text[:size], text[:size]))
        text = text[size:]
    return keys


def press(key: str, live: Live, tell: Callable[[int, str], None]) -> bool:
    """Do what one key means and say so; return True for quit."""
    turns = {
        "up": ("temperature", STEP),
        "down": ("temperature", 1 / STEP),
        "right": ("density", STEP),
        "left": ("density", 1 / STEP),
        "+": ("tempo", 1.02),
        "=": ("tempo", 1.02),
        "-": ("tempo", 1 / 1.02),
    }
    commands = Commands(live)
    tracks = [f"{track}.mute" for track in live.registry.tracks]
    if key == "q":
        return True
    if key in turns:
        name, factor = turns[key]
        tell(0, f"{name} {commands.do('set', name, live.get(name) * factor).value:.2f}")
    elif key in (" ", "r"):
        name = "panic" if key == " " else "reset"
        commands.do("trigger", name)
        tell(0, name)
    elif key in SCENES:
        commands.do("scene", SCENES[key])
    elif key in FUNCTIONS.values():
        commands.do("scene", "go", int(key[1:]))
    elif key == "t":
        commands.do("transport", "tap")
        tell(0, "tap")
    elif key == "m":
        mode = (int(live.get("mode")) + 1) % len(MODES)
        commands.do("set", "mode", mode)
        tell(0, f"mode {MODES[mode]}")
    elif key in "123456789" and int(key) <= len(tracks):
        name = tracks[int(key) - 1]
        value = commands.do("set", name, 1 - live.get(name)).value
        tell(0, f"{name} {live.registry[name].text(value)}")
    elif key in "?h":
        tell(0, HELP)
    return False
