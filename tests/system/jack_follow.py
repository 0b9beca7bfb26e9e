"""How the band follows a player on a JACK server: measured on the audio output, and on the MIDI file of a live jam.

    python tests/system/jack_follow.py note                     # from his note to the notes that were put right
    python tests/system/jack_follow.py click                    # whether putting right clicks, with the shipped instruments
    python tests/system/jack_follow.py bars --as chords         # the four measures of a render, live

A client hears the metronome and plays exactly on its beat. `note` and `click`: a chord a bar that nobody can foresee. For
`note` every track but the drums has an instrument with a tone of its own for each pitch class, so that the first sample of a
new one can be told. `bars`: a progression again and again, counted from the third time round, and the same by a render.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.jam.chords import Chord, chord, parse
from tests.system.jack_stand import everything, jam_on, parser_of, stand, tell
from tests.system.rig import BLOCK, RATE, ROOT, Stage, wait_for

BAND = ("bass", "chords", "pad")  # what knows chords, beside the player's own track
LOWEST_HZ, APART_HZ = 1500.0, 180.0  # tones of the marker: pitch class 0, and from one to the next
BOXCAR = round(RATE / APART_HZ)  # over so many frames each tone is silent for the others
DOWNBEAT_HZ, BEAT_HZ = 1500.0, 1000.0  # of the metronome
CLICK = 0.02  # louder than this on the metronome's side is a click
SOUNDS = 0.01  # level of a tone that is there
WITHIN = RATE * 3 // 25  # frames after a note in which it is looked for what was put right: later is another step
MARKER = f'''"""Marker: a tone of its own for each pitch class, with an attack of a millisecond."""

from pyo import Dummy, MidiAdsr, Sine

from engine.audio.patch import Patch


class Marker(Patch):
    """Twelve tones that can be told apart."""

    def build(self, notes, p):
        voices = [notes.key(*range(of, 128, 12)) for of in range(12)]
        tones = [
            Sine({LOWEST_HZ} + {APART_HZ} * of, mul=MidiAdsr(voice.velocity, 0.001, 0.001, 1, 0.001))
            for of, voice in enumerate(voices)
        ]
        return (sum(tones[1:], tones[0]) * 0.1).mix(2)
'''


@dataclass
class NoteFigures:
    """Milliseconds from the player's note to the first sample of a tone that only his chord has."""

    notes: int  # of the player that made the band go elsewhere
    unheard: int  # after which no such tone came: the band had nothing to put right
    median_ms: float
    p90_ms: float
    p99_ms: float
    maximum_ms: float
    ended_p99_ms: float  # to the last sample of a tone that only the chord before has
    late_steps: int


@dataclass
class ClickFigures:
    """Jumps from a sample to the next in the 40 ms after a note that the band was put right by, and in the bar around it.

    A jump by itself is what it exceeds those before and after it by: of a wave that is merely steep next to nothing.
    """

    notes: int
    jump_median: float  # of the largest around each
    jump_maximum: float
    alone_median: float  # the same of jumps by themselves
    alone_largest: float  # of full scale, after a note
    alone_around: float  # ... and in the bars around
    late_steps: int


# --- the player --------------------------------------------------------------------------------------------------------


