"""When a control is followed that may stand elsewhere than its parameter, and what is told of one that is not yet.

Runs on: audio process (audio callback; offline: whoever renders).
Soft takeover is that of Mixxx (src/controllers/softtakeover.cpp), with one rule more: see Takeover.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.link import Reader, Writer
from engine.midi.message import Kind, MidiMessage

NEAR = 3 / 128  # of the range: so near a control is where its parameter is
HOLD_S = 0.05  # so long after a value that was taken the next one is, too
ECHO_S = 0.25  # so long a device may take to send back what it was shown
TELLS_S = 0.02  # how often it is told where one control stands
MOST_SHOWN = 4096  # values that a device was shown and may send back


@dataclass(slots=True)
class Takeover:
    """Whether what a control says is followed, which may stand elsewhere than its parameter.

    Its first value is not. Later ones are where it has come to the parameter: within NEAR of it, or from one side to the
    other; and for HOLD_S after one that was, however far it has been thrown. That last rule is for a control that has the
    parameter alone: where somebody else has changed it meanwhile, it must come to it once more.
    """

    before: float | None = None
    taken_s: float = -1e9

    def accepts(self, share: float, current: float, now_s: float, has_it: bool) -> bool:
        """Take a position; return whether it is followed. `has_it`: the parameter is as this control set it last."""
        before, self.before = self.before, share
        if before is None:
            return False
        here, there = share - current, before - current
        accepted = here * there <= 0 or min(abs(here), abs(there)) <= NEAR or (has_it and now_s - self.taken_s <= HOLD_S)
        if accepted:
            self.taken_s = now_s
        return accepted


def clicks(encoding: str, value: int) -> int:
    """Return how far an encoder was turned, to the right above 0, by its encoding (Controller.relative)."""
    if encoding == "twos":
        return value if value < 64 else value - 128
    if encoding == "offset":
        return value - 64
    if encoding == "sign":
        return value if value < 64 else 64 - value
    return {1: 1, 127: -1}.get(value, 0)


@dataclass(slots=True)
class Standing:
    """Tells where the controls stand, into the ring of TAKEOVER records: for who sees them, and who moves their motors."""

    ring: Writer | None
    _told_s: dict[tuple[str, str], float] = field(default_factory=dict)  # by parameter and port
    _waits: set[tuple[str, str]] = field(default_factory=set)

    def tell(self, parameter: str, port: str, at: float, to: float, waits: bool, now_s: float) -> None:
        """A control of a port stands at a share of the range and its parameter at another; `waits`: it is not followed."""
        key = (parameter, port)
        changed = waits != (key in self._waits)
        if self.ring is None or (not changed and 0 <= now_s - self._told_s.get(key, -1.0) < TELLS_S):
            return
        (self._waits.add if waits else self._waits.discard)(key)
        self._told_s[key] = now_s
        self.ring.push((parameter.encode(), port.encode()[-64:], at, to, waits))


@dataclass(slots=True)
class Echoes:
    """What devices were shown (LEDs, motor faders), which some of them send back: that is nobody's hand."""

    shown: Reader | None
    now_ns: Callable[[], int]
    _values: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)  # by status and number: value, when

    def has(self, message: MidiMessage) -> bool:
        """Whether a message is what a device was just shown."""
        if self.shown is None:
            return False
        if self.shown.is_behind():
            if len(self._values) > MOST_SHOWN:
                self._values.clear()
            for time_ns, status, number, value in self.shown.read().tolist():
                self._values[status, number] = (value, time_ns)
        if not self._values or message.kind not in (Kind.CONTROL, Kind.NOTE_ON, Kind.BEND):
            return False
        kind = {Kind.CONTROL: 0xB0, Kind.NOTE_ON: 0x90, Kind.BEND: 0xE0}[message.kind]
        value, time_ns = self._values.get((kind | message.channel, 0 if kind == 0xE0 else message.number), (-1, 0))
        same = value == (round((message.value + 1) / 2 * 0x3FFF) if kind == 0xE0 else int(message.value))
        return same and self.now_ns() - time_ns < ECHO_S * 1e9
