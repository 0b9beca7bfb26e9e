"""The records of the steps, as the feed and the recording have them.

Runs on: network process, main thread, or the caller of the offline render.
"""

from __future__ import annotations

import numpy as np

from engine.core.link import Writer
from engine.core.messages import LATE, LISTENING
from engine.jam.mode import Mode
from engine.jam.step import Step
from engine.network.runner import Runner


class Records:
    """Writes the ring `steps`, a record for each timestep."""

    def __init__(self, ring: Writer, runner: Runner) -> None:
        card = runner.card
        self._ring, self._inputs, self._outputs = ring, runner.inputs, runner.outputs
        self._steps_per_beat = card.steps_per_beat
        self._activations = sorted({s.name + "_next" for s in card.states} | {a.output for a in card.activations})

    def write(self, step: Step, mode: Mode, clamped: np.ndarray) -> None:
        """Write a step as it was chosen last; nobody sees it before it is published."""
        assert step.timeline is not None  # it was chosen
        inputs, outputs = self._inputs, self._outputs
        record = self._ring.slot()
        record["step"] = step.number
        record["frame"] = round(step.frame)
        record["beat"] = step.timeline.place(step.number / self._steps_per_beat)
        record["tempo_bpm"] = step.timeline.tempo_bpm
        record["numerator"], record["denominator"] = step.timeline.numerator, step.timeline.denominator
        record["groups"] = step.timeline.groups
        record["flags"] = LISTENING if mode.listening else 0
        record["mode"] = mode.number
        record["log_prob"] = outputs["log_prob"][0]
        record["log_prob_tracks"] = outputs["log_prob_tracks"][0]
        record["x"] = inputs["x"][0, :, :2]
        record["clamped"] = clamped
        record["notes"] = outputs["notes"][0, :, :2]
        record["probability"] = outputs["probability"][0]
        for name in self._activations:
            record[name] = outputs[name][0]
        step.is_written = True

    def publish(self, step_ms: float, late: bool) -> None:
        """Publish the record that was written; the notes of a `late` one were not sent."""
        record = self._ring.slot()
        record["flags"] |= LATE if late else 0
        record["step_ms"] = step_ms
        self._ring.advance()
