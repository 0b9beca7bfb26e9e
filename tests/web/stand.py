"""A stage for the page's tests: a network, or made-up steps, played in real time into a Stage, without sound."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.core.config import Web
from engine.core.contract import Activation, Card, parse_card
from engine.core.link import Layout, Link
from engine.core.messages import ALL_OFF, NETWORK_STATS, NOTE_OFF, NOTE_ON, OUTPUTS, PLAYER, signals_dtype, wave_dtype
from engine.core.parameters import Live
from engine.feed.schema import Schema
from engine.feed.signals.audience import Audience
from engine.jam.jam import Jam
from engine.jam.modes import MODES
from engine.jam.parameters import registry_of
from engine.network.runner import Runner
from engine.transport.timeline import BeatTimeline
from engine.web.pages.stage import Stage
from engine.web.site import Site

RATE_HZ = 48000
PLAYED = [(0, 72), (3, 74), (4, 76), (6, 79), (8, 76), (11, 74), (12, 72), (14, 67)]  # (step of a bar, pitch): one phrase


class Desk:
    """The link of a run in private memory, with clock and timeline that stand at the host's time."""

    def __init__(self, card: Card, tempo: float = 120.0) -> None:
        registry = registry_of(card)
        self.card = card
        self.link = Link.private(Layout.of(card, len(registry)))
        self.live = Live(registry, self.link.values)
        self.live.reset_to_defaults()
        self.live.set("tempo", tempo)
        self.begun_ns = time.perf_counter_ns()
        self.link.writer("clock").push(
            (0, self.begun_ns, 1e9 / RATE_HZ, RATE_HZ, 64, 128, 0.08, 0.2, 0.1, 0, 0, 0, 0, 0, 0.1, 0)
        )
        stats = np.zeros((), NETWORK_STATS)
        stats["step_p50_ms"], stats["step_p99_ms"], stats["mode"], stats["provider"] = 0.3, 0.6, 1, b"cpu"
        self.link.writer("network").push(stats)
        self.frames_per_step = 60 * RATE_HZ / tempo / card.steps_per_beat
        self.timeline = BeatTimeline(0.0, 0.0, tempo, float(RATE_HZ))
        self.link.writer("timeline").push(self.timeline.record())

    def event(self, step: float, kind: int, track: int, pitch: int, velocity: int = 100, of_step: int = -1) -> None:
        """Something begins or ends to sound."""
        self.link.writer("events").push((round(step * self.frames_per_step), of_step, kind, track, pitch, velocity, 0.0))


class Network:
    """A real network; what it sends sounds at once, and a phrase is played to it in every other bar."""

    def __init__(self, path: Path, mode: str = "accompany", phrase: bool = True, tempo: float = 120.0) -> None:
        runner = Runner(path)
        self.desk = Desk(runner.card, tempo)
        self.desk.live.set("mode", MODES.index(mode))
        names = [t.name for t in runner.card.tracks]
        self.jam = Jam(runner, self.desk.live, self.desk.link, "lead" if "lead" in names else names[-1])
        self._phrase = phrase
        self._sent = self.desk.link["notes"].reader(0)
        self._heard = self.desk.link["events"].reader(0)

    def play(self, step: int) -> None:
        """Let one step sound."""
        desk = self.desk
        for at, pitch in PLAYED if self._phrase else ():
            if step // 16 % 4 < 2 and step % 16 == at:
                desk.event(step, NOTE_ON, PLAYER, pitch, 92)
            elif step >= 2 and (step - 2) // 16 % 4 < 2 and (step - 2) % 16 == at:
                desk.event(step, NOTE_OFF, PLAYER, pitch, 0)
        self.jam.hear(self._heard.read(), desk.timeline, 0)
        self.jam.choose(step, desk.timeline)
        self.jam.send(0)
        self.jam.publish(0.3, late=False)
        for event in self._sent.read():
            if event["kind"] in (NOTE_ON, NOTE_OFF, ALL_OFF):
                desk.link.writer("events").push(event)


