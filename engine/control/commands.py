"""One function through which whatever is turned or pulled changes something: OSC, page, computer keyboard, MIDI controllers.

Runs on: wherever the front end runs: feed process (OSC, page), main process (keyboard), audio process (controllers; `do` is
quick enough for a block). Each front end says by itself what became of an order, from the Outcome.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.control.scene_view import scene_view
from engine.core.errors import nearest
from engine.core.link import Link
from engine.core.messages import CHART, LEARN, RACK_ORDER
from engine.core.metre import Metre
from engine.core.parameters import SCENE_WORDS, TRANSPORT, Live, Parameter
from engine.jam.chart import read
from engine.net.guard import Bucket
from engine.transport.timeline import TimelineReader

LARGEST = 1e300  # number that is looked at; no range goes so far
MOST_CONTROLS = 1024  # whose position is remembered, for triggers
GUESSES_HZ, GUESSES_BURST = 20.0, 20.0  # for unknown names: each compares with all there are
CHARTS_HZ, CHARTS_BURST = 4.0, 16.0  # charts that are read

Status = Literal["done", "clamped", "idle", "unknown", "refused"]


@dataclass(frozen=True, slots=True)
class Share:
    """Position of something that stays where it is put (a knob, a fader, a pad that sends its release): 0 to 1."""

    of: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order.

    `status`: done; clamped (done, with the nearest legal value); idle (a button let go: nothing to do); unknown (there is no
    such `id`); refused (`reason` says why). `value`: what the parameter became.
    """

    status: Status
    id: str
    value: float = 0.0
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it was not turned down."""
        return self.status not in ("unknown", "refused")


class Commands:
    """What can be ordered, over one process's view of the live parameters."""

    def __init__(self, live: Live, link: Link | None = None) -> None:
        """`link`: of the one process that may send a chart over it."""
        self.live = live
        self._link = link
        self._kinds: dict[str, Callable[[str, object, str], Outcome]] = {
            "set": self._set,
            "trigger": self._trigger,
            "transport": self._transport,
            "chart": self._chart,
            "learn": self._learn,
            "scene": self._scene,
            "rack": self._rack,
        }
        self._high: dict[tuple[str, str], bool] = {}  # by control and trigger: whether it was past the middle
        self._guesses = Bucket(GUESSES_HZ, GUESSES_BURST)
        self._charts = Bucket(CHARTS_HZ, CHARTS_BURST)

    def do(self, kind: str, name: str, value: object = None, source: str = "") -> Outcome:
        """Follow one order. Never raises.

        `kind`: set (parameter `name` to `value`), trigger (pull `name`), transport (a word of TRANSPORT, or nudge), chart (the
        text `value` is played by; an empty one: by ear again), learn (the MIDI control that is moved next moves `name`; empty:
        none), rack (`value` is a table of what to do at `name`: add, remove, move), scene (next, previous,
        undo, ab; go to the scene `value`, its number or name; keep what is now as number
        `value`; bars). `value`: a number; a text as a person writes it ("0.5", "on", "trade", "120 bpm"); a Share of the
        range. For a trigger also anything else, or nothing.

        A trigger is pulled by each order, whatever its value; only 0 and False, which a button sends when it is let go, do
        nothing. A Share pulls it when it rises through the middle, and not again before it has been below: `source` then tells
        one control from another.
        """
        self.live.refresh()
        order = self._kinds.get(kind)
        if order is None:
            return Outcome("refused", name, reason=f"there is no order {kind!r}; there are: {', '.join(self._kinds)}")
        return order(name, value, source)

    def explain(self, outcome: Outcome) -> str:
        """Return what a person is told of an order that was turned down or clamped; empty when there is nothing to say."""
        if outcome.status == "clamped":
            parameter = self.live.registry[outcome.id]
            return f"{outcome.id} is {parameter.text(outcome.value)}: its range ends there"
        if outcome.status != "unknown":
            return outcome.reason
        like = nearest(outcome.id, self.live.registry.index) if self._guesses.take(time.monotonic()) else None
        return f"there is no {outcome.id}" + (f"; did you mean {like}?" if like else "")

    def legal(self, name: str, value: object) -> Outcome:
        """Return what would become of an order to set a parameter, and change nothing."""
        if name not in self.live.registry:
            return Outcome("unknown", name)
        parameter = self.live.registry[name]
        if parameter.kind == "trigger":
            return Outcome("refused", name, reason=f"{name} is a trigger: it has no value")
        try:
            number = _number(parameter, value)
        except ValueError as error:
            return Outcome("refused", name, reason=str(error))
        clamped = not parameter.minimum <= number <= parameter.maximum
        return Outcome("clamped" if clamped else "done", name, parameter.clamp(number))

    def _set(self, name: str, value: object, source: str) -> Outcome:
        if name in self.live.registry and self.live.registry[name].kind == "trigger":
            return self._pull(self.live.registry[name], value, source)
        outcome = self.legal(name, value)
        if outcome.is_done:
            self.live.set(name, outcome.value)
        return outcome

    def _scene(self, name: str, value: object, source: str) -> Outcome:
        if name in SCENE_WORDS:
            return self._set(f"scene.{name}", value, source)
        if name not in ("go", "keep", "bars"):
            known = ", ".join((*SCENE_WORDS, "go", "keep", "bars"))
            return Outcome("refused", name, reason=f"of scenes there is: {known}")
        if name == "go" and isinstance(value, str) and self._link is not None and not value.strip().isdecimal():
            view = scene_view(self._link)
            number = view.number_of(value)
            if not number:
                like = nearest(value, view.names)
                known = f"did you mean {like}?" if like else f"there are: {', '.join(view.names[:9]) or 'none'}"
                return Outcome("refused", name, reason=f"there is no scene {value!r}; {known}")
            value = number
        return self._set(f"scene.{name}", value, source)

    def _trigger(self, name: str, value: object, source: str) -> Outcome:
        if name not in self.live.registry:
            return Outcome("unknown", name)
        parameter = self.live.registry[name]
        if parameter.kind != "trigger":
            return Outcome("refused", name, reason=f"{name} is no trigger: give it a value")
        return self._pull(parameter, value, source)

    def _transport(self, name: str, value: object, source: str) -> Outcome:
        if name not in (*TRANSPORT, "nudge"):
            return Outcome("refused", name, reason=f"the transport knows: {', '.join(TRANSPORT)}, nudge")
        return self._set(f"transport.{name}", value, source)

    def _chart(self, name: str, value: object, _source: str) -> Outcome:
        if self._link is None:
            return Outcome("refused", name, reason="no chart can be given here")
        if not isinstance(value, str):
            return Outcome("refused", name, reason="a chart is a text: | C | G7 | Am F |")
        if not self._charts.take(time.monotonic()):
            return Outcome("refused", name, reason="too many charts at once")
        line = TimelineReader(self._link["timeline"]).now()
        _, faults = read(value, Metre().beats if line is None else line.metre.beats)
        if faults:
            return Outcome("refused", name, reason="; ".join(faults))
        record = np.zeros((), CHART)
        record["text"] = value.encode()
        self._link.writer("charts").push(record)
        return Outcome("done", name)

    def _learn(self, name: str, _value: object, _source: str) -> Outcome:
        if self._link is None:
            return Outcome("refused", name, reason="nothing can be learned here")
        if name and name not in self.live.registry:
            return Outcome("unknown", name)
        if len(name.encode()) > LEARN["id"].itemsize:
            return Outcome("refused", name, reason="its name is too long to be learned")
        self._link.writer("learn").push((name.encode(),))
        return Outcome("done", name)

    def _rack(self, name: str, value: object, _source: str) -> Outcome:
        if self._link is None:
            return Outcome("refused", name, reason="the rack cannot be changed here")
        if not isinstance(value, dict):
            return Outcome("refused", name, reason="say what to do: add, remove or move")
        text = json.dumps(value | {"where": name}).encode()
        if len(text) > RACK_ORDER["text"].itemsize:
            return Outcome("refused", name, reason="what the rack is to do is too long")
        if not self._charts.take(time.monotonic()):
            return Outcome("refused", name, reason="too much at once for the rack")
        self._link.writer("rack_orders").push((text,))
        return Outcome("done", name)

    def _pull(self, parameter: Parameter, value: object, source: str) -> Outcome:
        if isinstance(value, Share):
            fires = self._rises((source, parameter.id), value.of)
        else:
            fires = not isinstance(value, bool | int | float) or value != 0
        if not fires:
            return Outcome("idle", parameter.id, self.live.get(parameter.id))
        self.live.fire(parameter.id)
        return Outcome("done", parameter.id, self.live.get(parameter.id))

    def _rises(self, control: tuple[str, str], share: float) -> bool:
        high = share >= 0.5
        before = self._high.get(control, False)
        if len(self._high) < MOST_CONTROLS or control in self._high:
            self._high[control] = high
        return high and not before


def _number(parameter: Parameter, value: object) -> float:
    """Return what a value means as a number. Raises ValueError that says what is possible."""
    if isinstance(value, Share):
        return parameter.from_share(value.of)
    if isinstance(value, str):
        return parameter.parse(value)
    if not isinstance(value, bool | int | float):
        raise ValueError(f"{parameter.id} takes a number or a word")
    if value != value:
        raise ValueError(f"{parameter.id}: what was given is not a number")
    return float(min(max(value, -LARGEST), LARGEST))  # an int may be larger than any float
