"""Buses, pan, solo, inserts, sends and the master: measured at what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.audio.faders import Faders
from engine.audio.processor import Chain
from engine.core.link import Reader
from engine.core.messages import ALL_OFF, BLOCK, NOTE_ON, OUTPUTS, stem_names
from engine.core.parameters import Parameter
from engine.midi.schedule import Event
from tests.audio.conftest import RATE, Bench, first_sound
from tests.audio.test_track import PAD, largest_step, patch

Build = Callable[..., Bench]
DRUMS, BASS, LEAD = range(3)


class Gain:
    """A processor: so many times as loud, so many frames later."""

    name = "gain"

    def __init__(self, gain: float, latency_frames: int = 0) -> None:
        self.latency_frames = latency_frames
        self.parameters: Sequence[Parameter] = (Parameter("gain", 0, 4, gain, "How loud"),)
        self._gain = np.float32(gain)
        self._line = np.zeros((latency_frames + BLOCK, OUTPUTS), np.float32)

    def process(self, block: np.ndarray) -> None:
        self._line[self.latency_frames :] = block
        block[:] = self._line[:BLOCK] * self._gain
        self._line[: self.latency_frames] = self._line[BLOCK:].copy()

    def set(self, parameter_id: str, value: float) -> None:
        assert parameter_id == "gain"
        self._gain = np.float32(value)

    def state(self) -> bytes:
        return self._gain.tobytes()

    def restore(self, state: bytes) -> None:
        self._gain = np.frombuffer(state, np.float32)[0]


class Breaks(Gain):
    """A processor that goes wrong from its third block on."""

    name = "breaks"

    def __init__(self, how: str) -> None:
        super().__init__(1.0)
        self._blocks = 0
        self._how = how

    def process(self, block: np.ndarray) -> None:
        self._blocks += 1
        if self._blocks > 2:
            if self._how == "raises":
                raise RuntimeError("out of cheese")
            block[0, 0] = np.nan


def steady(bench: Build, tmp_path: Path, *tracks: str) -> Bench:
    """A stage on which these tracks play a tone that never ends, at the full level of one."""
    names = {track: patch(tmp_path, PAD) for track in tracks}
    stage = bench(patches=names)
    for number, name in enumerate(("drums", "bass", "lead")):
        if name in tracks:
            stage.live.set(f"{name}.level", 0.5)
            stage.network(0, NOTE_ON, number)
    stage.seconds(0.1)
    return stage


def level(sound: np.ndarray) -> np.ndarray:
    """The peak of each side."""
    return np.abs(sound).max(axis=0)


def fade(stage: Bench, number: int, to: float = 0.5, pan: float = 0.0, silent: bool = False) -> None:
    stage.engine.mixer[number].set_fader(to, pan, silent)


@pytest.mark.parametrize(("pan", "left", "right"), [(0, 1, 1), (1, 0, 1), (-1, 1, 0), (0.5, np.cos(np.pi / 4), 1)])
def test_pan_turns_one_side_down_and_leaves_the_other(
    pan: float, left: float, right: float, bench: Build, tmp_path: Path
) -> None:
    stage = steady(bench, tmp_path, "lead")
    fade(stage, LEAD, pan=pan)
    stage.seconds(0.05)
    assert level(stage.seconds(0.1)) == pytest.approx(0.25 * np.array([left, right]), abs=1e-3)


def test_turning_the_pan_never_clicks(bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "lead")
    tone = 0.25 * 2 * np.pi * 100 / RATE
    glide = 0.25 / (0.02 * RATE)
    for pan in (-1.0, 1.0, 0.0, 0.3, -0.7):
        fade(stage, LEAD, pan=pan)
        assert largest_step(stage.blocks(23)) <= (tone + glide) * 1.01


def test_each_track_has_a_bus_of_its_own_and_the_sum_is_heard(bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "drums", "lead")
    both = stage.blocks(100)
    fade(stage, LEAD, silent=True)
    stage.seconds(0.05)
    drums = stage.seconds(0.1)
    assert level(both) == pytest.approx(2 * level(drums), rel=0.01)
    fade(stage, DRUMS, silent=True)
    stage.seconds(0.05)
    assert not stage.blocks(20).any()


def test_an_insert_is_heard_on_its_track_alone(bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "drums", "lead")
    effect = Gain(0.5)
    stage.engine.mixer.insert(LEAD, effect)
    assert level(stage.seconds(0.1)) == pytest.approx(0.25 + 0.125, rel=0.01)
    effect.set("gain", 0.0)
    assert level(stage.seconds(0.1)) == pytest.approx(0.25, rel=0.01)


def test_inserts_follow_one_another_and_keep_their_state(bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "lead")
    first, second = Gain(0.5), Gain(1.0)
    second.restore(first.state())
    for effect in (first, second):
        stage.engine.mixer.insert(LEAD, effect)
    assert level(stage.seconds(0.1)) == pytest.approx(0.25 / 4, rel=0.01)


def test_the_latency_of_an_insert_is_made_up_for_on_the_other_tracks(bench: Build) -> None:
    """Two notes of one frame come out together whatever the latency of one of them; the player's own never waits."""
    stage = bench()
    stage.engine.mixer.insert(LEAD, Gain(1.0, latency_frames=300))
    stage.blocks(10)
    onsets = {}
    for number in (BASS, LEAD):
        at = stage.engine.frame
        stage.network(at, NOTE_ON, number)
        found = first_sound(stage.blocks(40))
        onsets[number] = found
        stage.live.fire("panic")
        stage.seconds(1.0)
    assert onsets[BASS] == onsets[LEAD]
    stage.play(0x90, 60, 100)
    found = first_sound(stage.blocks(1))
    assert found is not None
    assert onsets[BASS] == found + 300