class MadeUp:
    """Steps of any card: activations that wander, notes drawn from probabilities that do; the same for the same seed."""

    def __init__(self, card: Card, seed: int = 0, tempo: float = 120.0) -> None:
        self.desk = Desk(card, tempo)
        self._rng = np.random.default_rng(seed)
        self._drift = {a.output: self._rng.normal(0, 1, a.shape).astype(np.float32) for a in card.activations}
        self._sounding = np.zeros(card.slots, bool)

    def play(self, step: int) -> None:
        """Let one step sound."""
        card, rng = self.desk.card, self._rng
        record = self.desk.link.writer("steps").slot()
        record["step"], record["frame"] = step, round(step * self.desk.frames_per_step)
        record["beat"], record["tempo_bpm"] = step / card.steps_per_beat, self.desk.timeline.tempo_bpm
        line = self.desk.timeline
        record["numerator"], record["denominator"], record["groups"] = line.numerator, line.denominator, line.groups
        record["flags"], record["mode"], record["log_prob"] = 0, 1, -6.0
        record["log_prob_tracks"] = -1.0
        record["x"][:, 0] = self._sounding
        probability = self._probability(step)
        play = rng.random(card.slots) < probability
        hold = play & self._sounding & (rng.random(card.slots) < 0.7)
        record["probability"][:, 0], record["probability"][:, 1] = probability, 0.5
        record["notes"][:, 0], record["notes"][:, 1], record["clamped"] = play, hold, 0
        for slot in np.flatnonzero(self._sounding & ~hold):
            self._event(step, NOTE_OFF, slot)
        for slot in np.flatnonzero(play & ~hold):
            self._event(step, NOTE_ON, slot)
        self._sounding = play
        for a in card.activations:
            record[a.output] = self._activation(a, step)
        self.desk.link.writer("steps").advance()
        self._imagine(step, probability)

    def _probability(self, _step: int) -> np.ndarray:
        return np.clip(self._rng.normal(0.02, 0.12, self.desk.card.slots), 0, 1)

    def _activation(self, a: Activation, step: int) -> np.ndarray:
        drift = self._drift[a.output]
        drift *= 0.9
        drift += self._rng.normal(0, 0.4, a.shape)
        middle, half = (a.max + a.min) / 2, (a.max - a.min) / 2
        # Never wholly at rest: a state of zeros is like no other.
        shown: np.ndarray = middle + half * np.tanh(drift * (1.1 + np.sin(step * np.pi / 8)))
        return shown

    def _imagine(self, step: int, probability: np.ndarray) -> None:
        """Make up what may follow, where it is asked for."""
        futures = self.desk.link.writer("futures")
        record = np.zeros((), futures.dtype)
        record["step"], record["count"] = step, count = step, int(self.desk.live.get("futures"))
        notes = record["notes"][:count]
        notes[:] = self._rng.random(notes.shape) < probability
        notes[:, 1:] += (notes[:, 1:] > notes[:, :-1]).astype(np.uint8)
        if count:
            futures.push(record)

    def _event(self, step: int, kind: int, slot: int) -> None:
        card = self.desk.card
        self.desk.event(step, kind, int(card.slot_tracks()[slot]), int(card.slot_pitches()[slot]), of_step=step)


