"""The recorded feed: every step and note in the order they were published, so that replay sends the very same datagrams.

Runs on: feed process (log: event loop, writing: recorder thread), the caller of the offline render, replay and pictures. What
is kept is what the encoder was given, not what it made; the same encoder makes the same bytes of it. Times are frames.

The file: a header (JSON: the card and how it was published), then blocks, each with its length and checksum, so that a file cut
anywhere is good up to there. In a block the bytes of all numbers lie in planes (first all lowest bytes, ...), which is what
lets zlib find anything in activations.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine import __version__
from engine.core.contract import Card
from engine.core.errors import SessionError
from engine.core.messages import EVENT, futures_dtype, step_dtype
from engine.feed.feed import Positions
from engine.feed.schema import Schema
from engine.jam.parameters import registry_of

MAGIC = b"ALGOFEED"
FORMAT = 2  # 1 had no fields in its header, and no metre in its steps
MOST_WAITING = 64 << 20  # bytes of steps that may wait for a disk that stalls
STEP, NOTES, RESET, FUTURES = range(4)  # RESET: the encoder forgot what was before, as after a restart

_HEAD = struct.Struct("<8sII")  # magic, format, bytes of JSON
_BLOCK = struct.Struct("<4sI")  # magic, checksum of all that follows
_ABOUT = struct.Struct("<IIIIqqq")  # bytes stored; entries, steps, batches of notes; first step; positions
_BLOCK_MAGIC = b"ALGB"
_METRE = {"numerator": 4, "denominator": 4, "groups": 0}  # of a feed that tells none
_LEFT_OUT = ("step_ms",)  # differs between two runs of the same music


def stored_dtype(card: Card, large: bool) -> np.dtype:
    """A step as it is kept: without states that are not shown; a large network's activations as half-precision values."""
    whole = step_dtype(card)
    shown = {a.output for a in card.activations}
    hidden = {s.name + "_next" for s in card.states} - shown
    fields: list[Any] = []
    for name in whole.names or ():
        if name in hidden or name in _LEFT_OUT:
            continue
        base, shape = whole[name].base, whole[name].shape
        fields.append((name, np.dtype("<f2") if large and name in shown else base, shape))
    return np.dtype(fields)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was published: a step record, or EVENT records, or futures, or a reset."""

    kind: int
    frame: int  # when; of notes that were published together that of the first
    step: np.void | None = None
    events: np.ndarray | None = None
    futures: np.void | None = None


class FeedLog:
    """What was published and is not on the disk yet. One thread adds, another takes."""

    def __init__(self, card: Card, large: bool) -> None:
        self.dtype = stored_dtype(card, large)
        self._names = self.dtype.names or ()
        self._most = max(MOST_WAITING // self.dtype.itemsize, 8)
        self._waiting: deque[tuple[int, Any, Positions]] = deque()
        self.lost = 0

    def step(self, record: np.void, positions: Positions) -> None:
        """A step was published."""
        kept = np.zeros((), self.dtype)
        for name in self._names:
            kept[name] = record[name]
        self._add(STEP, kept, positions)

    def notes(self, events: np.ndarray, positions: Positions) -> None:
        """Notes were published together."""
        self._add(NOTES, events.copy(), positions)

    def futures(self, record: np.void, positions: Positions) -> None:
        """Futures were published."""
        self._add(FUTURES, record.copy(), positions)

    def reset(self, positions: Positions) -> None:
        """The encoder was reset."""
        self._add(RESET, None, positions)

    def _add(self, kind: int, what: Any, positions: Positions) -> None:
        if len(self._waiting) >= self._most:
            self.lost += 1
            return
        self._waiting.append((kind, what, positions))

    def take(self) -> list[tuple[int, Any, Positions]]:
        """Return everything that waits, oldest first."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


