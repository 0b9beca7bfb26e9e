"""The registry of live parameters: everything that can be turned while it plays, declared once.

Runs on: every process. OSC addresses, OSCQuery, MIDI mapping, the pages' sliders and the documentation all come from here. The
numbers themselves, and what is known of parameters that are declared while it plays, lie in the link's `Values`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.core.messages import FASTEST_BPM, FUTURES, SLOWEST_BPM
from engine.core.metre import CHOICES
from engine.core.values import ROOM, SLOTS, Values

LEARN_PLACE = "learn.place"  # by which a terminal asks for a control to be learned; others name the parameter
TRANSPORT = ("start", "stop", "continue", "pause", "rewind", "tap")  # triggers `transport.<word>`

SCENE_WORDS = ("next", "previous", "undo", "ab")  # triggers `scene.<word>`
SCENES = 99  # in a set

Kind = Literal["continuous", "switch", "choice", "integer", "trigger"]
Scale = Literal["linear", "exponential"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One live parameter.

    `kind`: continuous, switch (0 or 1), choice (index into `choices`), integer, trigger (counts how often it was pulled).
    `scale`: how a slider or a controller, 0 to 1, goes over the range; exponential needs a minimum above 0.
    """

    id: str
    minimum: float
    maximum: float
    default: float
    doc: str
    unit: str = ""
    kind: Kind = "continuous"
    scale: Scale = "linear"
    choices: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """OSC address below the root."""
        return "/param/" + self.id.replace(".", "/")

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.kind != "continuous"

    def clamp(self, value: float) -> float:
        """Return the legal value nearest to `value`; not-a-number gives the default."""
        if math.isnan(value):
            return self.default
        value = min(max(value, self.minimum), self.maximum)
        return float(math.floor(value + 0.5)) if self.whole else value

    def to_share(self, value: float) -> float:
        """Return where a value lies in the range, 0 to 1. Pages mirror it (static/lib) from what `describe` tells."""
        if self.maximum <= self.minimum or self.kind == "trigger":
            return 0.0
        value = self.clamp(value)
        if self.scale == "exponential" and self.minimum > 0:
            return math.log(value / self.minimum) / math.log(self.maximum / self.minimum)
        return (value - self.minimum) / (self.maximum - self.minimum)

    def from_share(self, share: float) -> float:
        """Return the legal value that lies at `share` of the range, 0 to 1; of a trigger 1 from the middle on."""
        if self.kind == "trigger":
            return float(share >= 0.5)
        if not 0 < share < 1:  # the ends exactly, whatever the powers below are rounded to
            return self.clamp(self.maximum if share >= 1 else self.minimum if share <= 0 else math.nan)
        if self.scale == "exponential" and self.minimum > 0:
            return self.clamp(self.minimum * (self.maximum / self.minimum) ** share)
        return self.clamp(self.minimum + share * (self.maximum - self.minimum))

    def parse(self, text: str) -> float:
        """Return the number that `text` names: a number (its unit may follow), on/off for a switch, a word of the choices.

        Raises ValueError that lists what is possible.
        """
        word = text.strip().lower()
        lower = [choice.lower() for choice in self.choices]
        if word in lower:
            return float(lower.index(word))
        if self.kind == "switch" and word in ("on", "true", "off", "false"):
            return float(word in ("on", "true"))
        if self.unit:
            word = word.removesuffix(self.unit.lower()).strip()
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            known = ", ".join(self.choices) or f"a number from {self.minimum:g} to {self.maximum:g}"
            raise ValueError(f"{self.id}: {text!r} is not one of: {known}")
        return number

    def text(self, value: float) -> str:
        """Return the value as a person reads it."""
        if self.choices:
            return self.choices[int(self.clamp(value))]
        if self.kind == "switch":
            return "on" if value else "off"
        return f"{value:g} {self.unit}".strip()

    def describe(self) -> dict[str, Any]:
        """Return what a page or a receiver is told: id, path, min, max, default, unit, kind, scale, choices, doc.

        With min, max, kind and scale it can compute `to_share` and `from_share`. `curve` is the older word for kind and scale
        in one: linear, exp, switch, choice, integer or trigger.
        """
        curve = {"linear": "linear", "exponential": "exp"}[self.scale] if self.kind == "continuous" else self.kind
        return {
            "id": self.id,
            "path": self.address,
            "min": self.minimum,
            "max": self.maximum,
            "default": self.default,
            "unit": self.unit,
            "kind": self.kind,
            "scale": self.scale,
            "curve": curve,
            "choices": list(self.choices),
            "doc": self.doc,
        }


