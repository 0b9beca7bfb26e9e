"""The jam against a fake audio process: it plays what it is sent, and reports what sounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.contract import HOLD, PLAY
from engine.core.link import Layout, Link
from engine.core.messages import ALL_OFF, EVENT, LATE, LISTENING, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Live
from engine.jam.jam import Jam
from engine.jam.modes import MODES
from engine.jam.parameters import registry_of
from engine.jam.patience import MOST_ENCOURAGED, encouragement
from engine.midi.schedule import Event, Schedule, is_late
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline
from tests import tiny

STEP = 6000  # frames: 120 bpm at 48 kHz
TIMELINE = BeatTimeline(0.0, 0.0, 120.0, 48000.0)
LEAD = slice(7, 19)


class Stage:
    """Jam and fake audio on one virtual clock."""

    def __init__(self, path, mode: str = "solo", track: str = "lead", **values: float) -> None:
        self.runner = Runner(path)
        registry = registry_of(self.runner.card)
        self.link = Link.private(Layout.of(self.runner.card, len(registry)))
        self.live = Live(registry, self.link.values)
        self.live.reset_to_defaults()
        self.live.set("mode", MODES.index(mode))
        for name, value in values.items():
            self.live.set(name, value)
        self.jam = Jam(self.runner, self.live, self.link, track)
        self.sent = self.link["notes"].reader(0)
        self.heard = self.link["events"].reader(0)
        self.records = self.link["steps"].reader(0)
        self.step = 0
        self.played: list[tuple] = []
        self.sounding: set[tuple[int, int]] = set()

    def player(self, step: float, pitch: int, on: bool = True, velocity: int = 100) -> None:
        self.link.writer("events").push((round(step * STEP), -1, NOTE_ON if on else NOTE_OFF, PLAYER, pitch, velocity, 0.0))

    def advance(self, late: bool = False, lose: bool = False) -> np.void:
        """One step; `late`: skipped; `lose`: sent, but no note of it sounded."""
        self.jam.hear(self.heard.read(), TIMELINE, 0)
        self.jam.choose(self.step, TIMELINE)
        if not late:
            self.jam.send(0)
        self.jam.publish(0.1, late)
        for event in self.sent.read():
            if lose and event["kind"] != ALL_OFF:
                continue
            self.played.append(tuple(event.tolist()))
            key = int(event["track"]), int(event["pitch"])
            if event["kind"] == NOTE_ON:
                self.sounding.add(key)
            elif event["kind"] == NOTE_OFF:
                self.sounding.discard(key)
            elif event["kind"] == ALL_OFF:
                self.sounding.clear()
            if event["kind"] in (NOTE_ON, NOTE_OFF, ALL_OFF):
                self.link.writer("events").push(event)
        self.step += 1
        return self.records.read()[-1]

    def run(self, steps: int) -> np.ndarray:
        return np.array([self.advance() for _ in range(steps)])


def ons(stage: Stage) -> list[tuple]:
    return [e for e in stage.played if e[2] == NOTE_ON]


def test_what_it_chose_and_what_sounded_is_what_it_is_told_next(tiny_onnx):
    records = Stage(tiny_onnx).run(64)
    assert records["notes"].sum() > 50
    assert np.array_equal(records["x"][1:], records["notes"][:-1])


def test_notes_that_did_not_sound_are_not_remembered(tiny_onnx):
    stage = Stage(tiny_onnx)
    stage.run(8)
    before = stage.advance(lose=True)
    told = stage.advance()["x"]
    # What was held went on (no note-off arrived either); what was begun never was.
    began = before["notes"][:, PLAY] > before["notes"][:, HOLD]
    held_over = before["x"][:, PLAY] > 0
    assert began.any()
    assert np.array_equal(told[:, PLAY] > 0, held_over)
    assert not told[began & ~held_over].any()


def test_a_late_step_is_skipped_held_notes_stay_held_and_memory_is_true(tiny_onnx):
    stage = Stage(tiny_onnx)
    stage.run(10)
    sounding = set(stage.sounding)
    record = stage.advance(late=True)
    assert record["flags"] & LATE
    assert stage.sounding == sounding
    told = stage.advance()["x"]
    tracks, pitches = stage.runner.card.slot_tracks(), stage.runner.card.slot_pitches()
    told_sounding = {(int(tracks[s]), int(pitches[s])) for s in np.flatnonzero(told[:, PLAY])}
    assert told_sounding == sounding
    assert told[told[:, PLAY] > 0][:, HOLD].all()


def test_in_solo_the_player_is_dictated_only_where_he_plays(tiny_onnx):
    stage = Stage(tiny_onnx)
    stage.player(0.1, 64)
    record = stage.advance()
    assert np.flatnonzero(record["clamped"]).tolist() == [LEAD.start + 4]
    assert record["notes"][LEAD.start + 4].tolist() == [1, 0]


def test_in_accompany_his_track_is_his_and_the_others_play(tiny_onnx):
    stage = Stage(tiny_onnx, mode="accompany")
    stage.player(0, 60)
    stage.player(6, 60, on=False)
    records = stage.run(32)
    assert records["clamped"][:, LEAD].all()
    assert not records["clamped"][:, : LEAD.start].any()
    assert [int(r["notes"][LEAD.start, PLAY]) for r in records[:8]] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert {e[3] for e in ons(stage)} == {0, 1}


def test_a_note_after_the_window_closed_is_remembered_in_its_place(tiny_onnx):
    stage = Stage(tiny_onnx, mode="accompany")
    stage.run(4)
    first = stage.advance()  # step 4 is chosen before he plays ...
    stage.player(4.3, 62)  # ... but his note belongs to it
    second = stage.advance()
    slot = LEAD.start + 2
    assert first["notes"][slot].tolist() == [0, 0]
    assert second["x"][slot].tolist() == [1, 0]
    assert second["notes"][slot].tolist() == [1, 1]


def test_the_latency_of_the_loudspeaker_is_taken_off_the_players_notes(tiny_onnx):
    stage = Stage(tiny_onnx, mode="accompany")
    events = np.array([(STEP * 3 + 3200, -1, NOTE_ON, PLAYER, 60, 90, 0.0)], EVENT)
    stage.jam.hear(events, TIMELINE, latency_frames=800)
    out = np.zeros((tiny.SLOTS, 2), np.float32)
    stage.jam.roll.fill(3, out)
    assert out[LEAD.start].tolist() == [1, 0]


def test_trade_listens_then_answers_then_gives_way(tiny_onnx):
    stage = Stage(tiny_onnx, mode="trade", rest=1)
    quiet = stage.run(16)
    assert (quiet["flags"] & LISTENING).all()
    assert not ons(stage)
    stage.player(16, 60)
    stage.player(18, 60, on=False)
    phrase = stage.run(6)
    assert (phrase["flags"] & LISTENING).all()
    answer = stage.run(24)
    assert not (answer["flags"][1:] & LISTENING).any()
    assert ons(stage)
    stage.player(stage.step, 64)
    assert stage.advance()["flags"] & LISTENING
    assert not stage.sounding


def test_a_last_note_that_is_held_is_answered_while_it_sounds(tiny_onnx):
    stage = Stage(tiny_onnx, mode="trade", rest=1)
    stage.player(16, 60)  # its end never comes
    held = stage.run(16 + 32)
    assert (held["flags"] & LISTENING).all()
    answer = stage.run(24)
    assert not (answer["flags"][1:] & LISTENING).any()
    assert ons(stage)
    assert answer["notes"][:, LEAD.start, PLAY].all()  # and it goes on
    stage.player(stage.step, 64)
    assert stage.advance()["flags"] & LISTENING


def test_an_interruption_silences_it_within_the_step(tiny_onnx):
    stage = Stage(tiny_onnx, mode="trade", bars=1)
    stage.run(20)
    assert stage.jam.interruptible
    stage.player(20.2, 60)
    assert stage.jam.hear(stage.heard.read(), TIMELINE, 0)
    stage.jam.interrupt(20.3 * STEP, 21)
    event = stage.sent.read()[-1]
    assert (event["kind"], event["frame"]) == (ALL_OFF, round(20.3 * STEP))
    assert not stage.jam.interruptible


def test_trading_by_bars_takes_turns(tiny_onnx):
    records = Stage(tiny_onnx, mode="trade", bars=2).run(128)
    listening = (records["flags"] & LISTENING).reshape(-1, 32) > 0
    assert listening.all(axis=1).tolist() == [True, False, True, False]


def test_a_change_of_mode_hangs_no_note(tiny_onnx):
    stage = Stage(tiny_onnx, density=4)
    stage.run(12)
    assert any(track == 2 for track, _ in stage.sounding)
    stage.live.set("mode", MODES.index("accompany"))
    stage.advance()
    assert not any(track == 2 for track, _ in stage.sounding)
    stage.live.set("mode", MODES.index("trade"))
    stage.advance()
    assert not stage.sounding


def test_same_seed_same_music_another_seed_another(tiny_onnx):
    first, again, other = (Stage(tiny_onnx, seed=s).run(32)["notes"] for s in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_density_and_temperature_reach_the_graph(tiny_onnx):
    thin, normal, thick = (Stage(tiny_onnx, density=d).run(64)["notes"][:, :, PLAY].sum() for d in (0.25, 1, 4))
    assert thin < normal < thick


def test_reset_forgets(tiny_onnx):
    stage = Stage(tiny_onnx)
    stage.run(10)
    stage.live.fire("reset")
    record = stage.advance()
    assert not record["x"].any()


def test_memory_fades(tiny_onnx):
    stage = Stage(tiny_onnx, memory=0)
    records = stage.run(5)
    twin = Runner(tiny_onnx)
    for name, value in stage.runner.inputs.items():
        twin.inputs[name][...] = value
    twin.inputs["h0"].fill(0)
    twin.step()
    assert np.allclose(twin.states()["h0"], records[-1]["h0_next"])
    assert not stage.runner.states()["h0"].any()


def test_a_choice_may_be_made_again_when_more_was_heard(tiny_onnx):
    once, twice = Stage(tiny_onnx, mode="accompany", memory=0.9), Stage(tiny_onnx, mode="accompany", memory=0.9)
    for step in range(24):
        for stage in (once, twice):
            if step % 5 == 2:
                stage.player(step, 60 + step % 7)
        twice.jam.choose(step, TIMELINE)  # before the player was heard
        assert twice.jam.stands(step, TIMELINE)
        assert not twice.jam.stands(step + 1, TIMELINE)
        first, second = once.advance(), twice.advance()
        assert first.tobytes() == second.tobytes()
    twice.jam.choose(24, TIMELINE)
    twice.live.set("density", 2)
    assert not twice.jam.stands(24, TIMELINE)
    twice.jam.choose(24, TIMELINE)
    twice.player(24, 65)
    twice.jam.hear(twice.heard.read(), TIMELINE, 0)
    assert not twice.jam.stands(24, TIMELINE)


@settings(max_examples=30, deadline=None)
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from(["mode", "density", "temperature", "seed", "panic", "reset", "late", "lose", "key"]),
            st.floats(0, 4),
        ),
        max_size=25,
    )
)
def test_whatever_is_turned_no_note_hangs_and_memory_is_what_sounded(tiny_onnx, changes):
    stage = Stage(tiny_onnx)
    down: set[int] = set()
    for step in range(42):
        todo = [c for c in changes if c[0] == step]
        flags = {"late": False, "lose": False}
        for _, what, value in todo:
            if what in flags:
                flags[what] = True
            elif what == "key":
                pitch = 60 + int(value * 3)
                stage.player(step + 0.2, pitch, on=pitch not in down)
                down ^= {pitch}
            elif what in ("panic", "reset"):
                stage.live.fire(what)
            else:
                stage.live.set(what, value)
        sounded_before = set(stage.sounding)
        record = stage.advance(**flags)
        if not any(c[1] in ("reset", "panic") for c in todo):
            told = set(np.flatnonzero(record["x"][:, PLAY]).tolist())
            first = {0: 0, 1: 2, 2: 7}
            slots = {first[t] + stage.runner.card.tracks[t].pitches.index(p) for t, p in sounded_before}
            assert slots <= told
    stage.live.set("mode", MODES.index("trade"))
    stage.advance()
    stage.advance()
    assert not stage.sounding


def test_no_note_is_stamped_before_the_audio_can_play_it(tiny_onnx):
    stage = Stage(tiny_onnx, density=4)
    stage.run(3)
    stage.jam.choose(3, TIMELINE)
    stage.jam.send(earliest_frame=3 * STEP + 500)
    assert (stage.sent.read()["frame"] >= 3 * STEP + 500).all()


@pytest.mark.parametrize("track", ["drums", "bass"])
def test_the_player_can_take_any_track(tiny_onnx, track):
    stage = Stage(tiny_onnx, mode="accompany", track=track)
    records = stage.run(16)
    assert records["clamped"][:, stage.runner.card.track_slices()[track]].all()


def test_a_network_that_would_rest_for_ever_is_encouraged(tmp_path):
    stage = Stage(tiny.write(tmp_path / "shy.onnx", bias=-9.0))
    records = stage.run(64)
    longest = 0
    silent = 0
    for record in records:
        silent = 0 if record["notes"].any() else silent + 1
        longest = max(longest, silent)
    assert 8 < longest < 32
    assert ons(stage)


def test_encouragement_has_an_end_however_long_the_silence():
    assert encouragement(8, 4) == 1.0
    assert encouragement(9, 4) == 1.5
    assert encouragement(10**9, 4) == MOST_ENCOURAGED


class Band:
    """Jam and the audio process's own schedule on one virtual clock that both look at as they would on a stage."""

    def __init__(self, path, mode: str = "solo", **values: float) -> None:
        self.stage = Stage(path, mode, **values)
        self.jam, self.link = self.stage.jam, self.stage.link
        self.schedule = Schedule()
        self.frame = -STEP
        self.sounding: dict[tuple[int, int], tuple[int, int]] = {}  # (track, pitch) -> frame, timestep
        self.sounded: list[tuple[int, int, int, int, int]] = []  # frame, end, timestep, track, pitch
        self.down: dict[int, int] = {}
        self.played: list[tuple[int, int, int]] = []  # by the player: frame, end, pitch

    def until(self, frame: float) -> None:
        """Let all before `frame` sound."""
        for record in self.stage.sent.read().tolist():
            event = Event(*record)
            if not is_late(event, self.frame):
                self.schedule.put(event)
        self.frame = max(self.frame, round(frame))
        for event in self.schedule.due(self.frame):
            ends = [key for key in self.sounding if event.kind == ALL_OFF or key == (event.track, event.pitch)]
            for track, pitch in ends:
                self._end(track, pitch, event.frame, event.step)
            if event.kind == NOTE_ON:
                self.sounding[event.track, event.pitch] = (event.frame, event.step)
                self.link.writer("events").push(event)

    def _end(self, track: int, pitch: int, frame: int, step: int) -> None:
        began, of = self.sounding.pop((track, pitch))
        self.sounded.append((began, frame, of, track, pitch))
        self.link.writer("events").push((frame, step, NOTE_OFF, track, pitch, 0, 0.0))

    def key(self, pitch: int) -> None:
        """Press a key, or let go one that is down."""
        if pitch in self.down:
            self.played.append((self.down.pop(pitch), self.frame, pitch))
            self.link.writer("events").push((self.frame, -1, NOTE_OFF, PLAYER, pitch, 0, 0.0))
        else:
            self.down[pitch] = self.frame
            self.link.writer("events").push((self.frame, -1, NOTE_ON, PLAYER, pitch, 100, 0.0))

    def look(self, step: int, slack: int = 64) -> bool:
        """Hear, choose where that is needed, send where there is time; return whether the choice stood."""
        self.jam.hear(self.stage.heard.read(), TIMELINE, 0)
        if self.jam.stands(step, TIMELINE):
            return True
        self.jam.choose(step, TIMELINE)
        if self.frame + slack <= step * STEP:
            self.jam.send(self.frame + slack)
            self.jam.write()
        return False

    def publish(self, step: int) -> np.void:
        self.jam.publish(0.1, late=not self.jam.is_sent(step))
        return self.stage.records.read()[-1]


