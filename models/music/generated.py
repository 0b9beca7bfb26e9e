"""Generates bands for lead sheets and tunes in other metres than 4/4, with MMA (Musical MIDI Accompaniment).

    apt install mma
    python -m models.music.generated metre_bands --sheets ../shared/data/openewld_leadsheets \\
        --tunes ../shared/data/nottingham_jukedeck

A sheet in 3/4, 6/8, 2/4 or 9/8 is played as it is, in grooves of its metre. What is rare is made of what is not: 12/8 of
sheets in 4/4, swung; 5/4 and 7/8 of sheets in 4/4 and 3/4 whose bars are stretched or cut by a beat or half of one. Many
grooves have no kick drum on the bar's first beat: most songs are given one. The grooves of 5/4 and 7/8 below are ours but one,
all others those of MMA's standard library (GPL-2.0). The same arguments write the same files.

The files are ordinary MIDI with the melody as last track, and manifest.jsonl tells what each was made of. Runs without torch.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from models.music.chord_symbols import NO_CHORD, Chord, name_notes
from models.music.files import File, find_files
from models.music.musicxml import read_lead_sheet
from models.music.representation import Part, Song, SongError, read_song

LEAST_BARS, MOST_BARS = 8, 64
TICKS = 192  # a quarter, as MMA has them
KICKED = 0.8  # share of songs that are given a kick drum on the first beat
GROOVE_BARS = 8  # after which the groove may change for another of its family
SHEETS = "MIT or public domain"
TUNES = "GPL-3.0"
GROOVES = "grooves from a GPL-2.0 library"

QUALITY = {
    "maj": "", "min": "m", "7": "7", "min7": "m7", "maj7": "M7", "6": "6", "min6": "m6", "dim": "dim3", "dim7": "dim7",
    "hdim7": "m7b5", "aug": "aug", "aug7": "aug7", "sus4": "sus4", "7sus4": "7sus", "sus2": "sus2", "5": "5",
}  # fmt: skip
ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class Family:
    """Grooves of one kind: the metre they make, MMA's beats in their bar, where a chord may change, where kicks can stand."""

    metre: str
    beats: int
    grooves: tuple[str, ...]
    changes: tuple[float, ...]  # quarters from the bar line, of the metre
    kicks: tuple[tuple[float, ...], ...]  # MMA's beats from 1
    swung: bool = False

    @property
    def quarters(self) -> float:
        """Of a bar."""
        above, below = map(int, self.metre.split("/"))
        return 4 * above / below


def _with_sus(*names: str) -> tuple[str, ...]:
    return tuple(n + s for n in names for s in ("", "Sus"))


