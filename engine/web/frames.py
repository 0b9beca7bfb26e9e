"""What the page receives for one timestep, as bytes: a header of 32 bytes, the notes, then every value as u8 or f32.

Runs on: feed process. Little-endian throughout; the page reads it with typed arrays and no parsing.

| at | type | header |
|---|---|---|
| 0 | u32 | MAGIC |
| 4 | u8 | version |
| 5 | u8 | kind: STEP, NOTES, SOUND, FUTURES or SIGNALS |
| 6 | u8 | format of the values: U8 or F32 |
| 7 | u8 | flags; FUTURES: how many; SIGNALS: 1 where the raw numbers come too |
| 8 | i32 | STEP: number of the timestep; NOTES: events; SOUND: frames; FUTURES: timestep they follow; SIGNALS: numbers |
| 12 | f32 | STEP: tempo in bpm |
| 16 | f64 | STEP: beat; SOUND: first frame; SIGNALS: beat that is heard |
| 24 | f32 | STEP: log-probability of the step, nats |
| 28 | u8 | STEP: mode; FUTURES: timesteps of each |
| 29 | u8 | STEP: numerator of the metre, and at 30 its denominator |
| 31 | u8 | STEP: groups of the metre, bit n where one begins with unit n; 0: the usual ones |

A STEP goes on with the log-probability of each track (f32), one byte a slot (bits PLAY ... TOLD_HOLD, filled up to four
bytes), then P(play) of every slot, P(hold) of every slot, and the activations in the order of the card. FUTURES go on with
one byte for each future, timestep and slot: 0 silent, 1 goes on, 2 begins. SIGNALS go on with the numbers of the smooth tiers
(f32, 0..1), where asked for the same raw, and one byte for the trail of each slot and of each pitch of the player.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from math import prod
from typing import Any, Literal

import numpy as np

from engine.core.contract import Card
from engine.core.messages import EVENT

MAGIC = 0x4F474C41  # "ALGO"
VERSION = 1
STEP, NOTES, SOUND, FUTURES, SIGNALS = 1, 2, 3, 4, 5
U8, F32 = 0, 1
PAST = 0x80  # flag of a STEP sent on connection: it sounded before
LOST = 0x01  # flag of NOTES: some before these were not sent; what is thought to sound may have ended
PLAY, HOLD, CLAMPED, TOLD, TOLD_HOLD = 1, 2, 4, 8, 16  # bits of a slot's byte
HEADER = struct.Struct("<IBBBBifdfBBBB")
NOTE = np.dtype([("kind", "u1"), ("track", "u1"), ("pitch", "u1"), ("velocity", "u1"), ("beat", "<f4")])

Format = Literal["u8", "f32"]


class Encoder:
    """Turns step records of one network into frames. Not for two threads at once: it works in place."""

    def __init__(self, card: Card) -> None:
        self._tracks = len(card.tracks)
        self._slots = slots = card.slots
        self.outputs = tuple(dict.fromkeys(a.output for a in card.activations))
        ranges = {a.output: (a.min, a.max, prod(a.shape)) for a in card.activations}
        self.blocks: dict[str, tuple[int, int]] = {}  # output -> first value and number of values
        at = 2 * slots
        low, high = [np.zeros(at)], [np.ones(at)]
        for name in self.outputs:
            minimum, maximum, size = ranges[name]
            self.blocks[name] = (at, size)
            low.append(np.full(size, minimum))
            high.append(np.full(size, maximum))
            at += size
        self.size = at
        self._low = np.concatenate(low).astype(np.float32)
        span = np.concatenate(high) - self._low
        self._scale = np.where(span > 0, 255.0 / np.where(span > 0, span, 1), 0).astype(np.float32)
        self._values = np.zeros(at, np.float32)
        self._scaled = np.zeros(at, np.float32)
        self._cells = np.zeros(-(-slots // 4) * 4, np.uint8)

    def layout(self) -> dict[str, Any]:
        """Where everything lies, as the page is told it: places in values, not in bytes."""
        return {
            "tracks": self._tracks,
            "slots": self._slots,
            "values": self.size,
            "blocks": {name: {"at": at, "size": size} for name, (at, size) in self.blocks.items()},
        }

    def step(self, record: np.void, fmt: Format, flags: int = 0) -> bytes:
        """Return the frame of one step record.

        In u8 a value outside the card's range is clipped, and one that is not a number becomes the lowest.
        """
        self._gather(record)
        values = self._quantised() if fmt == "u8" else self._values
        header = HEADER.pack(
            MAGIC,
            VERSION,
            STEP,
            U8 if fmt == "u8" else F32,
            (int(record["flags"]) & 0x7F) | flags,
            _i32(int(record["step"])),
            float(record["tempo_bpm"]),
            float(record["beat"]),
            float(record["log_prob"]),
            max(int(record["mode"]), 0) & 0xFF,
            int(record["numerator"]),
            int(record["denominator"]),
            int(record["groups"]) & 0xFF if record["numerator"] <= 8 else 0,
        )
        tracks = np.ascontiguousarray(record["log_prob_tracks"], "<f4")
        return b"".join((header, tracks.tobytes(), self._notes(record).tobytes(), values.tobytes()))

    def _gather(self, record: np.void) -> None:
        slots = self._slots
        self._values[:slots] = record["probability"][:, 0]
        self._values[slots : 2 * slots] = record["probability"][:, 1]
        for name, (at, size) in self.blocks.items():
            self._values[at : at + size] = record[name].reshape(-1)

    def _quantised(self) -> np.ndarray:
        scaled = self._scaled
        np.subtract(self._values, self._low, out=scaled)
        np.multiply(scaled, self._scale, out=scaled)
        scaled += 0.5
        # fmax and fmin also take the other operand where one is not a number.
        np.fmin(np.fmax(scaled, 0, out=scaled), 255, out=scaled)
        return scaled.astype(np.uint8)

    def _notes(self, record: np.void) -> np.ndarray:
        notes, told = record["notes"], record["x"]
        cells = self._cells[: self._slots]
        cells[:] = notes[:, 0] * PLAY + notes[:, 1] * HOLD
        cells += record["clamped"] * CLAMPED
        cells += told[:, 0] * TOLD + told[:, 1] * TOLD_HOLD
        return self._cells


def notes(events: Iterable[bytes], count: int, lost: bool) -> bytes:
    """Return one frame of `count` notes, each as `note` packed it."""
    header = HEADER.pack(MAGIC, VERSION, NOTES, 0, LOST if lost else 0, count, 0.0, 0.0, 0.0, 0, 0, 0, 0)
    return header + b"".join(events)


def note(event: np.void, beat: float) -> bytes:
    """Return one EVENT record as the page gets it."""
    assert event.dtype == EVENT
    packed = np.zeros((), NOTE)
    for name in ("kind", "track", "pitch", "velocity"):
        packed[name] = event[name]
    packed["beat"] = beat
    return packed.tobytes()


def futures(record: np.void) -> bytes:
    """Return a record of futures_dtype as the page gets it."""
    count, steps = int(record["count"]), record["notes"].shape[1]
    header = HEADER.pack(MAGIC, VERSION, FUTURES, 0, count, _i32(int(record["step"])), 0.0, 0.0, 0.0, steps, 0, 0, 0)
    return header + bytes(record["notes"][:count].tobytes())


def signals(record: np.void, count: int, trails: int, raw: bool) -> bytes:
    """Return a record of signals_dtype as the page gets it: `count` numbers, and so many trails."""
    header = HEADER.pack(MAGIC, VERSION, SIGNALS, 0, int(raw), count, 0.0, float(record["beat"]), 0.0, 0, 0, 0, 0)
    parts = [header, record["values"][:count].tobytes()]
    if raw:
        parts.append(record["raw"][:count].tobytes())
    parts.append((np.clip(record["trails"][:trails], 0, 1) * 255 + 0.5).astype(np.uint8).tobytes())
    return b"".join(parts)


def sound(samples: np.ndarray, first_frame: int) -> bytes:
    """Return a piece of sound as 16-bit stereo; `samples` float32 (n, 2), full scale 1."""
    header = HEADER.pack(MAGIC, VERSION, SOUND, 0, 0, len(samples), 0.0, float(first_frame), 0.0, 0, 0, 0, 0)
    clipped = np.fmin(np.fmax(samples * 32767, -32767), 32767)
    data: bytes = clipped.astype("<i2").tobytes()
    return header + data


def _i32(number: int) -> int:
    return min(max(number, -(2**31)), 2**31 - 1)