def notes_of(band: Band, step: int) -> set[tuple[int, int]]:
    """What began in a timestep, ended or not."""
    begun = [(of, track, pitch) for (track, pitch), (_, of) in band.sounding.items()]
    begun += [(of, track, pitch) for _, _, of, track, pitch in band.sounded]
    return {(track, pitch) for of, track, pitch in begun if of == step}


def test_what_was_chosen_early_sounds_though_nobody_looks_again(tiny_onnx):
    band = Band(tiny_onnx, density=4)
    for step in range(8):
        band.until((step - 0.45) * STEP)
        band.look(step)
    band.until(8 * STEP)
    assert all(notes_of(band, step) for step in range(8))


def test_a_choice_made_again_takes_the_place_of_the_one_before(tiny_onnx):
    band = Band(tiny_onnx, mode="accompany", density=4)
    differs = 0
    for step in range(48):
        band.until((step - 0.45) * STEP)
        band.look(step)
        first = band.jam.runner.outputs["notes"].copy()
        band.until((step - 0.2) * STEP)
        if step % 3 == 1:
            band.key(60 + step % 5)
            band.stage.live.set("seed", step)  # the small network's bass does not mind the lead
        stood = band.look(step)
        assert stood == (step % 3 != 1)
        record = band.publish(step)
        band.until((step + 0.3) * STEP)
        differs += not np.array_equal(first[0, : LEAD.start], record["notes"][: LEAD.start])
        begun = (record["notes"][:, PLAY] > record["notes"][:, HOLD]) & (record["clamped"] == 0)
        card = band.jam.runner.card
        assert notes_of(band, step) == {(card.slot_tracks()[s], card.slot_pitches()[s]) for s in np.flatnonzero(begun)}
    assert differs  # or nothing was tested