def trigger(parameter_id: str, doc: str) -> Parameter:
    """Return a trigger: its number counts up with each pull."""
    return Parameter(parameter_id, 0, 2**52, 0, doc, kind="trigger")


def switch(parameter_id: str, doc: str, default: float = 0) -> Parameter:
    """Return a switch, off unless `default` is 1."""
    return Parameter(parameter_id, 0, 1, default, doc, kind="switch")


def choice(parameter_id: str, choices: Sequence[str], default: str, doc: str) -> Parameter:
    """Return a choice among words."""
    return Parameter(parameter_id, 0, len(choices) - 1, choices.index(default), doc, kind="choice", choices=tuple(choices))


def _globals() -> list[Parameter]:
    return [
        Parameter("tempo", SLOWEST_BPM, FASTEST_BPM, 112, "Speed of the beat", "bpm", scale="exponential"),
        choice(
            "metre", CHOICES, CHOICES[0], "Metre, from the next bar line on; the tempo of 6/8, 9/8, 12/8 counts dotted quarters"
        ),
        Parameter(LEARN_PLACE, 0, 65535, 0, "1 + place of the parameter that the next MIDI control moves", kind="integer"),
        Parameter("temperature", 0.1, 2, 1, "How daring the choices are; 1 is as learned", scale="exponential"),
        Parameter("density", 0.25, 4, 1, "How many notes; 1 is as learned", scale="exponential"),
        Parameter("futures", 0, FUTURES, 0, "Other ways to go on that it imagines, step by step; 0: none", kind="integer"),
        Parameter("memory", 0, 1, 1, "Share of its state the network keeps from step to step; 1 forgets nothing"),
        Parameter("metronome", 0, 1, 0, "Level of the click; the count-in always sounds"),
        Parameter("seed", 0, 2**31 - 1, 1, "Which of all possible continuations it plays", kind="integer"),
        trigger("reset", "Forget everything heard so far"),
        trigger("panic", "Silence: every note off, every voice freed"),
        Parameter("player.level", 0, 1, 0.8, "Level of the player's own sound"),
        *_transport(),
        *_scenes(),
    ]


def _transport() -> list[Parameter]:
    docs = {
        "start": "Count in, then play from bar 1; while it plays, bar 1 is next",
        "stop": "Stop the beat and the network; the player is still heard",
        "continue": "Go on where it stopped",
        "pause": "Stop where it plays, go on where it stands: for one key or pedal",
        "rewind": "Jump to bar 1, with the next beat",
        "tap": "Tap the tempo, twice or more",
    }
    nudge = Parameter("transport.nudge", -1, 1, 0, "Push the beat while it is held: at 1 a tenth faster, at -1 a tenth slower")
    return [*(trigger(f"transport.{word}", docs[word]) for word in TRANSPORT), nudge]


def _scenes() -> list[Parameter]:
    """The orders about scenes; a number that was obeyed goes back to 0."""
    docs = {
        "next": "The next scene of the set",
        "previous": "The scene before",
        "undo": "Back to how it was before the last scene, and before that",
        "ab": "To the other of the last two scenes, as it was left, and back",
    }
    return [
        Parameter("scene.go", 0, SCENES, 0, "The scene of this number", kind="integer"),
        *(trigger(f"scene.{word}", docs[word]) for word in SCENE_WORDS),
        Parameter("scene.keep", 0, SCENES, 0, "Keep what is now as the scene of this number, in the file", kind="integer"),
        Parameter("scene.bars", 0, 64, 1, "Scenes begin with a bar that this divides, from bar 1; 0: at once", kind="integer"),
    ]


_Owners = dict[str, dict[int, Parameter]]  # who declared what, by its place


