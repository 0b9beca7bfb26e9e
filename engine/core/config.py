"""The configuration: config.toml as pydantic models; the only place with defaults.

Runs on: supervisor. Every fault of a file is reported at once, each with its path and what is expected.
"""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, field_validator

from engine.core.booth import Booth
from engine.core.calibration import laid_under
from engine.core.controllers import by_ids
from engine.core.errors import ConfigError
from engine.core.messages import FASTEST_BPM, SLOWEST_BPM
from engine.core.midi import Midi
from engine.core.osc_section import Osc, Port
from engine.core.rack import Rack
from engine.core.scene import SceneSettings
from engine.core.section import Section

SHIPPED = Path(__file__).resolve().parents[2] / "models"  # where `network.name = "festival"` is looked for
SOURCES = Path(__file__).resolve().parents[1] / "transport" / "sources"  # one file for each source of the beat
OFFLINE = ("virtual",)  # ... that is for the offline render alone


@cache
def source_names() -> tuple[str, ...]:
    """Return the sources of the beat that can be chosen, our own first; their order is that of the parameter's numbers."""
    found = sorted(path.stem for path in SOURCES.glob("[a-z]*.py") if path.stem not in OFFLINE)
    return tuple(sorted(found, key=lambda name: name != "internal"))


_DOTTED = ("parameters", "midi.cc")  # sections whose keys are names of parameters


def _rate(rate: int | str) -> int | str:
    if rate != "device" and not (isinstance(rate, int) and 22050 <= rate <= 192000):
        raise ValueError('give Hz from 22050 to 192000, or "device" for what the device runs at')
    return rate


class Audio(Section):
    """Where the sound goes."""

    device: int | str = "default"
    rate: Annotated[int | str, AfterValidator(_rate)] = 48000
    block: int = Field(64, ge=16, le=8192)
    ceiling_db: float = Field(-0.3, ge=-24, le=0)
    cpu_dma_latency_us: int = Field(-1, ge=-1, le=2000)
    latencies: dict[str, Annotated[float, Field(ge=0, le=2000)]] = Field(default_factory=dict)  # measured, ms, of devices

    @property
    def rate_hz(self) -> int:
        """The rate where there is no device to follow."""
        return self.rate if isinstance(self.rate, int) else 48000


class Network(Section):
    """Which network plays, and on what it is computed."""

    name: str = "festival"
    harmony: str = ""
    provider: Literal["auto", "cpu", "cuda", "coreml", "directml"] = "auto"
    threads: int = Field(1, ge=1, le=64)


class Clock(Section):
    """The beat."""

    source: str = "internal"
    tempo: float = Field(112, ge=SLOWEST_BPM, le=FASTEST_BPM)
    count_in: int = Field(1, ge=0, le=8)
    players: str = "127.0.0.1"  # Pro DJ Link: addresses of the players; any but this machine's opens two ports to the network

    @field_validator("players")
    @classmethod
    def _is_network(cls, players: str) -> str:
        try:
            ipaddress.ip_network(players, strict=False)
        except ValueError:
            raise ValueError("give an address or a network, for example 169.254.0.0/16 or 192.168.1.0/24") from None
        return players

    @field_validator("source")
    @classmethod
    def _is_there(cls, source: str) -> str:
        if source not in source_names():
            raise ValueError(f"there is no such source of the beat; there are: {', '.join(sorted(source_names()))}")
        return source


class Jam(Section):
    """How it plays with you."""

    mode: str = "accompany"  # one of engine/jam/modes/; checked where those are known
    track: str = "lead"
    metre: str = ""  # 3/4, 7/8 (3+2+2): see engine/core/metre.py; empty: the network's own
    chart: str = ""  # | C | G7 | Am F |: chords by bars, see engine/jam/chart.py
    seed: int = Field(1, ge=0, le=2**31 - 1)