def test_a_send_returns_what_its_effect_makes_of_it_after_the_fader(bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "lead")
    mixer = stage.engine.mixer
    mixer[LEAD].set_sends(0.0, 1.0)
    stage.seconds(0.1)
    assert level(stage.seconds(0.1)) == pytest.approx(0.25, rel=0.01)  # nothing returns without an effect
    mixer.sends[1].chain.processors.append(Gain(2.0))
    assert level(stage.seconds(0.1)) == pytest.approx(0.25 + 0.5, rel=0.01)
    mixer[LEAD].set_sends(1.0, 0.0)
    stage.seconds(0.05)
    assert level(stage.seconds(0.1)) == pytest.approx(0.25, rel=0.01)
    mixer[LEAD].set_sends(0.0, 1.0)
    fade(stage, LEAD, silent=True)
    stage.seconds(0.05)
    assert not stage.seconds(0.1).any()


def test_the_limiter_comes_after_the_master(bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "lead")
    stage.engine.mixer.master.processors.append(Gain(4.0))
    assert 0.8 < level(stage.seconds(0.5)).max() <= 10 ** (-0.3 / 20)


@pytest.mark.parametrize("how", ["raises", "nan"])
@pytest.mark.parametrize("where", ["insert", "send", "master"])
def test_an_effect_that_goes_wrong_is_left_out_and_named(how: str, where: str, bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "lead")
    mixer = stage.engine.mixer
    mixer[LEAD].set_sends(1.0, 0.0)
    if where == "insert":
        mixer.insert(LEAD, Breaks(how))
    else:
        (mixer.sends[0].chain if where == "send" else mixer.master).processors.append(Breaks(how))
    sound = stage.seconds(0.2)
    assert np.isfinite(sound).all()
    assert level(sound[-10 * BLOCK :]) == pytest.approx(0.25, rel=0.01)
    told = stage.notices()
    assert "effect breaks" in told
    assert "is left out" in told
    assert mixer[LEAD].working


def test_a_chain_of_nothing_passes_everything_as_it_is() -> None:
    chain = Chain(lambda _name, _error: None)
    assert chain.is_idle
    block = np.random.default_rng(1).uniform(-1, 1, (BLOCK, OUTPUTS)).astype(np.float32)
    before = block.copy()
    chain.process(block)
    assert np.array_equal(block, before)