class Stand:
    """A Site that plays in a thread of its own, until `close()`."""

    def __init__(
        self, source: Network | MadeUp, step_s: float | None = None, before: int = 0, recorded: bool = False, **web: object
    ) -> None:
        self.source, self.desk = source, source.desk
        self.config = Web.model_validate({"port": free_port(), **web})
        self.audience = Audience(self.desk.link, Schema(self.desk.card, self.desk.live.registry))
        self.site = Site(self.desk.link, self.desk.live, self.desk.card, self.config, recorded, audience=self.audience)
        stage = self.site.pages["stage"]
        assert isinstance(stage, Stage)
        self.stage = stage
        self.keys = self.desk.link["keys"].reader(0)
        self.sounded: dict[int, float] = {}  # step -> time.time() at which it was handed to the stage
        self.stage_s = 0.0  # processor time the stage took for it
        self.closed = False
        self._step_s = self.desk.frames_per_step / RATE_HZ if step_s is None else step_s
        self._before = before
        self._failed: BaseException | None = None
        self._ready = threading.Event()
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(20)
        if self._failed is not None:
            raise self._failed

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.config.port}/"

    def call(self, function: Callable[[], object]) -> object:
        """Run something on the stage's own thread and return what it returned."""

        async def there() -> object:
            return function()

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(10)

    def tell(self, words: dict[str, list[object]], **numbers: float) -> None:
        """Say of the music what the signals process would: `words` by address, numbers 0..1 by the end of theirs."""
        record = np.zeros((), signals_dtype(self.desk.card))
        for path, place in self.audience.schema.catalogue.index.items():
            record["values"][place] = numbers.get(path.removeprefix("/smooth/").replace("/", "_"), 0.0)
        self.call(lambda: self.desk.link.writer("words").push((json.dumps(words).encode(),)))
        self.call(lambda: self.desk.link.writer("signals").push(record))

    def close(self) -> None:
        """Stop; a second time does nothing."""
        if self._over is not None and not self.closed:
            self.closed = True
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._failed = error
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        await self.site.start()
        events = self.desk.link["events"].reader(0)
        keys = self.desk.link["keys"].reader(0)
        futures = self.desk.link["futures"].reader(0)
        for step in range(self._before):
            self.source.play(step)
            self.stage.step(self.desk.link["steps"].latest())
        self._ready.set()
        # Step k sounds at its place on the grid: the clock is set so that what was played before lies behind.
        zero_ns = time.perf_counter_ns() - round(self._before * self._step_s * 1e9)
        self.desk.link.writer("clock").push(
            (0, zero_ns, 1e9 / RATE_HZ, RATE_HZ, 64, 128, 0.08, 0.2, 0.1, 0, 0, 0, 0, 0, 0.1, 0)
        )
        step = self._before
        due_s = time.monotonic()
        while not self._over.is_set():
            self.source.play(step)
            self.sounded[step] = time.time()
            begun = time.thread_time()
            self.stage.step(self.desk.link["steps"].latest())
            self.stage_s += time.thread_time() - begun
            for record in futures.read():
                self.stage.futures(record)
            step += 1
            due_s = max(due_s + self._step_s, time.monotonic() - 1)
            while (left_s := due_s - time.monotonic()) > 0 and not self._over.is_set():
                self._press(keys.read(), (time.perf_counter_ns() - zero_ns) * 1e-9 * RATE_HZ)
                self.stage.notes(events.read())
                await asyncio.sleep(min(left_s, 0.005))
            await asyncio.sleep(0)
        await self.site.stop()

    def _press(self, keys: np.ndarray, frame: float) -> None:
        """Let the page's keys sound, as the audio process does."""
        for key in keys:
            status, pitch, velocity = key["data"].tolist()
            if status & 0xE0 == 0x80:
                on = status & 0xF0 == 0x90 and velocity > 0
                step = frame / self.desk.frames_per_step
                self.desk.event(step, NOTE_ON if on else NOTE_OFF, PLAYER, pitch, velocity)

    def hum(self, seconds: float, hz: float = 440.0) -> None:
        """Let a tone go to the loudspeaker."""
        blocks = int(seconds * RATE_HZ / 64)
        t = np.arange(64 * blocks) / RATE_HZ
        sine = np.repeat(0.5 * np.sin(2 * np.pi * hz * t)[:, None], OUTPUTS, axis=1).astype(np.float32)
        record = np.zeros((), wave_dtype())
        for block in range(blocks):
            record["frame"], record["samples"] = block * 64, sine[block * 64 : (block + 1) * 64]
            self.desk.link.writer("wave").push(record)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def card_of(**changes: object) -> Card:
    """A card for made-up steps: two layers, two tracks, unless told otherwise."""
    tracks = [
        {"name": "drums", "kind": "drums", "pitches": [36, 38, 42]},
        {"name": "lead", "kind": "pitched", "pitches": list(range(60, 84))},
    ]
    activations = [
        {"output": f"{s}{k}", "layer": k, "signal": s, "shape": [24], "min": low, "max": high}
        for k in range(2)
        for s, low, high in (("h", -1.0, 1.0), ("c", -4.0, 4.0), ("i", 0.0, 1.0), ("f", 0.0, 1.0), ("o", 0.0, 1.0))
    ]
    whole = {
        "contract": 1,
        "name": "made_up",
        "title": "Made up",
        "steps_per_beat": 4,
        "beats_per_bar": 4,
        "noise": 1,
        "tracks": tracks,
        "activations": activations,
    }
    return parse_card(json.dumps(whole | changes), "made up")


def biaxial_card(notes: tuple[int, int] = (24, 101), sizes: tuple[int, ...] = (300, 300, 100, 50)) -> Card:
    """The card of a biaxial network of this size."""
    low, high = notes
    activations = [
        {"output": f"{s}{k}", "layer": k, "signal": s, "shape": [high - low + 1, size], "min": -span, "max": span}
        for k, size in enumerate(sizes)
        for s, span in (("h", 1.0), ("c", 4.0))
    ]
    tracks = [{"name": "piano", "kind": "pitched", "pitches": list(range(low, high + 1))}]
    return card_of(name="biaxial", title="Biaxial", tracks=tracks, activations=activations)