class Registry:
    """All parameters of a run: the global ones, the modes', the network's own controls, mute, level, pan and solo of each of
    its tracks and of the player, and those declared while it plays (see Live), which come and go.

    Each has a place in the table of values. Others may read while `adopt` runs: it puts a new table in the old one's stead.
    """

    def __init__(self, tracks: Sequence[str], controls: Sequence[Parameter] = (), modes: Sequence[Parameter] = ()) -> None:
        fixed = _globals()
        for parameter in (*modes, *controls):  # the engine's own stay as they are
            if all(parameter.id != here.id for here in fixed):
                fixed.append(parameter)
        for track in tracks:
            fixed.append(switch(f"{track}.mute", f"Silence the {track} (it plays on unheard)"))
            fixed.append(Parameter(f"{track}.level", 0, 1, 0.8, f"Level of the {track}"))
            fixed.append(Parameter(f"{track}.pan", -1, 1, 0, f"Where the {track} stands: -1 left, 1 right"))
            fixed.append(switch(f"{track}.punch", f"You play the {track}: the network leaves it to you while this is on"))
            fixed.append(switch(f"{track}.solo", f"Silence the network's other tracks beside the {track}; you are still heard"))
        if "player" not in tracks:
            fixed.append(switch("player.mute", "Silence the player's own sound"))
            fixed.append(Parameter("player.pan", -1, 1, 0, "Where the player stands: -1 left, 1 right"))
        self.fixed = tuple(fixed)
        self.tracks = tuple(tracks)
        self._places: dict[str, tuple[int, Parameter]] = {p.id: (place, p) for place, p in enumerate(fixed)}

    def adopt(self, declared: Mapping[int, Parameter]) -> None:
        """Have these, by their places, and no other declared parameters from now on."""
        fixed = {p.id: (place, p) for place, p in enumerate(self.fixed)}
        self._places = fixed | {p.id: (place, p) for place, p in declared.items()}

    @property
    def index(self) -> dict[str, int]:
        """The place of every parameter in the table of values."""
        return {parameter_id: place for parameter_id, (place, _) in self._places.items()}

    @property
    def parameters(self) -> list[Parameter]:
        """All there are now."""
        return [parameter for _, parameter in self._places.values()]

    @property
    def declared(self) -> list[Parameter]:
        """Those that may go again."""
        return self.parameters[len(self.fixed) :]

    def place(self, parameter_id: str) -> int:
        """Return a parameter's place in the table of values. Raises KeyError."""
        return self._places[parameter_id][0]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __getitem__(self, parameter_id: str) -> Parameter:
        return self._places[parameter_id][1]

    def __contains__(self, parameter_id: str) -> bool:
        return parameter_id in self._places


