"""The rooms of the engine: imports go down only, never in a circle, and no room is crowded."""

from __future__ import annotations

import ast
import importlib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the ground floor up; a room may import from itself and from those before it.
ROOMS = (
    "core",
    "net",
    "transport",
    "midi",
    "store",
    "network",
    "jam",
    "feed",
    "lights",
    "control",
    "record",
    "host",
    "audio",
    "web",
    "booth",
    "app",
    "cli",
)
MODEL_ROOMS = ("music", "graph", "training", "evaluation", "release")
MOST_LINES = 400
MOST_ATTRIBUTES = 25


def modules(package: str) -> dict[str, Path]:
    """Every module below a package, by its dotted name."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """The known modules that a file imports, wherever in it; those for types alone are left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            of_module = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in of_module if name in known} or {node.module}
    return found & known.keys()


ENGINE = modules("engine")
MODELS = modules("models")
EVERYTHING = ENGINE | MODELS | modules("patches")


def room(module: str) -> str:
    """The room a module of the engine lies in."""
    return module.split(".")[1] if "." in module else "core"  # engine/__init__.py has the version


def test_no_circle_between_files() -> None:
    graph = {name: imports(path, EVERYTHING) - {name} for name, path in EVERYTHING.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_import_goes_up() -> None:
    up = [
        f"{name} imports {other}"
        for name, path in ENGINE.items()
        for other in imports(path, ENGINE)
        if ROOMS.index(room(other)) > ROOMS.index(room(name))
    ]
    assert not up


@pytest.mark.parametrize("package", ["engine", "patches"])
def test_the_stage_imports_no_torch_and_no_models(package: str) -> None:
    for path in modules(package).values():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"torch", "models"}, path


def test_no_room_of_the_models_imports_from_one_above_it() -> None:
    def rank(name: str) -> int:
        part = name.split(".")[1] if "." in name else ""
        return MODEL_ROOMS.index(part) if part in MODEL_ROOMS else len(MODEL_ROOMS)

    up = [
        f"{name} imports {other}"
        for name, path in MODELS.items()
        for other in imports(path, MODELS)
        if rank(name) < len(MODEL_ROOMS) and rank(other) > rank(name) and other != "models"
    ]
    assert not up


def test_networks_depend_on_the_rooms_and_never_on_each_other() -> None:
    def of(name: str) -> str:
        return name.split(".")[1] if "." in name else ""

    across = [
        f"{name} imports {other}"
        for name, path in MODELS.items()
        for other in imports(path, MODELS)
        if path.parent.name != "models"  # the measurement of them all side by side lies above every room
        if of(other) != of(name) and of(other) not in (*MODEL_ROOMS, "")
    ]
    assert not across


def test_no_file_is_crowded() -> None:
    long = {str(p.relative_to(ROOT)): n for p in ENGINE.values() if (n := len(p.read_text().splitlines())) > MOST_LINES}
    assert not long


def attributes(node: ast.ClassDef) -> set[str]:
    """What a class keeps: fields declared in it and what its methods assign to self."""
    fields = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    kept = {
        n.attr
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute)
        and isinstance(n.ctx, ast.Store)
        and isinstance(n.value, ast.Name)
        and n.value.id == "self"
    }
    return fields | kept


def test_no_class_keeps_too_much() -> None:
    large = {}
    for name, path in ENGINE.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and len(attributes(node)) > MOST_ATTRIBUTES:
                large[f"{name}.{node.name}"] = len(attributes(node))
    assert not large


BY_HAND = [p for p in sorted((ROOT / "tests").rglob("*.py")) if not p.name.startswith(("test_", "conftest", "__"))]


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.stem)
def test_what_is_run_by_hand_can_be_run(path: Path) -> None:
    importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
