"""The rack: which plugins and effects each track, each send and the master go through, and what turns their knobs.

Runs on: audio process. Everything is done by the control thread, but `turn`, which belongs to the audio callback.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from engine.audio import effects
from engine.audio.desk import Desk, Order
from engine.audio.editors import Editors
from engine.audio.host import Unit
from engine.audio.hosts import MOST_CRASHES
from engine.audio.messages import Change, ReplaceInstrument
from engine.audio.mixer import Mixer
from engine.audio.place import Place, bypass_of, parameter_of, slug, unit_at
from engine.audio.plugins import PluginInsert, PluginStrip, turner
from engine.audio.processor import Processor
from engine.audio.track import Track
from engine.core.config import Config
from engine.core.errors import PluginError
from engine.core.knobs import is_plugin
from engine.core.link import Link
from engine.core.parameters import Live, Parameter, choice
from engine.core.rack import Insert
from engine.host.catalogue import Catalogue

MASTER = "master"
SHOWN = 64  # knobs of one plugin that become live parameters, the first it has
NO_PRESET = "-"
MOST_INSERTS = 8  # that one thing can go through, as far as the page puts them there
LEAVE_S = 0.3  # what is taken out is let go of so long after it
MOST_OFFERED = 64  # plugins among the choices of what plays a track
Reply = ReplaceInstrument | Change


class Rack:
    """What stands where. `begin` builds what the configuration asks for; plugins come when their process has loaded them."""

    def __init__(
        self, mixer: Mixer, link: Link, live: Live, config: Config, rate_hz: float, tell: Callable[[str], None]
    ) -> None:
        self.replies: deque[Reply] = deque()
        """Channels: reads `rack_orders`, writes `rack`; and `hosts` by the mixer's hosts."""
        hosts = mixer.hosts
        self._mixer, self._hosts, self._live, self._config = mixer, hosts, live, config
        self._rate_hz = rate_hz
        self._tell = tell
        self._places: list[Place] = []
        self._turned: tuple[np.ndarray, list[Callable[[float], None]]] = (np.zeros(0, int), [])
        self._seen = np.zeros(0)
        self.editors = Editors(hosts.segment, hosts, lambda where, word: unit_at(self._places, where, word), self._turn_knob)
        self._has_begun = False
        self._leaving: deque[tuple[float, Place]] = deque()  # when, and what
        does: dict[str, Order] = {"add": self._order_add, "remove": self._order_remove, "move": self._order_move}
        names = [*(track.name for track in mixer), *(f"send{n + 1}" for n in range(len(mixer.sends))), MASTER]
        self._desk = Desk(link["rack_orders"].reader(), link.writer("rack"), names, does, tell)
        hosts.on_loaded = self._take
        hosts.on_values = self._take_values

    @cached_property
    def catalogue(self) -> Catalogue:
        """Which plugins there are, as far as they were scanned."""
        return Catalogue()

    @cached_property
    def instruments(self) -> tuple[str, ...]:
        """Names of the plugins that can play a track, as `patches.bass` would name them; those that a scan has found."""
        names = {about.name: f"plugin:{about.name}" for about in self.catalogue.plugins if about.is_instrument}
        return tuple(names.values())[:MOST_OFFERED]

    # --- audio callback ---------------------------------------------------------------------------------------------------

    def turn(self, numbers: np.ndarray) -> None:
        """Turn every knob whose number has changed."""
        places, turns = self._turned
        if not turns:
            return
        now = numbers[places]
        if len(now) != len(self._seen):
            self._seen = np.full(len(now), np.nan)
        for index in np.flatnonzero(now != self._seen).tolist():
            turns[index](float(now[index]))
        self._seen = now

    # --- control thread ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Build what the configuration asks for. What is not there is told, and keeps its place and its settings."""
        for where, inserts in self._config.rack.inserts.items():
            for insert in inserts:
                self._add(where, insert)
        for number, inserts in enumerate(self._config.rack.sends, 1):
            for insert in inserts:
                self._add(f"send{number}", insert)
        for number in {int(p.where[-1]) for p in self._places if p.where.startswith("send")}:
            self._declare_send(number)
        self._has_begun = True
        for track in self._mixer:
            if is_plugin(track.wanted):
                self.play(track, track.wanted)

    def play(self, track: Track, name: str) -> bool:
        """Let a plugin play a track as soon as it is loaded; return whether there is such a plugin, which is told if not."""
        try:
            about = self.catalogue.find(name)
            if not about.is_instrument:
                raise PluginError(f"{about.name} is an effect and plays no notes; put it into rack.inserts.{track.name}")
        except PluginError as error:
            self._tell(f"{error}; the {track.name} keeps its sound")
            return False
        for old in [p for p in self._places if p.track is track and not p.is_in]:
            self._remove(old)
        place = Place(track.name, slug(about.name), Insert(effect=name), track=track)
        place.unit = Unit(f"{track.name}: {about.name}", about, track.name in self._config.rack.own)
        place.unit.prompt = track is self._mixer.player
        place.units = [place.unit]
        return self._load(place)

    def is_loaded(self, track: Track, name: str) -> bool:
        """Whether the plugin that is to play a track is there; or will not be, for what hosts it has given it up."""
        return all(p.is_in or p.is_out for p in self._places if p.track is track and p.insert.effect == name)

    def _add(self, where: str, insert: Insert) -> None:
        word = self._free_word(where, insert.effect)
        place = Place(where, word, insert)
        try:
            if is_plugin(insert.effect):
                about = self.catalogue.find(insert.effect)
                place.word = self._free_word(where, about.name)
                place.unit = Unit(f"{where}: {about.name}", about, insert.own)
                place.units = [place.unit]
                self._load(place)
            else:
                place.processor = effects.make(insert.effect, self._rate_hz)
                self._places.append(place)
                place.is_in = True
                self._arrange(where)
                self._declare(place, [(p, None, p.default) for p in place.processor.parameters])
        except PluginError as error:
            place.fault = str(error)
            self._places.append(place)  # what is missing keeps its place, and sound passes
            self._tell(f"rack.inserts.{where}: {error}; sound passes in its place")

    def _load(self, place: Place) -> bool:
        assert place.unit is not None
        try:
            self._hosts.load(place.unit)
        except PluginError as error:
            self._tell(str(error))
            return False
        self._places.append(place)
        self._declare(place, [(bypass_of(place, place.unit), _bypasser(place.unit), 0.0)])  # its knobs come with it
        return True

    def _free_word(self, where: str, name: str) -> str:
        """Return the word for the parameters of something: of two alike the second gets a number."""
        word = slug(name)
        taken = {place.word for place in self._places if place.where == where}
        return next(w for w in (word, *(f"{word}{n}" for n in range(2, 100))) if w not in taken)

    def _arrange(self, where: str) -> None:
        """Let something go through what stands there, in the order of the places."""
        through = [p.processor for p in self._places if p.where == where and p.processor is not None and p.is_in]
        if self._has_begun:
            self.replies.append(Change(lambda: self._mixer.arrange(where, through)))
        else:
            self._mixer.chain(where).processors = through
            self._mixer.compensate()

    def _order_add(self, order: dict[str, Any]) -> None:
        """Put an effect behind those that are there."""
        where = str(order["where"])
        if sum(place.where == where and place.track is None for place in self._places) >= MOST_INSERTS:
            raise PluginError(f"rack.inserts.{where}: {MOST_INSERTS} effects stand there, and no more can")
        self._add(where, Insert(effect=str(order["effect"])))
        if where.startswith("send") and f"{self._mixer.player.name}.{where}" not in self._live.registry:
            self._declare_send(int(where[-1]))

    def _order_remove(self, order: dict[str, Any]) -> None:
        """Take an effect out; its plugin is let go of when it is not heard any more."""
        place = self._insert_of(order)
        self._places.remove(place)
        self._live.withdraw(place.owner)
        self._collect_turns()
        self._arrange(place.where)
        self._leaving.append((time.monotonic() + LEAVE_S, place))

    def _order_move(self, order: dict[str, Any]) -> None:
        """Move an effect before or behind its neighbour."""
        place = self._insert_of(order)
        those = [p for p in self._places if p.where == place.where and p.track is None]
        to = those.index(place) + (1 if float(order["by"]) > 0 else -1)
        if 0 <= to < len(those):
            here, there = self._places.index(place), self._places.index(those[to])
            self._places[here], self._places[there] = self._places[there], self._places[here]
            self._arrange(place.where)

    def _insert_of(self, order: dict[str, Any]) -> Place:
        for place in self._places:
            if place.where == order["where"] and place.word == order["word"] and place.track is None:
                return place
        raise PluginError(f"there is no {order['word']} on {order['where']}")

    def _remove(self, place: Place) -> None:
        """Take something out for good."""
        if place in self._places:
            self._places.remove(place)
        self._live.withdraw(place.owner)
        self._collect_turns()
        for unit in place.units:
            self._hosts.unload(unit)

    def poll(self) -> None:
        """Look what the host processes say, and what a person asks for; to be called often."""
        self._hosts.poll()
        self.editors.poll()
        self._desk.poll(self._places)
        while self._leaving and time.monotonic() >= self._leaving[0][0]:
            self._remove(self._leaving.popleft()[1])
        numbers = self._live.values.numbers
        for place in self._places:
            unit = place.unit
            if unit is not None and unit.crashes >= MOST_CRASHES and unit.is_bypassed and not place.is_out:
                place.is_out = True  # its switch says so, and tries it again when it is turned off
                self._live.set(f"{place.where}.{place.word}.bypass", 1.0)
            elif unit is not None and not unit.is_bypassed:
                place.is_out = False
            if unit is None or place.preset < 0:
                continue
            wanted = float(numbers[place.preset])
            if wanted != place.preset_seen:
                place.preset_seen = wanted
                if wanted > 0:
                    self._hosts.preset(unit, unit.about.presets[int(wanted) - 1])

    def _take(self, unit: Unit, values: list[float]) -> None:
        """A plugin is ready, or has changed."""
        place = next((p for p in self._places if p.unit is unit), None)
        if place is None:
            self._hosts.unload(unit)
            return
        if not place.is_in:
            place.is_in = True
            self._declare_knobs(place, unit, values)
            if place.track is not None:
                self._put_on(place, place.track)
            else:
                processor = PluginInsert(unit.about.name, [unit], self._rate_hz)
                if place.insert.side:
                    processor.side = self._mixer.bus(place.insert.side)
                place.processor = processor
                self._arrange(place.where)
            self._tell_of(unit)
            return
        if min(len(unit.knobs), SHOWN) != len(place.turned) - 1:
            self._declare_knobs(place, unit, values)
        self.replies.append(Change(self._settle))

    def _tell_of(self, unit: Unit) -> None:
        left_out = len(unit.knobs) - SHOWN
        more = f"; {left_out} of its {len(unit.knobs)} knobs are not live parameters" if left_out > 0 else ""
        late = f", {unit.latency_frames} frames late" if unit.latency_frames else ""
        self._tell(f"{unit.label} is there{late}{more}")

    def _settle(self) -> None:
        """Latencies have changed. Audio callback."""
        for place in self._places:
            if isinstance(place.processor, PluginInsert):
                place.processor.settle()
        self._mixer.compensate()

    def _put_on(self, place: Place, track: Track) -> None:
        """Play a track on a plugin from the next block on; the old sound rings out."""
        bus = self._mixer.bus(track.name)
        strip = PluginStrip(place.insert.effect, place.units, bus, self._rate_hz, lambda: self._remove(place))
        self.replies.append(ReplaceInstrument(track, strip, [], []))

    def _take_values(self, unit: Unit, values: list[float]) -> None:
        """A preset was taken on: the parameters follow."""
        place = next((p for p in self._places if p.unit is unit), None)
        if place is None:
            return
        for index, (knob, value) in enumerate(zip(unit.knobs[:SHOWN], values, strict=False)):
            parameter, _, to_number = parameter_of(place, index, knob)
            unit.values[knob.key] = value
            self._live.set(parameter.id, to_number(value))

    # --- editors ---

    def _turn_knob(self, unit: Unit, index: int, value: float) -> None:
        """Turn a knob as its editor was: by its parameter, where it has one."""
        place = next(p for p in self._places if p.unit is unit)
        if index < SHOWN:
            parameter, _, to_number = parameter_of(place, index, unit.knobs[index])
            self._live.set(parameter.id, to_number(value))
        else:
            self.replies.append(Change(lambda: turner(unit, index)(value)))

    # --- parameters -------------------------------------------------------------------------------------------------------

    def _declare_knobs(self, place: Place, unit: Unit, values: list[float]) -> None:
        wanted: list[tuple[Parameter, Callable[[float], None] | None, float]] = [(bypass_of(place, unit), _bypasser(unit), 0.0)]
        for index, (knob, value) in enumerate(zip(unit.knobs[:SHOWN], values, strict=False)):
            parameter, to_value, to_number = parameter_of(place, index, knob)
            wanted.append((parameter, _turn(turner(unit, index), to_value), to_number(value)))
        if unit.about.presets:
            words = (NO_PRESET, *unit.about.presets)
            wanted.append(
                (choice(f"{place.where}.{place.word}.preset", words, NO_PRESET, f"Preset of {unit.about.name}"), None, 0.0)
            )
        self._declare(place, wanted)
        if unit.about.presets:
            place.preset = self._live.registry.place(f"{place.where}.{place.word}.preset")

    def _declare(self, place: Place, wanted: Sequence[tuple[Parameter, Callable[[float], None] | None, float]]) -> None:
        """Declare the parameters of a place: what each is, what it turns (None: the processor), what it begins with."""
        named: list[tuple[Parameter, Callable[[float], None] | None, float]] = []
        for parameter, turn, value in wanted:
            if turn is None and place.processor is not None:
                processor, inner = place.processor, parameter.id
                parameter = replace(parameter, id=f"{place.where}.{place.word}.{inner}")
                turn = _setter(processor, inner)
            named.append((parameter, turn, value))
        try:
            new = self._live.declare(place.owner, [parameter for parameter, _, _ in named])
        except ValueError as error:
            self._tell(f"{place.where}: {place.word}: {error}; its knobs cannot be turned")
            return
        for parameter, _, value in named:
            if parameter.id in new:
                self._live.set(parameter.id, self._first(place, parameter, value))
        place.turned = [(self._live.registry.place(parameter.id), turn) for parameter, turn, _ in named if turn is not None]
        self._collect_turns()

    def _first(self, place: Place, parameter: Parameter, value: float) -> float:
        """Return what a parameter begins with: what the configuration says, else what the plugin does."""
        word = parameter.id.rpartition(".")[2]
        given = self._config.parameters.get(parameter.id, place.insert.knobs.get(word))
        if given is None:
            return value
        try:
            return parameter.parse(str(given))
        except ValueError as error:
            self._tell(f"rack: {error}")
            return value

    def _collect_turns(self) -> None:
        turned = [one for place in self._places for one in place.turned]
        self._turned = (np.asarray([at for at, _ in turned], int), [turn for _, turn in turned])

    def _declare_send(self, number: int) -> None:
        """Declare how much each track gives to a send."""
        turned = []
        shares = []
        for track in self._mixer:
            shares.append(
                Parameter(f"{track.name}.send{number}", 0, 1, 0, f"How much of the {track.name} goes to send {number}")
            )
        self._live.declare(f"rack send{number}", shares)
        for track, share in zip(self._mixer, shares, strict=True):
            given = self._config.parameters.get(share.id)
            if given is not None:
                self._live.set(share.id, share.parse(str(given)))
            turned.append((self._live.registry.place(share.id), _sender(track, number - 1)))
        place = Place(f"send{number}", "shares", Insert(effect="shares"), turned=turned, is_in=True)
        self._places.append(place)
        self._collect_turns()


def _turn(turn: Callable[[float], None], to_value: Callable[[float], float]) -> Callable[[float], None]:
    return lambda number: turn(to_value(number))


def _setter(processor: Processor, parameter_id: str) -> Callable[[float], None]:
    return lambda number: processor.set(parameter_id, number)


def _bypasser(unit: Unit) -> Callable[[float], None]:
    def turn(value: float) -> None:
        unit.is_bypassed = value > 0

    return turn


def _sender(track: Track, index: int) -> Callable[[float], None]:
    def turn(value: float) -> None:
        shares = list(track.sends)
        shares[index] = value
        track.set_sends(shares[0], shares[1])

    return turn
