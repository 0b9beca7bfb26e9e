"""A chart: the chords of a song as text, bar by bar, such as `| C | G7 | Am F | % |`.

Runs on: main process checks it, the network process plays by it.

Chords of a bar share its beats; `%` is the bar before again, `-` or an empty bar goes on with its last chord; `|: ... :|` is
played twice, `:|x3` three times. The whole chart comes round for ever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.core.errors import ConfigError
from engine.jam.chords import Chord, parse

MOST_BARS = 1024


def chords_of(text: str, beats_per_bar: int) -> list[Chord]:
    """Return the chord of each beat; nothing for a text without one. Raises ConfigError that names every fault and its bar."""
    beats, faults = read(text, beats_per_bar)
    if faults:
        raise ConfigError.of(faults)
    return beats


def read(text: str, beats_per_bar: int) -> tuple[list[Chord], list[str]]:
    """Return the chord of each beat, as far as they can be read, and what is wrong."""
    bars, faults = _bars(text)
    beats: list[Chord] = []
    for number, words in enumerate(bars, 1):
        beats += _beats(words, number, beats_per_bar, beats[-1] if beats else None, faults)
    return beats, faults


def relaid(beats: Sequence[Chord], before: int, after: int) -> tuple[Chord, ...]:
    """Return a chart of bars of `before` beats in bars of `after`: each chord begins as far on in its bar as it did."""
    if before == after:
        return tuple(beats)
    return tuple(beats[at + beat * before // after] for at in range(0, len(beats), before) for beat in range(after))


def _bars(text: str) -> tuple[list[list[str]], list[str]]:
    """The words of each bar, with what is repeated written out, and what is wrong."""
    bars: list[list[str]] = []
    faults: list[str] = []
    began = 0
    for part in re.split(r"(\|:|:\|(?:\s*x\s*\d+)?|\|)", re.sub(r"[\n\r]+", " | ", text.strip())):
        words = part.replace(",", " ").split()
        if part == "|":
            continue
        if part == "|:":
            began = len(bars)
        elif part.startswith(":|"):
            times = int(re.sub(r"\D", "", part) or 2)
            again = bars[began:]
            if not 2 <= times <= 64 or len(bars) + len(again) * (times - 1) > MOST_BARS:
                faults.append(f"jam.chart: {part!r} after bar {len(bars)}: repeat 2 to 64 times, to {MOST_BARS} bars at most")
            else:
                bars += again * (times - 1)
            began = len(bars)
        elif words == ["%"]:
            if bars:
                bars.append(bars[-1])
            else:
                faults.append("jam.chart: bar 1 is %, the bar before again; begin with a chord")
        elif words:
            bars.append(words)
    return bars, faults


def _beats(words: list[str], bar: int, beats_per_bar: int, before: Chord | None, faults: list[str]) -> list[Chord]:
    """The chord of each beat of a bar."""
    if len(words) > beats_per_bar:
        faults.append(f"jam.chart: bar {bar} has {len(words)} chords for {beats_per_bar} beats; write at most one a beat")
        return []
    found: list[Chord] = []
    for place, word in enumerate(words):
        beats = (place + 1) * beats_per_bar // len(words) - place * beats_per_bar // len(words)
        if word in ("-", "/", "."):
            if before is None:
                faults.append(f"jam.chart: bar {bar} goes on with a chord, and there is none before it")
                return []
        else:
            try:
                before = parse(word)
            except ValueError as error:
                faults.append(f"jam.chart: bar {bar}: {error}")
                continue
        found += [before] * beats
    return found
