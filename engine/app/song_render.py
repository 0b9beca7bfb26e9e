"""What a render takes from a song beside the player's part: the beat, a backing, and what is to be told of it.

Runs on: main process, before the music begins.
"""

from __future__ import annotations

from typing import Any

from engine.core.contract import Card
from engine.jam.backing import Backing, BackingNote
from engine.midi.player_part import Chosen, part_name
from engine.midi.ranges import pitch_of
from engine.midi.roles import assign_roles
from engine.midi.song import Song, metre_name
from engine.transport.sources.virtual import VirtualSource


def beat_of(song: Song, tempo_bpm: float | None) -> VirtualSource:
    """Return the song's tempo and metres, beats counted from its first downbeat; `tempo_bpm` goes over its tempi."""
    pickup = song.pickup
    tempi = [(at - pickup, bpm) for at, bpm in song.tempi] if tempo_bpm is None else [(0.0, tempo_bpm)]
    metres = [(max(at - pickup, 0.0), numerator, denominator) for at, numerator, denominator in song.played_metres]
    if pickup:
        if len(metres) > 1 and metres[1][0] == 0:
            metres.pop(0)  # the one that told the pickup
        metres.insert(0, (-pickup, *_fraction(pickup)))
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


def about(song: Song, chosen: Chosen) -> dict[str, Any]:
    """What of a song stands in the report."""
    return {
        "part": {"chosen": [part_name(song, i) for i in chosen.parts], "why": chosen.why},
        "parts": [part_name(song, i) for i in range(len(song.parts))],
        "tempi": [list(tempo) for tempo in song.tempi],
        "metres": [list(metre) for metre in song.played_metres],
        "pickup_beats": song.pickup,
    }


def remarks(song: Song, chosen: Chosen, card: Card, mode: str, backing: Backing | None) -> list[str]:
    """What is to be told: what of the file was mended or lost, whose part is played, what the network does not know."""
    told = list(song.remarks)
    if len(song.parts) > 1:
        named = ", ".join(part_name(song, i) for i in chosen.parts) or "none"
        told.append(f"the player's part is {named}: {chosen.why}; choose another with --part")
    pickup = song.pickup
    bars = [m for m in song.played_metres if not (pickup and m[0] < pickup and len(song.played_metres) > 1)]
    odd = dict.fromkeys(metre_name(m) for m in bars if card.beats_per_bar % (4 * m[1] / m[2]))
    if odd:
        told.append(f"it is in {', '.join(odd)}: {card.name} knows {card.beats_per_bar}/4 only, and counts its own bars of it")
    if pickup:
        told.append(f"a pickup of {pickup:g} beats comes before bar 1")
    if backing is not None and not backing.tracks:
        told.append("there is no other part to back the player")
    elif backing is not None and mode == "accompany" and len(backing.tracks) >= len(card.tracks) - 1:
        told.append(
            "the backing has every track but the player's: in accompany the network plays nothing; try --mode trade or solo"
        )
    return told
