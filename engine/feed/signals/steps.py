"""The network in motion: its activations and how sure it is, between the steps.

Runs on: signals process, or a thread of the replay.

A step is known some milliseconds before it is heard. What grows with it grows from then on and is there at the moment it is
heard, not later; what shrinks fades over the time of a step.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from engine.core.link import Ring
from engine.feed.encoder import Encoder
from engine.feed.signals.catalogue import OF_LAYER, Catalogue

FALL = 0.4  # time constant of what shrinks, in steps
LN2 = math.log(2)
_ENTROPY = 2  # where the encoder's scalars have it, and then the confidence
_LAYERS = 6


class Steps:
    """What the steps say, moved on by `advance`; `values` is laid out as the encoder's, `own` as the catalogue's.

    The catalogue may be that of several networks: what this one does not have stays 0.
    """

    def __init__(self, ring: Ring, encoder: Encoder, catalogue: Catalogue, first: int | None = None) -> None:
        """`first`: record of the ring to begin with; None: the next one written."""
        self.own = np.zeros(catalogue.levels - catalogue.steps, np.float32)  # raw; the energy is filled in by who knows it
        self._encoder = encoder
        self._reader = ring.reader(first)
        names = [track.name for track in encoder.schema.card.tracks]
        tracks = [(number, catalogue.tracks.index(name)) for number, name in enumerate(names) if name in catalogue.tracks]
        layers = [
            (number, catalogue.layers.index(layer))
            for number, layer in enumerate(encoder.schema.scalar_layers)
            if layer in catalogue.layers
        ]
        # Its surprises, all together and of each track, then what the encoder has: as shown, and what that goes to.
        surprises = 1 + len(tracks)
        self._scalars = slice(0, surprises + len(encoder.schema.scalars))
        self._shown, self._aim = np.zeros((2, surprises + encoder.schema.size), np.float32)
        self._surprise = self._aim[:surprises]  # bits
        self.values = self._shown[surprises:]
        # Which of these numbers go where among the catalogue's.
        self._from_tracks, to_tracks = np.array(tracks, np.intp).reshape(-1, 2).T
        from_layers, to_layers = (
            (len(OF_LAYER) * numbers[:, None] + np.arange(len(OF_LAYER))).ravel()
            for numbers in np.array(layers, np.intp).reshape(-1, 2).T
        )
        at = surprises + _ENTROPY
        self._from = np.concatenate([[at, at + 1, 0], 1 + np.arange(len(tracks)), surprises + _LAYERS + from_layers])
        self._to = np.concatenate([[0, 1, 2], 4 + to_tracks, 4 + len(catalogue.tracks) + to_layers])
        self._waiting: deque[np.void] = deque(maxlen=4)
        self._arrives_s: float | None = None  # when the newest step is heard
        self._step_s = 0.125
        self.heard = 0  # number of the newest step
        self.bits = 0.0  # its surprise

    def look(self, seconds_at: float, ns_per_frame: float) -> bool:
        """Take the newest step; frame n is heard at `seconds_at` + n * ns_per_frame * 1e-9. Return whether there was one."""
        if not self._reader.is_behind():
            return False
        records = self._reader.read()
        for record in records[-2:]:
            self._take(record, seconds_at + int(record["frame"]) * ns_per_frame * 1e-9)
        return True

    def _take(self, record: np.void, heard_s: float) -> None:
        if self._arrives_s is not None and 0.01 < heard_s - self._arrives_s < 2:
            self._step_s = heard_s - self._arrives_s
        self._arrives_s = heard_s
        self._encoder.take(record)
        surprise = self._surprise
        self._aim[len(surprise) :] = self._encoder.values
        surprise[0] = record["log_prob"]
        surprise[1:] = record["log_prob_tracks"][self._from_tracks]
        surprise /= -LN2
        np.nan_to_num(surprise, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        self.bits = float(surprise[0])
        self.heard = int(record["step"])

    def advance(self, now_s: float, passed_s: float, spans: Sequence[slice]) -> None:
        """Move on to `now_s`: the scalars, and of `values` these spans besides."""
        if self._arrives_s is None:
            return
        left_s = self._arrives_s - now_s
        # Of the way that was left before this moment, the part that a straight line has gone by now.
        rise = 1.0 if left_s <= 0 else min(passed_s / (passed_s + left_s), 1.0)
        fall = 1 - math.exp(-passed_s / (FALL * self._step_s))
        shown, aim, first = self._shown, self._aim, len(self._surprise)
        for span in (self._scalars, *(slice(first + of.start, first + of.stop) for of in spans)):
            _move(shown[span], aim[span], rise, fall)
        self.own[self._to] = shown[self._from]


def _move(shown: np.ndarray, aim: np.ndarray, rise: float, fall: float) -> None:
    """Move what is shown towards its aim: by `rise` where it grows away from 0, by `fall` where it shrinks."""
    way = aim - shown
    way *= np.where(np.abs(aim) >= np.abs(shown), np.float32(rise), np.float32(fall))
    shown += way