_ON_THREE = ((1.0,), (1.0,), (1.0, 3.0))
_ON_FOUR = ((1.0, 3.0), (1.0, 3.0), (1.0, 2.0, 3.0, 4.0))
_TWICE = ((1.0, 2.0), (1.0,))
FAMILIES = (
    Family("3/4", 3, _with_sus("Waltz", "Waltz1", "WaltzWalk", "Waltz1Walk"), (0, 1, 2), _ON_THREE),
    Family("3/4", 3, _with_sus("CountryWaltz", "CountryWaltz1", "CountryWaltz2", "CountryWaltzWalk"), (0, 1, 2), _ON_THREE),
    Family("3/4", 3, _with_sus("FastWaltz", "FastWaltzWalk"), (0, 1, 2), _ON_THREE),
    Family("3/4", 3, _with_sus("RockWaltz", "RockWaltz1", "RockWaltzWalk"), (0, 1, 2), _ON_THREE),
    Family("3/4", 3, _with_sus("LatinWaltz", "VieneseWaltz", "VieneseWaltz1"), (0, 1, 2), _ON_THREE),
    Family("3/4", 3, _with_sus("BroadwayWaltz", "BroadwayWaltz1", "BroadwayWaltz2"), (0, 1, 2), _ON_THREE),
    Family("6/8", 2, ("68March", "68MarchPlus", "68MarchSus", "68MarchSusPlus"), (0, 1.5), _TWICE),
    Family("6/8", 6, ("68Swing", "68Swing1", "68Swing2", "68SwingSus", "68SwingPlus"), (0, 1.5), ((1.0, 4.0), (1.0,))),
    Family("6/8", 6, ("Blues68", "Blues68Plus", "Blues68Walk", "Blues68WalkPlus"), (0, 1.5), ((1.0, 4.0), (1.0,))),
    Family("6/8", 3, ("Afro-Cuban", "Afro-CubanPlus", "Afro-CubanSus"), (0, 1.5), ((1.0, 2.5), (1.0,))),
    Family("2/4", 2, ("March", "March1", *_with_sus("Polka", "Dixie")), (0, 1), _TWICE),
    Family("9/8", 3, _with_sus("JazzWaltz", "JazzWaltz1", "ModernJazzWaltz", "FastJazzWaltz"), (0, 1.5, 3), _ON_THREE, True),
    Family("12/8", 4, _with_sus("Blues128", "Rock128", "Rock128Plain", "Ballad128"), (0, 1.5, 3, 4.5), _ON_FOUR, True),
    Family("12/8", 4, _with_sus("Blues", "Blues1", "SlowBlues", "SlowBluesWalk4"), (0, 1.5, 3, 4.5), _ON_FOUR, True),
    Family("12/8", 4, _with_sus("ShuffleBoggie", "Swing", "SwingWalk", "EasySwing"), (0, 1.5, 3, 4.5), _ON_FOUR, True),
    Family("12/8", 4, _with_sus("SlowJazz", "SlowJazzWalk", "CountrySwing", "WesternSwing"), (0, 1.5, 3, 4.5), _ON_FOUR, True),
    Family("5/4", 5, ("Jazz54Walk", "Jazz54WalkSus"), (0, 3), ((1.0, 4.0), (1.0,))),
    Family("5/4", 5, ("Rock5", "Rock5Sus", "Latin5", "Latin5Sus", "Ballad5"), (0, 3), ((1.0, 4.0),)),
    Family("7/8", 7, ("Rock223", "Rock223Sus", "Folk223", "Folk223Sus"), (0, 1, 2), ((1.0, 5.0),)),
    Family("7/8", 7, ("Rock322", "Rock322Sus", "Folk322", "Folk322Sus"), (0, 1.5, 2.5), ((1.0, 4.0),)),
)  # fmt: skip

_TRACKS = """SeqClear
Time {beats}
TimeSig {metre}
SeqSize 1
Begin Drum-Kick
 Tone KickDrum1
 Sequence {kick}
 Rvolume 10
End
Begin Drum-Snare
 Tone {snare_tone}
 Sequence {snare}
 Rvolume 15
 Rskip 8
End
Begin Drum-HH
 Tone {hat_tone}
 Sequence {hat}
 Rvolume 20
 Rskip 4
End
Begin Bass
 Voice FingeredBass
 Octave 3
 Sequence {bass}
 Rvolume 10
 Articulate 85
End
Begin Chord
 Voice {voice}
 Octave 5
 Voicing Mode=Optimal
 Sequence {chord}
 Rvolume 15
 Volume mp
End
DefGroove {name}
Begin Chord-Sus
 Voice Strings
 Octave 5
 Unify On
 Sequence {{1 {whole} 70}}
 Volume p
End
DefGroove {name}Sus
"""


def _our(name: str, metre: str, whole: str, **lines: str) -> str:
    def sequence(words: str, before: str) -> str:
        return "{" + "; ".join(before.format(*word.split(":")) for word in words.split()) + "}"

    told = {
        "kick": sequence(lines["kick"], "{0} 0 100"),
        "snare": sequence(lines["snare"], "{0} 0 85"),
        "hat": sequence(lines["hat"], "{0} 0 70"),
        "bass": sequence(lines["bass"], "{0} {1} {2} 90"),
        "chord": sequence(lines["chord"], "{0} {1} 75"),
        "voice": lines.get("voice", "Piano1"),
        "snare_tone": lines.get("snare_tone", "SnareDrum1"),
        "hat_tone": lines.get("hat_tone", "ClosedHiHat"),
    }
    return _TRACKS.format(name=name, metre=metre.replace("/", " "), beats=metre.split("/")[0], whole=whole, **told)


