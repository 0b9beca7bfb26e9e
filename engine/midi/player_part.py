"""Which part of a song is the player's, and what his keyboard would have sent for it.

Runs on: any process, before the music begins. Times are in quarter notes from the beginning of the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.core.errors import MidiFileError
from engine.midi.roles import assign_roles, voices
from engine.midi.smf import RawFile
from engine.midi.song import Part, Song, beginnings

Timed = tuple[float, bytes]  # quarter, a channel message


@dataclass(slots=True, frozen=True)
class Chosen:
    """The parts that a person plays, by their place in Song.parts, and why these."""

    parts: tuple[int, ...]
    why: str


def part_name(song: Song, index: int) -> str:
    """A part as a person reads it: number, name, channel."""
    part = song.parts[index]
    return (
        f"{index + 1} {part.name!r} (channel {part.channel + 1})" if part.name else f"{index + 1} (channel {part.channel + 1})"
    )


def choose_part(song: Song, wanted: str | None = None) -> Chosen:
    """Return the player's part: by name, number or "channel N", else the lead. Raises MidiFileError listing what there is.

    The drums are never the player's by default. A part whose program changes on its way is taken whole.
    """
    pitched = [i for i, part in enumerate(song.parts) if not part.drum]
    if wanted is not None:
        found = _wanted(song, wanted.strip())
        if not found:
            listed = "; ".join(part_name(song, i) for i in range(len(song.parts))) or "none"
            raise MidiFileError(f"--part {wanted}: there is no such part; the parts with notes are {listed}")
        if all(song.parts[i].drum for i in found):
            raise MidiFileError(f"--part {wanted}: is drums, which cannot be the player's notes; choose a part with pitches")
        return Chosen(tuple(i for i in found if not song.parts[i].drum), "as asked")
    if len(pitched) <= 1:
        return Chosen(tuple(pitched), "the only one with pitches" if pitched else "none has pitches")
    roles = assign_roles(song.parts)
    leads = [i for i in pitched if roles[i] == "lead"]
    if leads:
        return Chosen(_whole(song, leads[0]), "the lead")
    single = [i for i in pitched if roles[i] != "bass" and voices(song.parts[i]) < 1.3]
    best = max(single or pitched, key=lambda i: (float(np.median(song.parts[i].pitch)), len(song.parts[i].pitch)))
    return Chosen(_whole(song, best), "the highest" if not single else "the highest with one voice")


def _whole(song: Song, index: int) -> tuple[int, ...]:
    part = song.parts[index]
    return tuple(i for i, p in enumerate(song.parts) if (p.track, p.channel) == (part.track, part.channel))


def _wanted(song: Song, wanted: str) -> list[int]:
    words = wanted.lower().split()
    if len(words) == 2 and words[0] == "channel" and words[1].isdigit():
        return [i for i, p in enumerate(song.parts) if p.channel + 1 == int(words[1])]
    exact = [i for i, p in enumerate(song.parts) if p.name.lower() == wanted.lower() and wanted]
    if exact:
        return exact
    if wanted.isdigit():
        return list(_whole(song, int(wanted) - 1)) if 1 <= int(wanted) <= len(song.parts) else []
    return [i for i, p in enumerate(song.parts) if wanted and wanted.lower() in p.name.lower()]


def performance(raw: RawFile, song: Song, chosen: Sequence[int]) -> list[Timed]:
    """Return what is played on the chosen parts' channels, in order: each key is let go before it is struck again."""
    tpq = raw.ticks_per_quarter
    begins = beginnings(raw, [])
    timed: list[tuple[float, int, bytes]] = []
    for number, channel in sorted({(song.parts[i].track, song.parts[i].channel) for i in chosen}):
        own = [song.parts[i] for i in chosen if (song.parts[i].track, song.parts[i].channel) == (number, channel)]
        timed += _struck(own, channel)
        for tick, status, first, second in raw.tracks[number].messages.tolist():
            at = max((tick + begins[number]) / tpq - song.skipped, 0.0)
            if status >= 0xA0 and status & 0xF == channel and at <= song.length:
                timed.append((at, 1, bytes((status, first, second)[: 2 if 0xC0 <= status < 0xE0 else 3])))
    return [(at, data) for at, _, data in sorted(timed, key=lambda t: t[:2])]


def _struck(parts: Sequence[Part], channel: int) -> list[tuple[float, int, bytes]]:
    """Note-offs (before anything else of their time), and note-ons (after it), of one channel."""
    columns = (np.concatenate([getattr(p, name) for p in parts]).tolist() for name in ("start", "end", "pitch", "velocity"))
    notes: dict[int, list[tuple[float, float, int]]] = {}
    for start, end, pitch, velocity in zip(*columns, strict=True):
        notes.setdefault(pitch, []).append((start, end, velocity))
    timed = []
    for pitch, of_pitch in notes.items():
        of_pitch.sort()
        for (start, end, velocity), (following, _, _) in pairwise([*of_pitch, (math.inf, 0.0, 0)]):
            if start == following:
                continue  # struck twice at once: the longer one sounds
            until = min(end, following)
            timed.append((start, 2, bytes((0x90 | channel, pitch, velocity))))
            timed.append((until, 0 if until > start else 3, bytes((0x80 | channel, pitch, 64))))
    return timed
