"""A delay for what must wait for others; how long may change while it plays, and nothing clicks.

Runs on: audio process (audio callback).
"""

from __future__ import annotations

import numpy as np

from engine.core.messages import BLOCK, OUTPUTS

GLIDE_BLOCKS = 8  # from one delay to another, both heard meanwhile
_SHARES = np.arange(1, GLIDE_BLOCKS * BLOCK + 1, dtype=np.float32)[:, None] / (GLIDE_BLOCKS * BLOCK)


class Delay:
    """Puts out what came in so many frames before: `aim` says how many."""

    def __init__(self, frames: int = 0) -> None:
        self._start(frames)

    def _start(self, frames: int) -> None:
        self.frames = frames  # as asked for last
        self._now = frames  # as heard, or as left behind in a glide
        self._next = frames  # as heard at the end of the glide
        self._blocks = 0  # until the glide is over; more than GLIDE_BLOCKS: until it begins, too
        self._kept = np.zeros((frames + BLOCK, OUTPUTS), np.float32)  # what came in, the block that came last at its end

    @property
    def is_idle(self) -> bool:
        """Whether a block would pass as it is."""
        return not (self.frames or self._now or self._blocks)

    def aim(self, frames: int, at_once: bool = False) -> None:
        """Glide to another delay, as soon as so much of the past is known; `at_once`: nothing has sounded yet."""
        if at_once:
            self._start(frames)
        self.frames = frames

    def process(self, block: np.ndarray) -> None:
        """Delay one block in place; float32 (BLOCK, OUTPUTS)."""
        kept = self._kept
        kept[:-BLOCK] = kept[BLOCK:]
        kept[-BLOCK:] = block
        if not self._blocks and self.frames != self._now:
            self._begin()
        if self._blocks:
            self._glide(block)
        elif self._now:
            block[:] = self._tap(self._now)

    def _tap(self, frames: int) -> np.ndarray:
        end = len(self._kept) - frames
        return self._kept[end - BLOCK : end]

    def _begin(self) -> None:
        self._next = self.frames
        missing = self._next + BLOCK - len(self._kept)
        if missing > 0:
            self._kept = np.concatenate((np.zeros((missing, OUTPUTS), np.float32), self._kept))
        self._blocks = GLIDE_BLOCKS + -(-max(missing, 0) // BLOCK)

    def _glide(self, block: np.ndarray) -> None:
        before = self._tap(self._now)
        if self._blocks > GLIDE_BLOCKS:  # what would be heard has not come in yet
            block[:] = before
        else:
            first = (GLIDE_BLOCKS - self._blocks) * BLOCK
            share = _SHARES[first : first + BLOCK]
            block[:] = before + (self._tap(self._next) - before) * share
        self._blocks -= 1
        if not self._blocks:
            self._now = self._next
            surplus = len(self._kept) - self._now - BLOCK
            if surplus > 0:
                self._kept = self._kept[surplus:].copy()