_EIGHTHS5 = "1 1.5 2 2.5 3 3.5 4 4.5 5 5.5"
_EIGHTHS7 = "1 2 3 4 5 6 7"
# Strokes by MMA's beats; notes of the bass are beat:length:degree, chords beat:length.
OURS = "".join(
    (
        _our("Rock5", "5/4", "1+4", kick="1 2.5 4", snare="3 5", hat=_EIGHTHS5, bass="1:4.:1 2.5:8:1 3:4:5 4:4:1 5:4:3",
             chord="1:2. 4:2", voice="CleanGuitar"),
        _our("Latin5", "5/4", "1+4", kick="1 4", snare="2 3.5 5", hat=_EIGHTHS5, bass="1:4.:1 2.5:4.:5 4:4:1 5:4:5",
             chord="1.5:8 2.5:8 3.5:8 4:8 5:8", snare_tone="SideKick", hat_tone="Maracas"),
        _our("Ballad5", "5/4", "1+4", kick="1 4", snare="3", hat="1 2 3 4 5", bass="1:2.:1 4:2:5", chord="1:4 2:4 3:4 4:4 5:4",
             hat_tone="RideCymbal1"),
        _our("Rock223", "7/8", "1+2.", kick="1 5", snare="3 7", hat=_EIGHTHS7, bass="1:2:1 3:2:5 5:2.:1", chord="1:2 3:2 5:2.",
             voice="CleanGuitar"),
        _our("Folk223", "7/8", "1+2.", kick="1 5", snare="2 4 6 7", hat="1 3 5", bass="1:2:1 3:2:1 5:2:5 7:4:3",
             chord="2:4 4:4 6:4 7:4", snare_tone="SideKick", hat_tone="Tambourine"),
        _our("Rock322", "7/8", "1+2.", kick="1 4", snare="3 6", hat=_EIGHTHS7, bass="1:2.:1 4:2:5 6:2:1", chord="1:2. 4:2 6:2",
             voice="CleanGuitar"),
        _our("Folk322", "7/8", "1+2.", kick="1 6", snare="2 3 5 7", hat="1 4 6", bass="1:2:1 3:4:3 4:2:5 6:2:1",
             chord="2:4 3:4 5:4 7:4", snare_tone="SideKick", hat_tone="Tambourine"),
    )
)  # fmt: skip

# How bars of one metre become bars of another: quarters from the bar line, before and after.
WARPS: dict[tuple[str, str], tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]] = {
    ("4/4", "12/8"): (((0, 4), (0, 6)),),
    ("3/4", "9/8"): (((0, 3), (0, 4.5)),),
    ("4/4", "5/4"): (((0, 3, 4), (0, 3, 5)), ((0, 1, 4), (0, 2, 5)), ((0, 2, 3, 4), (0, 3, 4, 5))),
    ("3/4", "5/4"): (((0, 1, 2, 3), (0, 2, 3, 5)), ((0, 2, 3), (0, 3, 5))),
    ("4/4", "7/8"): (((0, 3, 4), (0, 3, 3.5)),),
    ("3/4", "7/8"): (((0, 2, 3), (0, 2, 3.5)), ((0, 1, 3), (0, 1.5, 3.5))),
}


@dataclass(frozen=True)
class Sheet:
    """A melody over chords, in one metre throughout: quarters from its first bar line."""

    name: str
    metre: str
    licence: str
    bars: int
    melody: np.ndarray  # (notes, 3): start, end, pitch
    chords: tuple[tuple[float, Chord], ...]  # from where on, in order

    @property
    def bar(self) -> float:
        """Quarters."""
        above, below = map(int, self.metre.split("/"))
        return 4 * above / below

    def chord_at(self, quarter: float) -> Chord:
        """The chord at a quarter; before the first one, the first."""
        before = [chord for at, chord in self.chords if at <= quarter + 1e-6]
        return before[-1] if before else self.chords[0][1]


def read_sheet(file: File, licence: str) -> Sheet:
    """A lead sheet, or a MIDI file of a melody and held chords. Raises SongError."""
    is_sheet = file.is_called(".mxl", ".musicxml")
    song = (read_lead_sheet if is_sheet else read_song)(file.content())
    metres = {f"{n}/{d}".replace("2/2", "4/4") for _, n, d in song.metres if d != 16}
    if len(metres) != 1 or len(song.parts) != 2:
        raise SongError("more than one metre" if len(metres) != 1 else "not a melody and chords")
    metre = metres.pop()
    melody, chords = song.parts if is_sheet else sorted(song.parts, key=lambda p: -float(p.pitch.mean()))
    bar = 4 * int(metre.split("/")[0]) / int(metre.split("/")[1])
    origin = _origin(song, bar)
    bars = round((song.end - origin) / bar + 0.49)
    if bars < LEAST_BARS:
        raise SongError("shorter than 8 bars")
    notes = np.stack([melody.start - origin, melody.end - origin, melody.pitch], 1)
    name = re.sub(r"[^A-Za-z0-9]+", "_", Path(file.name).stem).strip("_")
    return Sheet(name, metre, licence, min(bars, MOST_BARS), notes, _changes(chords, origin))