class Web(Section):
    """The page that shows the network in a browser."""

    enabled: bool = True
    host: str = Field("127.0.0.1", min_length=1)
    port: Port = 8000
    token: str = ""
    max_clients: int = Field(16, ge=1, le=1000)


class Lights(Section):
    """What the music moves in the room."""

    file: str = ""  # see engine/lights/plan.py


class Session(Section):
    """Where a jam is recorded."""

    dir: Path = Path("sessions")
    record: bool = True
    stems: bool = False


def _default_patches() -> dict[str, str]:
    return {"player": "keys", "drums": "drums", "bass": "bass", "chords": "pluck", "pad": "pad", "lead": "lead"}


class Config(Section):
    """The whole of config.toml."""

    audio: Audio = Audio()
    midi: Midi = Midi()
    network: Network = Network()
    clock: Clock = Clock()
    jam: Jam = Jam()
    osc: Osc = Osc()
    web: Web = Web()
    patches: dict[str, str] = Field(default_factory=_default_patches)
    parameters: Annotated[dict[str, float | bool | str], BeforeValidator(by_ids)] = Field(default_factory=dict)
    rack: Rack = Rack()
    booth: Booth = Booth()
    session: Session = Session()
    scenes: SceneSettings = SceneSettings()
    lights: Lights = Lights()

    def network_path(self) -> Path:
        """The file that `network.name` means."""
        return self.path_of(self.network.name, "network.name")

    def networks(self) -> dict[str, Path]:
        """The networks that can play, by name, the one that begins first. Raises ConfigError."""
        return {name: self.path_of(name, "scenes.networks") for name in (self.network.name, *self.scenes.networks)}

    def harmony_path(self) -> Path | None:
        """The .onnx file that chooses the chords, where one does. Raises ConfigError for an unknown name."""
        return self.path_of(self.network.harmony, "network.harmony") if self.network.harmony else None

    @staticmethod
    def path_of(name: str, key: str) -> Path:
        """The file that `name`, given under `key`, means: a path to an .onnx file, or the name of a shipped network."""
        if name.endswith(".onnx") or "/" in name:
            return Path(name)
        shipped = SHIPPED / name.split("-", maxsplit=1)[0] / f"{name}.onnx"
        if not shipped.exists():
            here = sorted(p.stem for p in SHIPPED.glob("*/*.onnx"))
            raise ConfigError(f"{key}: no network {name!r} is shipped; there are: {', '.join(here) or 'none'}; or give a path")
        return shipped

    def patch_of(self, track: str) -> str:
        """Name of the patch that plays a track; a track the configuration does not know gets the keys."""
        return self.patches.get(track, "keys")


def load(path: Path | None, settings: Sequence[str] = ()) -> Config:
    """Return the configuration of `path` (None: all defaults) with `settings` ("audio.block=128") laid over it.

    A setting's value is read as TOML, and as plain text where it is none. Raises ConfigError that names every fault.
    """
    loaded, faults = sift(path, settings)
    if faults:
        raise error_of(faults, path, settings)
    return loaded


def error_of(faults: Sequence[str], path: Path | None, settings: Sequence[str] = ()) -> ConfigError:
    """Return faults, each "KEY: what", as one error: of the file, or of the --set that the key was given with."""
    told, where = [], "--set"
    for fault in faults:
        key = fault.partition(":")[0]
        # The fault of a file that a setting names begins with the file.
        given = [s for s in settings if _touch(s.partition("=")[0].strip(), key) or s.partition("=")[2].strip() == key]
        told.append(f"--set {given[-1]}: {fault}" if given else fault)
        where = where if given or path is None else str(path)
    return ConfigError.of(told, where)


