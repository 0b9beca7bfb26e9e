"""Harmony: a second network, ahead of the first, chooses the chord of each beat; the band's track `chords` plays its voicing.

Runs on: network process, or the caller of the offline render.

The second network has the tracks `chords` and `player` (models/chords): it hears the player's notes, which weigh its chords,
and goes on from the chords it chose itself. The first network is clamped to what it chose, and its other tracks hear it in
the same timestep. What it remembers is published with every step, so that a restart of the network process goes on from it.
"""

from __future__ import annotations

import numpy as np

from engine.core.config import Config
from engine.core.contract import HOLD, PLAY, VELOCITY, Card
from engine.core.errors import NetworkError
from engine.core.metre import Metre
from engine.network.noise import noise
from engine.network.runner import Runner

TRACK = "chords"  # of both networks
HEARD = 32  # timesteps of what the player played that are remembered: more than any beat has
STREAM = 1  # of the noise; the band draws from stream 0
LOUDNESS = 0.6  # of its notes, where the first network has learned velocities


class Harmony:
    """The chords of a band, one for each beat.

    For each timestep in turn `choose` (again where more was heard since), `clamp` unless nothing of it is to sound, `settle`.
    """

    def __init__(self, runner: Runner, band: Card, player_track: str) -> None:
        card = runner.card
        own, theirs = card.track_slices(), band.track_slices()
        if not {TRACK, "player"} <= own.keys():
            raise NetworkError(f"network.harmony: {card.name} must have the tracks {TRACK} and player; take chords")
        if TRACK not in theirs or band.steps_per_beat % card.steps_per_beat:
            raise NetworkError(
                f"network.harmony: {band.name} must have a track {TRACK}, and {card.steps_per_beat} or a multiple of it as "
                f'steps per beat; take festival as network.name, or harmony = ""'
            )
        self.runner = runner
        self._every = band.steps_per_beat // card.steps_per_beat  # timesteps of the band in a beat of 4/4
        self._per_quarter = band.steps_per_beat
        self.take_metre(Metre(band.beats_per_bar, 4))
        self._chords, self._player = own[TRACK], own["player"]
        self._slots, self._band_player = theirs[TRACK], theirs[player_track]
        tracks = {t.name: t for t in band.tracks}
        listens = tracks[player_track].kind != "drums"
        pitches = card.slot_pitches()
        self._to_player = _matrix(band.slot_pitches()[self._band_player], pitches[self._player]) * listens
        self._to_band = _matrix(pitches[self._chords], band.slot_pitches()[self._slots])
        self._heard = np.zeros((HEARD, self._player.stop - self._player.start), np.float32)
        self._settled = np.zeros(self._slots.stop - self._slots.start, np.float32)
        self._chord = self._settled.copy()  # what is to sound now, by the band's slots
        self._step = self._within = 0  # counted on, and from the bar line
        self._kept = ["x", *(state.name for state in card.states)]
        runner.inputs["clamp_mask"][0, self._player] = 1

    def take_metre(self, metre: Metre) -> None:
        """The timesteps lie in another metre from here on: chords come with its beats, with its strong ones where beats are
        shorter than a quarter."""
        self._bar = metre.steps(self._per_quarter)
        beats = metre.strong if metre.beat < 1 else [beat * metre.beat for beat in range(metre.beats)]
        self._begins = [round(beat * self._per_quarter) for beat in beats]  # steps of the bar with which a chord begins

    def choose(
        self, step: int, before: np.ndarray, now: np.ndarray, seed: int, temperature: float, position: int | None = None
    ) -> None:
        """Choose what sounds in `step`, which is `position` from bar 1: a new chord where a beat begins.

        `before` and `now` (S, C): what the player played in the timestep before, and what he is known to play in this one.
        """
        self._step = step
        bar, self._within = divmod(step if position is None else position, self._bar)
        self._heard[(step - 1) % HEARD] = np.minimum(before[self._band_player, PLAY] @ self._to_player, 1)
        if self._within not in self._begins:
            return
        inputs = self.runner.inputs
        number = self._begins.index(self._within)
        beat = bar * len(self._begins) + number
        lasted = (self._within - self._begins[number - 1]) % self._bar or self._bar  # the beat before
        inputs["x"][0, self._player, PLAY] = self._heard[np.arange(step - min(lasted, HEARD), step) % HEARD].max(0)
        inputs["clamp_value"][0, self._player, PLAY] = np.minimum(now[self._band_player, PLAY] @ self._to_player, 1)
        inputs["position"][0] = beat
        inputs["u"][0] = noise(seed, step // self._every, inputs["u"].shape[1], STREAM)
        inputs["temperature"][0] = temperature
        self.runner.run()
        self._chord = self._on_band(self.runner.outputs["notes"])

    def clamp(self, sounding: np.ndarray, mask: np.ndarray, value: np.ndarray) -> None:
        """Clamp the band to the chord: into `mask` (S,) and `value` (S, C), beside what is clamped there; not where all is.

        `sounding` (S, C) is what sounded in the timestep before. A chord begins anew where it changes and where a bar begins.
        """
        if mask[self._slots].all():  # the player's own track, or nothing is to sound
            return
        goes_on = self._within and np.array_equal(self._chord, self._settled)
        mask[self._slots] = 1
        part = value[self._slots]
        ours = (self._chord > 0) & (part[:, PLAY] == 0)
        part[ours, PLAY] = 1
        part[ours, HOLD] = sounding[self._slots][ours, PLAY] * bool(goes_on)
        if part.shape[1] > VELOCITY:
            part[ours, VELOCITY] = LOUDNESS

    def settle(self, memory: float) -> None:
        """What was chosen has happened: go on from it, having kept `memory` of the states (1 forgets nothing)."""
        self._settled = self._chord
        if self._within not in self._begins:
            return
        self.runner.carry()
        self.runner.inputs["x"][0, self._chords] = self.runner.outputs["notes"][0, self._chords]
        if memory < 1:
            self.runner.fade(memory)

    def keep(self, record: np.void) -> None:
        """Write what it goes on from into a record of `messages.harmony_dtype`."""
        inputs = self.runner.inputs
        for name in self._kept:
            record[name] = inputs[name][0]

    def recall(self, record: np.void) -> None:
        """Go on from what was kept; what is not finite is left as it is."""
        self.runner.restore({name: record[name] for name in self._kept})
        self._settled = self._chord = self._on_band(self.runner.inputs["x"])

    def _on_band(self, notes: np.ndarray) -> np.ndarray:
        """The chord in `notes` (1, S, C) of the second network, by the band's slots."""
        chord: np.ndarray = np.minimum(notes[0, self._chords, PLAY] @ self._to_band, 1)
        return chord

    def reset(self) -> None:
        """Forget everything."""
        self.runner.reset()
        self._heard.fill(0)
        self._settled = self._chord = np.zeros_like(self._settled)


def of(config: Config, band: Card, player_track: str) -> Harmony | None:
    """Return the harmony that the configuration asks for, on the CPU. Raises NetworkError and ConfigError."""
    chords = config.harmony_path()
    return Harmony(Runner(chords), band, player_track) if chords else None


def _matrix(pitches: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Return where each of `pitches` goes among `onto`: float32 (from, to), itself or the nearest octave of it."""
    found = np.zeros((len(pitches), len(onto)), np.float32)
    for row, pitch in enumerate(pitches):
        octaves = np.flatnonzero((onto - pitch) % 12 == 0)
        if len(octaves):
            found[row, octaves[np.argmin(np.abs(onto[octaves] - pitch))]] = 1
    return found
