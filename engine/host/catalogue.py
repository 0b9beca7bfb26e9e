"""Which plugins there are: every file is scanned in a process of its own, with a time limit, and remembered.

Runs on: main process, whoever lists or looks a plugin up. A scan that crashed or took too long is remembered as such, and not
tried again until the file is another.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine import __version__
from engine.core.errors import PluginError, nearest
from engine.host import board
from engine.host.binary import fault_before
from engine.host.plugin import About

LIMIT_S = 30.0  # for one file; a plugin that asks for a licence at load waits for ever
AT_ONCE = 4
SUFFIXES = (".clap", ".lv2", ".vst3", ".component")
FORMATS = {".clap": "clap", ".lv2": "lv2", ".vst3": "vst3", ".component": "au"}
PREFERRED = ("clap", "lv2", "vst3", "au")  # of a plugin that is there in several formats: what its backend can do
_MARK = "algoritmo-scan:"  # before what a scan found: plugins print what they like


@dataclass(frozen=True, slots=True)
class Found:
    """One file and what is in it. `fault`: why it cannot be hosted; empty where it can."""

    path: str
    stamp: float  # of the file as it was scanned
    plugins: tuple[About, ...] = field(default=())
    fault: str = ""


def cache_file() -> Path:
    """Return where scans are remembered."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "algoritmo" / "plugins.json"


def folders() -> list[Path]:
    """Return where plugins lie on this system; ALGORITMO_PLUGINS, folders with the system's separator between, goes before."""
    home, mac, windows = Path.home(), sys.platform == "darwin", sys.platform == "win32"
    own = [Path(folder) for folder in os.environ.get("ALGORITMO_PLUGINS", "").split(os.pathsep) if folder]
    if mac:
        at = [home / "Library/Audio/Plug-Ins", Path("/Library/Audio/Plug-Ins")]
        return own + [base / kind for base in at for kind in ("CLAP", "VST3", "Components", "LV2")]
    if windows:
        at = [home / "AppData/Local/Programs/Common", Path("C:/Program Files/Common Files")]
        return own + [base / kind for base in at for kind in ("CLAP", "VST3")]
    at = [Path("/usr/local/lib"), Path("/usr/lib")]
    return own + [base for kind in ("clap", "lv2", "vst3") for base in (home / f".{kind}", *(place / kind for place in at))]


def files(places: Iterable[Path]) -> list[Path]:
    """Return every plugin's file or bundle in these folders, those in folders of them too; a bundle is not looked into."""
    found: dict[Path, None] = {}
    for place in places:
        if place.suffix.lower() in SUFFIXES and place.exists():
            found[place] = None
            continue
        for folder, names, loose in os.walk(place, followlinks=True):
            bundles = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
            names[:] = sorted(set(names) - set(bundles))
            for name in sorted([*bundles, *(name for name in loose if Path(name).suffix.lower() in SUFFIXES)]):
                found[Path(folder) / name] = None
            if len(found) > 20_000:
                break
    return list(found)


