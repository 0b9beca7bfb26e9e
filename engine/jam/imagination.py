"""Imagined continuations: what else might follow the step just chosen, a timestep at a time, while no step needs the time.

Runs on: network process, main thread. The network is loaded a second time, with the batch that they need, by a thread of its
own once somebody asks for some.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np

from engine.core.contract import HOLD, PLAY
from engine.core.errors import NetworkError
from engine.core.link import Link
from engine.core.messages import FUTURE_STEPS, WARNING
from engine.core.parameters import Live
from engine.jam.jam import Jam
from engine.network.noise import noise
from engine.network.runner import Runner
from engine.transport.sample_clock import SampleClock

REST_S = 0.008  # after a step, when the feed tells of it
SPARE_S = 0.008  # before the network is next needed, in which nothing is begun
RECENT = 0.9  # how much of the slowest timestep so far is expected of the next; it fades
WARM_UP = 4  # calls after loading
PATIENCE = 16  # continuations in a row that were not done in time, after which the person is told
SWITCH_S = 0.0005  # what the thread that loads may keep the steps waiting; Python's own default is ten times as long
NEVER = float("inf")


class Imagination:
    """Goes on from what a jam has just settled; publishes records of `futures_dtype` on the link's `futures`."""

    def __init__(
        self, path: Path, threads: int, jam: Jam, live: Live, link: Link, now_ns: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._path, self._threads = path, threads
        self._jam, self._live, self._link = jam, live, link
        self._now_ns = now_ns
        self._runner: Runner | None = None
        self._loading: Thread | None = None
        self._loaded: Runner | None = None
        self._failed = ""  # why it could not be loaded
        self._missed = 0  # continuations in a row that were not done in time
        self._slice_s = 0.0  # what one timestep of all continuations is expected to take
        self._begun_ns = 0
        self._position = 0  # of the step settled, counted from bar 1
        self._done = FUTURE_STEPS  # timesteps imagined; all: there is nothing to do
        self._record = np.zeros((), link["futures"].dtype)

    def begin(self, step: int, frame: int) -> None:
        """Timestep `step`, which sounds at `frame`, has been settled: imagine what may follow it."""
        if self._done < FUTURE_STEPS:
            self._give_up()
        count = 0 if self._link.spares("continuations") else int(self._live.get("futures"))
        if count == 0 or not self._ready(count):
            return
        assert self._runner is not None  # _ready() says so
        mine, theirs = self._runner.inputs, self._jam.runner.inputs
        card = self._runner.card
        named = [*(s.name for s in card.states), *(c.name for c in card.controls), *(c.name for c in card.conditions)]
        for name in ("temperature", *named):
            mine[name][...] = theirs[name]
        mine["x"][...] = self._jam.runner.outputs["notes"]  # what it has chosen is what will have sounded
        self._position = int(theirs["position"][0])
        self._record["step"], self._record["frame"], self._record["count"] = step, frame, count
        self._record["log_prob"] = 0
        self._done, self._begun_ns = 0, self._now_ns()

    def _ready(self, count: int) -> bool:
        """Whether a network for so many continuations is here; if not, it is sent for."""
        if self._runner is not None and self._runner.batch == count:
            return True
        if self._loading is None:
            sys.setswitchinterval(SWITCH_S)
            self._loading = Thread(target=self._load, args=(count,), name="imagination", daemon=True)
            self._loading.start()
        elif not self._loading.is_alive():
            self._loading = None
            self._runner = self._loaded
            if self._failed:
                self._live.set("futures", 0)
                self._link.notice("network", WARNING, f"no futures are imagined: {self._failed}")
            return self._runner is not None and self._runner.batch == count
        return False

    def _load(self, count: int) -> None:
        self._loaded, self._failed = None, ""
        try:
            runner = Runner(self._path, self._jam.runner.provider, self._threads, count)
        except NetworkError as error:  # as for want of memory: a network that plays already keeps the contract
            self._failed = str(error)
            return
        for _ in range(WARM_UP):
            begun_ns = time.perf_counter_ns()
            runner.run()
            self._slice_s = (time.perf_counter_ns() - begun_ns) * 1e-9
        self._loaded = runner

    def think(self, left_s: float) -> float:
        """Imagine one timestep if that is done within `left_s`; return in how many seconds to ask again: 0 at once, or NEVER
        before the network is next needed."""
        if self._done == FUTURE_STEPS:
            return NEVER
        begun_ns = self._now_ns()
        rest_s = REST_S - (begun_ns - self._begun_ns) * 1e-9
        if rest_s > 0:
            return rest_s
        if left_s < 2 * self._slice_s + SPARE_S:
            return NEVER
        self._imagine()
        self._slice_s = max((self._now_ns() - begun_ns) * 1e-9, RECENT * self._slice_s)
        return 0.0

    def _give_up(self) -> None:
        """The next step is settled, and half continuations are none."""
        self._done = FUTURE_STEPS
        self._missed += 1
        if self._missed == PATIENCE:
            text = f"{int(self._record['count'])} futures take longer than a timestep here, none are told; fewer may fit"
            self._link.notice("network", WARNING, text)

    def _imagine(self) -> None:
        runner, record, at = self._runner, self._record, self._done
        assert runner is not None  # begin() saw to it
        step = int(record["step"]) + 1 + at
        runner.inputs["position"].fill(self._position + 1 + at)
        seed = int(self._live.get("seed"))
        for number in range(runner.batch):
            # Noise other than that the jam will draw: these are the ways it might have gone.
            runner.inputs["u"][number] = noise(seed + 1 + number, step, runner.card.noise)
        runner.step()
        notes = runner.outputs["notes"]
        runner.inputs["x"][...] = notes
        record["notes"][: runner.batch, at] = 2 * notes[..., PLAY] - notes[..., HOLD]
        record["log_prob"][: runner.batch] += runner.outputs["log_prob"]
        self._done += 1
        if self._done == FUTURE_STEPS:
            self._missed = 0
            self._publish()

    def _publish(self) -> None:
        clock = self._link["clock"].latest()
        if clock is not None:  # told as of now, or with its step where that does not sound yet
            now = SampleClock.of(clock).frame_at(self._now_ns())
            self._record["frame"] = max(int(self._record["frame"]), round(now))
        self._link.writer("futures").push(self._record)
