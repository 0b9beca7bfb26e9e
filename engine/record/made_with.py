"""What a take is made with, kept beside it so that it can be played once more: configuration, networks, instruments, versions.

Runs on: supervisor (writing), whoever plays the take once more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine import __version__
from engine.core.config import Config, error_of, sift
from engine.core.errors import ConfigError, SessionError
from engine.core.knobs import FOLDER
from engine.core.parameters import Registry
from engine.jam.recognition import WEIGHTS

FILE = "take.json"
FORMAT = 1
MOST_BYTES = 1 << 20  # of a text that is kept with it


def made_with(
    config: Config,
    registry: Registry,
    networks: Sequence[Path],
    harmony: Path | None,
    demo: Path | None,
    versions: dict[str, str],
) -> dict[str, Any]:
    """Return it, as JSON has it. `networks`: the one that begins first."""
    given = config.model_dump(mode="json", by_alias=True)
    given["jam"]["chart"] = _text(config.jam.chart)
    return {
        "format": FORMAT,
        "engine": __version__,
        "versions": versions,
        "config": given,
        "parameters": [{"id": p.id, "choices": list(p.choices)} for p in registry.fixed],
        "controllers": _learned(config.midi.controllers),
        "files": {
            "network": _about(networks[0]),
            "networks": [_about(network) for network in networks],
            "harmony": None if harmony is None else _about(harmony),
            "ear": _about(WEIGHTS),
            "demo": None if demo is None else _about(demo),
            "patches": {path.stem: _about(path) for path in _patches(config)},
        },
    }


def _patches(config: Config) -> list[Path]:
    named = [Path(name) for name in config.patches.values() if name.endswith(".py")]
    return [path for path in [*sorted(FOLDER.glob("*.py")), *named] if path.is_file()]


def _text(setting: str) -> str:
    """What a setting says: the text of the file that it names, where that is one of text."""
    path = Path(setting.strip())
    try:
        if "|" not in setting and path.suffix.lower() in (".txt", ".toml") and path.stat().st_size <= MOST_BYTES:
            return path.read_text(errors="replace")
        return str(path.resolve()) if setting and path.is_file() else setting
    except (OSError, ValueError):
        return setting


def _learned(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig") if path.stat().st_size <= MOST_BYTES else ""
    except (OSError, ValueError):
        return ""


def _about(path: Path) -> dict[str, str]:
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    return {"path": str(path.resolve()), "name": path.name, "sha256": hashlib.sha256(data).hexdigest()}


def _there(about: dict[str, str], remedy: str) -> Path:
    path = Path(about["path"])
    if not path.is_file():
        raise SessionError(f"the take was made with {path}, which is not there: {remedy}")
    return path


@dataclass(frozen=True, slots=True)
class Made:
    """What stands there; `config` is as it was, with what is now to be otherwise laid over it."""

    engine: str
    versions: dict[str, str]
    config: Config
    parameters: list[tuple[str, tuple[str, ...]]]  # id and choices, by their places
    controllers: str
    files: dict[str, Any]

    def path_of(self, what: str, remedy: str) -> Path:
        """Return where a file is. Raises SessionError when it is not there."""
        return _there(self.files[what], remedy)

    def network_paths(self, remedy: str) -> list[Path]:
        """Return where the files of all networks are. Raises SessionError when one is not there."""
        return [_there(about, remedy) for about in self.networks]

    @property
    def networks(self) -> list[dict[str, str]]:
        """What is told of the files of all networks that could play, the one first that it began with."""
        return list(self.files.get("networks") or [self.files["network"]])

    def other_networks(self) -> dict[str, str]:
        """Those of all networks that are there and are not what they were: what each is, and its path."""
        told = [("network", about) for about in self.networks]
        told += [("network that chooses the chords", self.files["harmony"]), ("band's ear", self.files["ear"])]
        there = [(what, about) for what, about in told if about is not None and Path(about["path"]).is_file()]
        return {about["path"]: what for what, about in there if about["sha256"] != _about(Path(about["path"]))["sha256"]}

    def other_patches(self) -> list[str]:
        """Names of the patches that are not what they were."""
        return [name for name, was in self.files["patches"].items() if _about(Path(was["path"]))["sha256"] != was["sha256"]]


def read(folder: Path, settings: list[str]) -> Made:
    """Read what the take in a folder was made with, and lay settings (KEY=VALUE) over it. Raises SessionError, ConfigError."""
    path = folder / FILE
    try:
        found = json.loads(path.read_text())
        if found["format"] != FORMAT:
            raise SessionError(
                f"{path}: is of format {found['format']}, and this version reads {FORMAT}; take version {found['engine']}"
            )
        config = Config.model_validate(found["config"])
        parameters = [(str(p["id"]), tuple(map(str, p["choices"]))) for p in found["parameters"]]
        files = dict(found["files"])
        for name in ("network", "ear"):
            str(files[name]["path"])
        made = Made(str(found["engine"]), dict(found["versions"]), config, parameters, str(found["controllers"]), files)
    except OSError as error:
        raise SessionError(
            f"{path}: cannot be read ({error.strerror}); give the folder of a take that `algoritmo jam` has recorded. Earlier "
            "versions did not keep what it takes: what such a folder has, `algoritmo replay` and `algoritmo export` show"
        ) from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise SessionError(f"{path}: is not what this version writes ({str(error)[:200]})") from error
    return made if not settings else _with(made, settings)


# What another mix is made of; everything else would be another take.
SOUNDS = ("patches", "rack", "parameters", "session.stems", "audio.ceiling_db")


def _with(made: Made, settings: list[str]) -> Made:
    for setting in settings:
        key = setting.partition("=")[0].strip()
        if not any(key == part or key.startswith(f"{part}.") for part in SOUNDS):
            raise ConfigError(
                f"--set {setting}: a take is played as it was played; what can be another is its sound: "
                f"{', '.join(SOUNDS)}. For other notes render a MIDI file"
            )
    config, wrong = sift(None, settings, made.config.model_dump(by_alias=True, exclude_unset=True))
    if wrong:
        raise error_of(wrong, None, settings)
    return Made(made.engine, made.versions, config, made.parameters, made.controllers, made.files)