class FeedWriter:
    """A growing feed file. Every method raises OSError when the disk will not have it.

    `resume` goes on behind the last good block of a file that was left behind; `positions` then says where the publisher stood.
    """

    def __init__(
        self, path: Path, schema: Schema, rate_hz: int, resume: bool = False, tracks: Sequence[str] | None = None
    ) -> None:
        """`tracks`: of all networks, by the numbers that they have in the notes; None: of this one."""
        self.positions = Positions()
        self._dtype = stored_dtype(schema.card, schema.large)
        end = 0
        if resume and path.exists() and path.stat().st_size:
            with FeedReader(path) as before:
                if before.dtype != self._dtype:
                    raise SessionError(f"{path}: is the feed of another network and cannot be continued; move it away")
                end, self.positions = before.scan()
        self._file = open(path, "r+b" if end else "wb", buffering=0)  # noqa: SIM115 (lives as long as the writer)
        if end:
            self._file.truncate(end)
            self._file.seek(end)
            self._end = end
        else:
            self._end = 0
            self._append(_header(schema, rate_hz, tracks))

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) or 0 :]
        self._end += len(data)

    def write(self, entries: list[tuple[int, Any, Positions]]) -> None:
        """Append entries of a log as one block."""
        if not entries:
            return
        kinds = np.array([kind for kind, _, _ in entries], np.uint8)
        steps = [what for kind, what, _ in entries if kind == STEP]
        notes = [what for kind, what, _ in entries if kind == NOTES]
        counts = np.array([len(n) for n in notes], "<u4")
        parts = [kinds.tobytes(), counts.tobytes(), *(n.tobytes() for n in notes)]
        if steps:
            parts.append(_planes(np.array(steps, self._dtype)))
        parts += [what.tobytes() for kind, what, _ in entries if kind == FUTURES]
        stored = _compressed(b"".join(parts))
        first_step = int(steps[0]["step"]) if steps else -1
        last = entries[-1][2]
        about = _ABOUT.pack(len(stored), len(entries), len(steps), len(notes), first_step, last.steps, last.events)
        self._append(_BLOCK.pack(_BLOCK_MAGIC, zlib.crc32(stored, zlib.crc32(about))) + about + stored)

    def close(self) -> None:
        """Cut off a block that failed half way, and let go of the file."""
        try:
            self._file.truncate(self._end)
        finally:
            self._file.close()


def _header(schema: Schema, rate_hz: int, tracks: Sequence[str] | None) -> bytes:
    about = {
        "engine": __version__,
        "rate_hz": rate_hz,
        "cells": schema.cells,
        "card": schema.card.model_dump(mode="json"),
        "fields": list(stored_dtype(schema.card, schema.large).names or ()),
        "tracks": list(tracks or (track.name for track in schema.card.tracks)),
    }
    text = json.dumps(about, separators=(",", ":")).encode()
    return _HEAD.pack(MAGIC, FORMAT, len(text)) + text


def _compressed(data: bytes) -> bytes:
    # Run lengths: as small as zlib's own search for repetitions makes activations, in less than half the time.
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return packer.compress(data) + packer.flush()


def _planes(steps: np.ndarray) -> bytes:
    data = steps.view(np.uint8).reshape(len(steps), -1)
    data = np.pad(data, ((0, 0), (0, -data.shape[1] % 4)))
    return data.reshape(len(steps), -1, 4).transpose(2, 0, 1).tobytes()


