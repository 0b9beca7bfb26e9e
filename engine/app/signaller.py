"""The signals process: sends the smooth tiers many times a second, whatever the steps and the feed do.

Runs on: signals process: a loop that sleeps from deadline to deadline. While nobody wants anything it looks twenty times a
second whether somebody does.
"""

from __future__ import annotations

import gc
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

import numpy as np
from pydantic import ValidationError

from engine.core.config import Config
from engine.core.ensemble import as_part
from engine.core.link import Link
from engine.core.messages import INFO, SIGNALS_STATS, WARNING
from engine.core.osc_section import Target as TargetConfig
from engine.core.parameters import Live
from engine.core.process import Spec, stop_requested
from engine.core.realtime import SEEN, be_urgent
from engine.feed.schema import Schema
from engine.feed.signals.sender import Pacer, UdpConsumer
from engine.feed.signals.shown import Shown
from engine.feed.signals.signals import Signals
from engine.feed.signals.template import SmoothSpec, SmoothTemplate
from engine.feed.targets import open_udp
from engine.jam.parameters import live_of
from engine.lights.outputs import Lights
from engine.net.names import Names

STATS_S = 0.25
FIND_S = 5.0  # how long a receiver that cannot be opened is left alone
REMEMBERED = 256  # ticks that the figures look back on
SLEEP_S = 0.05  # at most so long it sleeps without looking whether it is to end


def main(spec: Spec, pipe: Connection) -> None:
    """Send until told to stop."""
    link = spec.link("signals")
    live = live_of(spec.card, link)
    cells = spec.config.osc.cells
    schemas = [Schema(part.card, live.registry, cells, spec.card) for part in spec.parts]

    def tell(level: int, text: str) -> None:
        link.notice("signals", level, text)

    links = [as_part(link, part) for part in spec.parts]
    signaller = Signaller(spec.config, schemas[0], link, live, tell, list(zip(links, schemas, strict=True)))
    pipe.send(("ready", {}))
    waiting = threading.Thread(target=_wait_for_stop, args=(pipe, signaller), name="pipe", daemon=True)
    waiting.start()
    gc.collect()
    gc.freeze()
    be_urgent(SEEN)
    signaller.run()


def _wait_for_stop(pipe: Connection, signaller: Signaller) -> None:
    while not stop_requested(pipe, None):
        continue
    signaller.end()


