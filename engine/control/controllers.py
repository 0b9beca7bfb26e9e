"""MIDI controls that move parameters: what a message means, who has a parameter, and learning by moving.

Runs on: audio process (audio callback; offline: whoever renders). A block without messages costs nothing here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.control.commands import Commands, Share
from engine.control.takeover import Echoes, Standing, Takeover, clicks
from engine.core.config import Config
from engine.core.controllers import CURVES, PEDAL, Controller, Maps, Place, map_path, read
from engine.core.errors import ConfigError
from engine.core.link import Link, Reader
from engine.core.parameters import LEARN_PLACE, Live, Parameter
from engine.jam.settings import of_controllers
from engine.midi.inputs import PAGE
from engine.midi.message import DATA, DATA_FINE, NRPN, NRPN_FINE, RPN, RPN_FINE, SOUND_OFF, Kind, MidiMessage

INCREMENT, DECREMENT = 96, 97  # of what data entry means
BANK, BANK_FINE = 0, 32
FINE = 32  # a controller's lower seven bits come by the one so far above
NEVER_LEARNED = {BANK, BANK_FINE, DATA, DATA_FINE, INCREMENT, DECREMENT, NRPN, NRPN_FINE, RPN, RPN_FINE, PEDAL}
MOST_STATES = 4096  # positions of controls that are remembered
WHEEL_MOVED = 0.1  # so far from the middle a wheel is moved on purpose


@dataclass(slots=True)
class _Bound:
    """A control that moves a parameter."""

    parameter: str
    by: Controller
    learned: bool
    port: str = field(init=False)
    name: str = field(init=False)  # of the control, on whatever channel and port

    def __post_init__(self) -> None:
        self.port = self.by.port.casefold()
        self.name = f"{self.by.kind} {self.by.number}"

    def is_of(self, message: MidiMessage) -> bool:
        return self.by.channel in (None, message.channel + 1) and self.port in message.port.casefold()


@dataclass(slots=True)
class _Data:
    """What a channel's data entry means: an NRPN, or nothing known here."""

    number: int = -1
    high: int = 0
    low: int = 0
    coarse: int = 0