def _origin(song: Song, bar: float) -> float:
    """The bar line that the first bar begins with, a whole one even where a pickup is written as a short bar."""
    pickup = song.pickup % bar
    return pickup - bar if pickup else 0.0


def _changes(part: Part, origin: float) -> tuple[tuple[float, Chord], ...]:
    found: list[tuple[float, Chord]] = []
    for start in np.unique(part.start):
        chord = name_notes(part.pitch[np.isclose(part.start, start)].tolist())
        if chord[0] != NO_CHORD and (not found or found[-1][1] != chord):
            found.append((float(start) - origin, chord))
    if not found:
        raise SongError("no chords")
    return tuple(found)


def warped(sheet: Sheet, metre: str, chance: np.random.Generator) -> Sheet:
    """The sheet in another metre, bar for bar. Raises KeyError where there is no way."""
    ways = WARPS[sheet.metre, metre]
    before, after = ways[int(chance.integers(len(ways)))]

    def moved(at: np.ndarray) -> np.ndarray:
        bars = np.floor(at / sheet.bar + 1e-6)
        return bars * after[-1] + np.interp(at - bars * sheet.bar, before, after)

    melody = np.column_stack([moved(sheet.melody[:, 0]), moved(sheet.melody[:, 1]), sheet.melody[:, 2]])
    chords = tuple((float(moved(np.asarray(at))), chord) for at, chord in sheet.chords)
    return Sheet(sheet.name, metre, sheet.licence, sheet.bars, melody, chords)


def swung(at: np.ndarray) -> np.ndarray:
    """Quarters in beats of three eighths: what lay in the middle of a beat lies on its last third."""
    beats = np.floor(at / 1.5 + 1e-6)
    return 1.5 * (beats + np.interp(at / 1.5 - beats, (0, 0.5, 1), (0, 2 / 3, 1)))


def chord_name(chord: Chord) -> str:
    """As MMA reads it."""
    return ROOTS[chord[0]] + QUALITY[chord[1]]


def score_of(sheet: Sheet, family: Family, chance: np.random.Generator) -> tuple[str, list[str]]:
    """What MMA is to play, and the grooves in it."""
    kicks = family.kicks[int(chance.integers(len(family.kicks)))] if chance.random() < KICKED else ()
    lines = [f"RndSeed {int(chance.integers(1, 10_000))}", "Tempo 120", OURS if family.metre in ("5/4", "7/8") else ""]
    grooves: list[str] = []
    per_beat = family.quarters / family.beats
    for bar in range(sheet.bars):
        if bar % GROOVE_BARS == 0:
            grooves.append(str(chance.choice(family.grooves)))
            lines.append(f"Groove {grooves[-1]}")
            if kicks:
                stroke = "; ".join(f"{at:g} 0 95" for at in kicks)
                lines += ["Begin Drum-Kick9", " Tone KickDrum1", f" Sequence {{{stroke}}}", " Rvolume 10", "End"]
        begins = bar * family.quarters
        words, last = [], ""
        for beat in range(family.beats):
            at = max(c for c in family.changes if c <= beat * per_beat + 1e-6)
            name = chord_name(sheet.chord_at(begins + at))
            words.append("/" if name == last else name)
            last = name
        lines.append(f"{bar + 1} {' '.join(words)}")
    return "\n".join(lines) + "\n", grooves


def play(score: str, folder: Path) -> Any:
    """What MMA makes of a score. Raises SongError with what it says against it."""
    source, out = folder / "song.mma", folder / "song.mid"
    source.write_text(score)
    out.unlink(missing_ok=True)
    told = subprocess.run(["mma", "-f", str(out), str(source)], capture_output=True, text=True, check=False)
    if told.returncode or not out.exists():
        raise SongError("MMA refuses it", (told.stdout + told.stderr).strip()[-200:])
    return symusic.Score(str(out))


