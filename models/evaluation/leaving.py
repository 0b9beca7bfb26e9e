"""What a band plays when its player has left: songs' leads are played to the engine over and over, until the player stops.

After `TAKEOVER.default` silent bars the band takes his part over; from there on it is compared with the music, window by
window. Runs without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import Card
from engine.jam import settings
from engine.jam.parts import TAKEOVER
from engine.network.runner import Runner
from models.evaluation.accompany import choose_songs
from models.evaluation.follow import END, PITCH, START, VELOCITY
from models.evaluation.rehearsal import Rehearsal
from models.evaluation.solo import windows, windows_table
from models.evaluation.takes import TEMPO_BPM, song
from models.music.data import Piece
from models.music.representation import HELD, ONSET

Array = np.ndarray
SHARE = 4  # the player stops after one part in so many of all bars


def leaving(
    network: Path,
    pieces: Sequence[Piece],
    count: int,
    track: str,
    bars: int,
    window: int,
    given: Sequence[str],
    music: Sequence[Piece] = (),
) -> dict[str, Any]:
    """Play to `count` songs' players who stop after a quarter of `bars`; returns the windows of what comes after.

    `music`: see `models.evaluation.solo.windows`. Song number n is played to with seed n. Raises NetworkError where no song has
    such a track with a band.
    """
    runner = Runner(network)
    card = runner.card
    stop = bars // SHARE
    begin = (stop + int(TAKEOVER.default)) * card.steps_per_bar
    rolls, names = [], []
    for seed, piece in enumerate(choose_songs(pieces, card, track, count), 1):
        told = [f"network.name={network}", "jam.mode=accompany", f"jam.track={track}", f"jam.seed={seed}", *given]
        heard = Rehearsal(settings.load(None, told), runner, player_of(piece, card, track, stop)).run(bars)
        rolls.append(roll_of(heard, card, track, bars)[begin:])
        names.append(piece.name)
    found = windows(rolls, [p.roll for p in pieces], card, window, [p.roll for p in music])
    return {"songs": names, "of_bars": bars, "stops_at_bar": stop, "settings": list(given), "tempo_bpm": TEMPO_BPM, **found}


def player_of(piece: Piece, card: Card, track: str, bars: int) -> Array:
    """The song's track over and over, notes (n, 4), for so many bars."""
    beats = bars * card.beats_per_bar
    take = song(piece, card, track, bars)
    length = take.bars * card.beats_per_bar
    rounds = [take.player + np.asarray([first, first, 0, 0]) for first in range(0, beats, length)]
    notes = np.concatenate(rounds)
    notes = notes[notes[:, START] < beats]
    notes[:, END] = np.minimum(notes[:, END], beats)
    return notes


def roll_of(heard: Mapping[str, Array], card: Card, track: str, bars: int) -> Array:
    """What sounded as a roll, uint8 (steps, slots), the player's notes in his track where that has their pitch."""
    found = np.zeros((bars * card.steps_per_bar, card.slots), np.uint8)
    slices, pitches = card.track_slices(), card.slot_pitches()
    for name, notes in heard.items():
        where = slices[track if name == "player" else name]
        slot_of = {int(pitch): where.start + at for at, pitch in enumerate(pitches[where].tolist())}
        for note in notes[notes[:, VELOCITY] > 0].tolist():
            first = round(note[START] * card.steps_per_beat)
            last = max(round(note[END] * card.steps_per_beat), first + 1)
            slot = slot_of.get(round(note[PITCH]))
            if slot is None or first >= len(found):
                continue
            own = found[first:last, slot]
            own[own != ONSET] = HELD
            found[first, slot] = ONSET
    return found


def table(found: Mapping[str, Any]) -> list[str]:
    """The windows as lines of text."""
    count, stop, bars = len(found["songs"]), found["stops_at_bar"], found["of_bars"]
    first = f"to {count} players who stop after bar {stop} of {bars}; once the band has their part"
    return [first, *windows_table(found)]
