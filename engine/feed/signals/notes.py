"""Notes in motion: each voice's envelope, onsets, density and pitch, and the trail of every note.

Runs on: signals process, or a thread of the replay.
"""

from __future__ import annotations

import math

import numpy as np

from engine.core.contract import Card
from engine.core.messages import ALL_OFF, NOTE_OFF, NOTE_ON, PITCHES, PLAYER
from engine.feed.signals.catalogue import OF_VOICE, Catalogue

ENVELOPE, ONSET, DENSITY, PITCH = range(4)
# Attack and release of an envelope, seconds, by the kind of track; what is held sinks to half of it with HELD_S.
KINDS = {"drums": (0.004, 0.18), "bass": (0.015, 0.3), "chords": (0.02, 0.5), "pad": (0.12, 1.6), "lead": (0.012, 0.4)}
OTHERS = (0.015, 0.4)
HELD_S = 2.5
ONSET_S = 0.12  # time constant of an onset's fall
DENSITY_S = 2.0  # time over which notes are counted
LEAST = 1e-3  # what is less is nothing
GLIDE_S = 0.05  # time constant with which the pitch glides
TRAIL_HELD_S, TRAIL_S = 2.5, 0.5  # time constants of a trail while the note is held, and after it


class Notes:
    """The voices of a network, moved on by `hear` and `advance`; time is in seconds of what is heard."""

    def __init__(self, card: Card, catalogue: Catalogue) -> None:
        voices = len(catalogue.voices)
        self.values = np.zeros((voices, len(OF_VOICE)), np.float32)  # raw
        self.trails = np.zeros(catalogue.trail_size, np.float32)
        self.energy = 0.0  # notes a second, each counted by its velocity
        self.heard = np.zeros((voices, PITCHES), np.int64)  # how often each began: for who counts them
        self._voice_of = {number: number for number in range(len(catalogue.tracks))} | {PLAYER: voices - 1}
        self._place = np.full((voices, PITCHES), -1, np.intp)  # of a trail
        for voice, trail in enumerate(catalogue.trails):
            pitches = card.tracks[voice].pitches if voice < len(catalogue.tracks) else range(PITCHES)
            self._place[voice, list(pitches)] = trail.first + np.arange(trail.count)
        times = [KINDS.get(track.kind, OTHERS) for track in card.tracks[: len(catalogue.tracks)]] + [OTHERS]
        self._times = times
        self._velocity = np.zeros((voices, PITCHES))  # of what sounds, 0..1
        self._held = np.zeros(catalogue.trail_size, bool)
        # A few numbers of a few voices, many times a second: for so little, lists are faster than arrays.
        self._envelope = [0.0] * voices
        self._aim = [0.0] * voices  # what each envelope goes to
        self._struck = [0.0] * voices  # strength of the newest onset, at ...
        self._struck_s = [-1e9] * voices
        self._density = [0.0] * voices
        self._newest = [0] * voices
        self._pitch = [0.0] * voices
        self._now_s = 0.0
        self._faded = False  # the trails, up to now

    def clear(self) -> None:
        """Nothing sounds any more."""
        self._velocity[:] = 0.0
        self._aim[:] = [0.0] * len(self._aim)
        self._held[:] = False

    def hear(self, kind: int, track: int, pitch: int, velocity: int, at_s: float, now_s: float) -> bool:
        """Take what began or ended at `at_s`, no later than `now_s`. Return whether the player began a note."""
        voice = self._voice_of.get(track)
        if kind == ALL_OFF:
            for number in range(len(self._aim) - 1) if track == PLAYER else (voice,):
                if number is not None:
                    self._end_all(number)
            return False
        if voice is None or kind not in (NOTE_ON, NOTE_OFF) or pitch >= PITCHES:
            return False
        place = self._place[voice, pitch]
        if kind == NOTE_OFF:
            self._velocity[voice, pitch] = 0.0
            if place >= 0:
                self._held[place] = False
            self._aim[voice] = float(self._velocity[voice].max())
            return False
        loud = velocity / 127
        self.heard[voice, pitch] += 1
        self._velocity[voice, pitch] = loud
        self._aim[voice] = float(self._velocity[voice].max())
        if place >= 0:
            self._held[place] = True
            self.trails[place] = max(self.trails[place], loud)
        age_s = max(now_s - at_s, 0.0)
        before = self._struck[voice] * math.exp(-max(at_s - self._struck_s[voice], 0.0) / ONSET_S)
        self._struck[voice], self._struck_s[voice] = max(before, loud), at_s
        fresh = math.exp(-age_s / DENSITY_S)
        self._density[voice] += fresh
        self.energy += loud * fresh / DENSITY_S
        if not self._newest[voice]:
            self._pitch[voice] = float(pitch)
        self._newest[voice] = pitch
        return track == PLAYER

    def _end_all(self, voice: int) -> None:
        self._velocity[voice] = self._aim[voice] = 0.0
        places = self._place[voice]
        self._held[places[places >= 0]] = False

    def fade(self, now_s: float, trails: bool = True) -> None:
        """Let what was before fade until `now_s`; then `hear` what began meanwhile, and `advance`.

        `trails`: somebody wants them; while nobody does they do not fade, and are gone when somebody does again.
        """
        passed_s = min(max(now_s - self._now_s, 0.0), 10.0)
        self._now_s, self._passed_s = now_s, passed_s
        fade = math.exp(-passed_s / DENSITY_S)
        self._density = [density * fade for density in self._density]
        self.energy *= fade
        if trails and not self._faded:
            self.trails[:] = 0.0
        self._faded = trails
        if trails:
            held, ended = math.exp(-passed_s / TRAIL_HELD_S), math.exp(-passed_s / TRAIL_S)
            self.trails *= np.where(self._held, np.float32(held), np.float32(ended))

    def advance(self) -> None:
        """Bring `values` up to the moment that `fade` was told."""
        passed_s = self._passed_s
        held, glide = math.exp(-passed_s / HELD_S), 1 - math.exp(-passed_s / GLIDE_S)
        envelopes, aims, pitches, values = self._envelope, self._aim, self._pitch, self.values
        for voice, (attack_s, release_s) in enumerate(self._times):
            envelope, aim = envelopes[voice], aims[voice] * held
            if aim > envelope:
                envelope += (aim - envelope) * min(passed_s / attack_s, 1.0)
            else:
                envelope = aim + (envelope - aim) * math.exp(-passed_s / release_s)
            envelopes[voice], aims[voice] = envelope, aim
            pitches[voice] += (self._newest[voice] - pitches[voice]) * glide
            pulse = self._struck[voice] * math.exp(-max(self._now_s - self._struck_s[voice], 0.0) / ONSET_S)
            density = self._density[voice] / DENSITY_S
            values[voice] = (envelope if envelope > LEAST else 0.0, pulse if pulse > LEAST else 0.0, density, pitches[voice])
