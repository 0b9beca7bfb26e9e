"""Devices: blocks of any size, the clock, a device that goes and comes back; no real device, no real time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.audio.device import LOST_S, STALL_S, NullDevice
from engine.audio.driver import Driver
from engine.audio.lookup import find
from engine.audio.output import RETRY_S, Output, ServerIsBack
from engine.core.config import Audio
from engine.core.errors import DeviceError
from engine.core.messages import BLOCK, ERROR, OUTPUTS
from tests.audio.conftest import RATE, Bench

Build = Callable[..., Bench]
BLOCK_NS = 64e9 / RATE


class Ramp:
    """Stands in for the engine: its samples count frames."""

    rate_hz = float(RATE)

    class band:  # noqa: N801  (stands in for an instance)
        late = 0

    class player:  # noqa: N801  (stands in for an instance)
        notes_in = ignored = 0

        class ports:  # noqa: N801  (stands in for an instance)
            clock = None

    peak = 0.5

    def __init__(self) -> None:
        self.frame = 0

    def render_block(self) -> memoryview:
        out = np.repeat(np.arange(self.frame, self.frame + BLOCK, dtype=np.float32), OUTPUTS)
        self.frame += BLOCK
        return memoryview(out).cast("B")


def bytes_of(out: np.ndarray) -> memoryview:
    """Return what a device hands out for being filled."""
    return memoryview(out.reshape(-1)).cast("B")


def on_ramp(link: Any, *clocks: Callable[[], int]) -> Driver:
    """Return a driver of a stand-in for the engine."""
    engine: Any = Ramp()
    return Driver(engine, link, *clocks)


class Time:
    """Nanoseconds that go by `each_ns` at every look, and otherwise when told to."""

    def __init__(self) -> None:
        self.ns = 0
        self.each_ns = 0

    def __call__(self) -> int:
        self.ns += self.each_ns
        return self.ns


@pytest.fixture
def clock_ring(bench: Build) -> Any:
    return bench().link


@given(st.lists(st.integers(1, 700), min_size=1, max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_device_blocks_of_any_size_give_the_same_frames_as_whole_blocks(clock_ring: Any, sizes: list[int]) -> None:
    driver = on_ramp(clock_ring, Time())
    found = []
    for size in sizes:
        out = np.full((size, OUTPUTS), np.nan, np.float32)
        driver.fill(bytes_of(out))
        found.append(out)
    whole = np.concatenate(found)
    assert np.array_equal(whole[:, 0], np.arange(len(whole), dtype=np.float32))
    assert np.array_equal(whole[:, 0], whole[:, 1])


@pytest.mark.parametrize("size", [16, 48, 64, 100, 441, 512])
def test_the_sound_is_the_same_bit_for_bit_whatever_the_device_asks_for(size: int, bench: Build) -> None:
    def played(stage: Bench, size: int) -> np.ndarray:
        driver = Driver(stage.engine, stage.link, Time())
        driver.begin(size, 0)
        stage.network(640, 1, 1)
        stage.network(2000, 1, 2, pitch=67)
        out = np.zeros((44100 // 10 // size * size + size, OUTPUTS), np.float32)
        for at in range(0, len(out), size):
            driver.fill(bytes_of(out[at : at + size]))
        return out

    first = bench()
    whole = played(first, BLOCK)
    first.engine.close()
    other = played(bench(), size)
    length = min(len(whole), len(other))
    assert np.abs(whole[:length]).max() > 0.01
    assert np.array_equal(whole[:length], other[:length])


@pytest.mark.parametrize("size", [16, 64, 100, 1024])
def test_the_clock_tells_when_each_frame_is_rendered(size: int, clock_ring: Any) -> None:
    """Callbacks that jitter by half a millisecond: the published line stays within a third of that."""
    now = Time()
    driver = on_ramp(clock_ring, now)
    driver.begin(size, 256)
    rng = np.random.default_rng(1)
    out = np.zeros((size, OUTPUTS), np.float32)
    drift = 1.00005  # the device's crystal
    for number in range(int(20 * RATE / size)):
        now.ns = int(number * size / RATE * 1e9 * drift + rng.uniform(0, 0.5e6))
        driver.fill(bytes_of(out))
    record = clock_ring["clock"].latest()
    true_ns = float(record["frame"]) / RATE * 1e9 * drift + 0.25e6
    assert record["frame"] % size == 0
    assert abs(record["time_ns"] - true_ns) < 0.17e6
    assert record["ns_per_frame"] == pytest.approx(1e9 / RATE * drift, rel=5e-4)
    assert (record["device_block"], record["latency_frames"], record["device_lost"]) == (size, 256, 0)
    assert record["peak"] == 0.5


def test_an_xrun_is_counted_once_whether_the_device_says_so_or_our_own_clock(clock_ring: Any) -> None:
    now = Time()
    driver = on_ramp(clock_ring, now)
    out = np.zeros((BLOCK, OUTPUTS), np.float32)

    def fill(share: float, flagged: bool = False) -> None:
        now.each_ns = int(share * BLOCK_NS)
        driver.fill(bytes_of(out), flagged)
        now.ns += int((1 - share) * BLOCK_NS)

    for share, flagged in ((0.1, False), (1.5, False), (0.1, True), (0.1, False), (0.1, True), (0.1, False)):
        fill(share, flagged)
    assert driver.xruns == 2  # the overrun, which the device confirmed, and one that only the device saw
    assert driver.dsp_max == pytest.approx(1.5, rel=0.01)


def test_a_block_is_too_costly_by_the_processor_s_time_not_by_the_clock_on_the_wall(clock_ring: Any) -> None:
    now, spent = Time(), Time()
    driver = on_ramp(clock_ring, now, spent)
    out = np.zeros((BLOCK, OUTPUTS), np.float32)
    for wall, own in ((0.1, 0.1), (3.0, 0.2), (1.5, 1.25), (0.1, 0.1)):  # in turn: as ever, held up, too costly, as ever
        now.each_ns, spent.each_ns = int(wall * BLOCK_NS), int(own * BLOCK_NS)
        driver.fill(bytes_of(out))
    assert (driver.xruns, driver.xruns_own) == (2, 1)
    assert driver.dsp_own_max == pytest.approx(1.25, rel=0.01)
    driver.begin(BLOCK, 0)
    driver.fill(bytes_of(out))
    record = clock_ring["clock"].latest()
    assert (record["xruns_own"], record["dsp_own_max"]) == (1, pytest.approx(1.25, rel=0.01))


def test_the_load_is_the_mean_over_the_last_second(clock_ring: Any) -> None:
    now = Time()
    driver = on_ramp(clock_ring, now)
    out = np.zeros((BLOCK, OUTPUTS), np.float32)
    now.each_ns = int(0.25 * BLOCK_NS)
    for _ in range(5 * RATE // BLOCK):
        driver.fill(bytes_of(out))
    assert driver.dsp_mean == pytest.approx(0.25, abs=0.01)


class Wait:
    """Sleeps on a virtual clock: each sleep takes what was asked and a little more; ends after `count`."""

    def __init__(self, now: Time, count: int, late_ns: int = 0) -> None:
        self._now, self._left, self._late_ns = now, count, late_ns

    def __call__(self, seconds: float) -> bool:
        self._now.ns += int(seconds * 1e9) + self._late_ns
        self._left -= 1
        return self._left < 0


def test_the_null_clock_keeps_its_pace_however_late_it_wakes() -> None:
    now = Time()
    times: list[int] = []
    NullDevice(lambda _out, _flagged: times.append(now.ns), 48, RATE, now, Wait(now, 1000, late_ns=200_000)).run()
    assert times[-1] == pytest.approx(999 * 1e6 + 0.2e6, abs=1000)  # 48 frames are 1 ms; no error adds up


def test_the_null_clock_catches_up_with_a_short_delay_and_gives_up_on_a_long_one() -> None:
    now = Time()
    flags: list[bool] = []

    def fill(_out: np.ndarray, flagged: bool) -> None:
        flags.append(flagged)
        if len(flags) == 10:
            now.ns += int(0.05e9)
        if len(flags) == 200:
            now.ns += int(2 * STALL_S * 1e9)

    NullDevice(fill, 48, RATE, now, Wait(now, 400)).run()
    assert [i for i, flagged in enumerate(flags) if flagged] == [200]
    assert now.ns == pytest.approx((399 + 2 * STALL_S * 1e3 - 1) * 1e6, abs=2e6)


class FakeError(Exception):
    """sounddevice.PortAudioError."""


class FakeStream:
    def __init__(self, sd: FakeSound, callback: Callable[..., None], finished_callback: Callable[[], None], **options: Any):
        if sd.fails:
            raise FakeError(sd.fails)
        self.options = options
        self.callback, self.finished = callback, finished_callback
        self.latency = 0.01
        self.active = True
        self.running = False

    def start(self) -> None:
        self.running = True

    def abort(self, ignore_errors: bool = True) -> None:
        self.running = False

    def close(self, ignore_errors: bool = True) -> None:
        self.running = False

    def ask(self, status: bool = False) -> np.ndarray:
        out = np.full((self.options["blocksize"], self.options["channels"]), np.nan, np.float32)
        self.callback(bytes_of(out), len(out), None, status)
        return out


class FakeSound:
    """What there is of sounddevice: devices that a test plugs in and out."""

    PortAudioError = FakeError

    class default:  # noqa: N801  (as sounddevice has it)
        device = (-1, -1)

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.fails = ""
        self.streams: list[FakeStream] = []
        self.begun = 0
        self.api = "Fake Audio"
        self.channels = 2
        self.rate_hz = 48000.0

    def query_devices(self, index: int | None = None) -> Any:
        devices = [
            {
                "name": n.lstrip("<"),
                "hostapi": 0,
                "max_output_channels": 0 if n[0] == "<" else self.channels,
                "default_samplerate": self.rate_hz,
            }
            for n in self.names
        ]
        return devices if index is None else devices[index]

    def query_hostapis(self, index: int | None = None) -> Any:
        api = {"name": self.api, "default_output_device": 0 if len(self.names) == 1 else -1}
        return [api] if index is None else api

    def RawOutputStream(self, **options: Any) -> FakeStream:  # noqa: N802  (as sounddevice has it)
        self.streams.append(FakeStream(self, **options))
        return self.streams[-1]

    def _terminate(self) -> None:
        self.begun -= 1

    def _initialize(self) -> None:
        self.begun += 1


class FakeNull:
    """A null clock that does not run."""

    name = "null"
    latency_frames = 0

    def __init__(self, fill: Callable[..., None], block: int, rate_hz: float) -> None:
        self.running = False

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def is_alive(self) -> bool:
        return True


class Stand:
    """An Output on fakes."""

    def __init__(self, link: Any, sd: FakeSound, **audio: Any) -> None:
        self.sd = sd
        self.now_s = 0.0
        self.told: list[str] = []
        self.engine = Ramp()
        self.engine.rate_hz = float(audio.get("rate", RATE))
        self.driver = Driver(self.engine, link)  # type: ignore[arg-type]  # a stand-in
        self.jack_answers = False
        self.opens = False
        self.tries: list[float] = []
        self.output = Output(
            self.driver,
            Audio(**audio),
            lambda _, text: self.told.append(text),
            lambda: sd,
            FakeNull,
            lambda: self.now_s,
            lambda: self.jack_answers,
            self._opens,
        )

    def _opens(self, _audio: Audio) -> bool:
        self.tries.append(self.now_s)
        return self.opens

    def check(self, after_s: float) -> None:
        self.now_s += after_s
        self.output.check()


def test_the_device_is_asked_for_what_the_configuration_says(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound("Speakers"), block=256)
    stand.output.open()
    stand.output.start()
    (stream,) = stand.sd.streams
    assert stream.running
    assert {k: stream.options[k] for k in ("device", "samplerate", "blocksize", "channels", "dtype", "latency")} == {
        "device": 0,
        "samplerate": 48000,
        "blocksize": 256,
        "channels": 2,
        "dtype": "float32",
        "latency": "low",
    }
    assert np.isfinite(stream.ask()).all()
    assert stand.engine.frame == 256


def test_a_lost_device_leaves_the_beat_and_is_taken_back_when_it_returns(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound("Speakers", "Headphones"), device="speakers")
    stand.output.open()
    stand.output.start()
    stand.sd.streams[0].ask()
    stand.check(0.1)
    assert not stand.driver.lost
    stand.check(LOST_S + 0.1)
    assert stand.output.stream.name == "null"
    assert isinstance(stand.output.stream, FakeNull)
    assert stand.output.stream.running
    assert stand.driver.lost
    assert not stand.sd.streams[0].running
    assert "Speakers, Fake Audio is gone" in stand.told.pop()

    stand.sd.names = ["Headphones"]  # another device is there, and is left alone
    stand.check(RETRY_S + 0.1)
    assert stand.driver.lost
    assert len(stand.sd.streams) == 1

    stand.sd.names = ["Headphones", "Speakers"]
    stand.check(0.1)
    assert stand.driver.lost  # not yet: it looks every two seconds
    null = stand.output.stream
    stand.check(RETRY_S)
    assert not null.running  # type: ignore[attr-defined]  # the fake
    assert stand.sd.streams[1].options["device"] == 1
    assert stand.sd.streams[1].running
    assert not stand.driver.lost
    assert "is back" in stand.told.pop()
    assert stand.sd.begun == 0


def test_a_device_that_ends_by_itself_is_lost_at_once(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound("Speakers"))
    stand.output.open()
    stand.output.start()
    stand.sd.streams[0].finished()
    stand.check(0.01)
    assert stand.driver.lost


def test_a_device_that_returns_but_does_not_open_is_waited_for(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound("Speakers"))
    stand.output.open()
    stand.output.start()
    stand.check(LOST_S + 0.1)
    stand.sd.fails = "Device unavailable"
    stand.check(RETRY_S + 0.1)
    assert stand.driver.lost
    stand.sd.fails = ""
    stand.check(RETRY_S + 0.1)
    assert not stand.driver.lost


def test_a_jack_server_that_is_gone_is_not_touched_and_its_return_asks_for_a_new_process(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound("system"))
    stand.sd.api = "JACK Audio Connection Kit"
    stand.output.open()
    stand.output.start()
    stand.sd.streams[0].active = False
    stand.check(0.1)
    assert stand.driver.lost
    assert stand.output.is_stuck
    assert stand.sd.streams[0].running  # PortAudio would hang in stopping it
    stand.check(RETRY_S + 0.1)
    stand.jack_answers = True
    stand.check(RETRY_S + 0.1)  # it might have stood still, and ask for the next block any moment
    with pytest.raises(ServerIsBack):
        stand.check(0.5)
    assert stand.sd.begun == 0


def test_a_jack_server_that_only_stood_still_is_played_on_as_it_was(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound("system"))
    stand.sd.api = "JACK Audio Connection Kit"
    stand.jack_answers = True  # it would be enough to begin a new process
    stand.output.open()
    stand.output.start()
    stand.sd.streams[0].ask()
    stand.check(0.1)
    stand.check(LOST_S + 0.1)
    null = stand.output.stream
    assert isinstance(null, FakeNull)
    assert stand.driver.lost
    frame = stand.engine.frame
    assert not stand.sd.streams[0].ask().any()  # the other clock renders now
    assert stand.engine.frame == frame
    stand.check(RETRY_S)
    assert not null.running
    assert not stand.driver.lost
    assert not stand.output.is_stuck
    assert "is back" in stand.told.pop()
    stand.sd.streams[0].ask()
    assert stand.engine.frame == frame + BLOCK
    assert len(stand.sd.streams) == 1
    stand.check(LOST_S - 0.1)
    assert not stand.driver.lost
    stand.check(LOST_S + 0.1)  # and gone again
    assert stand.driver.lost


def test_a_device_that_does_not_open_says_what_to_change(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound("Speakers"), rate=44100)
    stand.sd.fails = "Invalid sample rate"
    with pytest.raises(DeviceError, match=r"Speakers.*44100 Hz.*audio\.rate.*Invalid sample rate"):
        stand.output.open()


def test_without_the_library_the_remedy_is_named(clock_ring: Any) -> None:
    def missing() -> Any:
        raise DeviceError("the PortAudio library is missing")

    stand = Stand(clock_ring, FakeSound())
    output = Output(stand.driver, Audio(), lambda _level, _text: None, missing, FakeNull)
    with pytest.raises(DeviceError, match="PortAudio"):
        output.open()


def test_null_needs_no_library(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound(), device="null")
    stand.output.open()
    stand.output.start()
    assert stand.output.stream.name == "null"
    assert not stand.driver.lost


DEVICES = ("HDA Intel: Speakers", "<Microphone", "USB: Headphones", "USB: Speakers")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (2, 2),
        ("3", 3),
        ("headphones", 2),
        ("usb speakers", 3),
        ("HDA Intel: Speakers", 0),
        ("HDA Intel: Speakers, Fake Audio", 0),
    ],
)
def test_a_device_is_found_by_number_or_words(wanted: int | str, found: int) -> None:
    assert find(FakeSound(*DEVICES), wanted) == found


@pytest.mark.parametrize(
    ("names", "wanted", "told"),
    [
        (DEVICES, "speakers", r"may mean any of these[\s\S]*0: HDA Intel: Speakers[\s\S]*3: USB: Speakers"),
        (DEVICES, "piano", r"no output device 'piano'; there are\n[\s\S]*2: USB: Headphones"),
        (DEVICES, 1, "no output device number 1"),
        (DEVICES, "default", "names no default output"),
        (("<Microphone",), "default", 'connect one, start a JACK server, or set audio.device to "null"'),
        ((), "default", "no audio device"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_there_is(names: tuple[str, ...], wanted: int | str, told: str) -> None:
    with pytest.raises(DeviceError, match=told):
        find(FakeSound(*names), wanted)


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_a_null_clock_stops_when_told_to(no_thread_left: None) -> None:
    filled = threading.Event()
    null = NullDevice(lambda _out, _flagged: filled.set(), 480, RATE)
    null.start()
    assert filled.wait(10)
    null.stop()


@pytest.mark.parametrize("block", [64, 100, 256])
def test_a_device_with_one_channel_plays_the_mean_of_both_sides(block: int, bench: Build) -> None:
    stage = bench()
    sd = FakeSound("Megaphone")
    sd.channels = 1
    output = Output(Driver(stage.engine, stage.link, Time()), Audio(block=block), lambda _l, _t: None, lambda: sd, FakeNull)
    output.open()
    output.start()
    (stream,) = sd.streams
    assert stream.options["channels"] == 1
    stage.live.set("player.pan", -0.5)
    wave = stage.link["wave"].reader()
    stage.play(0x90, 60, 100)
    heard = np.concatenate([stream.ask() for _ in range(20)])[:, 0]
    played = wave.read()["samples"].reshape(-1, OUTPUTS)[: len(heard)]
    assert np.abs(played[:, 0] - played[:, 1]).max() > 0.01
    assert heard == pytest.approx(played.mean(axis=1), abs=1e-7)


def test_a_device_that_runs_at_another_rate_says_at_which_and_what_to_set(clock_ring: Any) -> None:
    sd = FakeSound("system")
    sd.api, sd.rate_hz = "JACK Audio Connection Kit", 44100.0
    sd.fails = "Error opening RawOutputStream: Invalid sample rate [PaErrorCode -9997]"
    stand = Stand(clock_ring, sd)
    with pytest.raises(DeviceError, match=r'runs at 44100 Hz: set audio\.rate to 44100, or to "device"') as found:
        stand.output.open()
    stand.output.wait_for_device(found.value)  # as one that comes back so: a notice, which is cut where it is too long
    notices = clock_ring["notices.audio"].reader()
    clock_ring.notice("audio", ERROR, stand.told[-1])
    assert 'set audio.rate to 44100, or to "device" to follow it' in notices.read()[0]["text"].decode()


def test_a_device_that_comes_back_other_than_it_was_is_told_once_and_tried_less_and_less_often(clock_ring: Any) -> None:
    stand = Stand(clock_ring, FakeSound("system"))
    stand.output.wait_for_device(DeviceError("it runs at 44100 Hz"))
    stand.output.start()
    assert isinstance(stand.output.stream, FakeNull)
    assert stand.driver.lost
    for _ in range(600):
        stand.check(0.5)
    (told,) = stand.told
    assert told == "The beat goes on without sound, and the device is tried again: it runs at 44100 Hz"
    waits = np.diff([0.0, *stand.tries])
    assert waits[:5].tolist() == [2, 4, 8, 16, 30]
    assert set(waits[5:]) == {30}
    stand.opens = True
    with pytest.raises(ServerIsBack):
        stand.check(31)
