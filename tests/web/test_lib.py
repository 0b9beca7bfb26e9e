"""The pages' logic without a browser: Node's own test runner over tests/web/lib, and what both languages must agree on."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from engine.web.files import STATIC
from tests.system.rig import need
from tests.web.golden import GOLDEN

HERE = Path(__file__).parent
TESTS = sorted((HERE / "lib").glob("*.test.mjs"))


def node() -> str:
    """The path of Node."""
    return need("node", "apt-get install nodejs")


def test_the_logic_of_the_pages() -> None:
    result = subprocess.run(
        [node(), "--test", *map(str, TESTS)], capture_output=True, text=True, timeout=120, cwd=HERE, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    passed = re.search(r"^# pass (\d+)", result.stdout, re.M) or re.search(r"pass (\d+)", result.stdout)
    assert passed
    assert int(passed[1]) >= len(TESTS)


def test_shared_logic_is_tested_or_draws() -> None:
    """Every module of lib without a document or a canvas in it has tests of its own."""
    tested = {path.name.removesuffix(".test.mjs") for path in TESTS}
    for path in (STATIC / "lib").glob("*.js"):
        if not re.search(r"\bdocument\b|getContext|\./dom\.js|\./sheet\.js", path.read_text()):
            assert path.stem in tested, f"{path.name} has no tests/web/lib/{path.stem}.test.mjs"


def test_shared_modules_depend_on_no_page() -> None:
    for path in (STATIC / "lib").glob("*.js"):
        assert all(name.startswith("./") for name in re.findall(r'from "([^"]+)"', path.read_text())), path.name


@pytest.mark.parametrize("name", GOLDEN)
def test_what_javascript_is_tested_with_is_what_python_says_now(name: str) -> None:
    assert_alike(json.loads((HERE / "lib" / name).read_text()), json.loads(json.dumps(GOLDEN[name]())))


def assert_alike(kept: Any, now: Any, where: str = "") -> None:
    """The same but for the last digits: another processor computes an exponential a little differently."""
    remedy = f"{where}: python -m tests.web.golden, if it is meant"
    if isinstance(kept, dict):
        assert kept.keys() == now.keys(), remedy
        for key in kept:
            assert_alike(kept[key], now[key], f"{where}/{key}")
    elif isinstance(kept, list):
        assert len(kept) == len(now), remedy
        for number, (one, other) in enumerate(zip(kept, now, strict=True)):
            assert_alike(one, other, f"{where}/{number}")
    elif isinstance(kept, float):
        assert kept == pytest.approx(now, rel=1e-6, abs=1e-4 if where.endswith("nats") else 1e-9), remedy
    else:
        assert kept == now, remedy
