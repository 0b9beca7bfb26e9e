"""What a jam begins with beside its configuration: the first scene of a set, or how the last jam stood.

Runs on: main process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.control.scene_book import Book
from engine.control.scenes import Scenes
from engine.core.config import Config
from engine.core.contract import read_card
from engine.core.ensemble import together
from engine.core.errors import ConfigError
from engine.core.messages import WARNING
from engine.core.rack import Rack
from engine.core.scene import Scene, State, find, parse, read, shipped
from engine.jam.parameters import registry_of

Tell = Callable[[int, str], None]
MOST_BESIDE = 3  # networks beside the one that begins: each takes memory


def split_set(settings: list[str]) -> tuple[list[str], str | None]:
    """Return what `--set` was given: KEY=VALUE, and the last that is the name of a set."""
    named = [setting for setting in settings if "=" not in setting]
    return [setting for setting in settings if "=" in setting], named[-1] if named else None


def begin(config: Config, name: str | None, resume: bool, tell: Tell) -> Config:
    """Return the configuration as a jam begins with it: with the first scene of a set, or as the last jam stood.

    Raises ConfigError where a set or a state was asked for that cannot be had. What a scene names and is not there is told.
    """
    scene: Scene | None = None
    number, path = config.scenes.begin, config.scenes.set
    if name is not None:
        path, number = find(name), max(number, 1)
        if not path.exists():
            known = ", ".join(shipped()) or "none"
            raise ConfigError(
                f"--set {name}: there is no such file; give the path of a set, one that is shipped ({known}), or KEY=VALUE"
            )
    if resume:
        scene, path, number = _stood(config, path if name is not None else None)
    found, faults = read(path)
    if faults and not found.scene:
        raise ConfigError.of(faults, str(path))
    config = _with(config, set=path, begin=min(number, len(found.scene)))
    config = config.model_copy(update={"rack": _merged(config.rack, found.rack)})
    if scene is None and config.scenes.begin:
        scene = found.scene[config.scenes.begin - 1]
    if scene is not None and scene.network and _is_there(scene.network):
        config = config.model_copy(update={"network": config.network.model_copy(update={"name": scene.network})})
    config = _with(config, networks=_beside(config, found.scene, tell))
    registry = registry_of(together([read_card(path) for path in config.networks().values()]))
    book = Book(path, config, registry)
    for fault in book.all_faults():
        tell(WARNING, fault)
    return config if scene is None else laid_over(config, scene, book)


def laid_over(config: Config, scene: Scene, book: Book) -> Config:
    """Return the configuration with what of a scene can be had over it."""
    wrong = {path for path, _ in book.faulty(scene)}
    patches = {track: name for track, name in scene.patches.items() if ("patches", track) not in wrong}
    values = {key: value for key, value in scene.parameters.items() if ("parameters", key) not in wrong}
    over: dict[str, object] = {"patches": config.patches | patches, "parameters": config.parameters | values}
    if scene.chart is not None and ("chart",) not in wrong:
        over["jam"] = config.jam.model_copy(update={"chart": scene.chart})
    return config.model_copy(update=over)


def _with(config: Config, **scenes: object) -> Config:
    return config.model_copy(update={"scenes": config.scenes.model_copy(update=scenes)})


def _beside(config: Config, scenes: Sequence[Scene], tell: Tell) -> tuple[str, ...]:
    """The networks that are loaded beside the one that begins: those that the configuration and the scenes name."""
    wanted = dict.fromkeys([*config.scenes.networks, *(scene.network for scene in scenes if scene.network)])
    found = [name for name in wanted if name != config.network.name and _is_there(name)]
    if left := found[MOST_BESIDE:]:
        tell(WARNING, f"no more than {MOST_BESIDE + 1} networks can be in a set; without: {', '.join(left)}")
    return tuple(found[:MOST_BESIDE])


def _is_there(network: str) -> bool:
    try:
        return Config.path_of(network, "network").exists()
    except ConfigError:
        return False


def _merged(mine: Rack, theirs: Rack) -> Rack:
    """The configuration's rack, and what the set has beside it."""
    inserts = dict(mine.inserts)
    for where, these in theirs.inserts.items():
        inserts[where] = (*inserts.get(where, ()), *these)
    return Rack(inserts=inserts, sends=mine.sends or theirs.sends, own=(*mine.own, *theirs.own))


def _stood(config: Config, path: Path | None) -> tuple[Scene, Path, int]:
    """How the last jam stood: as a scene, its set, and the number there. Raises ConfigError."""
    where = Scenes.state_path(config)
    if not where.exists():
        raise ConfigError(f"--resume: {where} is not there: no jam has been played with this session.dir; begin one without it")
    state, faults = parse(where.read_text("utf-8-sig"), str(where), where.parent, State)
    if not isinstance(state, State) or not state.scene:
        raise ConfigError.of(faults or ["nothing stands in it"], str(where))
    return state.scene[0], path or (Path(state.set) if state.set else config.scenes.set), state.number
