"""The registry of live parameters: everything that can be turned while it plays, declared once.

Runs on: every process. OSC addresses, OSCQuery, MIDI mapping, the pages' sliders and the documentation all come from here. The
numbers themselves live in the link's `Values`, in the order of the registry.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.core.contract import Card
from engine.core.link import Values
from engine.core.messages import FUTURES

MODES = ("trade", "accompany", "solo")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One live parameter. `curve`: linear, exp (for sliders), switch (0 or 1), choice (index), integer, trigger (counts up)."""

    id: str
    minimum: float
    maximum: float
    default: float
    doc: str
    unit: str = ""
    curve: str = "linear"
    choices: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """OSC address below the root."""
        return "/param/" + self.id.replace(".", "/")

    def clamp(self, value: float) -> float:
        """Return the legal value nearest to `value`; not-a-number gives the default."""
        if math.isnan(value):
            return self.default
        value = min(max(value, self.minimum), self.maximum)
        return float(round(value)) if self.curve in ("switch", "choice", "integer", "trigger") else value

    def parse(self, text: str) -> float:
        """Return the number that `text` names: a number, on/off for a switch, a word of the choices.

        Raises ValueError that lists what is possible.
        """
        word = text.strip().lower()
        if word in self.choices:
            return float(self.choices.index(word))
        if self.curve == "switch" and word in ("on", "true", "off", "false"):
            return float(word in ("on", "true"))
        try:
            return float(word)
        except ValueError:
            known = ", ".join(self.choices) or f"a number from {self.minimum:g} to {self.maximum:g}"
            raise ValueError(f"{self.id}: {text!r} is not one of: {known}") from None

    def text(self, value: float) -> str:
        """Return the value as a person reads it."""
        if self.choices:
            return self.choices[int(self.clamp(value))]
        if self.curve == "switch":
            return "on" if value else "off"
        return f"{value:g} {self.unit}".strip()


def _globals() -> list[Parameter]:
    return [
        Parameter("tempo", 30, 300, 112, "Speed of the beat", "bpm", "exp"),
        Parameter(
            "mode",
            0,
            len(MODES) - 1,
            MODES.index("accompany"),
            "trade: listens, then answers; accompany: plays the other tracks with you; solo: plays everything",
            curve="choice",
            choices=MODES,
        ),
        Parameter("temperature", 0.1, 2, 1, "How daring the choices are; 1 is as learned", curve="exp"),
        Parameter("density", 0.25, 4, 1, "How many notes; 1 is as learned", curve="exp"),
        Parameter("rest", 0.25, 8, 1, "trade: silence after which it answers", "beats", "exp"),
        Parameter("bars", 0, 16, 0, "trade: take turns every so many bars; 0 answers whenever you rest", "bars", "integer"),
        Parameter("futures", 0, FUTURES, 0, "Other ways to go on that it imagines, step by step; 0: none", curve="integer"),
        Parameter("memory", 0, 1, 1, "Share of its state the network keeps from step to step; 1 forgets nothing"),
        Parameter("metronome", 0, 1, 0, "Level of the click; the count-in always sounds"),
        Parameter("seed", 0, 2**31 - 1, 1, "Which of all possible continuations it plays", curve="integer"),
        Parameter("reset", 0, 2**52, 0, "Forget everything heard so far", curve="trigger"),
        Parameter("panic", 0, 2**52, 0, "Silence: every note off, every voice freed", curve="trigger"),
        Parameter("player.level", 0, 1, 0.8, "Level of the player's own sound"),
    ]


class Registry:
    """All parameters of a run: the global ones, the network's own controls, then mute and level for each of its tracks."""

    def __init__(self, tracks: Sequence[str], controls: Sequence[Parameter] = ()) -> None:
        self.parameters = _globals()
        here = {p.id for p in self.parameters}
        self.parameters += [c for c in controls if c.id not in here]
        for track in tracks:
            mute = Parameter(f"{track}.mute", 0, 1, 0, f"Silence the {track} (it plays on unheard)", curve="switch")
            self.parameters += [mute, Parameter(f"{track}.level", 0, 1, 0.8, f"Level of the {track}")]
        self.index = {p.id: i for i, p in enumerate(self.parameters)}

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __getitem__(self, parameter_id: str) -> Parameter:
        return self.parameters[self.index[parameter_id]]

    def __contains__(self, parameter_id: str) -> bool:
        return parameter_id in self.index


def registry_of(card: Card) -> Registry:
    """Return the live parameters for a network."""
    controls = [Parameter(c.name, c.min, c.max, c.neutral, c.doc) for c in card.controls]
    return Registry([track.name for track in card.tracks], controls)


class Live:
    """The registry together with its values: what control code uses. `get` and `set` by id."""

    def __init__(self, registry: Registry, values: Values) -> None:
        self.registry = registry
        self.values = values

    def reset_to_defaults(self) -> None:
        """Write every default; the supervisor does, once, before the processes start."""
        for i, parameter in enumerate(self.registry):
            self.values.write(i, parameter.default)

    def get(self, parameter_id: str) -> float:
        """Return the current value."""
        return float(self.values.numbers[self.registry.index[parameter_id]])

    def set(self, parameter_id: str, value: float) -> tuple[float, bool]:
        """Set a value; return what it became and whether it had to be clamped. Raises KeyError for an unknown id."""
        index = self.registry.index[parameter_id]
        parameter = self.registry.parameters[index]
        legal = parameter.clamp(float(value))
        self.values.write(index, legal)
        return legal, not parameter.minimum <= value <= parameter.maximum

    def fire(self, parameter_id: str) -> None:
        """Pull a trigger: its number counts up, and every reader that sees a new number acts once."""
        index = self.registry.index[parameter_id]
        self.values.write(index, self.values.numbers[index] + 1)
