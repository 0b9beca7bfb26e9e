"""What a render takes from a song beside the player's part: the beat, a backing, and what is to be told of it.

Runs on: main process, before the music begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from engine.core.contract import Card
from engine.core.metre import Metre, of_code
from engine.jam.backing import Backing, BackingNote
from engine.jam.inputs import knows
from engine.midi.player_part import Chosen, part_name
from engine.midi.ranges import pitch_of
from engine.midi.roles import assign_roles
from engine.midi.song import Song
from engine.transport.sources.virtual import VirtualSource
from engine.transport.timeline import CLOSE


class Bars:
    """The bars of a song that begin with its first downbeat: the metres, each with the quarter at which it begins."""

    def __init__(self, song: Song, asked: Metre | None = None) -> None:
        """`asked` goes over the song's own metres."""
        told = [(max(at - song.pickup, 0.0), of_code(*metre)) for at, *metre in song.played_metres]
        if song.pickup and len(told) > 1 and told[1][0] == 0:
            told.pop(0)  # the one that told the pickup
        self.metres = told if asked is None else [(0.0, asked)]
        self.pickup = song.pickup

    def until(self, quarters: float) -> int:
        """Return how many bars begin before a quarter; one that another metre cuts short is a bar, too."""
        return sum(math.ceil((min(end, quarters) - begin) / metre.bar - CLOSE) for begin, end, metre in self._spans(quarters))

    def quarters(self, bars: int) -> float:
        """Return how long the first bars are."""
        left = bars
        for begin, end, metre in self._spans(math.inf):
            here = math.ceil((end - begin) / metre.bar - CLOSE) if end < math.inf else left
            if here >= left:
                return min(begin + left * metre.bar, end)
            left -= here
        raise AssertionError  # the last metre has no end

    def _spans(self, quarters: float) -> Iterator[tuple[float, float, Metre]]:
        for (begin, metre), (end, _) in pairwise([*self.metres, (math.inf, Metre())]):
            if begin < quarters:
                yield begin, end, metre

    def beat(self, song: Song, tempo_bpm: float | None) -> VirtualSource:
        """Return tempo and metres, beats counted from the first downbeat; `tempo_bpm` goes over the song's tempi."""
        tempi = [(at - self.pickup, bpm) for at, bpm in song.tempi]
        if tempo_bpm is not None:
            tempi = [(0.0, tempo_bpm * self.metres[0][1].tempo_beat)]
        metres = [(at, metre.numerator, metre.denominator, metre.code) for at, metre in self.metres]
        if self.pickup:
            metres.insert(0, (-self.pickup, *_fraction(self.pickup), 0))
        return VirtualSource(tempi, metres)


def _fraction(quarters: float) -> tuple[int, int]:
    """So many quarter notes as a metre."""
    for denominator in (4, 8, 16, 32):
        if (quarters * denominator / 4).is_integer():
            break
    return max(round(quarters * denominator / 4), 1), denominator


def backing_of(song: Song, chosen: Chosen, card: Card, player_track: str) -> Backing:
    """Return the song's other parts on the network's tracks: by role, else drums on drums and the rest beside the player."""
    names = [track.name for track in card.tracks]
    drums = [i for i, track in enumerate(card.tracks) if track.kind == "drums"]
    pitched = [i for i, track in enumerate(card.tracks) if track.kind != "drums" and track.name != player_track]
    roles = assign_roles(song.parts)
    notes = []
    for index, (part, role) in enumerate(zip(song.parts, roles, strict=True)):
        if index in chosen.parts:
            continue
        others = drums if part.drum else pitched
        number = names.index(role) if role in names else -1
        if number not in others:
            number = next((i for i in others if names[i] == "chords"), others[0] if others else -1)
        if number < 0:
            continue
        track = card.tracks[number]
        rows = zip(part.start.tolist(), part.end.tolist(), part.pitch.tolist(), part.velocity.tolist(), strict=True)
        notes += [BackingNote(a - song.pickup, b - song.pickup, number, pitch_of(track, p), v) for a, b, p, v in rows]
    return Backing(card, _without_overlaps(notes))


def _without_overlaps(notes: list[BackingNote]) -> list[BackingNote]:
    """Cut each note where its pitch is struck again on its track."""
    kept: list[BackingNote] = []
    last: dict[tuple[int, int], int] = {}  # track and pitch -> place in `kept`
    for note in sorted(notes):
        key = (note.track, note.pitch)
        before = last.get(key)
        if before is not None and kept[before].end > note.begin:
            if kept[before].begin == note.begin:
                kept[before] = max(kept[before], note)  # two parts strike it together: the longer one sounds
                continue
            kept[before] = kept[before]._replace(end=note.begin)
        last[key] = len(kept)
        kept.append(note)
    return kept


def about(song: Song, bars: Bars, chosen: Chosen) -> dict[str, Any]:
    """What of a song stands in the report."""
    return {
        "part": {"chosen": [part_name(song, i) for i in chosen.parts], "why": chosen.why},
        "parts": [part_name(song, i) for i in range(len(song.parts))],
        "tempi": [list(tempo) for tempo in song.tempi],
        "metre": bars.metres[0][1].name,
        "metres": [list(metre) for metre in song.played_metres],
        "pickup_beats": song.pickup,
    }


def remarks(song: Song, bars: Bars, chosen: Chosen, card: Card, mode: str, backing: Backing | None) -> list[str]:
    """What is to be told: what of the file was mended or lost, whose part is played, what the network does not know."""
    told = list(song.remarks)
    if len(song.parts) > 1:
        named = ", ".join(part_name(song, i) for i in chosen.parts) or "none"
        told.append(f"the player's part is {named}: {chosen.why}; choose another with --part")
    pickup = song.pickup
    odd = dict.fromkeys(metre.name for _, metre in bars.metres if not knows(card, metre))
    if odd:
        told.append(f"it is in {', '.join(odd)}, which {card.name} was not taught: it plays on, and may miss the bar")
    if pickup:
        told.append(f"a pickup of {pickup:g} beats comes before bar 1")
    if backing is not None and not backing.tracks:
        told.append("there is no other part to back the player")
    elif backing is not None and mode == "accompany" and len(backing.tracks) >= len(card.tracks) - 1:
        told.append(
            "the backing has every track but the player's: in accompany the network plays nothing; try --mode trade or solo"
        )
    return told
