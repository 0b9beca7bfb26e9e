"""Sends the smooth tier in time: a clock of absolute deadlines that waits for nobody.

Runs on: signals process, or a thread of the replay. Receivers of the same rate are sent to together, so that what they want is
found once. A deadline that was missed by more than a period is passed over, never made up for in a burst.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from engine.feed.schema import TRAIL
from engine.feed.signals.signals import Signals, Wants
from engine.feed.signals.template import SmoothSpec, SmoothTemplate
from engine.feed.targets import Outlet

NOTHING_S = 0.05  # pause while nobody wants anything


class Consumer(Protocol):
    """Somebody who wants the numbers so many times a second."""

    rate_hz: float
    wants: Wants

    def tick(self, now_ns: int) -> None:
        """The signals are those of this moment."""


class UdpConsumer:
    """A receiver of datagrams."""

    def __init__(self, name: str, template: SmoothTemplate, send: Callable[[memoryview | bytes], object]) -> None:
        self.rate_hz = template.spec.rate_hz
        self.outlet = Outlet(name, send)
        self._tick = 0
        self.show(template)

    def show(self, template: SmoothTemplate) -> None:
        """Send what this template has from here on."""
        self.template = template
        self.wants = wants_of(template.spec, template)

    def tick(self, now_ns: int) -> None:
        """Send what there is."""
        template = self.template
        heard_unix_ns = time.time_ns() if template.spec.presentation else 0
        template.fill(self._tick, heard_unix_ns)
        self._tick += 1
        self.outlet.send_all(template.datagrams)
        if words := template.words(now_ns * 1e-9, heard_unix_ns):
            self.outlet.send_all(words)


def wants_of(spec: SmoothSpec, template: SmoothTemplate) -> Wants:
    """Return what is to be computed for a spec."""
    trails = "smooth_vectors" in spec.tiers and (not spec.signals or TRAIL in spec.signals)
    return Wants("levels" in spec.tiers, trails, template.spans)


class Pacer:
    """Gives every consumer the numbers when its time comes: `run_due` at a host time, then sleep until `next_ns`."""

    def __init__(self, signals: Signals, begin_ns: int | None = None) -> None:
        """`begin_ns`: the host time that all deadlines are counted from; now, unless it is given."""
        self.signals = signals
        self.late_ns = 0  # how late the newest tick was
        self.ticks = 0
        self.missed = 0  # deadlines that were passed over
        self._due: dict[Consumer, int] = {}
        self._epoch_ns = time.perf_counter_ns() if begin_ns is None else begin_ns

    def __len__(self) -> int:
        return len(self._due)

    @property
    def consumers(self) -> list[Consumer]:
        """All there are."""
        return list(self._due)

    def add(self, consumer: Consumer, now_ns: int | None = None) -> None:
        """Serve a consumer from its next deadline on, as counted from now."""
        self._due[consumer] = self._following(consumer, time.perf_counter_ns() if now_ns is None else now_ns)
        self._want()

    def remove(self, consumer: Consumer) -> None:
        """Serve it no longer."""
        if self._due.pop(consumer, None) is not None:
            self._want()

    def change(self, of: Callable[[UdpConsumer], SmoothTemplate]) -> None:
        """Give every receiver of datagrams another template: the network that plays is another."""
        for consumer in self._due:
            if isinstance(consumer, UdpConsumer):
                consumer.show(of(consumer))
        self._want()

    def _want(self) -> None:
        wants = [consumer.wants for consumer in self._due]
        spans = tuple(_joined([span for w in wants for span in w.spans]))
        self.signals.wants = Wants(any(w.levels for w in wants), any(w.trails for w in wants), spans)

    def _following(self, consumer: Consumer, now_ns: int) -> int:
        period_ns = 1e9 / consumer.rate_hz
        return self._epoch_ns + math.ceil((math.floor((now_ns - self._epoch_ns) / period_ns + 1e-6) + 1) * period_ns)

    @property
    def next_ns(self) -> int | None:
        """Host time of the next deadline, None when nobody wants anything."""
        return min(self._due.values(), default=None)

    def run_due(self, now_ns: int) -> bool:
        """Serve those whose time has come. Return whether there were any."""
        due = [consumer for consumer, due_ns in self._due.items() if due_ns <= now_ns]
        if not due:
            return False
        self.late_ns = now_ns - min(self._due[consumer] for consumer in due)
        self.ticks += 1
        there = self.signals.advance(now_ns)
        for consumer in due:
            following = self._following(consumer, now_ns)
            self.missed += max(round((following - self._due[consumer]) * consumer.rate_hz * 1e-9) - 1, 0)
            self._due[consumer] = following
            if there:
                consumer.tick(now_ns)
        self.signals.settle()
        return True

    def pause_s(self, now_ns: int) -> float:
        """Seconds to sleep from a host time on."""
        following = self.next_ns
        return NOTHING_S if following is None else min(max((following - now_ns) * 1e-9, 0.0), NOTHING_S)


def _joined(spans: list[slice]) -> list[slice]:
    """Return spans that overlap or touch as one."""
    out: list[slice] = []
    for span in sorted(spans, key=lambda s: (s.start, s.stop)):
        if out and span.start <= out[-1].stop:
            out[-1] = slice(out[-1].start, max(out[-1].stop, span.stop))
        else:
            out.append(span)
    return out