class Signaller:
    """Everybody who is given the smooth tiers, in time: `run` until `end`."""

    def __init__(
        self,
        config: Config,
        schema: Schema,
        link: Link,
        live: Live,
        tell: Callable[[int, str], None],
        networks: Sequence[tuple[Link, Schema]] = (),
    ) -> None:
        """`tell` takes a level and a line for the person at the terminal; `networks`: all of a run, where there are several."""
        self._config, self._schema, self._link, self._live = config, schema, link, live
        self._tell = tell
        self._networks = networks if len(networks) > 1 else ()
        self._playing = (0, 0)  # records of the ring that tells which plays, and the number of the one that is shown
        self._names = Names()
        self._over = False
        self._pacer: Pacer | None = None
        self._open: dict[str, tuple[UdpConsumer, Callable[[], None]]] = {}  # by the JSON of what they want
        self._again_s: dict[str, float] = {}  # when one that could not be opened is tried again
        self._wanted: list[TargetConfig] = [t for t in config.osc.targets if SmoothSpec.of(t) is not None]
        self._asked: list[TargetConfig] = []
        self._heard = 0  # records of who has asked
        self._shown: Shown | None = None
        self._lights: Lights | None = None
        self._late_ms: deque[float] = deque(maxlen=REMEMBERED)
        self._tick_us: deque[float] = deque(maxlen=REMEMBERED)
        self._gone = [0, 0]  # datagrams sent and dropped by those that have left
        self._stats_s = 0.0
        self._clamped()

    def _clamped(self) -> None:
        for number, target in enumerate(self._config.osc.targets):
            if SmoothSpec.of(target) is not None and target.paced_hz != target.smooth_hz:
                text = f"osc.targets.{number}.smooth_hz: {target.smooth_hz:g} a second cannot be; it is {target.paced_hz:g}"
                self._tell(WARNING, text)

    def end(self) -> None:
        """Let `run` return; from any thread."""
        self._over = True

    def run(self) -> None:
        """Send in time until the end."""
        while not self._over:
            self._link.beat("signals")
            now_ns = time.perf_counter_ns()
            pacer = self._pacer or self._begin()
            if pacer is None:
                time.sleep(SLEEP_S)
                continue
            if self._networks:
                self._follow_network(pacer)
            if pacer.run_due(now_ns):
                done_ns = time.perf_counter_ns()
                self._late_ms.append(pacer.late_ns * 1e-6)
                self._tick_us.append((done_ns - now_ns) * 1e-3)
                now_ns = done_ns
            if now_ns * 1e-9 >= self._stats_s:
                self._stats_s = now_ns * 1e-9 + STATS_S
                self._look(pacer, now_ns * 1e-9)
                self._push_stats(pacer)
            time.sleep(pacer.pause_s(time.perf_counter_ns()))
        for _, close in self._open.values():
            close()
        if self._lights is not None:
            self._lights.close()

    def _begin(self) -> Pacer | None:
        """There is sound: begin."""
        clock = self._link["clock"].latest()
        if clock is None:
            return None
        room = max((schema.size for _, schema in self._networks), default=0)
        self._pacer = pacer = Pacer(Signals(self._link, self._schema, self._live, float(clock["rate_hz"]), room))
        self._lights = Lights(self._config, pacer.signals, self._tell, self._names)
        for consumer in self._lights.consumers:
            pacer.add(consumer)
        return self._pacer

    def _follow_network(self, pacer: Pacer) -> None:
        """Show the steps of another network from the moment on at which it is heard."""
        ring = self._link["playing"]
        seen, shown = self._playing
        if ring.count == seen:
            return
        record = ring.latest()
        if record is None or pacer.signals.frame < float(record["frame"]):
            return
        number = int(record["number"])
        self._playing = ring.count, number
        if number == shown:
            return
        link, self._schema = self._networks[number]
        signals, schema = pacer.signals, self._schema
        signals.adopt(link, schema, int(record["first"]))
        pacer.change(lambda consumer: SmoothTemplate(signals, schema, consumer.template.spec))

    def _look(self, pacer: Pacer, now_s: float) -> None:
        """See who wants what now."""
        ring = self._link["receivers"]
        if ring.count != self._heard:
            self._heard = ring.count
            self._take(ring.latest(), pacer)
        wanted = {target.model_dump_json(): target for target in (*self._wanted, *self._asked)}
        for key in [key for key in self._open if key not in wanted]:
            consumer, close = self._open.pop(key)
            pacer.remove(consumer)
            self._gone[0] += consumer.outlet.sent
            self._gone[1] += consumer.outlet.dropped
            close()
        for key, target in wanted.items():
            if key not in self._open and now_s >= self._again_s.get(key, 0.0):
                self._add(key, target, pacer, now_s)
        self._ask_for_sound(pacer)

    def _take(self, record: np.void | None, pacer: Pacer) -> None:
        if record is None:
            return
        said = json.loads(record["text"])
        asked = []
        for settings in said["receivers"]:
            try:
                asked.append(TargetConfig.model_validate(settings))
            except ValidationError:  # the feed looked at it before; a newer one may know more
                continue
        self._asked = asked
        if self._shown is not None and (not said["shown"] or self._shown.wants.levels != said["levels"]):
            pacer.remove(self._shown)
            self._shown = None
        if said["shown"] and self._shown is None:
            self._shown = Shown(self._link, pacer.signals, said["levels"])
            pacer.add(self._shown)

    def _add(self, key: str, target: TargetConfig, pacer: Pacer, now_s: float) -> None:
        spec = SmoothSpec.of(target)
        if spec is None:
            return
        try:
            host = self._names.look(target.host)
            if host is None:
                return  # it is looked for
            way = open_udp(host, target.port, target.interface)
        except OSError as error:
            if key not in self._again_s:
                where = f"{target.host}:{target.port}"
                self._tell(WARNING, f"{where} is not reached ({error.strerror or error}); it is tried again")
            self._again_s[key] = now_s + FIND_S
            return
        if self._again_s.pop(key, None) is not None:
            self._tell(INFO, f"{target.host}:{target.port} is reached now")
        template = SmoothTemplate(pacer.signals, self._schema, spec)
        consumer = UdpConsumer(f"{target.host}:{target.port}", template, way.send)
        self._open[key] = consumer, way.close
        pacer.add(consumer)

    def _ask_for_sound(self, pacer: Pacer) -> None:
        """Have the audio process publish every bus while somebody wants it measured."""
        ring = self._link.writer("wanted")
        if bool(ring.count & 1) != pacer.signals.wants.levels:
            ring.push((int(pacer.signals.wants.levels),))

    def _push_stats(self, pacer: Pacer) -> None:
        record = np.zeros((), SIGNALS_STATS)
        record["ticks"], record["missed"] = pacer.ticks, pacer.missed
        if self._late_ms:
            record["late_ms"] = np.quantile(self._late_ms, 0.99)
            record["tick_us"] = np.median(self._tick_us)
        outlets = [consumer.outlet for consumer, _ in self._open.values()]
        record["sent"] = self._gone[0] + sum(outlet.sent for outlet in outlets)
        record["dropped"] = self._gone[1] + sum(outlet.dropped for outlet in outlets)
        self._link.writer("signals_stats").push(record)
