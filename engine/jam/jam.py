"""The jam: one timestep at a time, what sounded, what the network chooses, and which notes go out.

Runs on: network process, or the caller of the offline render. It knows frames and timesteps, never the time of day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.core.contract import HOLD, PLAY
from engine.core.link import Link
from engine.core.messages import ALL_OFF, GIVEN_CHORD, INFO, NOTE_OFF, NOTE_ON, PLAYER, WARNING
from engine.core.metre import Metre
from engine.core.parameters import Live
from engine.jam.backing import Backing
from engine.jam.charts import Charts
from engine.jam.chords import Chord, of_code
from engine.jam.following import Following
from engine.jam.harmony import Harmony
from engine.jam.inputs import Inputs, knows
from engine.jam.mode import Mode
from engine.jam.modes import CLASSES
from engine.jam.parts import Parts
from engine.jam.patience import Patience
from engine.jam.records import Records
from engine.jam.roll import Roll
from engine.jam.score import Score
from engine.jam.shape import Shape
from engine.jam.step import Step, all_off
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline

RECALLED_BARS = 32  # so many of the last are listened to again by a process that takes the place of another


class Jam:
    """The network's side of the music.

    For each timestep in turn: `hear` what sounded, `choose`, `send` and `write` unless it came too late, the same again while
    more is heard, and `publish`. What was sent is not what is remembered: that is what the audio process reports to have
    sounded.
    """

    def __init__(
        self,
        runner: Runner,
        live: Live,
        link: Link,
        player_track: str,
        harmony: Harmony | None = None,
        backing: Backing | None = None,
        chart: Sequence[Chord] = (),
        metre: Metre | None = None,
    ) -> None:
        """`chart`: the chord of each beat, laid out in `metre`, by default the network's own."""
        card = runner.card
        self._free = None if backing is None else backing.free  # tracks that are the network's; None: all
        self.runner = runner
        self.roll = Roll(card, player_track)
        self._live, self._link = live, link
        self._notes = link.writer("notes")
        self._steps_per_beat = card.steps_per_beat
        self._harmony = harmony
        self._modes = [mode(card, self.roll, live) for mode in CLASSES]
        self.parts = Parts(card, player_track, self.roll, live)
        self._mode: Mode | None = None  # as the last step was chosen
        self.following = Following(card, live, metre=metre)
        self.charts = Charts(self.following, live, link, chart)
        self._inputs = Inputs(runner, self.roll, live, harmony, self.following, backing)
        self.shape = Shape(runner, live, self.roll, self.following.ear, self._inputs.clamped)
        self._score = Score(self.shape, self.roll, backing)
        self._records = Records(link.writer("steps"), runner)
        self._patience = Patience(card.steps_per_beat)
        self._metre: Metre | None = None  # as the last step was chosen
        self._untaught: set[str] = set()  # metres that were told as such
        self._triggers = {name: live.get(name) for name in ("panic", "reset")}
        self._step = Step(-1)  # the one that was chosen last
        self._position = 0  # of it, counted from bar 1
        self._notes_of = list(zip(card.slot_tracks().tolist(), card.slot_pitches().tolist(), strict=True))  # track, pitch
        self.corrected = 0  # steps that were put right as they sounded

    @property
    def mode(self) -> int:
        """Index in MODES, as the last step was chosen; -1 before the first."""
        return -1 if self._mode is None else self._mode.number

    @property
    def listening(self) -> bool:
        """Whether the mode lets the network listen only."""
        return self._mode is not None and self._mode.listening

    @property
    def interruptible(self) -> bool:
        """Whether a note of the player should silence the network at once, in whatever it plays for him."""
        return self.parts.taken_over or (self._mode is not None and self._mode.interruptible)

    @property
    def version(self) -> int:
        """Of the parameters, as they are now."""
        return self._live.values.version

    @property
    def yields(self) -> int:
        """The tracks that are to be silent from the player's next note on, a bit each."""
        if not self.interruptible:
            return 0
        every = range(len(self.runner.card.tracks)) if self._free is None else self._free
        return sum(1 << track for track in (self.parts.tracks if self.parts.taken_over else every))

    def hear(self, events: np.ndarray, timeline: BeatTimeline, latency_frames: int) -> bool:
        """Take EVENT records of what sounded; return whether the player began a note, or gave a chord.

        `latency_frames` is how much later than it was rendered the player hears the band, and so how much earlier than
        its frame he meant his note.
        """
        began = False
        for frame, step, kind, track, pitch, velocity, _ in events.tolist():  # a field of a record costs numpy microseconds
            self._step.hear(track == PLAYER)
            loud = velocity / 127
            if step >= 0:
                position = float(step)
                if kind == NOTE_ON:
                    position, loud = self.shape.as_meant(timeline, frame, step, track, pitch, loud)
            else:
                position = self.shape.grid.position_at(timeline, frame - (latency_frames if track == PLAYER else 0))
            if kind == NOTE_ON:
                self.roll.note_on(track, pitch, loud, position)
                if track == PLAYER:
                    self.shape.hear(loud)
                    began = True
            elif kind == NOTE_OFF:
                if step < 0 or not self.roll.take_back(track, pitch, step):
                    self.roll.note_off(track, pitch, position)
            elif kind == ALL_OFF:
                self.roll.all_off(track, position)
            elif kind == GIVEN_CHORD:
                self.following.ear.give(of_code(pitch, velocity))
                began = True
        return began

    def choose(self, step: int, timeline: BeatTimeline) -> None:
        """Let the network choose timestep `step`; the choice waits for `send` and `publish`.

        It may be called again for the same step, when more was heard since.
        """
        if self._step.number != step:
            self._step = Step(step)
        frame = self.shape.grid.frame_of(timeline, step)
        if timeline.metre is not self._metre:
            self._take_metre(timeline.metre)
        position = self._position_of(step, timeline)
        self._position = position
        self._pull_triggers(step, round(frame))
        self.charts.look(step // self._steps_per_beat)
        mode = self._advance(step, position)
        self._inputs.fill(step, position, mode, self.parts, self._patience.density)
        if self.following.begins_song:
            self.runner.fade(0)
        self.shape.ask(step, position, timeline)
        self.runner.run()
        self.shape.ask_again()
        self._inputs.take_out(self.runner.outputs["notes"][0])
        self.following.keep_to(*self._chosen())
        self.shape.finish()
        events, plays = self._score.read(step, timeline, frame)
        self._step.choose(timeline, frame, events, plays, self._live.values.version)

    def _take_metre(self, metre: Metre) -> None:
        """The steps lie in another metre from here on."""
        self._metre = metre
        self.following.take_metre(metre)
        self.charts.take_metre()
        self._inputs.take_metre(metre)
        for mode in self._modes:
            mode.take_metre(metre)
        card = self.runner.card
        if not knows(card, metre) and metre.name not in self._untaught:
            self._untaught.add(metre.name)
            self._link.notice("network", WARNING, f"{card.name} was not taught {metre.name}: it plays on, and may miss the bar")

    def _chosen(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What was chosen (S, C), what sounded a step before (S, C), and where the network did not choose (S,)."""
        return self.runner.outputs["notes"][0], self.runner.inputs["x"][0], self._inputs.decided

    def correct(self, timeline: BeatTimeline, earliest_frame: float) -> None:
        """The player began a note in the step that sounds now: where what was chosen does not fit it, it is put right."""
        step = self._step
        if not step.is_sent or self.listening or step.timeline is None:
            return
        self._inputs.listen(step.number, self._position)
        if self.following.fits():
            return
        self.following.keep_again(*self._chosen())
        self.shape.finish()
        self._strike_ended(step)
        self.shape.correct()
        events, _ = self._score.read(step.number, timeline, step.frame)
        step.correct(events, self._notes, earliest_frame)
        self._tell_chords(earliest_frame)
        self.corrected += 1

    def _strike_ended(self, step: Step) -> None:
        """What was to go on and was ended by the choice before begins anew."""
        notes = self.runner.outputs["notes"][0]
        for slot in np.flatnonzero((notes[:, PLAY] > 0.5) & (notes[:, HOLD] > 0.5)).tolist():
            if step.has_ended(*self._notes_of[slot]):
                notes[slot, HOLD] = 0

    def stands(self, step: int, timeline: BeatTimeline) -> bool:
        """Whether the choice for `step` was made already, with the parameters as they are and all that was heard since."""
        if not self._step.holds(step, timeline, self._live.values.version):
            return False
        if self._step.is_doubtful and self._inputs.agree(step):
            self._step.confirm()
        return not self._step.is_doubtful

    def is_sent(self, step: int) -> bool:
        """Whether a choice for `step` was handed to the audio process, to sound in time."""
        return self._step.number == step and self._step.is_sent

    def _pull_triggers(self, step: int, frame: int) -> None:
        for name, seen in self._triggers.items():
            now = self._live.get(name)
            if now == seen:
                continue
            self._triggers[name] = now
            if name == "reset":
                self.runner.reset()
                self.roll.clear()
                self._inputs.clear()
                self.charts.forget(step)
                self.shape.clear()
                if self._harmony is not None:
                    self._harmony.reset()
            self._silence(frame, step)  # what is no longer remembered could never be ended: it ends now

    def _advance(self, step: int, position: int) -> Mode:
        """Take up the mode that is chosen, and let it go on to `step`."""
        mode = self._modes[int(self._live.get("mode"))]
        if mode is not self._mode:
            self._mode = mode
            mode.begin(step)
            self.parts.begin(step)
        mode.advance(step, position)
        self.parts.advance(step, position, mode)
        if mode.hint:
            self._link.notice("network", INFO, mode.hint)
        if mode.answer_begins:
            self._patience.end()
        return mode

    def send(self, earliest_frame: float) -> None:
        """Hand the chosen notes to the audio process; what was to sound before `earliest_frame` sounds there."""
        self._step.send(self._notes, earliest_frame)

    def write(self) -> None:
        """Write the record of the step as it was chosen; after `send`, so that a choice that comes too late has none."""
        assert self._mode is not None  # choose() comes first
        self._records.write(self._step, self._mode, self._inputs.clamped)

    def publish(self, step_ms: float, late: bool) -> None:
        """Publish the record of the step as written; a late one's notes were not sent."""
        if not self._step.is_written:
            self.write()
        self._records.publish(step_ms, late)
        self._tell_chords(self._step.frame)
        self._settle()

    def _tell_chords(self, frame: float) -> None:
        changes = self.following.changes(frame)
        for event in changes:
            self._notes.push(event)
        if changes:
            self.charts.tell_chords()

    def recall(self, step: int, timeline: BeatTimeline, chart: np.void | None, bars: int = RECALLED_BARS) -> None:
        """Go on for a process that died, from timestep `step` on: by its chart, and with key, chord and rounds of what the
        player is known to have played."""
        self._take_metre(timeline.metre)
        if chart is not None:
            self.charts.recall(chart)
        begin = max(step - bars * self.runner.card.steps_per_bar, self.charts.since)
        position = self._position_of(step, timeline)
        for heard in range(begin, step):
            self._inputs.listen(heard, position + heard - step)
            self.charts.settle()

    def _position_of(self, step: int, timeline: BeatTimeline) -> int:
        """A timestep's number, counted from bar 1."""
        return math.floor(timeline.place(step / self._steps_per_beat) * self._steps_per_beat + 0.5)

    def _settle(self) -> None:
        """What was chosen has happened: the states move on."""
        self.runner.carry()
        self.charts.settle()
        self._inputs.settle(self._position, self.runner.outputs["notes"][0])
        self.shape.settle()
        memory = self._live.get("memory")
        if memory < 1:
            self.runner.fade(memory)
        if self._harmony is not None:
            self._harmony.settle(memory)
        self._patience.settle(self._step.plays)

    def abandon(self, earliest_frame: float) -> None:
        """The step that was chosen is not to be: the beat stopped, or went elsewhere. What does not sound yet is withdrawn."""
        self._step.withdraw(self._notes, earliest_frame)
        self._step = Step(-1)

    def interrupt(self, frame: float, step: int) -> None:
        """The player has begun to play: silence the network now where it has its turn, or what it plays for him."""
        if not self.parts.taken_over:
            self._silence(frame, step)
            return
        for track in self.parts.tracks:
            self._notes.push(all_off(round(frame), track))
            self._step.forget_sent(track)
        self.parts.give_back()

    def _silence(self, frame: float, step: int) -> None:
        """Silence the network now: the player has begun to play in its turn, or it is to be silent or to forget."""
        for event in [all_off(round(frame))] if self._free is None else [all_off(round(frame), track) for track in self._free]:
            self._notes.push(event)
        self._step.forget_sent()
        if self._mode is not None:
            self._mode.interrupt(step)