class Metronome:
    """Hears the metronome, alone on the left, and foretells the beat. `beats`: of each click its frame and whether it is a
    downbeat; a click begins with the block that holds it, so its frame is up to a block early."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._read = len(stage.heard)
        self._quiet = 0
        self._left: list[np.ndarray] = []
        self.beats: list[tuple[int, bool]] = []

    def listen(self) -> None:
        """Hear what came since the last time."""
        heard = self._stage.heard
        while self._read < len(heard) - RATE // 40 // 64:  # so far that a click's first 25 ms are there
            frame, left, _ = heard[self._read]
            samples = np.abs(np.frombuffer(left, np.float32))
            loud = np.flatnonzero(samples > CLICK)
            if len(loud) and self._quiet > RATE // 10:
                piece = np.concatenate([np.frombuffer(b[1], np.float32) for b in heard[self._read : self._read + 18]])
                down, beat = (
                    abs(piece @ np.exp(-2j * np.pi * hz / RATE * np.arange(len(piece)))) for hz in (DOWNBEAT_HZ, BEAT_HZ)
                )
                self.beats.append((frame + int(loud[0]), bool(down > beat)))
            self._quiet = 0 if len(loud) else self._quiet + len(samples)
            self._read += 1

    def after(self, beats: float, period: float) -> float:
        """Return the frame so many beats after the last click."""
        last = self.beats[-12:]
        k = np.round((np.array([frame for frame, _ in last]) - last[-1][0]) / period)
        return float(np.median([frame - at * period for (frame, _), at in zip(last, k, strict=True)])) + beats * period

    def wait(self, beat: int, limit_s: float = 20) -> None:
        """Return when the last click was on this beat of a bar."""

        def there() -> bool:
            self.listen()
            down = [i for i, (_, is_down) in enumerate(self.beats) if is_down]
            return bool(down) and len(self.beats) - 1 - down[-1] == beat

        wait_for(there, limit_s, f"beat {beat} of the metronome")


Note = tuple[float, float, int]  # beat in the bar, length in beats, pitch


def block(of: Chord) -> list[Note]:
    """A bar of block chords, two halves."""
    return [(half, 1.9, 60 + (of.root + up) % 12) for half in (0, 2) for up in of.intervals]


def melody(of: Chord) -> list[Note]:
    """A bar on the chord's tones."""
    up = sorted(72 + tone for tone in of.tones)
    places = ((0, 1, 0), (1, 0.5, 1), (1.5, 0.5, 2), (2, 1, 1), (3, 0.5, 2), (3.5, 0.5, 0))
    return [(at, 0.9 * length, up[k]) for at, length, k in places]


PLAYED = {"chords": block, "melody": melody}


def play(stage: Stage, chords: list[Chord], how: str, period: float) -> list[int]:
    """Play a chord a bar exactly on the beat, from the next bar on; return the frame of each bar's first note."""
    metronome = Metronome(stage)
    begun = []
    for of in chords:
        metronome.wait(3)
        bar = metronome.after(1, period)
        events = []
        for at, length, pitch in PLAYED[how](of):
            events.append((round(bar + at * period), bytes((0x90, pitch, 90))))
            events.append((round(bar + (at + length) * period), bytes((0x80, pitch, 0))))
        stage.send(events)
        begun.append(round(bar))
        metronome.wait(0)
    stage.wait_until(round(begun[-1] + 4 * period))
    return begun


def surprises(count: int, seed: int) -> list[Chord]:
    """Chords of which none shares more than a tone with the one before."""
    rng = np.random.default_rng(seed)
    found = [parse("C")]
    while len(found) < count:
        of = chord(int(rng.integers(12)), ("", "m")[int(rng.integers(2))])
        if len(of.tones & found[-1].tones) <= 1:
            found.append(of)
    return found


# --- what was heard ----------------------------------------------------------------------------------------------------


def whole(stage: Stage, first: int) -> np.ndarray:
    """Return all that was heard from a frame on, (n, 2); NaN where the client missed something."""
    heard = list(stage.heard)  # it goes on
    out = np.full((heard[-1][0] + BLOCK - first, 2), np.nan, np.float32)
    for frame, left, right in heard:
        if frame >= first:
            block = np.stack([np.frombuffer(left, np.float32), np.frombuffer(right, np.float32)], axis=1)
            out[frame - first : frame - first + BLOCK] = block
    return out


def tone(sound: np.ndarray, of: int) -> np.ndarray:
    """Return how loud the marker's tone of a pitch class is at each frame, of the BOXCAR frames up to it."""
    turned = sound * np.exp(-2j * np.pi * (LOWEST_HZ + APART_HZ * of) / RATE * np.arange(len(sound)))
    total = np.cumsum(np.concatenate([np.zeros(BOXCAR), turned]))
    return np.abs(total[BOXCAR:] - total[:-BOXCAR]) * 2 / BOXCAR


