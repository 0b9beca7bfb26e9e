"""A take that was played once more beside what was recorded of it: note for note, and the sound byte for byte.

Runs on: main process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from engine.core.errors import SessionError
from engine.core.link import Link
from engine.core.messages import NOTE_OFF, NOTE_ON, PLAYER
from engine.record.feed_file import NOTES, FeedReader
from engine.record.session import FEED, WAVE

AT_ONCE = 1 << 18
Note = tuple[int, int, int, int, int, int, float]  # an EVENT, in field order


class Comparison:
    """`hear` as it is rendered, `report` at the end."""

    def __init__(self, folder: Path, out: Path, link: Link, is_other: bool) -> None:
        """`is_other`: the sound is meant to be another."""
        self._folder, self._out, self._is_other = folder, out, is_other
        self._events = link["events"].reader(0)
        self._heard: list[Note] = []

    def hear(self) -> None:
        """Take what has sounded since."""
        self._heard += self._events.read().tolist()

    def report(self) -> dict[str, Any]:
        """Compare."""
        self.hear()
        tracks = ["player"]
        then: list[Note] = []
        try:
            with FeedReader(self._folder / FEED) as feed:
                tracks += feed.tracks
                for entry in feed:
                    if entry.kind == NOTES and entry.events is not None:
                        then += entry.events.tolist()
        except SessionError:
            return {"notes": _counted(self._heard, tracks), "notes_recorded": None, "same_notes": None, "same_sound": None}
        end = max((event[0] for event in then), default=0)
        missing = _without(then, self._heard)
        more = _without([event for event in self._heard if event[0] < end], then)
        different = sorted(missing + more)
        report: dict[str, Any] = {
            "notes": _counted(self._heard, tracks),
            "notes_recorded": _counted(then, tracks),
            "events": len(self._heard),
            "events_recorded": len(then),
            "same_notes": not different if then else None,
            "first_other_frame": different[0][0] if different else None,
            "same_sound": None,
        }
        if not self._is_other:
            report |= _sounds(self._folder / WAVE, self._out / WAVE)
        return report


def _counted(events: list[Note], tracks: list[str]) -> dict[str, int]:
    count = dict.fromkeys(tracks, 0)
    for event in events:
        if event[2] == NOTE_ON:
            number = 0 if event[3] == PLAYER else event[3] + 1
            if number < len(tracks):
                count[tracks[number]] += 1
    return count


def _without(some: list[Note], others: list[Note]) -> list[Note]:
    """Return the notes of one list that the other has not, each as often as it is missing."""
    count: dict[Note, int] = {}
    for event in others:
        count[event] = count.get(event, 0) + 1
    left = []
    for event in some:
        if count.get(event, 0):
            count[event] -= 1
        elif event[2] in (NOTE_ON, NOTE_OFF):
            left.append(event)
    return left


def _sounds(then: Path, now: Path) -> dict[str, Any]:
    """Return whether two sounds are the same as far as both go, and how far apart they are."""
    first, most, at = None, 0, 0
    try:
        with soundfile.SoundFile(str(then)) as one, soundfile.SoundFile(str(now)) as other:
            frames = min(one.frames, other.frames)
            lengths = {"frames": other.frames, "frames_recorded": one.frames}
            while at < frames:
                size = min(AT_ONCE, frames - at)
                off = np.abs(one.read(size, "int32", always_2d=True) // 256 - other.read(size, "int32", always_2d=True) // 256)
                if first is None and off.any():
                    first = at + int(np.flatnonzero(off.any(1))[0])
                most = max(most, int(off.max(initial=0)))
                at += size
    except (RuntimeError, OSError):
        return {"same_sound": None}
    return lengths | {"same_sound": first is None, "first_other_sample": first, "most_off": most / 2**23}
