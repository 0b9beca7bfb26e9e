"""A sound file that is whole and playable at every moment while it grows: WAV, 24 bit, RF64 once it passes four gigabytes.

Runs on: feed process, recorder thread, or the caller of the offline render. What was heard is written first, then the header
that tells of it, in one piece; so whatever kills the writer leaves a file whose header is true.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from engine.core.errors import SessionError
from engine.core.messages import OUTPUTS

HEADER = 80  # bytes before the samples
SAMPLE = 3  # bytes
FRAME = OUTPUTS * SAMPLE
RIFF_LIMIT = 2**32 - 2**16  # a file larger than this needs 64-bit sizes
_FULL_SCALE = 2**23


class WaveFile:
    """A growing sound file; `frames` is its length. Every method raises OSError when the disk will not have it.

    `resume` goes on with a file that was left behind; SessionError when it is not one of ours.
    """

    def __init__(self, path: Path, rate_hz: int, resume: bool = False, riff_limit: int = RIFF_LIMIT) -> None:
        self._rate_hz = rate_hz
        self._riff_limit = riff_limit
        self.frames = 0
        self._told = 0  # frames the header knows of
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | (0 if resume else os.O_TRUNC), 0o644)
        if resume and (size := os.fstat(self._file).st_size) > 0:
            self._resume(path, size)
        self.flush()

    def _resume(self, path: Path, size: int) -> None:
        found = os.read(self._file, HEADER)
        if len(found) < HEADER or found[:4] not in (b"RIFF", b"RF64") or found[48:72] != self._header()[48:72]:
            os.close(self._file)
            raise SessionError(f"{path}: is not a recording that could be continued; move it away")
        # The samples behind what the header tells of were written as well: the header comes after them.
        self.frames = self._told = (size - HEADER) // FRAME

    def write(self, samples: np.ndarray) -> None:
        """Append float samples (n, OUTPUTS), 1.0 = full scale."""
        scaled = np.clip(np.rint(samples * np.float32(_FULL_SCALE)), -_FULL_SCALE, _FULL_SCALE - 1)
        words = scaled.astype("<i4").reshape(-1, 1).view(np.uint8)
        self._append(words[:, :SAMPLE].tobytes())

    def write_at(self, frame: int, samples: np.ndarray) -> int:
        """Append what belongs at `frame`: silence in the place of what is missing before, and nothing that is there already.

        Return how many frames were missing.
        """
        gap = frame - self.frames
        self.silence(gap)
        if -gap < len(samples):
            self.write(samples[max(-gap, 0) :])
        return max(gap, 0)

    def silence(self, frames: int) -> None:
        """Append silence, which takes no time however long it is."""
        if frames > 0:
            os.ftruncate(self._file, HEADER + self.frames * FRAME)  # nothing is behind it that a write left which failed
            self.frames += frames
            os.ftruncate(self._file, HEADER + self.frames * FRAME)

    def _append(self, data: bytes) -> None:
        os.lseek(self._file, HEADER + self.frames * FRAME, os.SEEK_SET)
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        self.frames += len(data) // FRAME

    def flush(self) -> None:
        """Make the header true."""
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, self._header())
        self._told = self.frames

    def _header(self) -> bytes:
        data = self.frames * FRAME
        riff = HEADER - 8 + data
        form = struct.pack("<HHIIHH", 1, OUTPUTS, self._rate_hz, self._rate_hz * FRAME, FRAME, 8 * SAMPLE)
        if riff <= self._riff_limit:
            name, sizes, riff_size, data_size = b"RIFF", b"JUNK" + struct.pack("<I28x", 28), riff, data
        else:
            sizes = b"ds64" + struct.pack("<IQQQI", 28, riff, data, self.frames, 0)
            name, riff_size, data_size = b"RF64", 2**32 - 1, 2**32 - 1
        return b"".join(
            (
                name,
                struct.pack("<I", riff_size),
                b"WAVE",
                sizes,
                b"fmt ",
                struct.pack("<I", len(form)),
                form,
                b"data",
                struct.pack("<I", data_size),
            )
        )

    def end_at(self, frames: int) -> None:
        """Make the file so long: with silence, or without what is behind that."""
        self.silence(frames - self.frames)
        self.frames = frames
        self.flush()

    def close(self) -> None:
        """Cut off what the header does not tell of (a write that failed half way), and let go of the file."""
        try:
            os.ftruncate(self._file, HEADER + self._told * FRAME)
        finally:
            os.close(self._file)