def band_file(sheet: Sheet, family: Family, band: Any) -> bytes:
    """A MIDI file of the band, in the length that the metre's bars have, with the melody."""
    factor = family.quarters / family.beats * TICKS / band.ticks_per_quarter
    score: Any = symusic.Score(TICKS)
    score.tempos.append(symusic.Tempo(0, 120.0))
    above, below = map(int, family.metre.split("/"))
    score.time_signatures.append(symusic.TimeSignature(0, above, below))
    for track in band.tracks:
        own: Any = symusic.Track(track.name, track.program, track.is_drum)
        for n in track.notes:
            own.notes.append(symusic.Note(round(n.time * factor), max(round(n.duration * factor), 1), n.pitch, n.velocity))
        if len(own.notes):
            score.tracks.append(own)
    lead: Any = symusic.Track("Melody", 73, False)
    times = swung(sheet.melody[:, :2]) if family.swung else sheet.melody[:, :2]
    for (start, end), pitch in zip(times.tolist(), sheet.melody[:, 2].tolist(), strict=True):
        if 0 <= start < sheet.bars * family.quarters:
            lead.notes.append(symusic.Note(round(start * TICKS), max(round((end - start) * TICKS), 1), int(pitch), 90))
    score.tracks.append(lead)
    return bytes(score.dumps_midi())


def sheets_of(sheets: Sequence[Path], tunes: Sequence[Path]) -> Iterator[Sheet]:
    """Every sheet and tune that can be read, each title once; folders that hold melody or chords alone are left out."""
    seen: set[str] = set()
    for paths, suffixes, licence in ((sheets, (".mxl", ".musicxml"), SHEETS), (tunes, (".mid",), TUNES)):
        for file in (f for path in paths for f in find_files(path, suffixes)):
            if {"melody", "chords"} & set(Path(file.name).parts):
                continue
            try:
                sheet = read_sheet(file, licence)
            except SongError:
                continue
            if sheet.name.lower() not in seen:
                seen.add(sheet.name.lower())
                yield sheet


def plan(sheets: Sequence[Sheet], made: int, chance: np.random.Generator) -> Iterator[tuple[Sheet, Family]]:
    """What to play in which grooves: each sheet of another metre in its own, and `made` of each that is made."""
    for sheet in sheets:
        own = [replace(f, swung=False) for f in FAMILIES if f.metre == sheet.metre]
        for k in chance.permutation(len(own))[: 1 if sheet.metre == "6/8" else 2]:
            yield sheet, own[k]
    for metre in dict.fromkeys(to for _, to in WARPS):
        fit = [s for s in sheets if (s.metre, metre) in WARPS and s.licence == SHEETS]
        own = [f for f in FAMILIES if f.metre == metre]
        for k in chance.permutation(len(fit))[:made]:
            yield warped(fit[k], metre, chance), own[int(chance.integers(len(own)))]


def main(argv: list[str] | None = None) -> int:
    """Console entry; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.music.generated", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="folder to write the MIDI files into")
    parser.add_argument("--sheets", nargs="*", type=Path, default=[], help="lead sheets, MusicXML")
    parser.add_argument("--tunes", nargs="*", type=Path, default=[], help="MIDI files of a melody and held chords")
    parser.add_argument("--made", type=int, default=160, help="songs of each metre that is made of others (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    chance = np.random.default_rng(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    rows, refused = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for sheet, family in plan(list(sheets_of(args.sheets, args.tunes)), args.made, chance):
            score, grooves = score_of(sheet, family, chance)
            try:
                data = band_file(sheet, family, play(score, Path(folder)))
            except SongError as error:
                refused += 1
                print(f"  {sheet.name}, {family.grooves[0]}: {error}", file=sys.stderr)
                continue
            name = f"{sheet.name}__{family.metre.replace('/', '-')}_{family.grooves[0]}.mid"
            (args.out / name).write_bytes(data)
            licence = f"{sheet.licence}; {GROOVES}"
            rows.append({"path": name, "metre": family.metre, "grooves": grooves, "licence": licence})
    (args.out / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(rows)} songs written, {refused} refused")
    return 0 if rows else 2


if __name__ == "__main__":
    sys.exit(main())
