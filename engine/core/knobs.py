"""Which knobs the patches have, read from the text of their files: nothing of a patch is run, and pyo is not needed.

Runs on: main process.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "patches"


@dataclass(frozen=True)
class Knobs:
    """Names of the knobs of some patches. `complete`: those are all; else a file cannot be read, or computes a name."""

    names: frozenset[str]
    complete: bool

    def may_have(self, name: str) -> bool:
        """Whether one of the patches has, or may have, a knob of this name."""
        return name in self.names or not self.complete


def knobs_of(patches: Iterable[str] = (), folder: Path = FOLDER) -> Knobs:
    """Return the knobs of all patches in a folder and of those of `patches` that are paths of files elsewhere.

    All of the folder, for any of them can be loaded while it plays.
    """
    names: set[str] = set()
    complete = True
    for path in [*sorted(folder.glob("*.py")), *(Path(patch) for patch in patches if patch.endswith(".py"))]:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):  # loading it will say what is wrong
            complete = False
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Param":
                name = _name(node)
                complete &= name is not None
                names |= {name} if name else set()
    return Knobs(frozenset(names), complete)


def _name(call: ast.Call) -> str | None:
    """Return the name that a Param is declared with; None when it is computed."""
    first = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "name"), None)
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def is_plugin(name: str) -> bool:
    """Whether the name of an instrument or an effect means a plugin: `plugin:NAME`, `clap:NAME` ..., or its file."""
    return name.partition(":")[0] in ("plugin", "clap", "lv2", "vst3", "au", "board") or bool(
        re.search(r"\.(clap|lv2|vst3|component)(#.*)?$", name, re.IGNORECASE)
    )