def test_faders_arrive_exactly_where_they_were_sent_whenever_that_changes() -> None:
    faders = Faders(2, RATE)
    ones, out = np.ones((BLOCK, 4), np.float32), np.zeros((BLOCK, 2), np.float32)
    rng = np.random.default_rng(3)
    heard = [np.zeros((1, 2), np.float32)]
    for _ in range(50):
        faders.aim(int(rng.integers(2)), *rng.uniform(0, 1, 2).tolist())
        for _ in range(int(rng.integers(1, 25))):
            faders.mix(ones, out)
            heard.append(out.copy())
    assert largest_step(np.concatenate(heard)) <= 2.01 / (0.02 * RATE)
    faders.aim(0, 0.25, 0.0)
    faders.aim(1, 0.5, 1.0)
    for _ in range(30):
        faders.mix(ones, out)
    assert out == pytest.approx(np.tile([0.75, 1.0], (BLOCK, 1)))


def test_solo_silences_the_other_tracks_of_the_network_and_not_the_player(bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "drums", "lead", "player")
    left: list[Event] = []
    stage.engine.band.outlet = left.append
    stage.live.set("player.mute", 1)
    both = level(stage.seconds(0.2)[-RATE // 10 :])
    stage.live.set("lead.solo", 1)
    one = level(stage.seconds(0.2)[-RATE // 10 :])
    assert one == pytest.approx(both / 2, rel=0.01)
    assert {(e.kind, e.track) for e in left} == {(ALL_OFF, DRUMS), (ALL_OFF, BASS)}  # on the MIDI output too
    stage.live.set("drums.solo", 1)
    assert level(stage.seconds(0.2)[-RATE // 10 :]) == pytest.approx(both, rel=0.01)
    stage.live.set("lead.mute", 1)
    stage.live.set("player.mute", 0)
    stage.live.set("player.level", 0.5)
    stage.play(0x90, 60, 100)
    assert level(stage.seconds(0.2)[-RATE // 10 :]) == pytest.approx(both, rel=0.01)
    stage.live.set("drums.solo", 0)
    stage.live.set("lead.solo", 0)
    stage.live.set("drums.mute", 1)
    assert level(stage.seconds(0.2)[-RATE // 10 :]) == pytest.approx(one, rel=0.01)


def test_a_muted_player_does_not_silence_the_midi_output(bench: Build) -> None:
    stage = bench()
    left: list[Event] = []
    stage.engine.band.outlet = left.append
    stage.live.set("player.mute", 1)
    stage.blocks(2)
    assert left == []


@pytest.mark.parametrize("track", ["lead", "player"])
def test_pan_is_a_parameter_of_every_track(track: str, bench: Build, tmp_path: Path) -> None:
    stage = steady(bench, tmp_path, "lead", "player")
    stage.play(0x90, 60, 100)
    for other in {"lead", "player"} - {track}:
        stage.live.set(f"{other}.mute", 1)
    stage.live.set(f"{track}.pan", 1)
    stage.seconds(0.1)
    left, right = level(stage.seconds(0.1))
    assert left < 1e-6 < 0.1 < right


def stems(stage: Bench, sound: np.ndarray, reader: Reader) -> dict[str, np.ndarray]:
    """The stems of what was just rendered, by the names of their buses, each as long as that."""
    blocks = reader.read()
    assert np.array_equal(np.diff(blocks["frame"]), np.full(len(blocks) - 1, BLOCK))
    assert int(blocks["frame"][-1]) + BLOCK == stage.engine.frame
    samples = blocks["samples"].reshape(len(sound), -1)
    names = stem_names(stage.card)
    assert samples.shape[1] == OUTPUTS * len(names)
    return {name: samples[:, OUTPUTS * n : OUTPUTS * (n + 1)] for n, name in enumerate(names)}


def test_the_stems_are_what_the_sum_is_made_of_while_the_faders_move_too(bench: Build, tmp_path: Path) -> None:
    names = {track: patch(tmp_path, PAD) for track in ("drums", "lead", "player")}
    stage = bench("session.stems=true", patches=names)
    for number, name in enumerate(("drums", "bass", "lead")):
        stage.live.set(f"{name}.level", 0.4)
        stage.network(0, NOTE_ON, number)
    stage.play(0x90, 60, 100)
    stage.live.set("player.level", 0.4)
    stage.engine.mixer.insert(LEAD, Gain(0.5, latency_frames=70))
    stage.engine.mixer.click(True, 0.3)
    reader = stage.link["stems"].reader()
    parts = []
    for at in range(8):
        stage.live.set("lead.pan", (-1) ** at * 0.8)
        stage.live.set("drums.level", 0.05 * at)
        parts.append(stage.blocks(10 + at))  # some in the midst of a glide
    sound = np.concatenate(parts)
    assert 0.1 < np.abs(sound).max() < 0.7  # the limiter does nothing
    found = stems(stage, sound, reader)
    for name in ("drums", "lead", "player", "metronome"):
        assert np.abs(found[name]).max() > 1e-3, name
    assert np.abs(sum(found.values()) - sound).max() < 1e-5 * np.abs(sound).max()
    assert np.abs(found["lead"] - found["drums"]).max() > 0.01


def test_a_muted_track_is_silent_on_its_stem_and_the_others_go_on(bench: Build, tmp_path: Path) -> None:
    stage = bench("session.stems=true", patches={track: patch(tmp_path, PAD) for track in ("drums", "lead")})
    for track in (DRUMS, LEAD):
        stage.network(0, NOTE_ON, track)
    stage.live.set("drums.mute", 1)
    stage.seconds(0.2)
    reader = stage.link["stems"].reader()
    sound = stage.seconds(0.1)
    found = stems(stage, sound, reader)
    assert not found["drums"].any()
    assert np.abs(found["lead"]).max() > 0.1


def test_stems_are_those_before_the_master_at_the_frame_where_it_puts_them_out(bench: Build, tmp_path: Path) -> None:
    stage = bench("session.stems=true", patches={"lead": patch(tmp_path, PAD)})
    stage.engine.mixer.master.processors.append(Gain(0.5, latency_frames=40))
    stage.live.set("lead.level", 0.5)
    stage.network(0, NOTE_ON, LEAD)
    reader = stage.link["stems"].reader()
    sound = stage.seconds(0.2)
    blocks = reader.read()
    assert int(blocks["frame"][0]) == 40
    lead = blocks["samples"].reshape(len(sound), -1)[:, OUTPUTS * LEAD : OUTPUTS * (LEAD + 1)]
    assert np.abs(lead[: len(sound) - 40] * 0.5 - sound[40:]).max() < 1e-6
    assert np.abs(sound).max() > 0.05


def test_stems_and_what_comes_back_of_the_sends_are_the_whole(bench: Build, tmp_path: Path) -> None:
    stage = bench("session.stems=true", 'rack.sends=[["delay"]]', patches={"lead": patch(tmp_path, PAD)})
    stage.live.refresh()
    stage.live.set("lead.level", 0.3)
    stage.live.set("lead.send1", 0.5)
    stage.live.set("send1.delay.time", 0.05)
    stage.network(0, NOTE_ON, LEAD)
    reader, returns = stage.link["stems"].reader(), stage.link["returns"].reader()
    sound = stage.seconds(0.4)
    found, blocks = stems(stage, sound, reader), returns.read()
    assert len(blocks) * BLOCK == len(sound)
    returned = blocks["samples"].reshape(len(sound), -1)
    assert np.abs(returned[:, :OUTPUTS]).max() > 0.01
    assert not returned[:, OUTPUTS:].any()
    assert np.abs(sum(found.values()) + returned[:, :OUTPUTS] - sound).max() < 1e-6


def test_without_stems_there_is_nothing_of_them(bench: Build) -> None:
    stage = bench()
    assert "stems" not in stage.link
    assert stage.engine.mixer._stems is None
