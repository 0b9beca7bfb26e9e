"""Trade and solo played through on a JACK server: what the band plays live, beside what a rehearsal plays to the same notes.

    python tests/system/jack_modes.py trade                     # two bars of melody, two of rest, again and again
    python tests/system/jack_modes.py solo                      # half of the bars nobody plays, then somebody does

A client hears the metronome and plays exactly on its beat. What sounded is read from the session's MIDI file. A rehearsal is
the engine's own loop without sound (models/evaluation/rehearsal.py), to the player's notes as the file has them, with the same
seed.
"""

# ruff: noqa: T201  (prints)

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.core.contract import Card
from engine.jam import settings as jam_settings
from engine.jam.chords import parse
from engine.network.runner import Runner
from models.evaluation.follow import BEATS, START
from models.evaluation.leaving import roll_of
from models.evaluation.rehearsal import Rehearsal
from models.evaluation.statistics import statistics
from models.evaluation.takes import read_session
from models.evaluation.trade import PHRASE_BARS, REST_BARS, Trades, figures, turns
from tests.system.jack_follow import Metronome, begun, melody
from tests.system.jack_stand import everything, jam_on, parser_of, stand
from tests.system.rig import RATE, ROOT, Stage

Array = np.ndarray
NETWORK = ROOT / "models/festival/festival.onnx"
WHOLE_BARS = PHRASE_BARS + REST_BARS
VELOCITY = 90
LOOP = tuple(map(parse, ("C", "G", "Am", "F", "Dm", "G", "C", "Am")))
C_MAJOR = 0  # its key
NEAR_BEATS = 0.25  # of his first note: what begins so soon after it was under way
ANSWERED = ("in_key", "lead_in_key", "motif", "drums", "bass", "no_lead", "after_beats")
TRACKS = ("drums", "bass", "chords", "pad", "lead")


def tune(bars: Iterable[int]) -> Array:
    """Return a melody over LOOP in these bars, notes (n, 4), beats from the first bar of all on."""
    notes = [
        (BEATS * bar + at, BEATS * bar + at + length, pitch, VELOCITY)
        for place, bar in enumerate(bars)
        for at, length, pitch in melody(LOOP[place % len(LOOP)])
    ]
    return np.asarray(notes, float).reshape(-1, 4)


def play(stage: Stage, notes: Array, bars: int, period: float) -> None:
    """Play so many bars exactly on the beat, from the next bar on."""
    metronome = Metronome(stage)
    for bar in range(bars):
        metronome.wait(3)
        begin = metronome.after(1, period) - bar * BEATS * period
        events = []
        for start, end, pitch, velocity in notes[(notes[:, START] // BEATS).astype(int) == bar].tolist():
            events.append((round(begin + start * period), bytes((0x90, int(pitch), int(velocity)))))
            events.append((round(begin + end * period), bytes((0x80, int(pitch), 0))))
        stage.send(events)
        metronome.wait(0)
    stage.wait_until(stage.now + round(BEATS * period))


def onsets(notes: Array) -> list[tuple[float, int]]:
    """Return beat and pitch of each note."""
    return [(start, round(pitch)) for start, _, pitch, _ in notes.tolist()]


def moved(heard: Mapping[str, Array], beats: float) -> dict[str, Array]:
    """Return what was heard so many beats earlier."""
    return {name: notes - np.asarray([beats, beats, 0, 0]) for name, notes in heard.items()}


def answers(player: Array, heard: Mapping[str, Array], count: int) -> dict[str, float | None]:
    """Return how phrases are answered, and how many of the band's notes begin while he plays."""
    whole = BEATS * WHOLE_BARS
    take = Trades("trade", player, tuple(whole * at for at in range(count)), (C_MAJOR,) * count)
    found = figures(turns(take, heard))
    band = np.concatenate([notes for name, notes in heard.items() if name != "player"])
    into = band[(band[:, START] >= 0) & (band[:, START] < whole * count), START] % whole
    plays = (into > NEAR_BEATS) & (into < BEATS * PHRASE_BARS - 1)
    return {name: found[name] for name in ANSWERED} | {"while_he_plays": int(plays.sum())}


def alone(heard: Mapping[str, Array], card: Card, first: int, bars: int) -> dict[str, float]:
    """Return what so many bars of the band are like, from bar `first` on."""
    roll = roll_of({name: notes for name, notes in heard.items() if name != "player"}, card, "lead", first + bars)
    found = statistics(roll[first * card.steps_per_bar :], card)
    return {name: found[name] for name in ("share_in_key", "longest_silence", *(f"density_{track}" for track in TRACKS))}


def rehearsed(told: Sequence[str], player: Array, bars: int) -> dict[str, Array]:
    """Return what the engine plays to these notes without any sound."""
    return Rehearsal(jam_settings.load(None, [f"network.name={NETWORK}", *told]), Runner(NETWORK), player).run(bars)


def main() -> None:
    """Set up, play, compare, take down."""
    parser = parser_of(__doc__)
    parser.add_argument("mode", choices=("trade", "solo"))
    parser.add_argument("--bars", type=int, default=32)
    parser.add_argument("--tempo", type=float, default=112.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    bars, half = arguments.bars, arguments.bars // 2
    played = [bar for bar in range(bars) if bar % WHOLE_BARS < PHRASE_BARS] if arguments.mode == "trade" else range(half, bars)
    notes = tune(played)
    told = [f"jam.mode={arguments.mode}", f"jam.seed={arguments.seed}", f"clock.tempo={arguments.tempo}", *arguments.set]
    own = ["parameters.metronome=1", "parameters.player.level=0", *(f"parameters.{track}.pan=1" for track in TRACKS)]
    with stand() as the, jam_on(the, *everything(), *own, *told) as jam:
        the.mark()
        before = jam.report["late_steps"]
        play(the.stage, notes, bars, 60 * RATE / arguments.tempo)
        late, report = the.late(), jam.report
        jam.end()
        heard = read_session(jam.session / "session.mid")
    off = begun(onsets(heard["player"]), onsets(notes))
    heard, off = moved(heard, off % BEATS), int(off // BEATS * BEATS)
    other = rehearsed(told, heard["player"], off // BEATS + bars + 1)
    card = Runner(NETWORK).card
    here: dict[str, Any] = {}
    for name, music in (("live", heard), ("rehearsed", other)):
        if arguments.mode == "trade":
            here[name] = answers(notes, moved(music, off), bars // WHOLE_BARS)
        else:
            first = off // BEATS
            here[name] = {"alone": alone(music, card, first, half), "with him": alone(music, card, first + half, half)}
    here |= {
        "his_notes": len(heard["player"]),
        "late_steps": report["late_steps"] - before,
        "ours_late": late.ours_late,
        "machine_late": late.machine_late,
        "control_late": late.control_late,
    }
    print(json.dumps(here, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(here, indent=1) + "\n")


if __name__ == "__main__":
    main()
