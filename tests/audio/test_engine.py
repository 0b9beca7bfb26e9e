"""The block loop: what is played when, and what the others are told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.audio.engine import FADE_S
from engine.core.errors import ConfigError
from engine.core.messages import ALL_OFF, BLOCK, CONTROL, NOTE_OFF, NOTE_ON, PITCH_BEND, PLAYER
from engine.core.parameters import Parameter
from engine.midi.schedule import Event
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import START_S
from tests.audio.conftest import RATE, Bench, first_sound, sounding

Build = Callable[..., Bench]
FIRST_BEAT = round(START_S * RATE)  # of a transport that was started in the first block


def test_a_key_sounds_in_the_very_next_block(bench: Build) -> None:
    stage = bench()
    stage.blocks(10)
    stage.play(0x90, 60, 100)
    found = first_sound(stage.blocks(1))
    assert found is not None
    assert found <= 4
    assert stage.heard() == [(640, NOTE_ON, PLAYER, 60)]


@pytest.mark.parametrize("frame", [640, 641, 703])
def test_a_network_note_sounds_in_the_block_that_contains_its_frame(frame: int, bench: Build) -> None:
    stage = bench()
    stage.network(frame, NOTE_ON, 1, step=7)
    sound = stage.blocks(20)
    found = first_sound(sound)
    assert found is not None
    assert 640 <= found <= 644
    event = stage.events()[0]
    assert (event["frame"], event["step"], event["track"]) == (frame, 7, 1)


def test_a_note_that_comes_too_late_is_dropped_and_counted_but_an_end_is_not(bench: Build) -> None:
    stage = bench()
    stage.network(64, NOTE_ON, 1, pitch=48)
    stage.blocks(10)
    stage.network(639, NOTE_ON, 1, pitch=50)
    stage.network(100, NOTE_OFF, 1, pitch=48)
    stage.blocks(1)
    assert stage.heard() == [(64, NOTE_ON, 1, 48), (640, NOTE_OFF, 1, 48)]
    assert stage.engine.band.late == 1


def test_the_beat_goes_on_when_the_network_is_silenced(bench: Build) -> None:
    stage = bench("clock.tempo=120")
    stage.live.fire("transport.start")
    stage.network(320, ALL_OFF, PLAYER)
    assert first_sound(stage.seconds(0.2)) in range(FIRST_BEAT, FIRST_BEAT + 20)


def test_the_beat_stops_and_with_it_the_network_but_not_the_player(bench: Build) -> None:
    stage = bench("clock.count_in=0")
    left: list[Event] = []
    stage.engine.band.outlet = left.append
    stage.live.fire("transport.start")
    stage.network(640, NOTE_ON, 1, pitch=48)
    stage.network(6400, NOTE_ON, 1, pitch=50, step=4)
    stage.play(0x90, 60, 100)
    stage.blocks(20)
    stage.events()
    stage.live.fire("transport.stop")
    stage.network(6400, NOTE_ON, 1, pitch=52, step=4)  # sent before the network hears of it
    stage.seconds(0.5)
    assert stage.heard() == [(1280, NOTE_OFF, 1, 48)]
    assert [e.kind for e in left] == [NOTE_ON, NOTE_ON, ALL_OFF]
    stage.play(0x90, 64, 100)
    stage.blocks(1)
    assert [kind for _, kind, track, _ in stage.heard() if track == PLAYER] == [NOTE_ON]
    stage.live.fire("transport.continue")
    stage.blocks(1)
    stage.network(stage.engine.frame + 640, NOTE_ON, 1, pitch=53)
    stage.blocks(20)
    assert [pitch for _, _, _, pitch in stage.heard()] == [53]


def test_a_note_on_for_a_note_that_sounds_strikes_it_anew(bench: Build) -> None:
    stage = bench()
    stage.network(0, NOTE_ON, 1, step=0)
    stage.network(640, NOTE_ON, 1, step=1)
    stage.blocks(12)
    assert stage.heard() == [(0, NOTE_ON, 1, 60), (640, NOTE_OFF, 1, 60), (640, NOTE_ON, 1, 60)]


def test_a_note_that_ends_in_its_first_block_is_heard_for_it(bench: Build) -> None:
    stage = bench()
    stage.blocks(10)
    stage.play(0x90, 60, 100, 60, 0)
    assert first_sound(stage.blocks(3)) is not None
    assert stage.heard() == [(640, NOTE_ON, PLAYER, 60), (704, NOTE_OFF, PLAYER, 60)]


def test_a_key_struck_twice_in_one_block_is_one_note(bench: Build) -> None:
    stage = bench()
    stage.play(0x90, 60, 100, 60, 0, 60, 90)
    stage.blocks(3)
    assert stage.heard() == [(0, NOTE_ON, PLAYER, 60)]
    assert stage.engine.mixer.player.held == [60]


def test_all_off_releases_at_its_frame_and_takes_back_what_was_to_come(bench: Build) -> None:
    stage = bench()
    stage.play(0x90, 72, 100)
    stage.network(0, NOTE_ON, 1, pitch=48)
    stage.network(0, NOTE_ON, 2, pitch=60)
    stage.network(1000, NOTE_ON, 2, pitch=62)
    stage.blocks(1)
    stage.events()
    stage.network(640, ALL_OFF, PLAYER)
    stage.blocks(20)
    assert stage.heard() == [(640, NOTE_OFF, 1, 48), (640, NOTE_OFF, 2, 60)]
    stage.network(stage.engine.frame, NOTE_ON, 1)
    stage.network(stage.engine.frame, NOTE_ON, 2)
    stage.blocks(1)
    stage.network(0, ALL_OFF, 2)
    stage.blocks(1)
    assert sounding(stage.events()) == {(1, 60), (2, 60)} - {(2, 60)}


def test_the_metronome_clicks_and_is_no_note(bench: Build) -> None:
    stage = bench("clock.count_in=0")
    stage.live.set("metronome", 0.5)
    stage.live.fire("transport.start")
    assert first_sound(stage.seconds(0.2)) in range(FIRST_BEAT, FIRST_BEAT + 20)
    assert len(stage.events()) == 0


def test_a_track_that_does_not_exist_is_ignored(bench: Build) -> None:
    stage = bench()
    stage.network(0, NOTE_ON, 9)
    stage.blocks(2)
    assert stage.heard() == []


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["key", "network", "panic", "port gone", "block"]),
        st.integers(0, 2),
        st.integers(60, 63),
        st.sampled_from([NOTE_ON, NOTE_ON, NOTE_OFF, ALL_OFF]),
        st.integers(-70, 200),
    ),
    max_size=40,
)


@given(MOVES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_the_events_are_whole_and_agree_with_the_voices(bench: Build, moves: list) -> None:
    stage = bench()
    for what, track, pitch, kind, frames in moves:
        if what == "key":
            stage.play(*((0x90, pitch, 100) if kind == NOTE_ON else (0x80, pitch, 0)))
        elif what == "network":
            stage.network(max(0, stage.engine.frame + frames), kind, track, pitch)
        elif what == "panic":
            stage.live.fire("panic")
        elif what == "port gone":
            stage.engine.player.ports.arrivals.append((0, "keyboard", None))
        else:
            stage.blocks(1)
    stage.blocks(6)
    on = sounding(stage.events())
    for track, channel in [*enumerate(stage.engine.mixer.tracks), (PLAYER, stage.engine.mixer.player)]:
        assert {p for t, p in on if t == track} == set(channel.sounding)
        assert channel.held == sorted(channel.sounding)
    stage.engine.release_all()
    stage.blocks(2)
    assert all(channel.held == [] for channel in stage.engine.mixer)
    stage.engine.close()


def test_a_port_that_is_gone_leaves_no_note(bench: Build) -> None:
    stage = bench()
    stage.play(0x90, 60, 100, 0xB0, 64, 127)
    stage.blocks(2)
    stage.engine.player.ports.arrivals.append((0, "keyboard", None))
    stage.blocks(2)
    assert sounding(stage.events()) == set()


def test_rhythm_is_kept_within_a_large_device_block(bench: Build) -> None:
    """Two keys 5 ms apart arrive within one device block of 512 frames: they sound 5 ms apart, one device block later."""
    stage = bench()
    stage.engine.player.ports.clock = SampleClock(512, 1_000_000_000, 1e9 / RATE)  # what comes at 1 s is due at frame 512
    ns = 1e9 / RATE
    for after, pitch in ((-440, 60), (-200, 62)):
        stage.engine.player.ports.arrivals.append((int(1e9 + after * ns), "keyboard", (0x90, pitch, 100)))
    stage.blocks(8)
    assert [frame for frame, *_ in stage.heard()] == [64, 256]


def test_controllers_move_parameters_over_their_range(bench: Build) -> None:
    stage = bench('midi.cc={"temperature"=1, "panic"=20, "mode"=3}')
    stage.play(0xB0, 1, 127)
    stage.blocks(1)
    assert stage.live.get("temperature") == stage.registry["temperature"].maximum
    stage.play(0xB0, 1, 0, 0xB0, 3, 127)
    stage.blocks(1)
    assert stage.live.get("temperature") == stage.registry["temperature"].minimum
    assert stage.live.get("mode") == stage.registry["mode"].maximum
    stage.play(0x90, 60, 100)
    stage.blocks(1)
    stage.play(0xB0, 20, 127)
    stage.blocks(2)
    assert sounding(stage.events()) == set()
    assert stage.live.get("panic") == 1


def test_an_exponential_parameter_has_its_geometric_mean_in_the_middle(bench: Build) -> None:
    stage = bench('midi.cc={"tempo"=20, "lead.level"=21}')
    stage.play(0xB0, 20, 64, 0xB0, 21, 64)
    stage.blocks(1)
    tempo, level = stage.registry["tempo"], stage.registry["lead.level"]
    assert stage.live.get("tempo") == pytest.approx(np.sqrt(tempo.minimum * tempo.maximum), rel=0.02)
    assert stage.live.get("lead.level") == pytest.approx((level.minimum + level.maximum) / 2, rel=0.02)


def test_wrong_controllers_are_all_named_at_once(bench: Build) -> None:
    with pytest.raises(ConfigError, match=r"2 faults[\s\S]*midi\.cc\.loudness[\s\S]*midi\.cc\.tempo: controller 64"):
        bench('midi.cc={"loudness"=1, "tempo"=64}')


def test_wheel_and_controllers_are_told(bench: Build) -> None:
    stage = bench()
    stage.play(0xE0, 127, 127, 0xB0, 1, 42)
    stage.blocks(1)
    wheel, control = stage.events()
    assert (wheel["kind"], wheel["track"], wheel["bend"]) == (PITCH_BEND, PLAYER, 1.0)
    assert (control["kind"], control["pitch"], control["velocity"]) == (CONTROL, 1, 42)


def test_every_block_goes_to_the_recorder_as_it_went_to_the_device(bench: Build) -> None:
    stage = bench()
    wave = stage.link["wave"].reader()
    stage.play(0x90, 60, 100)
    sound = stage.blocks(20)
    records = wave.read()
    assert np.array_equal(records["samples"].reshape(-1, 2), sound)
    assert records["frame"].tolist() == list(range(0, 20 * BLOCK, BLOCK))


def test_stopping_fades_and_ends_every_note(bench: Build) -> None:
    stage = bench()
    stage.play(0x90, 60, 127)
    stage.network(0, NOTE_ON, 1)
    before = stage.seconds(0.1)
    stage.engine.release_all()
    sound = stage.seconds(FADE_S)
    assert np.abs(np.diff(sound, axis=0)).max() <= np.abs(np.diff(before, axis=0)).max()
    assert first_sound(stage.blocks(100)) is None
    stage.play(0x90, 60, 127)
    stage.network(0, NOTE_ON, 1)
    assert first_sound(stage.blocks(10)) is None
    assert sounding(stage.events()) == set()


def performance(stage: Bench) -> str:
    """Play something of everything; return what was heard and told, as a digest."""
    digest = hashlib.sha256()
    rng = np.random.default_rng(5)
    for _ in range(150):
        if rng.random() < 0.3:
            stage.play(0x90, int(rng.integers(48, 72)), int(rng.integers(0, 128)))
        if rng.random() < 0.4:
            frame = stage.engine.frame + int(rng.integers(0, 500))
            stage.network(frame, int(rng.integers(0, 2)), int(rng.integers(0, 3)), int(rng.integers(36, 72)))
        if rng.random() < 0.1:
            stage.live.set("lead.level", float(rng.random()))
        digest.update(stage.blocks(4).tobytes())
    digest.update(stage.events().tobytes())
    return digest.hexdigest()


def test_the_same_performance_gives_the_same_bytes(bench: Build) -> None:
    shipped = {"player": "keys", "drums": "drums", "bass": "bass", "lead": "pad"}
    first = bench(patches=shipped)
    once = performance(first)
    first.engine.close()
    assert performance(bench(patches=shipped)) == once


def test_the_midi_output_hears_of_every_note_that_was_in_time(bench: Build) -> None:
    stage = bench()
    left: list[Event] = []
    stage.engine.band.outlet = left.append
    stage.blocks(10)
    stage.network(700, NOTE_ON, 1)
    stage.network(3, NOTE_ON, 1, pitch=61)  # too late
    stage.network(900, NOTE_OFF, 1)
    stage.blocks(1)
    assert [(e.frame, e.kind) for e in left] == [(700, NOTE_ON), (900, NOTE_OFF)]


def test_a_muted_track_is_silent_on_the_midi_output_too(bench: Build) -> None:
    stage = bench()
    left: list[Event] = []
    stage.engine.band.outlet = left.append
    stage.live.set("bass.mute", 1)
    stage.network(700, NOTE_ON, 1)
    stage.network(900, NOTE_OFF, 1)
    stage.blocks(1)
    assert [(e.kind, e.track) for e in left] == [(ALL_OFF, 1), (NOTE_OFF, 1)]


def test_a_pad_pulls_a_trigger_once_each_time_it_rises(bench: Build) -> None:
    stage = bench('midi.cc={"reset"=20}')
    for value in (127, 0, 127, 126, 64, 63, 70, 0):  # a pad, then a knob that is turned up and down
        stage.play(0xB0, 20, value)
        stage.blocks(1)
    assert stage.live.get("reset") == 3


def test_two_channels_are_two_pads(bench: Build) -> None:
    stage = bench('midi.cc={"reset"=20}')
    stage.play(0xB0, 20, 127, 0xB1, 20, 127)
    stage.blocks(1)
    assert stage.live.get("reset") == 2


def test_a_controller_moves_a_knob_as_soon_as_its_patch_has_declared_it(bench: Build) -> None:
    stage = bench('midi.cc={"lead.warmth"=21}')
    stage.play(0xB0, 21, 127)
    stage.blocks(1)
    stage.live.declare("test", [Parameter("lead.warmth", 0, 4, 1, "A knob that the patch of this track does not have")])
    stage.play(0xB0, 21, 127)
    stage.blocks(1)
    assert stage.live.get("lead.warmth") == 4


def test_a_midi_clock_that_comes_in_leads_the_beat(bench: Build) -> None:
    stage = bench()
    stage.live.set("clock.source", stage.registry["clock.source"].choices.index("midi"))
    stage.blocks(2)
    ticks = 0
    for block in range(3000):
        due = block * BLOCK / RATE * 24 * 100 / 60  # 100 bpm
        while ticks < due:
            stage.play(0xF8)
            ticks += 1
        if block == 300:
            stage.play(0xFA)
        stage.blocks(1)
    line = stage.engine.transport.line
    assert line.playing
    assert line.tempo_bpm == pytest.approx(100, rel=0.01)
    stage.play(0xFC)
    stage.blocks(2)
    assert not stage.engine.transport.line.playing
