"""Replay of a recorded session: the very same datagrams in the very same time, and the page, without the musician.

Runs on: main process (`algoritmo replay`), one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from engine.app.services import Services
from engine.app.signaller import Signaller
from engine.core.config import Config
from engine.core.ensemble import OTHERS
from engine.core.errors import ConfigError, SessionError
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, CLOCK, LISTENING, NETWORK_STATS, OUTPUTS, PLAYER, stem_names, step_dtype
from engine.core.metre import of_record
from engine.core.parameters import Live
from engine.feed.feed import Feed
from engine.feed.schema import Schema
from engine.feed.signals.catalogue import Catalogue
from engine.feed.targets import Clocks
from engine.jam.parameters import registry_of
from engine.lights.outputs import check as check_lights
from engine.record.feed_file import RESET, Entry, FeedReader
from engine.record.session import WAVE, feed_path
from engine.record.stems import FOLDER as STEMS
from engine.transport.timeline import BeatTimeline

FINE_S = 0.002  # before a moment the loop's own timer, which knows whole milliseconds, is left for a finer one
LEAD_IN_S = 0.1  # silence before the first step
SOUND_S = 0.02  # how often the page is given sound
EXPIRE_S = 1.0  # how often subscribers are looked through


def replay(
    session: Path,
    config: Config,
    speed: float = 1.0,
    loop: bool = False,
    tell: Callable[[int, str], None] = lambda _level, _text: None,
) -> int:
    """Replay the session in a folder (or its feed.bin) to the configuration's targets; return how many steps were sent.

    With `loop` it never ends. `tell` takes a level and a line for the person. Raises SessionError and ConfigError.
    """
    if not speed > 0:
        raise SessionError(f"--speed {speed:g}: give a number above 0")
    with FeedReader(feed_path(session)) as reader:
        # The Windows default loop cannot wait for a socket that is read without a transport.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            player = Player(reader, config, speed, tell, session.parent / WAVE if session.is_file() else session / WAVE)
            runner.run(player.run(loop))
        return player.steps


def targets_setting(receivers: Sequence[str]) -> str:
    """Return HOST:PORT words as a setting of the configuration. Raises ConfigError."""
    targets = []
    for receiver in receivers:
        host, colon, port = receiver.rpartition(":")
        if not colon or not port.isdecimal():
            raise ConfigError(f"--osc {receiver}: write HOST:PORT, for example --osc 127.0.0.1:9000")
        targets.append(f'{{host="{host.strip("[]") or "127.0.0.1"}", port={port}}}')
    return f"osc.targets=[{', '.join(targets)}]"


class Player:
    """Publishes what a reader holds through a feed of its own."""

    def __init__(self, reader: FeedReader, config: Config, speed: float, tell: Callable[[int, str], None], wave: Path) -> None:
        """`wave`: the session's sound, for the page; there may be none."""
        self.steps = 0
        self._wave = wave if speed == 1 and wave.exists() else None
        names = stem_names(reader.card)
        self._buses = len(names)
        self._stems = [wave.parent / STEMS / f"{name}.wav" for name in names]
        if not all(stem.exists() for stem in self._stems):
            self._stems = []
        self._reader = reader
        self._rate_hz = reader.rate_hz
        self._ns_per_frame = 1e9 / reader.rate_hz / speed
        card = reader.card
        registry = registry_of(card)
        check_lights(config, Catalogue(card))
        self._link = Link.private(Layout.of(card, len(registry), stage=True))
        self._live = Live(registry, self._link.values)
        self._live.reset_to_defaults()
        self._feed = Feed(self._link, Schema(card, registry, reader.cells))
        self._signaller = Signaller(config, self._feed.schema, self._link, self._live, tell)
        self._doors = Services(config, self._feed, self._link, self._live, tell, recorded=True, sound=self._wave is not None)
        self._tell, self._config = tell, config
        self._whole = np.zeros((), step_dtype(card))  # a step as the rings hold it
        self._begun_ns = 0  # host time of frame 0

    async def run(self, loop: bool) -> None:
        """Open everything, play once or for ever, close everything."""
        opened = self._doors.open()
        self._tell(
            0, "replaying to " + ", ".join(opened["targets"]) + (f"; page: {opened['page']}" if "page" in opened else "")
        )
        await asyncio.gather(*self._doors.serve())  # before the first step: what they import would keep it waiting
        sound = asyncio.get_running_loop().create_task(self._sound(self._wave)) if self._wave is not None else None
        if not self._stems and any("levels" in target.tiers for target in self._config.osc.targets):
            self._tell(1, "this session has no stems: the levels of tracks stay at 0; record them with session.stems = true")
        signals = threading.Thread(target=self._signaller.run, name="signals", daemon=True)
        signals.start()
        try:
            while await self._once() and loop:
                continue
        finally:
            if sound is not None:
                sound.cancel()
            self._signaller.end()
            await asyncio.to_thread(signals.join)
            await self._doors.close()

    async def _once(self) -> bool:
        """Play from beginning to end; return whether there was anything."""
        self._feed.encoder.reset()
        entries = iter(self._reader)
        first = next(entries, None)
        while first is not None and first.kind == RESET:
            first = next(entries, None)
        if first is None:
            return False
        self._begun_ns = time.perf_counter_ns() + int(LEAD_IN_S * 1e9) - int(first.frame * self._ns_per_frame)
        expire_s = 0.0
        for entry in _again(first, entries):
            await self._until(entry.frame)
            self._publish(entry)
            if (now_s := time.monotonic()) >= expire_s and self._doors.subscribers is not None:
                self._doors.subscribers.expire(now_s)
                expire_s = now_s + EXPIRE_S
        return True

    async def _until(self, frame: int) -> None:
        await asyncio.sleep(max(self._left_s(frame) - FINE_S, 0))
        time.sleep(max(self._left_s(frame), 0))

    def _left_s(self, frame: int) -> float:
        return (self._begun_ns + frame * self._ns_per_frame - time.perf_counter_ns()) * 1e-9

    def _publish(self, entry: Entry) -> None:
        now_ns = time.perf_counter_ns()
        frame = (now_ns - self._begun_ns) / self._ns_per_frame
        clocks = Clocks(now_ns * 1e-9, frame, time.time_ns(), self._ns_per_frame)
        if entry.events is not None:
            self._push_clock(entry.frame)
            events = entry.events.copy()
            tracks = events["track"]  # those that other networks have are none of this one's
            tracks[(tracks >= len(self._reader.card.tracks)) & (tracks != PLAYER)] = OTHERS
            for event in events:
                self._link.writer("events").push(event)
            self._feed.tell(events, clocks)
        elif entry.step is not None:
            self._push_clock(entry.frame)
            self._push_step(entry.step)
            self._feed.step(entry.step, clocks)
            self.steps += 1
        elif entry.futures is not None:
            self._push_clock(entry.frame)
            self._feed.imagine(entry.futures, clocks)
        else:
            self._feed.encoder.reset()
        self._doors.catch_up_later(clocks.now_s)

    def _push_clock(self, frame: int) -> None:
        clock = np.zeros((), CLOCK)
        clock["frame"] = frame
        clock["time_ns"] = self._begun_ns + int(frame * self._ns_per_frame)
        clock["ns_per_frame"], clock["rate_hz"] = self._ns_per_frame, self._rate_hz
        self._link.writer("clock").push(clock)

    def _push_step(self, step: np.void) -> None:
        """Fill the rings as the network process does, for those who look there: the page."""
        for name in step.dtype.names or ():
            self._whole[name] = step[name]
        metre = of_record(step)
        line = BeatTimeline(
            float(step["frame"]),
            float(step["beat"]),
            float(step["tempo_bpm"]),
            self._rate_hz,
            numerator=metre.numerator,
            denominator=metre.denominator,
            groups=metre.code,
        )
        self._link.writer("timeline").push(line.record())
        self._link.writer("steps").push(self._whole[()])
        stats = np.zeros((), NETWORK_STATS)
        stats["steps"], stats["mode"] = self.steps + 1, step["mode"]
        stats["listening"] = bool(step["flags"] & LISTENING)
        self._link.writer("network").push(stats)
        for name, value in (("tempo", float(step["tempo_bpm"])), ("mode", float(step["mode"]))):
            if self._live.get(name) != value:
                self._live.set(name, value)

    async def _sound(self, wave: Path) -> None:
        """Give the page and the levels the session's sound, as the audio process would."""
        with contextlib.ExitStack() as open_files:
            file = open_files.enter_context(soundfile.SoundFile(wave))
            stems = [open_files.enter_context(soundfile.SoundFile(stem)) for stem in self._stems]
            while True:
                await asyncio.sleep(SOUND_S)
                if not self._begun_ns:
                    continue
                now = int((time.perf_counter_ns() - self._begun_ns) / self._ns_per_frame)
                if abs(now - file.tell()) > self._rate_hz:  # begun, or begun again
                    for each in (file, *stems):
                        each.seek(min(max(now, 0) // BLOCK * BLOCK, each.frames))
                while file.tell() + BLOCK <= min(now, file.frames):
                    frame = file.tell()
                    samples = file.read(BLOCK, dtype="float32", always_2d=True)
                    self._push_stems(frame, stems)
                    self._link.writer("wave").push((frame, samples[:, :OUTPUTS]))

    def _push_stems(self, frame: int, stems: Sequence[soundfile.SoundFile]) -> None:
        # Without stems every track is silent: the master is measured together with them.
        block = np.zeros((BLOCK, OUTPUTS * self._buses), np.float32)
        for number, stem in enumerate(stems):
            samples = stem.read(BLOCK, dtype="float32", always_2d=True)
            block[: len(samples), OUTPUTS * number : OUTPUTS * (number + 1)] = samples[:, :OUTPUTS]
        self._link.writer("buses").push((frame, block))


def _again(first: Entry, rest: Iterator[Entry]) -> Iterator[Entry]:
    yield first
    yield from rest