class Controllers:
    """What each control moves: the configuration's midi.cc and what was learned, which goes over it."""

    def __init__(
        self,
        live: Live,
        config: Config,
        armed: Reader,
        tell: Callable[[str], None],
        keep: Callable[[Place, str, bool, str], None],
        link: Link | None = None,
    ) -> None:
        """`armed`: of the ring `learn`. `keep` is called with what was learned: control, parameter, takeover, and the
        parameter that it moved before; whoever is called may not wait. `link`: where it is told where controls stand, and read
        what devices were shown.

        Raises ConfigError when midi.cc names what there is not. What is wrong in the file of what was learned is told.
        """
        faults = of_controllers(config, live.registry)
        if faults:
            raise ConfigError.of(faults)
        self._live = live
        self._commands = Commands(live)
        self._reader = armed
        self._tell, self._keep = tell, keep
        self._armed = ""
        self._bound: dict[tuple[str, int], list[_Bound]] = {}
        for key, bound in config.midi.cc.items():
            self._bind(key, Controller(cc=bound) if isinstance(bound, int) else bound)
        for given in config.midi.maps:  # below what the configuration says itself
            mapped, faults = read(map_path(given))
            for parameter, controller in mapped.values():
                if not self._bound.get((controller.kind, controller.number)):
                    self._bind(parameter, controller)
            for fault in faults:
                tell(fault)
        self._maps: Maps
        self._maps, faults = read(config.midi.controllers)
        for fault in faults:
            tell(fault)
        for parameter, controller in self._maps.values():
            self._bind(parameter, controller, learned=True)
        self._taken: set[tuple[str, int, int]] = set()  # keys down that are controls
        self._data: dict[tuple[str, int], _Data] = {}
        self._coarse: dict[tuple[str, int, int], int] = {}  # upper seven bits, by port, channel and controller
        self._positions: dict[tuple[str, str], Takeover] = {}  # by control and parameter
        self._standing = Standing(link.writer("takeover") if link else None)
        self._echoes = Echoes(link["shown"].reader() if link else None, time.perf_counter_ns)
        self._learns = live.registry.place(LEARN_PLACE)
        self._places = live.values.numbers[self._learns]  # of what a terminal wants to be learned, as it was seen last
        self._movers: dict[str, tuple[str, float]] = {}  # by parameter: the control that moved it last, and to what

    def _bind(self, parameter: str, controller: Controller, learned: bool = False) -> None:
        self._bound.setdefault((controller.kind, controller.number), []).append(_Bound(parameter, controller, learned))

    def take(self, message: MidiMessage, now_s: float) -> bool:
        """Follow a message; return whether it is a control and nothing else: a key or a wheel that is one is not played.

        `now_s`: time of the sound.
        """
        kind = message.kind
        if kind is Kind.GONE:
            self._lose(message.port)
        if kind not in (Kind.CONTROL, Kind.NOTE_ON, Kind.NOTE_OFF, Kind.PROGRAM, Kind.BEND):
            return False
        key = (message.port, message.channel, message.number)
        if kind is Kind.NOTE_OFF:
            if key not in self._taken:
                return False
            self._taken.remove(key)
            return True
        if self._echoes.has(message):
            return True
        wanted = self._live.values.numbers[self._learns]
        if wanted != self._places:
            self._places = wanted
            names = {place: name for name, place in self._live.registry.index.items()}
            self._armed = names.get(int(self._places) - 1, "")
        if self._reader.is_behind():
            for record in self._reader.read():  # none where they are written faster than they are read
                self._armed = record["id"].decode()
        learned = self._learn(message) if self._armed else False
        if kind is Kind.CONTROL:
            self._control(message, now_s, learned)
            return False
        name = {Kind.NOTE_ON: "note", Kind.PROGRAM: "program", Kind.BEND: "bend"}[kind]
        bound = self._of(name, message.number, message)
        for one in () if learned else bound:
            if kind is Kind.BEND:
                self._put(one, message, (message.value + 1) / 2, now_s)
            else:
                self._strike(one, message)
        if bound and kind is Kind.NOTE_ON:
            self._taken.add(key)
        return bool(bound)

    def _lose(self, port: str) -> None:
        """A port is gone: when it comes back its controls may stand anywhere."""
        self._taken = {key for key in self._taken if key[0] != port}
        self._data = {key: data for key, data in self._data.items() if key[0] != port}
        self._coarse = {key: value for key, value in self._coarse.items() if key[0] != port}
        self._positions = {key: p for key, p in self._positions.items() if not key[0].startswith(f"{port}\0")}

    def _of(self, kind: str, number: int, message: MidiMessage) -> list[_Bound]:
        found = [bound for bound in self._bound.get((kind, number), ()) if bound.is_of(message)]
        return [bound for bound in found if bound.learned] or found

    # --- controllers, 7 and 14 bits, and NRPN --------------------------------------------------------------------------------

    def _control(self, message: MidiMessage, now_s: float, learned: bool) -> None:
        number, value = message.number, int(message.value)
        if number in (NRPN, NRPN_FINE, RPN, RPN_FINE, DATA, DATA_FINE, INCREMENT, DECREMENT):
            self._data_entry(message, value, now_s, learned)
        if learned:
            return
        place = (message.port, message.channel, number)
        for bound in self._of("cc", number, message):
            if bound.by.fine:
                if len(self._coarse) < MOST_STATES or place in self._coarse:
                    self._coarse[place] = value
            else:
                self._follow(bound, message, value, value / 127, now_s)
        if FINE <= number < 2 * FINE:
            coarse = self._coarse.get((message.port, message.channel, number - FINE))
            for bound in () if coarse is None else self._of("cc", number - FINE, message):
                if bound.by.fine and coarse is not None:
                    self._follow(bound, message, 0, (coarse << 7 | value) / 0x3FFF, now_s)

    def _data_entry(self, message: MidiMessage, value: int, now_s: float, learned: bool) -> None:
        channel, number = (message.port, message.channel), message.number
        if channel not in self._data and len(self._data) >= MOST_STATES:
            return
        data = self._data.setdefault(channel, _Data())
        if number in (RPN, RPN_FINE):
            data.number = -1
        elif number in (NRPN, NRPN_FINE):
            data.high, data.low = (value, data.low) if number == NRPN else (data.high, value)
            data.number = data.high << 7 | data.low
        elif data.number >= 0 and not learned:
            for bound in self._of("nrpn", data.number, message):
                if number in (INCREMENT, DECREMENT):
                    self._turn(bound, message, 1 if number == INCREMENT else -1)
                elif number == DATA and not bound.by.fine:
                    self._follow(bound, message, value, value / 127, now_s)
                elif number == DATA_FINE and bound.by.fine:
                    self._follow(bound, message, 0, (data.coarse << 7 | value) / 0x3FFF, now_s)
        if number == DATA:
            data.coarse = value

    # --- what a control does to its parameter --------------------------------------------------------------------------------

    def _follow(self, bound: _Bound, message: MidiMessage, value: int, share: float, now_s: float) -> None:
        if bound.by.relative is None:
            self._put(bound, message, share, now_s)
        else:
            self._turn(bound, message, clicks(bound.by.relative, value))

    def _parameter(self, bound: _Bound) -> Parameter | None:
        self._live.refresh()
        known = self._live.registry
        return known[bound.parameter] if bound.parameter in known else None  # noqa: SIM401  (a Registry has no get)

    def _put(self, bound: _Bound, message: MidiMessage, share: float, now_s: float | None = None) -> None:
        """Set a parameter to where a control stands, 0..1, or wait until it has come to it; without a time do not wait."""
        parameter = self._parameter(bound)
        if parameter is None:
            return
        low, high = _ends(bound.by, parameter)
        way = (1 - share if bound.by.invert else share) ** CURVES[bound.by.curve]
        to, source = low + (high - low) * way, _source(bound, message)
        moves = parameter.kind in ("continuous", "integer")
        comes = not moves or now_s is None or self._has_come(bound, parameter, source, to, now_s)
        if moves and now_s is not None:
            current = parameter.to_share(self._live.get(parameter.id))
            self._standing.tell(parameter.id, message.port, to, current, not comes, now_s)
        if comes:
            self._set(parameter, Share(to), source)

    def _has_come(self, bound: _Bound, parameter: Parameter, source: str, to: float, now_s: float) -> bool:
        if len(self._positions) >= MOST_STATES:
            self._positions.clear()
        position = self._positions.setdefault((source, parameter.id), Takeover())
        current = self._live.get(parameter.id)
        mover = self._movers.get(parameter.id)
        accepted = position.accepts(to, parameter.to_share(current), now_s, mover == (source, current))
        if bound.by.takeover is None:
            return accepted or mover is None or mover[0] == source
        return accepted or not bound.by.takeover

    def _turn(self, bound: _Bound, message: MidiMessage, by: int) -> None:
        """Turn a parameter from where it is, by clicks of an encoder; each is a whole step where it has whole values."""
        parameter = self._parameter(bound)
        by = -by if bound.by.invert else by
        if parameter is None or by == 0:
            return
        source = _source(bound, message)
        if parameter.kind == "trigger":
            if by > 0:
                self._commands.do("trigger", parameter.id)
            return
        current = self._live.get(parameter.id)
        low, high = _ends(bound.by, parameter)
        if parameter.whole:
            lowest, highest = parameter.from_share(low), parameter.from_share(high)
            self._set(parameter, min(max(current + by, lowest), highest), source)
        else:
            self._set(parameter, Share(min(max(parameter.to_share(current) + by * bound.by.step, low), high)), source)

    def _strike(self, bound: _Bound, message: MidiMessage) -> None:
        """A key or a program: pulls a trigger, flips a switch, goes on to the next choice, or sets its `value`.

        Of all else a key's velocity is the value.
        """
        parameter = self._parameter(bound)
        if parameter is None:
            return
        source = _source(bound, message)
        low, high = (parameter.from_share(end) for end in _ends(bound.by, parameter))
        current = self._live.get(parameter.id)
        if parameter.kind == "trigger":
            self._commands.do("trigger", parameter.id)
        elif bound.by.value is not None:
            self._set(parameter, bound.by.value, source)
        elif parameter.kind == "choice":
            self._set(parameter, current + 1 if low <= current < high else low, source)
        elif parameter.kind != "switch" and message.kind is Kind.NOTE_ON:
            self._put(bound, message, message.value / 127)
        else:
            self._set(parameter, low if current > (low + high) / 2 else high, source)

    def _set(self, parameter: Parameter, value: object, source: str) -> None:
        became = self._commands.do("set", parameter.id, value, source)
        if parameter.kind != "trigger":
            self._movers[parameter.id] = (source, became.value)

    # --- learning ----------------------------------------------------------------------------------------------------------

    def _learn(self, message: MidiMessage) -> bool:
        """Have what is moved now move the parameter that waits for it; return whether it does."""
        self._live.refresh()
        if self._armed not in self._live.registry:
            self._armed = ""
            return False
        parameter = self._live.registry[self._armed]
        place = self._place(message, parameter)
        if place is None:
            return False
        self._armed = ""
        port = message.port.casefold()
        known = [there for there in self._maps if there[1:] == place[1:] and there.port.casefold() in port]
        place = known[0] if known else place  # as it stands in the file already
        takeover = place.kind in ("cc", "nrpn") and parameter.kind in ("continuous", "integer")
        before = self._maps.get(place, ("", None))[0]
        others = [b.parameter for b in self._of(place.kind, place.number, message) if not b.learned]
        controls = self._bound.get((place.kind, place.number), [])
        controls[:] = [b for b in controls if not (b.learned and (b.by.port, b.by.channel) == place[:2])]
        control = {place.kind: True if place.kind == "bend" else place.number, "takeover": takeover or None}
        controller = Controller.model_validate({**control, "channel": place.channel, "port": place.port})
        self._bind(parameter.id, controller, learned=True)
        self._maps[place] = (parameter.id, controller)
        moved = before or ", ".join(others)
        self._keep(place, parameter.id, takeover, "" if moved == parameter.id else moved)
        return True

    def _place(self, message: MidiMessage, parameter: Parameter) -> Place | None:
        """Return the control that a message is of, where such a parameter can learn it: notes that are played are not."""
        if message.port.startswith(PAGE):  # whose number is another the next time
            return None
        stepped = parameter.kind in ("trigger", "switch", "choice")
        kind, number = "cc", message.number
        if message.kind is Kind.CONTROL:
            data = self._data.get((message.port, message.channel))
            if number == DATA and data is not None and data.number >= 0:
                kind, number = "nrpn", data.number
            elif number in NEVER_LEARNED or number >= SOUND_OFF:
                return None
        elif message.kind is Kind.BEND:
            kind = "bend"
            if stepped or abs(message.value) < WHEEL_MOVED:
                return None
        elif not stepped:
            return None
        else:
            kind = "note" if message.kind is Kind.NOTE_ON else "program"
        port = re.sub(r"\s+\d+:\d+$", "", message.port) or message.port  # ALSA's numbers are others the next time
        return Place(port, message.channel + 1, kind, number)


def _ends(by: Controller, parameter: Parameter) -> tuple[float, float]:
    """Return the shares of the range between which a control moves its parameter."""
    if parameter.kind == "trigger":
        return 0.0, 1.0
    low = 0.0 if by.minimum is None else parameter.to_share(by.minimum)
    return low, 1.0 if by.maximum is None else parameter.to_share(by.maximum)


def _source(bound: _Bound, message: MidiMessage) -> str:
    """Return what tells one control from another."""
    return f"{message.port}\0{message.channel} {bound.name}"
