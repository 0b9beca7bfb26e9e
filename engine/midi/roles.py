"""Which part of a song plays what: drums, bass, chords, pad or lead, from General MIDI programs, names and the notes.

Runs on: any process, before the music begins. `data` trains by this rule, `render` finds the player's part by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np

ROLES = ("drums", "bass", "chords", "pad", "lead")

_NAMED = (
    ("lead", re.compile(r"melod|lead|vocal|solo|sing", re.I)),
    ("bass", re.compile(r"bass|walk", re.I)),
    ("pad", re.compile(r"pad|string|choir|\bsus|-sus|ensemble|atmos", re.I)),
    ("chords", re.compile(r"chord|piano|guit|organ|keys|arp|rhythm|comp", re.I)),
)
_BASSES = range(32, 40)
_PADS = (*range(48, 55), *range(88, 96), 16, 19, 20, 44)  # ensembles, synth pads, held organs, tremolo strings
_EFFECTS = (47, 55, *range(112, 128), 96, 97, 101, 102)  # timpani, orchestra hit, percussive, sound effects


class Played(Protocol):
    """What a role is found from; times in quarter notes."""

    @property
    def name(self) -> str:
        """Track name, "" where there is none."""

    @property
    def program(self) -> int:
        """General MIDI program, counted from 0."""

    @property
    def drum(self) -> bool:
        """Whether it is on the drums' channel."""

    @property
    def start(self) -> np.ndarray:
        """Beginning of each note."""

    @property
    def end(self) -> np.ndarray:
        """End of each note."""

    @property
    def pitch(self) -> np.ndarray:
        """Pitch of each note."""


def voices(part: Played) -> float:
    """Mean number of notes that sound where any does (1 = single-voiced)."""
    first, last = np.floor(part.start * 8).astype(int), np.maximum(np.ceil(part.end * 8), 1).astype(int)
    count = np.zeros(int(last.max()) + 2, np.int64)
    np.add.at(count, first, 1)
    np.add.at(count, np.maximum(last, first + 1), -1)
    sounding = np.cumsum(count)
    return float(sounding[sounding > 0].mean())


def assign_roles(parts: Sequence[Played]) -> list[str | None]:
    """Return the role of each part (one of ROLES, or None where it has no place in the band).

    1. A part named exactly after a role has it. Channel 10 is the drums; sound effects have no role.
    2. Bass: by General MIDI program, by name, or low (median under 45) and single-voiced.
    3. Pad: by program or name, where the notes last a beat or more on average.
    4. Lead: one named so; else, of the rest, the highest among the most single-voiced.
    5. Chords: the rest.
    """
    roles: list[str | None] = []
    rest: list[int] = []
    for index, part in enumerate(parts):
        role = _certain_role(part)
        if role == "?":
            rest.append(index)
            role = None
        roles.append(role)
    named = [i for i in rest if _NAMED[0][1].search(parts[i].name)]
    lead = _lead(parts, named or rest) if "lead" not in roles else None
    for index in rest:
        roles[index] = "lead" if index == lead else "chords"
    return roles


def _certain_role(part: Played) -> str | None:
    """Role by rules 1 to 3; "?" where only a comparison with the other parts can tell."""
    name = part.name.strip().lower()
    if name in ROLES:
        return name
    if part.drum:
        return "drums"
    if part.program in _EFFECTS:
        return None
    by_name = next((role for role, pattern in _NAMED if pattern.search(name)), None)
    if by_name == "lead":
        return "?"
    if by_name == "bass" or part.program in _BASSES:
        return "bass"
    if by_name != "chords" and np.median(part.pitch) < 45 and voices(part) < 1.1:
        return "bass"
    if (by_name == "pad" or part.program in _PADS) and np.mean(part.end - part.start) >= 1.0:
        return "pad"
    return "?"


def _lead(parts: Sequence[Played], candidates: list[int]) -> int | None:
    single = [i for i in candidates if voices(parts[i]) < 1.3 and len(parts[i].pitch) >= 16]
    return max(single, key=lambda i: (float(np.median(parts[i].pitch)), len(parts[i].pitch)), default=None)