def _touch(one: str, other: str) -> bool:
    """Whether one of two keys is the other or lies in it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the configuration with its paths as seen from a folder, and `~` as the home."""
    data = {key: dict(value) if isinstance(value, dict) else value for key, value in data.items()}
    for section, keys in {
        "session": ("dir",),
        "booth": ("store",),
        "midi": ("controllers",),
        "scenes": ("set",),
        "network": ("name", "harmony"),
        "patches": None,
        "lights": ("file",),
    }.items():
        found = data.get(section)
        if not isinstance(found, dict):
            continue
        maps = found.get("maps") if section == "midi" else None
        if isinstance(maps, list):  # those that are no names of bundled ones
            found["maps"] = [str(folder / _home(v)) if isinstance(v, str) and v.endswith(".toml") else v for v in maps]
        for key in keys or tuple(found):
            value = found.get(key)
            of_path = section not in ("network", "patches") or str(value).endswith((".onnx", ".py")) or "/" in str(value)
            if isinstance(value, str) and value and "://" not in value and of_path:
                found[key] = str(folder / _home(value))
    return data


def _home(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:  # there is no such user
        return Path(value)


def sift(path: Path | None, settings: Sequence[str] = (), before: dict[str, Any] | None = None) -> tuple[Config, list[str]]:
    """Return the configuration without the keys that are wrong, and what is wrong with each; `before`: what lies below it.

    Raises ConfigError when it cannot be read at all.
    """
    data: dict[str, Any] = dict(before or {})
    if path is not None:
        try:
            data = _anchored(tomllib.loads(path.read_text("utf-8-sig")), path.parent)
            for section, key, name in (("midi", "controllers", "controllers.toml"), ("scenes", "set", "scenes.toml")):
                if isinstance(found := data.setdefault(section, {}), dict):
                    found.setdefault(key, str(path.parent / name))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}); give the path of a file with --config") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from error
    data = laid_under(data, path.parent if path is not None else Path())
    for setting in settings:
        _lay_over(data, setting)
    data = _anchored(data, Path())
    try:
        return Config.model_validate(_merged_patches(data)), []
    except ValidationError as error:
        faults = error.errors(include_url=False)
        for wrong in {_known(data, fault["loc"]) for fault in faults}:
            _leave_out(data, wrong)
        return Config.model_validate(_merged_patches(data)), [f"{_path(fault['loc'])}: {_what(fault)}" for fault in faults]


def _known(data: Any, loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the path of the key that a fault lies in; of one within a list the list's."""
    found: list[str] = []
    for part in map(str, loc):
        if not isinstance(data, dict) or part not in data:  # as the name of one of the kinds that a value may be of
            break
        found.append(part)
        data = data[part]
    return tuple(found)


def _leave_out(data: dict[str, Any], path: tuple[str, ...]) -> None:
    for part in path[:-1]:
        data = data.get(part, {})
    data.pop(path[-1], None)


def _merged_patches(data: dict[str, Any]) -> dict[str, Any]:
    """Let `patches` name only the tracks it changes."""
    if isinstance(data.get("patches"), dict):
        data = data | {"patches": _default_patches() | data["patches"]}
    return data


def _lay_over(data: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    key = key.strip()
    dotted = next((prefix for prefix in _DOTTED if key.startswith(f"{prefix}.")), None)  # what follows is one key with dots
    parts = [*dotted.split("."), key.removeprefix(f"{dotted}.")] if dotted else key.split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {setting}: write KEY=VALUE, for example --set audio.block=128")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for part in parts[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {setting}: {part} is not a section")
    data[parts[-1]] = value


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _what(error: Any) -> str:
    """What is wrong with one key, and what to do about it."""
    if error["type"] != "extra_forbidden":
        return f"{error['msg'].removeprefix('Input ')} (it is {error['input']!r})"
    like = difflib.get_close_matches(_path(error["loc"]), _keys(Config), 1, 0.7)
    return f"there is no such key; {f'did you mean {like[0]}?' if like else 'remove it:'} config.toml has all there are"


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key and section of the configuration, by its path."""
    found = []
    for name, field in model.model_fields.items():
        found.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += _keys(field.annotation, f"{prefix}{name}.")
    return found
