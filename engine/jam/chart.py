"""A chart: the chords of a song as text, bar by bar, such as `| C | G7 | Am F | % |`, or as a file.

Runs on: main process and feed process check it, the network process plays by it.

Chords of a bar share its beats; `%` is the bar before again, `-` or an empty bar goes on with its last chord; `|: ... :|` is
played twice, `:|x3` three times, and of `|: A |1. B :|2. C |` each time has its own ending. The whole chart comes round for
ever, from bar 1 of the music on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import ConfigError
from engine.core.metre import Metre
from engine.jam.bars import MOST_TIMES, Bar, played
from engine.jam.chords import Chord, parse

MOST_CHARACTERS = 4000  # of what is typed
MOST_BEATS = 4096  # with its repeats
LONGEST_WORD = 24
MOST_FAULTS = 8  # that are told of one chart
TEXTS, SHEETS = (".txt", ".chart"), (".musicxml", ".mxl", ".xml")  # how the names of charts' files end
_MARKS = re.compile(r"(\|:|:\|(?:\s*x\s*\d+)?|\||\n)")
_STRANGE = re.compile(r"[^A-Za-z0-9#♯♭Δøo°+\-/|:%.,()\s]")  # what no chart has
_ENDING = re.compile(r"\s*(\d(?:\s*,\s*\d)*)\s*\.(?!\S)")


def chords_of(setting: str, metre: Metre) -> list[Chord]:
    """Return the chord of each beat of `jam.chart`, a text or the path of a file; nothing where it is empty.

    Raises ConfigError that names every fault and its bar.
    """
    beats, faults = of_setting(setting, metre)
    if faults:
        raise ConfigError.of(faults)
    return beats


def asked(given: str) -> str:
    """Return the value of `jam.chart` that somebody means who gives a file of any name, or a text. Raises ConfigError."""
    if given.strip().lower().endswith(SHEETS) or "|" in given or not given.strip():
        return given
    try:
        return Path(given).read_text(errors="replace")
    except OSError as error:
        raise ConfigError(
            f"--chart: {given} cannot be read ({error.strerror}); give MusicXML, a text file, or a text with |"
        ) from error


def relaid(beats: Sequence[Chord], before: int, after: int) -> tuple[Chord, ...]:
    """Return a chart of bars of `before` beats in bars of `after`: each chord begins as far on in its bar as it did."""
    if before == after:
        return tuple(beats)
    return tuple(beats[at + beat * before // after] for at in range(0, len(beats), before) for beat in range(after))


def of_setting(setting: str, metre: Metre) -> tuple[list[Chord], list[str]]:
    """Return the chord of each beat of `jam.chart`, as far as they can be read, and what is wrong."""
    if not setting.strip().lower().endswith(TEXTS + SHEETS):
        return read(setting, metre.beats, "jam.chart: ")
    path = Path(setting.strip())
    where = f"jam.chart: {path}: "
    try:
        data = path.read_bytes()
    except OSError as error:
        return [], [f"jam.chart: {path} cannot be read ({error.strerror}); give a chart as text, or a MusicXML file"]
    if path.suffix.lower() not in SHEETS:
        return read(data.decode(errors="replace"), metre.beats, where)
    from engine.jam.lead_sheet import bars_of  # what reads XML is loaded where there is some

    try:
        bars = bars_of(data, metre)
    except ValueError as error:
        return [], [f"{where}{fault}" for fault in error.args[:MOST_FAULTS]]
    faults: list[str] = []
    return _beats_of(played(bars, faults, where), metre.beats, faults, where), faults


def read(text: str, beats_per_bar: int, where: str = "") -> tuple[list[Chord], list[str]]:
    """Return the chord of each beat of a text, as far as they can be read, and what is wrong, each behind `where`."""
    if len(text) > MOST_CHARACTERS:
        return [], [f"{where}a chart has at most {MOST_CHARACTERS} characters, and this one {len(text)}"]
    if strange := _STRANGE.search(text):
        return [], [f"{where}{strange[0]!r} stands in no chart; write chords and bar lines: | C | G7 | Am F | % |"]
    faults: list[str] = []
    bars = played(_written(text, faults, where), faults, where)
    return _beats_of(bars, beats_per_bar, faults, where), faults[:MOST_FAULTS]


def text_of(beats: Sequence[Chord], beats_per_bar: int) -> str:
    """Write chords, one a beat, as a chart."""
    bars = [_words_of(beats[at : at + beats_per_bar]) for at in range(0, len(beats), beats_per_bar)]
    return f"| {' | '.join(bars)} |" if bars else ""  # read back by `of_text`


def of_text(text: str, beats_per_bar: int) -> list[Chord]:
    """Read back what `text_of` wrote."""
    bars = [Bar(tuple(bar.split())) for bar in text.strip("| ").split("|") if bar.strip()]
    return _beats_of(bars, beats_per_bar, [], "")


def _words_of(bar: Sequence[Chord]) -> str:
    changes = [place for place in range(len(bar)) if place == 0 or bar[place] != bar[place - 1]]
    count = len(changes)
    if changes == [n * len(bar) // count for n in range(count)]:
        return " ".join(bar[place].name for place in changes)
    return " ".join(of.name if place in changes else "-" for place, of in enumerate(bar))


def _written(text: str, faults: list[str], where: str) -> list[Bar]:
    """The bars as they stand there."""
    bars: list[Bar] = []
    begins, endings = False, frozenset[int]()
    parts = ["\n", *_MARKS.split(re.sub(r"[\n\r]+", "\n", text.strip())), "\n"]
    for number in range(1, len(parts), 2):
        before, part, after = parts[number - 1], parts[number], parts[number + 1]
        if before == "|:":
            begins = True
        if found := _ENDING.match(part):
            endings, part = frozenset(map(int, re.findall(r"\d", found[1]))), part[found.end() :]
        words = tuple(part.replace(",", " ").split())
        if words == ("%",) and not bars:
            faults.append(f"{where}bar 1 is %, the bar before again; begin with a chord")
            words = ()
        elif words == ("%",):
            words = bars[-1].words
        elif not words and part and before == after == "|":
            words = ("-",)
        if words:
            bars.append(Bar(words, begins, 1, endings))
            begins, endings = False, frozenset()
        if after.startswith(":|") and bars:
            times = int(re.sub(r"\D", "", after) or 2)
            if not 2 <= times <= MOST_TIMES:
                faults.append(f"{where}{after!r} after bar {len(bars)}: repeat 2 to {MOST_TIMES} times")
                times = 1
            bars[-1] = bars[-1]._replace(times=times)
    for at, bar in enumerate(bars):
        if bar.endings and min(bar.endings) > 1 and all(earlier.times == 1 for earlier in bars[:at]):
            faults.append(f"{where}bar {at + 1} is ending {min(bar.endings)} of no repeat; write |1. ... :|2. ... |")
            bars[at] = bar._replace(endings=frozenset())
    return _with_endings(bars)


def _with_endings(bars: list[Bar]) -> list[Bar]:
    """An ending goes on up to the repeat that it leads to; the last one, which leads to none, is a bar."""
    for at, bar in enumerate(bars):
        if not bar.endings or bar.times > 1:
            continue
        for end in range(at + 1, len(bars)):
            if bars[end].endings or bars[end].begins:
                break
            if bars[end].times > 1:
                bars[at + 1 : end + 1] = [b._replace(endings=bar.endings) for b in bars[at + 1 : end + 1]]
                break
    return bars


def _beats_of(bars: Sequence[Bar], beats_per_bar: int, faults: list[str], where: str) -> list[Chord]:
    beats: list[Chord] = []
    for number, bar in enumerate(bars, 1):
        if len(beats) > MOST_BEATS - beats_per_bar:
            faults.append(f"{where}with its repeats it has more than {MOST_BEATS} beats")
            break
        beats += _beats(bar.words, number, beats_per_bar, beats[-1] if beats else None, faults, where)
    return beats


def _beats(
    words: Sequence[str], bar: int, beats_per_bar: int, before: Chord | None, faults: list[str], where: str
) -> list[Chord]:
    """The chord of each beat of a bar."""
    if len(words) > beats_per_bar:
        faults.append(f"{where}bar {bar} has {len(words)} chords for {beats_per_bar} beats; write at most one a beat")
        return []
    found: list[Chord] = []
    for place, word in enumerate(words):
        beats = (place + 1) * beats_per_bar // len(words) - place * beats_per_bar // len(words)
        if word in ("-", "/", "."):
            if before is None:
                faults.append(f"{where}bar {bar} goes on with a chord, and there is none before it")
                return []
        else:
            try:
                before = parse(word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 3] + "...")
            except ValueError as error:
                said = any(" is no chord " in fault for fault in faults)  # what is understood is told once
                faults.append(f"{where}bar {bar}: {str(error).split(';')[0] if said else error}")
                continue
        found += [before] * beats
    return found
