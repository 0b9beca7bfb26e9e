"""The patches that are there, and what is read from their files.

Runs on: audio process (control thread), and whoever lists them: nothing here needs a pyo Server.
"""

from __future__ import annotations

import importlib.util
import traceback
from pathlib import Path

import pyo

from engine.audio.patch import Patch
from engine.core.errors import PatchError
from engine.core.knobs import FOLDER
from engine.core.parameters import Parameter

_NOT_PATCHES = (str(Path(__file__).resolve().parents[1]), str(Path(pyo.__file__).parent), "<frozen")  # engine, pyo, import


def available(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the patches there are, by name: the files of `folder` that do not begin with an underscore."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def find(name: str, folder: Path = FOLDER) -> Path:
    """Return the file of a patch: one of `available`, or a path. Raises PatchError that says what there is."""
    paths = available(folder)
    path = Path(name) if name.endswith(".py") else paths.get(name)
    if path is None or not path.is_file():
        raise PatchError(
            f"there is no patch {name!r}; give the path of a .py file, or one of {', '.join(paths) or 'none'} (in {folder})"
        )
    return path


def knobs(track: str, patch: type[Patch]) -> list[Parameter]:
    """Return the knobs of a patch as live parameters of the track that it plays: `lead.cutoff`."""
    return [
        Parameter(
            f"{track}.{p.name}",
            p.minimum,
            p.maximum,
            p.default,
            p.doc,
            p.unit,
            scale="exponential" if p.curve == "exp" else "linear",
        )
        for p in patch.params
    ]


def load(name: str, folder: Path = FOLDER) -> type[Patch]:
    """Read a patch's file, anew each time, and return its class; `name` is one of `available`, or the path of a .py file.

    Raises PatchError naming file, line and fault.
    """
    path = find(name, folder)
    spec = importlib.util.spec_from_file_location(f"patches.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a patch's file may do anything
        raise PatchError(fault(name, error)) from error
    found = [
        c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Patch) and c.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise PatchError(f"{path}: must define one class derived from Patch, and defines {len(found)}")
    return found[0]


def fault(name: str, error: BaseException) -> str:
    """Say where in the patch's own file the error came from."""
    if isinstance(error, SyntaxError):
        return f"patch {name}: {error.filename}:{error.lineno}: {error.msg}"
    places = traceback.extract_tb(error.__traceback__)
    place = next((p for p in reversed(places) if not p.filename.startswith(_NOT_PATCHES)), places[-1])
    return f"patch {name}: {place.filename}:{place.lineno}: {type(error).__name__}: {error}"
