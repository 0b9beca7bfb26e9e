"""The status line of a jam and its summary, for the person at the terminal.

Runs on: main process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.live import Live as Screen
from rich.text import Text

from engine.control.keyboard import is_before
from engine.control.status import Outside, Snapshot
from engine.core.messages import ERROR, WARNING

QUIET_S = 5.0  # without a terminal: how often a line is printed
_COLOURS = {WARNING: "yellow", ERROR: "bold red"}


class Status:
    """Draws one line that stays where it is; what happens meanwhile scrolls by above it. In the background it draws none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._screen: Screen | None = None
        self._next_s = 0.0

    def __enter__(self) -> Status:
        if self._console.is_terminal:
            self._screen = Screen(console=self._console, auto_refresh=False, transient=True)
            self.take()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._screen is not None:
            self._screen.stop()

    def release(self) -> None:
        """Leave the terminal's line."""
        if self._screen is not None:
            self._screen.stop()

    def take(self) -> None:
        """Draw again, where the terminal is not the shell's."""
        if self._screen is not None and not self._in_background():
            self._screen.start()

    def _in_background(self) -> bool:
        try:
            return is_before(self._console.file.fileno()) is False
        except (OSError, ValueError):  # a stream without a file, or one that is closed
            return False

    def tell(self, level: int, text: str) -> None:
        """Print one line for the person."""
        self._console.print(Text(text, style=_COLOURS.get(level, "")), highlight=False)

    def show(self, jam: Snapshot) -> None:
        """Draw the line; without a terminal print it every few seconds."""
        if self._screen is not None and self._in_background():
            self.release()
        elif self._screen is not None:
            self._screen.start()  # nothing, where it has not been in the background
            text = Text(line(jam, self._console.width), no_wrap=True, overflow="ellipsis")
            self._screen.update(text, refresh=True)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + QUIET_S
            self._console.print(line(jam), highlight=False, soft_wrap=True)


def line(jam: Snapshot, width: int | None = None) -> str:
    """Return the status line: what a player needs, then chords and the machine's figures as far as `width` characters hold."""
    out = for_player(jam)
    for figure in (*of_scenes(jam), *of_beat(jam), *of_chords(jam), *of_machine(jam)):
        longer = f"{out} | {figure}"
        if width is not None and len(longer) > width:
            break
        out = longer
    return out


def for_player(jam: Snapshot) -> str:
    """Return mode, what goes on, bar and beat, and tempo: within 40 columns, whatever the mode."""
    place = jam.place
    if place is None or jam.sound is None:
        return f"{jam.mode} {jam.doing}"
    if place.begun and not jam.beat.waits:
        where = f", bar {place.bar}.{place.beat}"
    else:
        where = f" {place.beat}" if place.playing else ""
    return f"{jam.mode} {jam.doing}{where}, {place.tempo_bpm:.0f} bpm"


def of_beat(jam: Snapshot) -> Iterator[str]:
    """Yield how it is with the player's beat, or a clock from outside, where that is followed."""
    beat = jam.beat
    if beat.source == "follow":
        found = (
            f"your {beat.heard_bpm:.0f} bpm, {100 * beat.confidence:.0f} % sure" if beat.heard_bpm else "your beat is not found"
        )
        yield found if beat.locked or not beat.heard_bpm else f"{found}, on its own"
    elif (clock := beat.followed) is not None:
        yield of_clock(clock, beat.locked)


def of_clock(clock: Outside, locked: bool) -> str:
    """Return how it is with a clock from outside that is followed."""
    name = {"link": "Link", "midi": "MIDI clock", "prodj": "Pro DJ Link"}[clock.name]
    if not locked:
        gone = {"link": "no session", "midi": "none comes", "prodj": "no deck plays"}[clock.name]
        return f"{name}: {'waits for its bar line' if clock.there else gone}"
    peers = {"link": "peer", "prodj": "deck"}.get(clock.name, "")
    parts = [f"{clock.peers} {peers}{'' if clock.peers == 1 else 's'}"] if peers else []
    if clock.offset_ms is not None:
        parts.append(f"{clock.offset_ms:+.1f} ms")
    return f"{name}: {', '.join([*parts, f'jitter {clock.jitter_ms:.1f} ms'])}"


def of_scenes(jam: Snapshot) -> Iterator[str]:
    """Yield the scene that plays, and the one to come."""
    scenes = jam.scenes
    coming = f", next {scenes.next_name}" if scenes.next else ""
    if scenes.now or coming:
        yield f"scene {scenes.now} {scenes.name}{coming}"


def of_chords(jam: Snapshot) -> Iterator[str]:
    """Yield the chord that is heard, and what is expected and played where that is another."""
    chords = jam.chords
    if chords.heard:
        after = f", next {chords.expected}" if chords.expected != chords.heard else ""
        plays = f", it plays {chords.played}" if chords.played not in ("", chords.heard) else ""
        yield f"{chords.heard}{after}{plays}"


def of_machine(jam: Snapshot) -> Iterator[str]:
    """Yield the machine's figures, the graver first: device, processes, step, DSP load, xruns, late steps, feed, recording."""
    sound, network, feed = jam.sound, jam.network, jam.feed
    yield from (f"{name.upper()} {how.upper()}" for name, how in jam.care.ailing.items())
    if jam.care.spared:
        yield f"less of {', '.join(jam.care.spared)}"
    if sound is not None and sound.device_lost:
        yield "DEVICE LOST"
    if network is not None:
        yield f"step {network.step_ms.p50:.2f} ms, p99 {network.step_ms.p99:.2f}"
    if sound is not None:
        yield f"DSP {100 * sound.dsp_mean:.0f} %"
        yield f"xruns {sound.xruns}"
    if network is not None:
        yield f"late {network.late_steps} of {network.steps}"
    if feed is not None:
        yield f"feed {feed.rate_hz:.0f}/s"
        if feed.recording:
            yield ("", "REC", "recording stopped")[feed.recording]


def summary(report: dict[str, Any], session: str) -> str:
    """Return the few lines that a jam ends with."""
    out = []
    if "steps" in report:
        step = report["step_ms"]
        out.append(
            f"{report['steps']} steps on {report['provider']}, {step['p50']:.2f} ms each (p99 {step['p99']:.2f}), "
            f"{report['late_steps']} late"
        )
        again = report["chosen_again"]
        if again["steps"]:
            took = again["step_ms"]
            kept = f"; {again['kept']} of those too late, what was chosen before sounded" if again["kept"] else ""
            out.append(
                f"{again['steps']} of them chosen again at the last moment: {took['p50']:.2f} ms, p99 {took['p99']:.2f}{kept}"
            )
    if report.get("notes_late"):
        out.append(f"{report['notes_late']} notes of the network came too late to sound")
    if "dsp_load" in report:
        load = report["dsp_load"]
        own = f"{report['xruns_own']} of them" if report["xruns_own"] else "none"
        out.append(
            f"DSP load {load['mean']:.0%}, the costliest block {load['own_max']:.0%}; "
            f"{report['xruns']} xruns" + (f", {own} because a block was too costly" if report["xruns"] else "")
        )
    tracks = ", ".join(f"{name} {count}" for name, count in report["notes_out"].items())
    out.append(f"you played {report['notes_in']} notes; the network: {tracks}")
    if "feed" in report:
        out.append(f"feed: {report['feed']['sent']} datagrams sent, {report['feed']['dropped']} dropped")
    if session:
        out.append(f"recorded in {session}")
    return "\n".join(out)
