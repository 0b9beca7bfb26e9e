"""What the configuration says of a network and its instruments, held against the network's card before anything is started.

Runs on: main process; whoever builds the instruments checks the controllers once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from engine.core import config
from engine.core.config import Config, source_names
from engine.core.contract import Card, read_card
from engine.core.controllers import PEDAL, Controller, read
from engine.core.errors import AlgoritmoError, ConfigError, NetworkError, nearest
from engine.core.knobs import Knobs, is_plugin, knobs_of
from engine.core.metre import CHOICES, Metre, choice_of, of_choice, parse
from engine.core.parameters import Live, Registry
from engine.jam import chart
from engine.jam.modes import MODES
from engine.jam.parameters import registry_of

EFFECTS = sorted(path.stem for path in (Path(__file__).parents[1] / "audio/effects").glob("[a-z]*.py"))


def load(path: Path | None, settings: Sequence[str] = ()) -> Config:
    """Return the configuration as `config.load` does, held against its network. Raises AlgoritmoError with every fault."""
    found, wrong = config.sift(path, settings)
    try:
        wrong += faults(found)
    except AlgoritmoError as error:  # the network itself
        if not wrong:
            raise
        wrong.append(str(error))
    if wrong:
        raise config.error_of(wrong, path, settings)
    return found


def faults(config: Config) -> list[str]:
    """Return all that this network, its parameters and tracks, cannot make sense of; each with its path and what to do.

    Raises ConfigError and NetworkError when the network itself cannot be read.
    """
    card = read_card(config.network_path())
    registry = registry_of(card)
    found = _of_mode(config) + _of_parameters(config, registry) + of_controllers(config, registry) + _of_patches(config, card)
    wrong = _of_metre(config, card)
    found += wrong + chart.of_setting(config.jam.chart, Metre(card.beats_per_bar, 4) if wrong else metre_of(config, card))[1]
    found += _of_rack(config, card) + read(config.midi.controllers, Known(config, registry).faults)[1]
    try:
        track_of(config, card)
    except NetworkError as error:
        found.append(str(error))
    return found


def _of_mode(config: Config) -> list[str]:
    mode = config.jam.mode
    return [] if mode in MODES else [f"jam.mode: there is no mode {mode!r}; {_instead(repr(mode), [repr(m) for m in MODES])}"]


def _of_metre(config: Config, card: Card) -> list[str]:
    try:
        metre = metre_of(config, card)
    except ValueError as error:
        return [f"jam.metre: {error}"]
    if metre.fits(card.steps_per_beat):
        return []
    known = [choice for choice in CHOICES if parse(choice).fits(card.steps_per_beat)]
    return [f"jam.metre: {card.name} plays no {metre.name}: its timesteps are too long; it plays {', '.join(known)}"]


def metre_of(config: Config, card: Card) -> Metre:
    """Return the metre that a jam begins in. Raises ValueError that tells which there are."""
    if config.jam.metre:
        return of_choice(choice_of(config.jam.metre))
    own = f"{card.beats_per_bar}/4"
    return parse(own if own in CHOICES else CHOICES[0])


def _of_parameters(config: Config, registry: Registry) -> list[str]:
    found = []
    known = Known(config, registry)
    for key, value in config.parameters.items():
        if key not in registry:
            found += [f"parameters.{fault}" for fault in known.faults_of_value(key, value)]
            continue
        parameter = registry[key]
        try:
            number = parameter.parse(str(value))
        except ValueError as error:
            found.append(f"parameters.{error}")
            continue
        if not parameter.minimum <= number <= parameter.maximum:
            found.append(f"parameters.{key}: {number:g} is not within {parameter.minimum:g} to {parameter.maximum:g}")
    return found


class Known:
    """What a parameter's id in the configuration may mean: one that every run has, a track's patch, or a knob of a patch.

    Knobs come with their patches, which the audio process loads. Here they are known by name alone, those of every patch
    that is there, for any of them can be loaded while it plays. A value out of a knob's range, and a knob that no patch has
    that plays, is told by the audio process, by name; the jam goes on.
    """

    def __init__(self, config: Config, registry: Registry) -> None:
        self._registry = registry
        self._patches = config.patches.values()
        self._rack = _racked(config)
        self._sends = len(config.rack.sends)

    @cached_property
    def _knobs(self) -> Knobs:
        return knobs_of(self._patches)

    def faults(self, key: str) -> list[str]:
        """Return what is wrong with an id, nothing or one line."""
        track, _, word = key.partition(".")
        tracks = {"player", *self._registry.tracks}
        if (
            key in self._registry
            or word in [f"send{n}" for n in range(1, self._sends + 1)]
            or (track in self._rack and "." in word)
        ):
            return []
        if track in tracks and word and (word == "patch" or self._knobs.may_have(word)):
            return []
        ids = [*self._registry.index, *(f"{track}.{knob}" for knob in sorted(self._knobs.names) if track in tracks)]
        return [f"{key}: there is no such parameter; {_instead(key, ids)}"]

    def faults_of_value(self, key: str, value: float | bool | str) -> list[str]:
        """Return what is wrong with an id that is declared later, and the value it is to begin with."""
        if found := self.faults(key):
            return found
        track, _, word = key.partition(".")
        if word == "patch":
            return [f"{key}: set patches.{track} to the name of a patch instead"]
        try:
            float(value)
        except ValueError:
            return [f"{key}: {value!r} is not a number"]
        return []


def of_controllers(config: Config, registry: Registry) -> list[str]:
    """Return what is wrong with `midi.cc`."""
    cc, known = config.midi.cc, Known(config, registry)
    found = [f"midi.cc.{fault}" for key in cc for fault in known.faults(key)]
    bound = {key: Controller(cc=one) if isinstance(one, int) else one for key, one in cc.items()}
    return found + [
        f"midi.cc.{key}: controller {one.cc} cannot be used; give one from 0 to 119, and not {PEDAL}, the sustain pedal"
        for key, one in bound.items()
        if not one.is_usable
    ]


def _of_patches(config: Config, card: Card) -> list[str]:
    """The file that is shipped names the tracks of the band, whichever network plays."""
    known = {"player", *(track.name for track in card.tracks), *Config().patches}
    return [
        f"patches.{track}: {card.name} has no such track; {_instead(track, sorted(known))}"
        for track in config.patches
        if track not in known
    ]


def _racked(config: Config) -> set[str]:
    """Where plugins and effects stand: their knobs are known when they are loaded."""
    played = {track for track, patch in config.patches.items() if is_plugin(patch)}
    return played | set(config.rack.inserts) | {f"send{number}" for number in range(1, len(config.rack.sends) + 1)}


def _of_rack(config: Config, card: Card) -> list[str]:
    """Where inserts stand, and which track a side-chain is."""
    tracks = ["player", *(track.name for track in card.tracks)]
    known = [*tracks, *Config().patches, "master"]
    found = [
        f"rack.inserts.{where}: {card.name} has no such track; {_instead(where, known)}"
        for where in config.rack.inserts
        if where not in known
    ]
    for where, inserts in config.rack.inserts.items():
        for insert in inserts:
            if not is_plugin(insert.effect) and insert.effect not in EFFECTS:
                found.append(f"rack.inserts.{where}: there is no effect {insert.effect!r}; {_instead(insert.effect, EFFECTS)}")
            if insert.side and insert.side not in tracks:
                found.append(
                    f"rack.inserts.{where}.side: {card.name} has no track {insert.side!r}; {_instead(insert.side, tracks)}"
                )
    return found


def _instead(key: str, known: list[str]) -> str:
    like = nearest(key, known)
    return f"did you mean {like}?" if like else f"there are: {', '.join(known)}"


def track_of(config: Config, card: Card) -> str:
    """Return the track the player's notes belong to. Raises NetworkError when the network has none of that name."""
    names = [t.name for t in card.tracks]
    wanted = config.jam.track
    if wanted in names:
        return wanted
    if wanted == "lead":  # the default, made for the band; another network plays on its last track
        return "player" if "player" in names else names[-1]
    raise NetworkError(f"jam.track: {card.name} has no track {wanted!r}; it has: {', '.join(names)}")


def set_defaults(live: Live, config: Config, card: Card | None = None) -> None:
    """Write every parameter's starting value: the registry's, the network's, then what the configuration says.

    Raises ConfigError.
    """
    wrong = _of_mode(config) + _of_parameters(config, live.registry)
    wrong += [] if card is None else _of_metre(config, card)
    if wrong:
        raise ConfigError.of(wrong)
    live.reset_to_defaults()
    live.set("tempo", config.clock.tempo)
    live.set("clock.source", source_names().index(config.clock.source))
    live.set("mode", MODES.index(config.jam.mode))
    live.set("seed", config.jam.seed)
    if card is not None:
        live.set("metre", CHOICES.index(metre_of(config, card).name))
    for key, value in config.parameters.items():
        if key in live.registry:  # a patch's knobs begin when the patch is loaded
            live.set(key, live.registry[key].parse(str(value)))