class Live:
    """The registry together with its values: what control code uses. `get` and `set` by id.

    Parameters may come and go while it plays. One process declares them (the audio process: the knobs of the patches it has
    loaded); the others call `refresh` at the top of a block, a step or a message, and then find them in `registry`. Whoever
    holds an id across a refresh asks first whether it is still there.
    """

    def __init__(self, registry: Registry, values: Values) -> None:
        self.registry = registry
        self.values = values
        self._owners: _Owners = {}
        self._cursor = 0  # the slot that is given out next
        self._generation = 0
        self.refresh()

    def reset_to_defaults(self) -> None:
        """Write every default; the supervisor does, once, before the processes start."""
        for parameter in self.registry:
            self.values.write(self.registry.place(parameter.id), parameter.default)

    def get(self, parameter_id: str) -> float:
        """Return the current value. Raises KeyError for an unknown id."""
        return float(self.values.numbers[self.registry.place(parameter_id)])

    def set(self, parameter_id: str, value: float) -> tuple[float, bool]:
        """Set a value; return what it became and whether it had to be clamped. Raises KeyError for an unknown id."""
        parameter = self.registry[parameter_id]
        legal = parameter.clamp(float(value))
        self.values.write(self.registry.place(parameter_id), legal)
        return legal, not parameter.minimum <= value <= parameter.maximum

    def fire(self, parameter_id: str) -> None:
        """Pull a trigger: its number counts up, and every reader that sees a new number acts once."""
        place = self.registry.place(parameter_id)
        self.values.write(place, self.values.numbers[place] + 1)

    def snapshot(self) -> dict[str, float]:
        """Return every value by its id, those of declared parameters as of now."""
        self.refresh()
        numbers = self.values.numbers.tolist()
        return {parameter_id: numbers[place] for parameter_id, place in self.registry.index.items()}

    @property
    def generation(self) -> int:
        """Number of the set of parameters that `registry` has; whoever shows them looks whether it is still the same."""
        return self._generation

    # --- parameters that come and go ---------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Learn which parameters have been declared or withdrawn; return whether any were. Cheap when nothing has changed.

        Who declares knows already: its real-time thread need not call this.
        """
        if self.values.definitions.generation == self._generation:
            return False
        generation, text = self.values.definitions.read()
        known = json.loads(text)
        self._cursor = known["cursor"]
        self._owners = {
            owner: {place: Parameter(**fields | {"choices": tuple(fields["choices"])}) for place, fields in mine}
            for owner, mine in known["owners"].items()
        }
        self._adopt(generation)
        return True

    def declare(self, owner: str, parameters: Iterable[Parameter]) -> list[str]:
        """Declare all parameters of `owner`, in place of what it declared before; return the ids that are new.

        One that stays keeps its place and its value (of a choice: the word); a new one begins at its default. One process
        calls it, one thread of it. Raises ValueError for an id that another has, or when there is no room; nothing has then
        changed.
        """
        self.refresh()
        wanted = list(parameters)
        before = self._owners.get(owner, {})
        places = {parameter.id: place for place, parameter in before.items()}
        taken = {p.id for p in self.registry} - places.keys()
        for parameter in wanted:
            if parameter.id in taken:
                raise ValueError(f"{parameter.id} is the name of another parameter already")
            taken.add(parameter.id)
        new = [p.id for p in wanted if p.id not in places]
        places |= zip(new, self._free(len(new)), strict=True)
        owners = self._owners | {owner: {places[p.id]: p for p in wanted}}
        told = self._told(owners)
        for parameter in wanted:
            self._begin(parameter, places[parameter.id], before.get(places[parameter.id]))
        self._publish(owners, told)
        return new

    def withdraw(self, owner: str) -> None:
        """Take back all that `owner` declared."""
        self.refresh()
        if owner in self._owners:
            owners = {name: mine for name, mine in self._owners.items() if name != owner}
            self._publish(owners, self._told(owners))

    def _free(self, count: int) -> list[int]:
        """Return so many free places: those that were in use longest ago, for someone may still write to one that was freed."""
        used = {place for mine in self._owners.values() for place in mine}
        slots = ((self._cursor + n) % SLOTS for n in range(SLOTS))
        free = [place for slot in slots if (place := self.values.fixed + slot) not in used][:count]
        if len(free) < count:
            raise ValueError(f"there is no room for {count} more parameters: {SLOTS} can be declared")
        if free:
            self._cursor = (free[-1] - self.values.fixed + 1) % SLOTS
        return free

    def _begin(self, parameter: Parameter, place: int, before: Parameter | None) -> None:
        """Write the value a declared parameter begins with."""
        number = parameter.default
        if before is not None:
            number = float(self.values.numbers[place])
            if before.choices != parameter.choices:
                word = before.text(number)
                number = parameter.choices.index(word) if word in parameter.choices else parameter.default
        self.values.write(place, parameter.clamp(number))

    def _told(self, owners: _Owners) -> bytes:
        told = {owner: [(place, asdict(parameter)) for place, parameter in mine.items()] for owner, mine in owners.items()}
        text = json.dumps({"cursor": self._cursor, "owners": told}).encode()
        if len(text) > ROOM:
            raise ValueError(f"the declared parameters' descriptions take {len(text)} bytes, and there is room for {ROOM}")
        return text

    def _publish(self, owners: _Owners, told: bytes) -> None:
        self.values.definitions.write(told)
        self._owners = owners
        self._adopt(self.values.definitions.generation)

    def _adopt(self, generation: int) -> None:
        self.registry.adopt({place: p for mine in self._owners.values() for place, p in mine.items()})
        self._generation = generation
