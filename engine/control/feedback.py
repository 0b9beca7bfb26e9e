"""What a controller with lights or motor faders is shown: how the parameters that its controls move stand.

Runs on: surface process. Nothing here knows a port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from engine.core.controllers import CURVES, Controller
from engine.core.parameters import Live, Parameter
from engine.midi.message import DATA, DATA_FINE, NRPN, NRPN_FINE

AT_ONCE = 8  # controls of a device that are shown in one go: a cable of its own carries ten messages in 10 ms
HOLD_S = 0.15  # so long after it was moved a motor fader is left to the hand
FINE = 32

Message = tuple[int, int, int]


def messages(by: Controller, parameter: Parameter, value: float) -> list[Message]:
    """Return what shows a value of its parameter on a control: what the control would have sent for it.

    A key's light is on while a switch is on; of a choice it is the brighter, the further down the list it stands. A trigger
    has nothing to show, nor has a program.
    """
    if parameter.kind == "trigger" or by.program is not None:
        return []
    low = 0.0 if by.minimum is None else parameter.to_share(by.minimum)
    high = 1.0 if by.maximum is None else parameter.to_share(by.maximum)
    way = min(max((parameter.to_share(value) - low) / (high - low), 0.0), 1.0) ** (1 / CURVES[by.curve])
    way = 1 - way if by.invert else way
    channel, number = (by.channel or 1) - 1, by.number
    coarse, fine = divmod(round(way * 0x3FFF), 128)
    if by.kind == "bend":
        return [(0xE0 | channel, fine, coarse)]
    if by.kind == "note":
        return [(0x90 | channel, number, round(way * 127))]
    if by.kind == "nrpn":
        control = 0xB0 | channel
        data = [(control, DATA, coarse), (control, DATA_FINE, fine)] if by.fine else [(control, DATA, round(way * 127))]
        return [(control, NRPN, number >> 7), (control, NRPN_FINE, number & 127), *data]
    if by.fine:
        return [(0xB0 | channel, number, coarse), (0xB0 | channel, number + FINE, fine)]
    return [(0xB0 | channel, number, round(way * 127))]


@dataclass(slots=True)
class Surface:
    """One device: `show` again and again what has changed. `port`: its name, as far as the controls name ports."""

    port: str
    _shown: dict[tuple[str, int], list[Message]] = field(default_factory=dict)  # by parameter and place among its controls
    _held_s: dict[str, float] = field(default_factory=dict)  # by parameter: until when it is left to the hand
    _first: int = 0  # control that is looked at first: each has its turn

    def hold(self, parameter: str, port: str, now_s: float) -> None:
        """A control of a port was moved, which is this device's input or another's."""
        if _alike(port, self.port):
            self._held_s[parameter] = now_s + HOLD_S

    def forget(self) -> None:
        """The device was plugged in anew: it knows nothing."""
        self._shown.clear()

    def show(self, controls: Sequence[tuple[str, Controller]], live: Live, now_s: float) -> Iterator[Message]:
        """Yield what is to be sent now; each control at most once."""
        room = AT_ONCE
        for turn in range(len(controls)):
            place = (self._first + turn) % len(controls)
            parameter, by = controls[place]
            if parameter not in live.registry or not _alike(by.port, self.port) or now_s < self._held_s.get(parameter, 0.0):
                continue
            wanted = messages(by, live.registry[parameter], live.get(parameter))
            if wanted == self._shown.get((parameter, place), []):
                continue
            if room == 0:
                self._first = place
                return
            room -= 1
            self._shown[parameter, place] = wanted
            yield from wanted


def _alike(one: str, other: str) -> bool:
    """Whether one of two names of ports is a part of the other: inputs and outputs of a device share its name alone."""
    one, other = one.casefold().partition(":")[0], other.casefold().partition(":")[0]
    return one in other or other in one