def _from_planes(data: bytes, count: int, dtype: np.dtype) -> np.ndarray:
    words = -(-dtype.itemsize // 4)
    rows = np.frombuffer(data, np.uint8).reshape(4, count, words).transpose(1, 2, 0).reshape(count, 4 * words)
    return np.ascontiguousarray(rows[:, : dtype.itemsize]).view(dtype).reshape(count)


@dataclass(frozen=True, slots=True)
class Block:
    """Where a block lies, and the number of its first step (-1: none in it)."""

    at: int
    size: int
    checksum: int
    checked: int  # checksum of what was read so far
    entries: int
    steps: int
    notes: int
    first_step: int
    positions: Positions


class FeedReader:
    """A recorded feed. Iterating yields its entries in the order they were published, up to where the file is good."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises SessionError when it is no feed of ours."""
        try:
            self._file = open(path, "rb")  # noqa: SIM115 (lives as long as the reader)
        except OSError as error:
            raise SessionError(f"{path}: cannot be read ({error.strerror}); give the folder of a session") from error
        try:
            magic, form, size = _HEAD.unpack(self._file.read(_HEAD.size))
            if magic != MAGIC or not 1 <= form <= FORMAT:
                raise ValueError(f"format {form}" if magic == MAGIC else "not a feed")
            about = json.loads(self._file.read(size))
            self.card = Card.model_validate(about["card"])
            self.rate_hz = int(about["rate_hz"])
            self.cells = about["cells"]
            self.tracks = [str(name) for name in about.get("tracks", (track.name for track in self.card.tracks))]
            self.large = _is_large(self.card)
            self._whole = stored_dtype(self.card, self.large)
            fields = about["fields"] if form > 1 else [name for name in self._whole.names or () if name not in _METRE]
            self.dtype = np.dtype([(name, self._whole[name]) for name in fields])
        except (struct.error, ValueError, KeyError, TypeError) as error:
            self._file.close()
            raise SessionError(
                f"{path}: is not a recorded feed that this version reads ({error}); give the folder of a session"
            ) from error
        self._begin = _HEAD.size + size
        self._size = os.fstat(self._file.fileno()).st_size
        self._imagined = futures_dtype(self.card)

    def __enter__(self) -> FeedReader:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks that are whole, without reading what is in them."""
        at, heads = self._begin, _BLOCK.size + _ABOUT.size
        while at + heads <= self._size:
            self._file.seek(at)
            magic, checksum = _BLOCK.unpack(self._file.read(_BLOCK.size))
            about = self._file.read(_ABOUT.size)
            size, entries, steps, notes, first_step, *positions = _ABOUT.unpack(about)
            at += heads
            if magic != _BLOCK_MAGIC or at + size > self._size:
                return
            yield Block(at, size, checksum, zlib.crc32(about), entries, steps, notes, first_step, Positions(*positions))
            at += size

    def scan(self) -> tuple[int, Positions]:
        """Return where the last good block ends, and where the publisher stood there."""
        end, positions = self._begin, Positions()
        for block in self.blocks():
            if self._stored(block) is None:
                break
            end, positions = block.at + block.size, block.positions
        return end, positions

    def _stored(self, block: Block) -> bytes | None:
        self._file.seek(block.at)
        stored = self._file.read(block.size)
        return stored if zlib.crc32(stored, block.checked) == block.checksum else None

    def __iter__(self) -> Iterator[Entry]:
        for block in self.blocks():
            entries = self.read(block)
            if entries is None:
                return
            yield from entries

    def read(self, block: Block) -> list[Entry] | None:
        """Return the entries of a block, None when it is damaged."""
        stored = self._stored(block)
        if stored is None:
            return None
        data = zlib.decompress(stored)
        kinds = data[: block.entries]
        at = block.entries + 4 * block.notes
        counts = np.frombuffer(data, "<u4", block.notes, block.entries)
        events = np.frombuffer(data, EVENT, int(counts.sum()), at)
        at += events.nbytes
        end = at + 4 * -(-self.dtype.itemsize // 4) * block.steps
        steps = iter(self._completed(_from_planes(data[at:end], block.steps, self.dtype))) if block.steps else iter(())
        futures = iter(np.frombuffer(data, self._imagined, kinds.count(FUTURES), end))
        batches = iter(np.split(events, np.cumsum(counts)[:-1]) if block.notes else ())
        out: list[Entry] = []
        for kind in kinds:
            if kind == STEP:
                step = next(steps)
                out.append(Entry(STEP, int(step["frame"]), step=step))
            elif kind == NOTES:
                batch = next(batches)
                out.append(Entry(NOTES, int(batch["frame"].min()), events=batch))
            elif kind == FUTURES:
                record = next(futures)
                out.append(Entry(FUTURES, int(record["frame"]), futures=record))
            else:
                out.append(Entry(RESET, 0))
        return out

    def _completed(self, steps: np.ndarray) -> np.ndarray:
        """Give records of an older version the fields that they lack."""
        if self.dtype == self._whole:
            return steps
        whole = np.zeros(len(steps), self._whole)
        for name in self._whole.names or ():
            whole[name] = steps[name] if name in (self.dtype.names or ()) else _METRE.get(name, 0)
        return whole


def _is_large(card: Card) -> bool:
    return Schema(card, registry_of(card)).large