def test_a_choice_made_again_too_late_leaves_the_one_before_and_is_not_told(tiny_onnx):
    band = Band(tiny_onnx, mode="accompany", density=4)
    for step in range(12):
        band.until((step - 0.45) * STEP)
        band.look(step)
        first = band.jam.runner.outputs["notes"][0, :, :2].copy()
        band.until(step * STEP - 1)  # the machine stood still
        band.key(60 + step % 5)
        assert not band.look(step)
        record = band.publish(step)
        assert not record["flags"] & LATE
        assert np.array_equal(record["notes"], first)
        band.until((step + 0.3) * STEP)
        begun = (first[:, PLAY] > first[:, HOLD]) & (record["clamped"] == 0)
        assert len(notes_of(band, step)) == begun.sum()
    # What he played is remembered, in its place.
    assert record["x"][LEAD].any()


def test_a_note_that_sounds_early_is_not_struck_again_nor_taken_back(touch_onnx):
    band = Band(touch_onnx, density=4)
    early = 0
    for step in range(40):
        band.until((step - 0.45) * STEP)
        band.look(step)
        band.until((step - 0.1) * STEP)
        before = notes_of(band, step)
        early += len(before)
        band.stage.live.set("seed", step)  # another choice altogether
        assert not band.look(step)
        record = band.publish(step)
        band.until((step + 0.55) * STEP)
        assert before <= notes_of(band, step)
        assert len([s for s in band.sounded if s[2] == step]) + len(band.sounding) >= len(notes_of(band, step))
        struck = [(of, track, pitch) for _, _, of, track, pitch in band.sounded]
        struck += [(of, *key) for key, (_, of) in band.sounding.items()]
        assert len(set(struck)) == len(struck)
    assert early > 20
    assert record["x"].any()


