"""engine/README.md: every place that it names exists, every walk is short, every room has its line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[1] / "engine"
README = (ENGINE / "README.md").read_text()
PLACES = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", README)))
PATHS = sorted(set(re.findall(r"`((?:\.\./)?[\w/]+/|[\w/]+\.py)`", README)))


def names_of(path: Path) -> set[str]:
    """Functions, classes and methods that a file defines, by their dotted names."""
    found: set[str] = set()

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + child.name)
                walk(child, f"{prefix}{child.name}.")

    walk(ast.parse(path.read_text()), "")
    return found


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_a_place_exists(file: str, name: str) -> None:
    assert name in names_of(ENGINE / file)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_exists(path: str) -> None:
    assert (ENGINE / path).exists()


def test_five_walks_of_ten_steps() -> None:
    walks = re.split(r"^### ", README, flags=re.M)[1:]
    assert len(walks) == 5
    for walk in walks:
        steps = re.findall(r"^\d+\. ", walk.split("\n## ")[0], re.M)
        assert len(steps) == 10, walk[:40]


def test_every_room_is_told_of() -> None:
    rooms = {path.name for path in ENGINE.iterdir() if path.is_dir() and not path.name.startswith("_")}
    told = set(re.findall(r"^\| `(\w+)/` \|", README, re.M))
    assert told == rooms


def test_the_glossary_is_in_order_and_has_one_line_a_word() -> None:
    words = re.findall(r"^\| ([^|]+) \|", (ENGINE / "GLOSSARY.md").read_text(), re.M)[2:]
    assert len(words) > 50
    assert words == sorted(words, key=str.casefold)
