"""The jam: one timestep at a time, what the network is told, what it may choose, and which notes go out.

Runs on: network process, or the caller of the offline render. It knows frames and timesteps, never the time of day.
"""

from __future__ import annotations

import math

import numpy as np

from engine.core.contract import HOLD, OFFSET, PLAY, VELOCITY
from engine.core.link import Link
from engine.core.messages import ALL_OFF, LATE, LISTENING, NOTE_OFF, NOTE_ON, PLAYER, WITHDRAWN
from engine.core.parameters import Live
from engine.jam.harmony import Harmony
from engine.jam.mode import Mode
from engine.jam.modes import CLASSES
from engine.jam.roll import Roll
from engine.network.noise import noise
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline

PATIENCE_BEATS = 2  # silence of a network that is free to play, after which it is encouraged
ENCOURAGEMENT = 1.5  # growth of the density per silent timestep from there on ...
MOST_ENCOURAGED = 256.0  # ... up to this factor
Event = tuple[int, int, int, int, int, int, float]  # a record of the `notes` ring, in field order
Identity = tuple[int, int, int, int]  # ... and what it is known by: step, kind, track, pitch


class Jam:
    """The network's side of the music.

    For each timestep in turn: `hear` what sounded, `choose`, `send` and `write` unless it came too late, the same again while
    more is heard, and `publish`. What was sent is not what is remembered: that is what the audio process reports to have
    sounded.
    """

    def __init__(self, runner: Runner, live: Live, link: Link, player_track: str, harmony: Harmony | None = None) -> None:
        card = runner.card
        self.runner = runner
        self.roll = Roll(card, player_track)
        self._modes = [mode(card, player_track, self.roll, live) for mode in CLASSES]
        self._mode: Mode | None = None  # as the last step was played
        self._live = live
        self._link = link
        self._steps_per_beat = card.steps_per_beat
        self._steps_per_bar = card.steps_per_bar
        self._harmony = harmony
        self._dictated = np.zeros(card.slots, np.float32)  # 1 where the player, not the network, decided
        self._sounded = np.zeros((card.slots, len(card.channels)), np.float32)  # to see whether `x` would be another by now
        self._before = np.zeros((card.slots, len(card.channels)), np.float32)  # what the player played a timestep ago
        self._track_of = card.slot_tracks().tolist()
        self._pitch_of = card.slot_pitches().tolist()
        self._controls = ["temperature", *(c.name for c in card.controls)]
        self._activations = sorted({s.name + "_next" for s in card.states} | {a.output for a in card.activations})
        self._velocity_learned = len(card.channels) > VELOCITY
        self._offset_learned = len(card.channels) > OFFSET
        self._triggers = {name: live.get(name) for name in ("panic", "reset")}
        self._silent_steps = 0  # timesteps in which it was free to play and did not
        self._events: list[Event] = []
        self._sent: dict[Identity, tuple[Event, int]] = {}  # of the step chosen: as chosen, and the frame it was sent for
        self._sent_step = -1
        self._written = False  # whether the record of the step is
        self._drawn = (-1, -1)  # seed and timestep that the noise in the graph's input is of
        self._chosen: tuple[int, BeatTimeline, float] | None = None
        self._turned = -1  # version of the parameters it was chosen with; none once more was heard of the player
        self._doubted = False  # whether more was heard of the network's own
        self._played = False  # whether it has notes, or none were asked for

    @property
    def mode(self) -> int:
        """Index in MODES, as the last step was played; -1 before the first."""
        return -1 if self._mode is None else self._mode.number

    @property
    def listening(self) -> bool:
        """Whether the mode lets the network listen only."""
        return self._mode is not None and self._mode.listening

    @property
    def interruptible(self) -> bool:
        """Whether a note of the player should silence the network at once."""
        return self._mode is not None and self._mode.interruptible

    def hear(self, events: np.ndarray, grid: BeatTimeline, latency_frames: int) -> bool:
        """Take EVENT records of what sounded; return whether the player began a note.

        `latency_frames` is how much later than it was rendered the player hears the band, and so how much earlier than
        its frame he meant his note.
        """
        began = False
        for frame, step, kind, track, pitch, velocity, _ in events.tolist():  # a field of a record costs numpy microseconds
            if track == PLAYER:
                self._turned = -1
            else:
                self._doubted = True
            if step >= 0:
                position = float(step)
                if kind == NOTE_ON and self._offset_learned:  # how early or late it was: what was chosen, if it was in time
                    offset = grid.beat_at(frame) * self._steps_per_beat - position
                    position += min(max(offset, -0.5), 0.499)
            else:
                position = grid.beat_at(frame - (latency_frames if track == PLAYER else 0)) * self._steps_per_beat
            if kind == NOTE_ON:
                self.roll.note_on(track, pitch, velocity / 127, position)
                began |= track == PLAYER
            elif kind == NOTE_OFF:
                self.roll.note_off(track, pitch, position)
            elif kind == ALL_OFF:
                self.roll.all_off(track, position)
        return began

    def choose(self, step: int, grid: BeatTimeline) -> None:
        """Let the network choose timestep `step`; the choice waits for `send` and `publish`.

        It may be called again for the same step, when more was heard since.
        """
        if self._sent_step != step:
            self._forget_sent()
        runner = self.runner
        frame = grid.frame_at(step / self._steps_per_beat)
        self._pull_triggers(step, round(frame))
        position = round(grid.place(step / self._steps_per_beat) * self._steps_per_beat)
        mode = self._advance(step, position)
        self._tell(step, position, mode)
        runner.run()
        self._events = self._notes_of(step, grid, frame)
        self._chosen = (step, grid, frame)
        self._turned = self._live.values.version
        self._doubted = False

    def stands(self, step: int, grid: BeatTimeline) -> bool:
        """Whether the choice for `step` was made already, with the parameters as they are and all that was heard since."""
        if self._chosen is None or self._chosen[:2] != (step, grid) or self._turned != self._live.values.version:
            return False
        if self._doubted:  # a note of this step's own may sound by now, or an end was reported that was known
            self.roll.fill(step - 1, self._sounded)
            self._doubted = not np.array_equal(self._sounded, self.runner.inputs["x"][0])
        return not self._doubted

    def is_sent(self, step: int) -> bool:
        """Whether a choice for `step` was handed to the audio process, to sound in time."""
        return self._sent_step == step

    def abandon(self, earliest_frame: float) -> None:
        """The step that was chosen is not to be: the beat stopped, or went elsewhere. What does not sound yet is withdrawn."""
        for (step, kind, track, pitch), (_, frame) in self._sent.items():
            if frame >= earliest_frame:
                self._link["notes"].push((frame, step, WITHDRAWN, track, pitch, kind, 0.0))
        self._forget_sent()
        self._chosen = None

    def _forget_sent(self) -> None:
        self._sent.clear()
        self._sent_step = -1
        self._written = False

    def _pull_triggers(self, step: int, frame: int) -> None:
        for name, seen in self._triggers.items():
            now = self._live.get(name)
            if now == seen:
                continue
            self._triggers[name] = now
            # What is no longer remembered could never be ended: it ends now.
            self._link["notes"].push(all_off(frame))
            self._forget_sent()
            if name == "reset":
                self.runner.reset()
                self.roll.clear()
                if self._harmony is not None:
                    self._harmony.reset()
            self._interrupted(step)

    def _interrupted(self, step: int) -> None:
        if self._mode is not None:
            self._mode.interrupt(step)

    def _advance(self, step: int, position: int) -> Mode:
        """Take up the mode that is chosen, and let it go on to `step`."""
        mode = self._modes[int(self._live.get("mode"))]
        if mode is not self._mode:
            self._mode = mode
            mode.begin(step)
        mode.advance(step, position)
        if mode.answer_begins:
            self._silent_steps = PATIENCE_BEATS * self._steps_per_beat
        return mode

    def _tell(self, step: int, position: int, mode: Mode) -> None:
        """Fill the graph's inputs: what sounded, the place counted from bar 1, what is dictated, the noise and the controls."""
        inputs = self.runner.inputs
        self.roll.forget_before(step - 1)
        self.roll.fill(step - 1, inputs["x"][0])
        inputs["position"][0] = position
        mask, value = inputs["clamp_mask"][0], inputs["clamp_value"][0]
        self.roll.fill_player(step, value)
        mode.clamp(value, mask)
        self._dictated[:] = mask
        if self._harmony is not None:
            self._tell_harmony(self._harmony, step)
        self._draw(step)
        for name in self._controls:
            if name in self._live.registry:
                inputs[name][0] = self._live.get(name)
        if "density" in self._controls:
            inputs["density"][0] *= encouragement(self._silent_steps, self._steps_per_beat)

    def _tell_harmony(self, harmony: Harmony, step: int) -> None:
        """Let the harmony choose, and clamp its chord unless its track is clamped as a whole: the player's, or a listener's."""
        inputs = self.runner.inputs
        self.roll.fill_player(step - 1, self._before)
        value = inputs["clamp_value"][0]
        harmony.choose(step, self._before, value, int(self._live.get("seed")), self._live.get("temperature"))
        harmony.dictate(inputs["x"][0], inputs["clamp_mask"][0], value)

    def _draw(self, step: int) -> None:
        drawn = (int(self._live.get("seed")), step)
        if drawn != self._drawn:
            u = self.runner.inputs["u"]
            u[0] = noise(*drawn, u.shape[1])
            self._drawn = drawn

    def _notes_of(self, step: int, grid: BeatTimeline, frame: float) -> list[Event]:
        outputs, clamped = self.runner.outputs, self._dictated
        notes, probability = outputs["notes"][0], outputs["probability"][0]
        at = round(frame)
        ends: list[Event] = []
        begins: list[Event] = []
        ours = (notes[:, PLAY] > 0.5) & (clamped < 0.5)
        held = ours & (notes[:, HOLD] > 0.5)
        self._played = bool(ours.any() or clamped.all())
        for slot in self.roll.network_sounding(step):
            if not ours[slot]:
                ends.append((at, step, NOTE_OFF, self._track_of[slot], self._pitch_of[slot], 0, 0.0))
        for slot in np.flatnonzero(ours & ~held).tolist():
            loudness = notes[slot, VELOCITY] if self._velocity_learned else 0.45 + 0.4 * probability[slot, PLAY]
            begin = at
            if self._offset_learned:
                shift = float(notes[slot, OFFSET]) * grid.frames_per_beat / self._steps_per_beat
                begin = round(frame + shift)
            velocity = min(max(round(127 * float(loudness)), 1), 127)
            begins.append((begin, step, NOTE_ON, self._track_of[slot], self._pitch_of[slot], velocity, 0.0))
        return ends + begins

    def send(self, earliest_frame: float) -> None:
        """Hand the chosen notes to the audio process; what was to sound before `earliest_frame` sounds there.

        What an earlier choice for the step sent stays where it is the same, and where it sounds before `earliest_frame`;
        the rest of it is replaced or withdrawn.
        """
        assert self._chosen is not None  # choose() comes first
        notes, earliest = self._link["notes"], math.ceil(earliest_frame)
        before, now = self._sent, dict[Identity, tuple[Event, int]]()
        for event in self._events:
            identity = event[1:5]
            sent = before.get(identity)
            if sent is None or (sent[0] != event and sent[1] >= earliest):
                sent = (event, max(event[0], earliest))
                notes.push((sent[1], *event[1:]))
            now[identity] = sent
        for identity, sent in before.items():
            if identity in now:
                continue
            if sent[1] < earliest:  # it sounds; when it ends is for the next step to choose
                now[identity] = sent
            else:
                step, kind, track, pitch = identity
                notes.push((sent[1], step, WITHDRAWN, track, pitch, kind, 0.0))
        self._sent, self._sent_step = now, self._chosen[0]
        self._written = False

    def publish(self, step_ms: float, late: bool) -> None:
        """Publish the record of the step as written; a late one's notes were not sent."""
        if not self._written:
            self.write()
        record = self._link["steps"].slot()
        record["flags"] |= LATE if late else 0
        record["step_ms"] = step_ms
        self._link["steps"].advance()
        self._settle()

    def write(self) -> None:
        """Write the record of the step as it was chosen; after `send`, so that a choice that comes too late is not told."""
        assert self._chosen is not None  # choose() comes first
        step, grid, frame = self._chosen
        inputs, outputs = self.runner.inputs, self.runner.outputs
        record = self._link["steps"].slot()
        record["step"] = step
        record["frame"] = round(frame)
        record["beat"] = grid.place(step / self._steps_per_beat)
        record["tempo_bpm"] = grid.tempo_bpm
        record["flags"] = LISTENING if self.listening else 0
        record["mode"] = self.mode
        record["log_prob"] = outputs["log_prob"][0]
        record["log_prob_tracks"] = outputs["log_prob_tracks"][0]
        record["x"] = inputs["x"][0, :, :2]
        record["clamped"] = self._dictated
        record["notes"] = outputs["notes"][0, :, :2]
        record["probability"] = outputs["probability"][0]
        for name in self._activations:
            record[name] = outputs[name][0]
        self._written = True

    def _settle(self) -> None:
        """What was chosen has happened: the states move on."""
        self.runner.carry()
        memory = self._live.get("memory")
        if memory < 1:
            self.runner.fade(memory)
        if self._harmony is not None:
            self._harmony.settle(memory)
        self._silent_steps = 0 if self._played else self._silent_steps + 1

    def interrupt(self, frame: float, step: int) -> None:
        """Silence the network now: the player has begun to play in its turn."""
        self._link["notes"].push(all_off(round(frame)))
        self._forget_sent()
        self._interrupted(step)


def encouragement(silent_steps: int, steps_per_beat: int) -> float:
    """Return the factor on the density that keeps a network from falling silent for good.

    A state that heard nothing but rests goes on resting. The idea is Johnson's adaptive conservativity.
    """
    overdue = min(max(silent_steps - PATIENCE_BEATS * steps_per_beat, 0), 64)  # a longer one has the most already
    return min(ENCOURAGEMENT**overdue, MOST_ENCOURAGED)


def all_off(frame: int) -> Event:
    """Release every note of the network at `frame` and drop what was to come."""
    return (frame, -1, ALL_OFF, PLAYER, 0, 0, 0.0)
