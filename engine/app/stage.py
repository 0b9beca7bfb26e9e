"""`algoritmo stage`: a view of a jam that runs, in a terminal of its own; closing it stops nothing.

Runs on: a process of its own, attached to the jam's shared memory.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from engine.app.running import Running, attach
from engine.app.stage_view import HEIGHT, WIDTH, Styled, Tracks, page
from engine.app.terminal import Endings
from engine.control.keyboard import Keyboard
from engine.control.status import Snapshot, snapshot, standing
from engine.core.link import Link
from engine.core.parameters import Live
from engine.core.roles import PROCESSES, SUPERVISOR

FRAME_S = 1 / 15
STANDING_S = 4.0  # how long after it was moved it is told of a control that is not followed yet
PLAIN_S = 5.0  # how often a line is printed where the view is plain
KEYS = "space panic  m mode  t tap  +/- tempo  1-9 mute  l learn  n p scene  F1-F9  a A/B  u undo"


class Screen:
    """Writes what has changed since the last frame, and nothing else."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: list[list[Styled]] = []
        self._size = (0, 0)

    def begin(self) -> None:
        """Take the whole terminal; what was there comes back at the end."""
        self._out.write("\x1b[?1049h\x1b[?25l\x1b[2J")
        self._out.flush()

    def end(self) -> None:
        """Give it back."""
        self._out.write("\x1b[0m\x1b[?25h\x1b[?1049l")
        self._out.flush()

    def draw(self, lines: list[list[Styled]]) -> None:
        """Show these lines, as far as the terminal has room."""
        size = shutil.get_terminal_size((WIDTH, HEIGHT))
        if (size.columns, size.lines) != self._size:
            self._size = (size.columns, size.lines)
            self._shown = []
            self._out.write("\x1b[2J")
        columns, rows = self._size
        if rows < HEIGHT:  # the keys are what can be left out first, then what is said
            lines = lines[:rows]
        written = False
        for row, line in enumerate(lines):
            if row < len(self._shown) and self._shown[row] == line:
                continue
            written = True
            self._out.write(f"\x1b[{row + 1};1H{_text(line, columns)}\x1b[K")
        self._shown = lines
        if written:
            self._out.flush()


def _text(line: list[Styled], columns: int) -> str:
    """Return a line with the terminal's codes, cut to its width."""
    found, left = "", columns
    for text, style in line:
        piece = text[:left]
        left -= len(piece)
        found += f"\x1b[{style}m{piece}\x1b[0m" if style and piece else piece
    return found


class View:
    """Looks into a jam: `lines` once a frame."""

    def __init__(self, link: Link, live: Live, plain: bool = False) -> None:
        self._link, self._live, self._plain = link, live, plain
        self._tracks = Tracks(live.registry.tracks)
        self._events = link["events"].reader()
        self._notices = {name: link[f"notices.{name}"].reader() for name in (*PROCESSES, SUPERVISOR)}
        self._told: deque[tuple[int, str]] = deque(maxlen=8)
        self._moves, self._moved_s = link["takeover"].count, 0.0  # of MIDI controls, and when the last one was

    def tell(self, level: int, text: str) -> None:
        """Show a line for a while."""
        self._told.append((level, text))

    def look(self) -> Snapshot:
        """Take what has happened since the last frame."""
        self._live.refresh()
        self._tracks.fall()
        self._tracks.hear(self._events.read())
        for name, reader in self._notices.items():
            for notice in reader.read():
                self.tell(int(notice["level"]), f"{name}: {notice['text'].decode(errors='replace')}")
        return snapshot(self._link, self._live)

    def _standing(self) -> list[tuple[int, str]]:
        """What is told of a control that has been moved, and has not come to where its parameter is."""
        if self._link["takeover"].count != self._moves:
            self._moves, self._moved_s = self._link["takeover"].count, time.monotonic()
        if time.monotonic() - self._moved_s > STANDING_S:
            return []
        name, (at, to) = next(reversed(standing(self._link).items()), ("", (0.0, 0.0)))
        if name not in self._live.registry:
            return []
        p = self._live.registry[name]
        there, here = p.text(p.from_share(at)), p.text(p.from_share(to))
        return [(0, f"{name} is {here}, its control stands at {there}: turn it {'up' if to > at else 'down'} to take it over")]

    def lines(self, keys: str) -> list[list[Styled]]:
        """Return the view as it is now."""
        jam = self.look()
        clock = self._link["clock"].latest()
        peak = 0.0 if clock is None or "audio" in jam.care.ailing else float(clock["peak"])  # not what it put out last
        return page(jam, self._tracks, self._live, peak, [*self._told, *self._standing()], keys, self._plain)


def stage(of: Running, plain: bool, out: TextIO = sys.stdout) -> None:
    """Show a jam until it ends, q is pressed or the terminal is closed. `plain`: a line now and then, for a log."""
    link, live = attach(of)
    try:
        if plain or not out.isatty():
            _print(of, link, live, out)
        else:
            _show(of, link, live, out)
    finally:
        link.close()


def is_over(of: Running) -> bool:
    """Whether the jam has ended."""
    try:
        os.kill(of.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _show(of: Running, link: Link, live: Live, out: TextIO) -> None:
    encoding = (out.encoding or "ascii").lower().replace("-", "")
    view, screen = View(link, live, plain=not encoding.startswith("utf")), Screen(out)
    with Endings() as endings, Keyboard(view.tell) as keyboard:
        screen.begin()
        try:
            while not endings.asked and not is_over(of):
                screen.draw(view.lines(KEYS if keyboard.here else ""))
                if _pressed(keyboard, live):
                    return
        finally:
            screen.end()


def _pressed(keyboard: Keyboard, live: Live) -> bool:
    """Wait until the next frame, or for a key; return whether it was the one that closes the view."""
    if not keyboard.here:
        time.sleep(FRAME_S)
        return False
    ready, _, _ = select.select([keyboard], [], [], FRAME_S)
    return bool(ready) and keyboard.act(live)


def _print(of: Running, link: Link, live: Live, out: TextIO, pause: Callable[[float], None] = time.sleep) -> None:
    """Print the status line now and then, and what is told at once."""
    from engine.app.status import line

    view = View(link, live, plain=True)
    next_s = 0.0
    with Endings() as endings:
        while not endings.asked and not is_over(of):
            jam = view.look()
            while view._told:
                out.write(view._told.popleft()[1] + "\n")
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + PLAIN_S
                out.write(line(jam) + "\n")
            out.flush()
            pause(0.25)