def begins(sound: np.ndarray, tones: frozenset[int], at: int) -> int | None:
    """Return how many frames after `at` the first of these tones begins; None where none does, or one sounds already."""
    found = []
    for of in tones:
        loud = tone(sound[at - 2 * BOXCAR : at + WITHIN], of)
        level = float(np.median(loud[WITHIN // 2 :]))  # what lasts is a tone, what does not the beginning of others
        if level < SOUNDS:
            continue
        if loud[2 * BOXCAR] > 0.5 * level:
            return None
        found.append(int(np.flatnonzero(loud[2 * BOXCAR :] > 0.5 * level)[0]) - BOXCAR // 2)
    return min(found, default=None)


def ends(sound: np.ndarray, tones: frozenset[int], at: int) -> int | None:
    """Return how many frames after `at` the last of these tones is silent; None where none sounded then."""
    found = []
    for of in tones:
        loud = tone(sound[at - 4 * BOXCAR : at + WITHIN], of)
        level = float(np.median(loud[2 * BOXCAR : 4 * BOXCAR]))
        if level >= SOUNDS:
            found.append(int(np.flatnonzero(loud[4 * BOXCAR :] > 0.5 * level)[-1]) - BOXCAR // 2)
    return max(found, default=None)


def notes_put_right(
    sound: np.ndarray, first: int, chords: list[Chord], begun: list[int]
) -> tuple[list[float], list[float], int]:
    """Return, in ms, when new tones began and old ones ended after the first note of each bar, and in how many none began."""
    began, ended, unheard = [], [], 0
    for before, of, frame in zip(chords, chords[1:], begun[1:], strict=False):
        at = frame - first
        came = begins(sound, of.tones - before.tones, at)
        if came is None:
            unheard += 1
            continue
        began.append(came / RATE * 1e3)
        gone = ends(sound, before.tones - of.tones, at)
        if gone is not None:
            ended.append(gone / RATE * 1e3)
    return began, ended, unheard


def alone(size: np.ndarray) -> np.ndarray:
    """By how much each jump exceeds the two beside it."""
    found = np.zeros_like(size)
    found[1:-1] = np.maximum(size[1:-1] - np.maximum(size[:-2], size[2:]), 0)
    return found


def largest(size: np.ndarray, places: list[int], period: float) -> np.ndarray:
    """Return for each place the largest jump in the 40 ms after it, and the largest in the bar before and after, (n, 2)."""
    short, bar = RATE // 25, round(3.5 * period)
    around = [np.concatenate([size[at - bar : at - short], size[at + short : at + bar]]).max() for at in places]
    return np.array([(size[at : at + short].max(), most) for at, most in zip(places, around, strict=True)])


def clicks(sound: np.ndarray, places: list[int], period: float, late_steps: int) -> ClickFigures:
    """Sum up the jumps; what the client missed is none."""
    size = np.abs(np.diff(sound))
    jumps = largest(np.nan_to_num(size), places, period)
    by_themselves = largest(np.nan_to_num(alone(size)), places, period)
    share, own = jumps[:, 0] / jumps[:, 1], by_themselves[:, 0] / by_themselves[:, 1]
    found = (np.median(share), share.max(), np.median(own), *by_themselves.max(0))
    return ClickFigures(len(places), *map(float, found), late_steps)


# --- the benches -------------------------------------------------------------------------------------------------------


def settings(arguments: Any, *more: str) -> list[str]:
    """Return what every jam of this bench is told."""
    right = [f"parameters.{track}.pan=1" for track in ("drums", *BAND, "lead")]
    own = [
        "parameters.player.level=0",
        "parameters.metronome=1",
        f"clock.tempo={arguments.tempo}",
        f"jam.seed={arguments.seed}",
    ]
    return [*everything(), *own, *right, *more, *arguments.set]


def measured(arguments: Any) -> None:
    """The benches `note` and `click`."""
    period = 60 * RATE / arguments.tempo
    chords = surprises(arguments.bars, arguments.seed)
    with stand() as the:
        muted = ["parameters.drums.mute=true", "parameters.lead.mute=true"]
        if arguments.what == "note":
            marker = the.folder / "marker.py"
            marker.write_text(MARKER)
            muted += [f"patches.{track}={json.dumps(str(marker))}" for track in BAND]
        with jam_on(the, *settings(arguments, *muted)) as jam:
            the.mark()
            before = jam.report["late_steps"]
            begun = play(the.stage, chords, arguments.how, period)
            first = begun[0] - round(2 * period)
            heard = whole(the.stage, first)
            late, late_steps = the.late(), jam.report["late_steps"] - before
            jam.end()
    sound = heard[:, 1] - heard[:, 0]  # the metronome is in the middle
    if arguments.dump:
        np.savez(arguments.dump, sound=sound, begun=np.array(begun) - first)
    if arguments.what == "click":
        figures: Any = clicks(sound, [frame - first for frame in begun[2:-1]], period, late_steps)
        tell(figures, late, arguments.json)
        return
    began, ended, unheard = notes_put_right(np.nan_to_num(sound), first, chords, begun)
    at = np.percentile(began, [50, 90, 99, 100]) if began else [float("nan")] * 4
    gone = float(np.percentile(ended, 99)) if ended else float("nan")
    print(np.round(began, 1).tolist())  # noqa: T201
    tell(NoteFigures(len(began), unheard, *map(float, at), gone, late_steps), late, arguments.json)


def follows(path: Path, chords: list[Chord], how: str, from_bar: int) -> dict[str, float | int | None]:
    """The four measures of a session.mid to a player who begins a bar with each chord."""
    tracks = _notes(path)
    wanted = [(4 * bar + at, pitch) for bar, of in enumerate(chords) for at, _, pitch in PLAYED[how](of)]
    off = begun(((begin, pitch) for begin, _, pitch in tracks["player"]), wanted)
    count = dict.fromkeys(("down", "root", "sounding", "new", "notes", "in_chord", "bars", "no_kick"), 0)
    for bar in range(from_bar, len(chords)):
        of, at = chords[bar], off + 4 * bar
        count["bars"] += 1
        count["no_kick"] += not any(
            at - 0.1 <= begin < at + 3.9 and pitch in (35, 36) for begin, _, pitch in tracks.get("drums", [])
        )
        first = [pitch for begin, _, pitch in tracks.get("bass", []) if -0.25 <= begin - at < 0.25]
        if first:
            count["down"] += 1
            count["root"] += min(first) % 12 == of.root
        for name in (*BAND, "lead"):
            if name == ("chords" if how == "chords" else "lead"):
                continue
            for begin, end, pitch in tracks.get(name, []):
                if begin <= at + 0.28 < end:
                    count["sounding"] += 1
                    count["new"] += pitch % 12 in of.tones
                if at - 0.1 <= begin < at + 3.9:
                    count["notes"] += 1
                    count["in_chord"] += pitch % 12 in of.tones

    def share(of: str, among: str) -> float | None:
        return round(count[of] / count[among], 3) if count[among] else None

    return {
        "bass_root": share("root", "down"),
        "downbeats": count["down"],
        "beat1_new": share("new", "sounding"),
        "bar_new": share("in_chord", "notes"),
        "no_kick": share("no_kick", "bars"),
    }


def begun(played: Iterable[tuple[float, int]], wanted: Sequence[tuple[float, int]]) -> float:
    """Return the beat of the file on which what was `wanted` begins, of notes that were `played`, each a beat and a pitch.

    Bars begin behind a short one, anywhere in eighths of a beat; a note of his may have been lost.
    """
    there = {(round(8 * at), pitch) for at, pitch in played}

    def found(off: int) -> int:
        near = ((-1, 1), (0, 2), (1, 1))
        return sum(worth for at, pitch in wanted for by, worth in near if (round(8 * at) + off + by, pitch) in there)

    return max(range(max(at for at, _ in there) + 1), key=found) / 8


def _notes(path: Path) -> dict[str, list[tuple[float, float, int]]]:
    """Return by track the notes of a MIDI file: begin and end in beats, pitch."""
    file = mido.MidiFile(path)
    found: dict[str, list[tuple[float, float, int]]] = {}
    for track in file.tracks:
        now, sounding, notes = 0, {}, []
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                sounding[message.note] = now
            elif message.type in ("note_off", "note_on") and message.note in sounding:
                notes.append((sounding.pop(message.note) / file.ticks_per_beat, now / file.ticks_per_beat, message.note))
        found[track.name] = notes
    return found


def write(path: Path, chords: list[Chord], how: str, tempo: float) -> None:
    """Write what the player plays as a MIDI file."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))])
    timed = []
    for bar, of in enumerate(chords):
        for at, length, pitch in PLAYED[how](of):
            timed += [(4 * bar + at, "note_on", pitch), (4 * bar + at + length, "note_off", pitch)]
    now = 0
    for beat, kind, pitch in sorted(timed, key=lambda t: (t[0], t[1])):
        track.append(mido.Message(kind, note=pitch, velocity=90, time=round(480 * beat) - now))
        now = round(480 * beat)
    file.tracks.append(track)
    file.save(path)


def bars(arguments: Any) -> None:
    """The bench `bars`."""
    period = 60 * RATE / arguments.tempo
    loop = [parse(name) for name in arguments.progression.split(",")]
    chords = [loop[i % len(loop)] for i in range(arguments.bars)]
    part = [f"jam.track={'chords' if arguments.how == 'chords' else 'lead'}"]
    with stand() as the:
        silent = [f"parameters.{track}.level=0" for track in ("drums", *BAND, "lead")]
        with jam_on(the, *settings(arguments, *part, *silent)) as jam:
            the.mark()
            before = jam.report["late_steps"]
            play(the.stage, chords, arguments.how, period)
            late, late_steps = the.late(), jam.report["late_steps"] - before
            jam.end()
            kept = jam.report["chosen_again"]["kept"]
            here = follows(jam.session / "session.mid", chords, arguments.how, 2 * len(loop))
        write(the.folder / "in.mid", chords, arguments.how, arguments.tempo)
        out = the.folder / "render"
        words = [
            "render",
            str(the.folder / "in.mid"),
            "--out",
            str(out),
            "--seed",
            str(arguments.seed),
            "--bars",
            str(arguments.bars),
        ]
        setting = [word for text in (*part, *arguments.set) for word in ("--set", text)]
        subprocess.run([sys.executable, "-m", "engine.cli", *words, *setting], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        if arguments.dump:
            arguments.dump.mkdir(parents=True, exist_ok=True)
            shutil.copy(jam.session / "session.mid", arguments.dump / "live.mid")
            shutil.copy(out / "session.mid", arguments.dump / "render.mid")
        there = follows(out / "session.mid", chords, arguments.how, 2 * len(loop))
    told = {"live": here, "render": there, "late_steps": late_steps, "kept": kept}
    print(json.dumps(told | {"machine_late": late.machine_late}, indent=1))  # noqa: T201


def main() -> None:
    """Set up, measure, print, take down."""
    parser = parser_of(__doc__)
    parser.add_argument("what", choices=("note", "click", "bars"))
    parser.add_argument("--bars", type=int, default=32)
    parser.add_argument("--as", dest="how", choices=tuple(PLAYED), default="chords")
    parser.add_argument("--progression", default="C,G,Am,F", metavar="CHORDS")
    parser.add_argument("--tempo", type=float, default=112.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dump", type=Path, metavar="FILE", help="write what was heard here, as .npz (bars: a folder)")
    arguments = parser.parse_args()
    (bars if arguments.what == "bars" else measured)(arguments)


if __name__ == "__main__":
    main()
