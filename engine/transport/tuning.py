"""What was tuned of the follower, on performances that it was not learned from: one set for drums, one for all else.

Runs on: network process, or the caller of the offline render.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """Numbers of a follower; see `follower` and `rhythms` for where each is used."""

    drums: bool
    noise_s: float  # standard deviation of an onset's time
    drift_s: float  # ... by which the beat may slip between two onsets
    turn: float  # ... by which the tempo may change in a second, in tempi of the grid
    pull: float  # share of its prior that pulls at the tempo in each second
    power: float  # of what the order of onsets says, and ...
    temper: float  # ... of what their features say: they do not vary independently
    smooth: float  # onsets that each place is taken to have seen besides, spread as all onsets are
    first: float  # the same for the place of the very first onset
    stray: float  # share of onsets that fall anywhere, in 0.1 s
    prior_bpm: float  # of the tempo, median and standard deviation ...
    prior_octaves: float
    usual_bpm: tuple[float, float]  # ... within these; beyond them it is soon unlikely
    edge_octaves: float
    lock: float  # weight around the best opinion from which on it is believed ...
    lock_s: float  # ... but not before so much was heard, ...
    evidence: float  # ... and not where the onsets are hardly likelier with a beat than without: nats each
    switch: float  # by so many times another must be believed more to be gone over to ...
    switch_s: float  # ... for so long
    own_tempo: int  # tempi of the grid, and beats, within which another may be where the line should be
    own_beat: float
    beat_noise_s: float  # standard deviation of where the beat is seen at an onset, ...
    tempo_noise: float  # ... of the tempo seen there, a share of it, ...
    speeding: float  # ... and of how the tempo changes, beats/s^2: see `pace`


DRUMS = Tuning(
    drums=True,
    noise_s=0.015,
    drift_s=0.004,
    turn=1.0,
    pull=0.3,
    power=0.8,
    temper=0.5,
    smooth=20.0,
    first=10.0,
    stray=0.01,
    prior_bpm=108.0,
    prior_octaves=0.5,
    usual_bpm=(75.0, 160.0),
    edge_octaves=0.12,
    lock=0.4,
    lock_s=1.5,
    evidence=0.7,
    switch=2.0,
    switch_s=0.5,
    own_tempo=6,
    own_beat=0.3,
    beat_noise_s=0.025,
    tempo_noise=0.04,
    speeding=0.05,
)
NOTES = Tuning(
    drums=False,
    noise_s=0.02,
    drift_s=0.002,
    turn=2.0,
    pull=0.6,
    power=1.0,
    temper=1.0,
    smooth=60.0,
    first=100.0,
    stray=0.01,
    prior_bpm=100.0,
    prior_octaves=0.7,
    usual_bpm=(75.0, 150.0),
    edge_octaves=0.12,
    lock=0.5,
    lock_s=2.5,
    evidence=0.7,
    switch=1.2,
    switch_s=0.0,
    own_tempo=4,
    own_beat=0.15,
    beat_noise_s=0.015,
    tempo_noise=0.04,
    speeding=0.1,
)