class Catalogue:
    """What the scans found. `load` reads what is remembered, `scan` brings it up to date, `find` looks a plugin up."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or cache_file()
        self._found: dict[str, Found] = {}
        self._read()

    @property
    def found(self) -> list[Found]:
        """Every file, in the order of their paths."""
        return [self._found[path] for path in sorted(self._found)]

    @property
    def plugins(self) -> list[About]:
        """Every plugin that can be hosted, by name; of those that are there in several formats each."""
        return sorted(
            (about for found in self.found for about in found.plugins),
            key=lambda about: (about.name.casefold(), PREFERRED.index(about.format)),
        )

    def scan(
        self, places: Sequence[Path] = (), again: bool = False, on_file: Callable[[Found], object] = lambda _found: None
    ) -> None:
        """Scan what is new or has changed; `again`: all, those that failed too. What is not there any more is forgotten."""
        there = files(places or folders())
        stale = [path for path in there if again or not self._is_known(path)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for found in pool.map(scan_apart, stale):
                self._found[found.path] = found
                on_file(found)
        if not places:
            self._found = {path: self._found[path] for path in map(str, there) if path in self._found}
        self._write()

    def find(self, text: str) -> About:
        """Return the plugin that a name, an id, a path, or one of them behind `format:` means. Raises PluginError."""
        kind, _, rest = text.partition(":")
        if kind == board.FORMAT:
            return board.about(rest)
        wanted, only = (rest, kind) if kind in (*PREFERRED, "plugin") else (text, "")
        only = "" if only == "plugin" else only
        path, _, inner = wanted.partition("#")
        if Path(path).suffix.lower() in SUFFIXES:
            return self._by_path(Path(path).expanduser(), inner)
        of_format = [about for about in self.plugins if not only or about.format == only]
        for matches in (
            [about for about in of_format if about.id == wanted],
            [about for about in of_format if about.name == wanted],
            [about for about in of_format if about.name.casefold() == wanted.casefold()],
        ):
            if matches:
                return matches[0]
        names = sorted({about.name for about in of_format})
        like = nearest(wanted, names)
        hint = f"; did you mean {like!r}?" if like else "; see which there are: algoritmo plugins"
        raise PluginError(f"there is no plugin {text!r}{hint}")

    def _by_path(self, path: Path, inner: str) -> About:
        found = self._found.get(str(path)) if self._is_known(path) else None
        if found is None:
            found = scan_apart(path)
            self._found[found.path] = found
            with contextlib.suppress(OSError):
                self._write()
        if found.fault:
            raise PluginError(f"{path}: {found.fault}")
        for about in found.plugins:
            if not inner or inner in (about.id, about.name):
                return about
        raise PluginError(f"{path}: there is no plugin {inner!r} in it, but {', '.join(about.id for about in found.plugins)}")

    def _is_known(self, path: Path) -> bool:
        found = self._found.get(str(path))
        return found is not None and found.stamp == _stamp(path)

    def _read(self) -> None:
        try:
            told = json.loads(self._file.read_text())
            if told.get("version") != __version__:
                return
            for one in told["found"]:
                plugins = tuple(About.of(about) for about in one["plugins"])
                self._found[one["path"]] = Found(one["path"], one["stamp"], plugins, one["fault"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # there is none, or it is no such file: scan anew
            self._found = {}

    def _write(self) -> None:
        told = {"version": __version__, "found": [asdict(found) for found in self.found]}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps(told))
            part.replace(self._file)
        except OSError as error:
            raise PluginError(
                f"{self._file}: cannot be written ({error.strerror}); set XDG_CACHE_HOME to where it can"
            ) from error


def _stamp(path: Path) -> float:
    """Return when a file, or the newest file of a bundle, was changed last; 0 where it is not there."""
    newest = 0.0
    try:
        newest = path.stat().st_mtime
        if path.is_dir():
            for folder, _, names in os.walk(path):
                newest = max([newest, *(os.stat(Path(folder) / name).st_mtime for name in names)])
    except OSError:
        pass
    return newest


def scan_apart(path: Path, limit_s: float = LIMIT_S) -> Found:
    """Scan one file in a process of its own, and say what became of it."""
    stamp = _stamp(path)
    if not stamp:
        return Found(str(path), 0.0, (), "is not there")
    if fault := fault_before(path):
        return Found(str(path), stamp, (), fault)
    command = [sys.executable, "-m", "engine.host.scan", str(path)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[2]), *sys.path])}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            env=env,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Found(str(path), stamp, (), f"took longer than {limit_s:.0f} s to load")
    line = next((line for line in done.stdout.decode(errors="replace").splitlines() if line.startswith(_MARK)), "")
    if not line:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [""]
        return Found(str(path), stamp, (), f"crashed as it was loaded ({how}) {last[0][:200]}".strip())
    told = json.loads(line.removeprefix(_MARK))
    plugins = tuple(About.of(about) for about in told["plugins"])
    return Found(str(path), stamp, plugins, told["fault"])


def say(plugins: Sequence[About], fault: str = "") -> str:
    """Return the line that a scan prints."""
    return _MARK + json.dumps({"plugins": [asdict(about) for about in plugins], "fault": fault})