LOOKS = st.lists(
    st.tuples(
        st.floats(0, 24, exclude_max=True),  # when, in timesteps
        st.sampled_from(["key", "density", "seed", "mode", "panic", "metronome"]),
        st.integers(0, 4),
    ),
    max_size=20,
)
STALLS = st.lists(st.tuples(st.floats(0, 23), st.floats(0, 2.5)), max_size=3)


@settings(max_examples=60, deadline=None)
@given(happens=LOOKS, stalls=STALLS, touch=st.booleans())
@example(happens=[(0.0, "key", 0), (14.0, "mode", 0)], stalls=[(13.75, 1.0)], touch=False)
def test_what_is_told_is_what_sounded_however_often_it_chose_and_whenever_it_stood_still(
    tiny_onnx, touch_onnx, happens, stalls, touch
):
    band = Band(touch_onnx if touch else tiny_onnx, density=2)

    def go_on(position: float) -> float:
        """Let time pass to here, or to where a stall of the network's process ends; return when it is."""
        position = max([position, band.frame / STEP, *(at + long for at, long in stalls if at <= position < at + long)])
        for at, what, value in sorted(h for h in happens if band.frame / STEP <= h[0] < position):
            band.until(at * STEP)
            happens.remove((at, what, value))
            if what == "key":
                band.key(60 + value)
            elif what == "panic":
                band.stage.live.fire("panic")
            else:
                band.stage.live.set(what, {"mode": value % 3, "density": 1 + value}.get(what, value))
        band.until(position * STEP)
        return position

    happens, told, listened = list(happens), [], []
    for step in range(27):
        for before in (0.45, 0.1, 0.05):
            in_time = go_on(step - before) <= step - 0.05
            band.look(step)
        record = band.publish(step)
        assert not (in_time and record["flags"] & LATE)
        told.append(band.jam.runner.inputs["x"][0].copy())
        # It may have begun to listen during the step: after a stall the step is chosen again, and what was sent stays.
        listened.append(bool(record["flags"] & LISTENING) or band.jam.listening)
    for step, mode in ((27, "solo"), (28, "trade"), (29, "trade")):
        band.stage.live.set("mode", MODES.index(mode))
        band.until((step - 0.45) * STEP)
        band.look(step)
        band.publish(step)
    band.until(30 * STEP)
    assert not band.sounding  # nothing hangs
    card = band.jam.runner.card
    slot_of = {(t, p): s for s, (t, p) in enumerate(zip(card.slot_tracks(), card.slot_pitches(), strict=True))}
    pressed = [(began, pitch) for began, _, pitch in band.played] + [(began, pitch) for pitch, began in band.down.items()]
    for step, x in enumerate(told[1:]):
        begun = {slot_of[track, pitch] for _, _, of, track, pitch in band.sounded if of == step}
        begun |= {slot_of[2, pitch] for began, pitch in pressed if np.floor(began / STEP + 0.5) == step}
        x = x.copy()
        if listened[step]:  # beside his notes it is told what it imagined meanwhile
            x[: LEAD.start] = 0
            begun = {slot for slot in begun if slot >= LEAD.start}
        assert set(np.flatnonzero(x[:, PLAY] > x[:, HOLD]).tolist()) == begun
