"""What the network is told of a timestep: what sounded, the clamps of mode and harmony, the noise and the parameters.

Runs on: network process, main thread, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

from engine.core.contract import HOLD, METRE, PLAY, Card
from engine.core.metre import Metre
from engine.core.parameters import Live
from engine.jam.backing import Backing
from engine.jam.following import Following
from engine.jam.groove import Groove
from engine.jam.harmony import Harmony
from engine.jam.mode import Mode
from engine.jam.parts import Parts
from engine.jam.roll import Roll
from engine.network.noise import noise
from engine.network.runner import Runner


class Inputs:
    """Fills the inputs of a runner, and takes out of its choice what is not to be played.

    `clamped` float32 (S,): 1 where the mode, not the network, decides what sounds. The player's slots are among them; of what
    he has not played yet the network is told nothing, for unknown is not silence: it imagines his notes with the others. And
    while it listens it plays on in its mind: what it imagined of its own is told to it as if it had sounded.
    """

    def __init__(
        self,
        runner: Runner,
        roll: Roll,
        live: Live,
        harmony: Harmony | None,
        following: Following,
        backing: Backing | None = None,
    ) -> None:
        card = self._card = runner.card
        self._following = following
        self._groove = Groove(card)
        self._backing = backing
        self.clamped = np.zeros(card.slots, np.float32)
        self._inputs = runner.inputs
        self._roll, self._live, self._harmony = roll, live, harmony
        self._now = np.zeros((card.slots, len(card.channels)), np.float32)  # to see whether `x` would be another by now
        self._before = np.zeros_like(self._now)  # what the player played a timestep ago
        self._controls = ["temperature", *(c.name for c in card.controls)]
        self._player = self._inputs.get("player")  # (1, S): which of the notes in `x` are his, where the network asks
        if (kick := self._inputs.get("kick")) is not None:
            kick.fill(1)
        self._imagined = np.zeros(card.slots, bool)  # what is chosen there is not played
        self.decided = np.zeros(card.slots, np.float32)  # 1 where what is played is not to be moved
        self._alone = False  # whether nobody has played for long
        self._inner = np.zeros(card.slots, bool)  # ... and told to the network at the next step all the same
        self._chosen = np.zeros_like(self._now)  # by the network, what is imagined with it
        self._mind = np.zeros_like(self._now)  # what was imagined of its own a step ago
        self._unsounded = np.zeros(card.slots, bool)  # where `x` holds such notes
        self._drawn = (-1, -1)  # seed and timestep that the noise in the graph's input is of

    def fill(self, step: int, position: int, mode: Mode, parts: Parts, density: float) -> None:
        """Fill them for timestep `step`, which is `position` counted from bar 1; `density` is a factor on that control."""
        inputs = self._inputs
        self._roll.forget_before(step - 1)
        self._sounded(step - 1, inputs["x"][0])
        inputs["position"][0] = position
        mask, value = inputs["clamp_mask"][0], inputs["clamp_value"][0]
        self._roll.fill_player(step, value)
        mode.clamp(value, mask)
        if self._backing is not None:
            self._backing.clamp(step, value, mask)
        self._imagined = (parts.his | mode.listening) & (mask < 0.5)
        self._inner = ~parts.own & mode.listening
        self.clamped[:] = np.maximum(mask, self._imagined)
        mode.dictate(step, value, mask, inputs["x"][0])
        self.decided[:] = np.maximum(mask, self.clamped)
        self._alone = parts.alone(step, mode)
        self.listen(step, position)
        if self._player is not None:
            self._player[0] = np.maximum(self._before[:, PLAY], parts.his)
        self._following.tell(inputs)
        if self._live.get("follow") > 0:
            self._groove.dictate(position, mask, value, self.clamped)
        if self._harmony is not None:
            self._harmonise(self._harmony, step, position)
        self._draw(step)
        for name in self._controls:
            if name in self._live.registry:
                inputs[name][0] = self._live.get(name)
        if "density" in self._controls:
            inputs["density"][0] *= density

    def take_metre(self, metre: Metre) -> None:
        """The timesteps lie in another metre from here on."""
        self._groove.take_metre(metre)
        if self._harmony is not None:
            self._harmony.take_metre(metre)
        tell_metre(self._card, self._inputs, metre)

    def take_out(self, notes: np.ndarray) -> None:
        """Leave what was only imagined out of what the network chose, `notes` (S, C), in place."""
        self._chosen[:] = notes
        notes[self._imagined] = 0
        unsounded = self._unsounded & (self._imagined == 0)
        notes[unsounded, HOLD] = 0  # what went on in its mind begins

    def _sounded(self, step: int, out: np.ndarray) -> None:
        """Write what sounded in a timestep into `out` (S, C), and what it imagined of its own while it listened."""
        self._roll.fill(step, out)
        self._unsounded = (self._mind[:, PLAY] > 0) & (out[:, PLAY] == 0)
        out[self._unsounded] = self._mind[self._unsounded]

    def clear(self) -> None:
        """Forget what was heard and played, for the steps to come."""
        self._mind.fill(0)
        self._following.clear()
        self._groove.clear()

    def settle(self, position: int, chosen: np.ndarray) -> None:
        """The step has passed; `chosen` (S, C) is what sounded in it."""
        self._mind[:] = self._chosen * self._inner[:, None]
        self._following.settle()
        self._groove.settle(position, chosen)

    def agree(self, step: int) -> bool:
        """Whether what sounded before timestep `step` still is what the network was told."""
        self._sounded(step - 1, self._now)
        return np.array_equal(self._now, self._inputs["x"][0])

    def listen(self, step: int, position: int) -> None:
        """Hear which chord the player is at, from all of his notes up to timestep `step` that are known by now."""
        self._roll.fill_player(step - 1, self._before)
        self._roll.fill_player(step, self._now)
        alone = self._alone and not self._roll.player_sounds
        self._following.listen(step, position, self._before, self._now, alone)

    def _harmonise(self, harmony: Harmony, step: int, position: int) -> None:
        """Let the harmony choose, and clamp its track to its chord."""
        inputs = self._inputs
        value = inputs["clamp_value"][0]
        harmony.choose(step, self._before, value, int(self._live.get("seed")), self._live.get("temperature"), position)
        harmony.clamp(inputs["x"][0], inputs["clamp_mask"][0], value)

    def _draw(self, step: int) -> None:
        drawn = (int(self._live.get("seed")), step)
        if drawn != self._drawn:
            u = self._inputs["u"]
            u[0] = noise(*drawn, u.shape[1])
            self._drawn = drawn


def knows(card: Card, metre: Metre) -> bool:
    """Whether a network was taught a metre."""
    if not card.hears_metre:  # it counts its own bars, and those that make one of them
        return card.steps_per_bar % metre.steps(card.steps_per_beat) == 0 and not metre.is_compound
    return told_of(card, metre) in [told_of(card, known) for known in card.known_metres]


def told_of(card: Card, metre: Metre) -> tuple[int, int]:
    """Beats in a bar and timesteps in a beat, as the condition `metre` has them; half notes are told as quarters."""
    if metre.denominator < 4:
        return round(metre.bar), card.steps_per_beat
    return metre.beats, metre.beat_steps(card.steps_per_beat)


def tell_metre(card: Card, inputs: dict[str, np.ndarray], metre: Metre) -> None:
    """Tell a network its metre, where it can be told: zeros for its own."""
    if METRE in inputs:
        told = told_of(card, metre)
        inputs[METRE][:] = (0, 0) if told == (card.beats_per_bar, card.steps_per_beat) else told
