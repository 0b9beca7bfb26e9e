"""The starters of the smooth tier as their users run them, with a replay of the session that comes along: each moves."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.system.rig import ROOT, free_port, need, wait_for
from tests.system.test_receivers import PD, SCLANG, Program, copied, free_tcp_port, served
from tests.web.chromium import FLAGS

pytestmark = pytest.mark.system

EXAMPLES = ROOT / "examples"
LIMIT_S = 60
SMALL = {"width": 240, "height": 180}


def loaded(path: str) -> ModuleType:
    """A file of the examples as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).parent.name + "_starter", EXAMPLES / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Running:
    """A replay, and all that listens to it."""

    query: int
    pages: str  # where the browser's starters are served
    blender: Any  # what the add-on receives with
    programs: dict[str, Program] = field(default_factory=dict)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The replay of the quick start, with a port for each program that is here."""
    folder = tmp_path_factory.mktemp("starters")
    ports = {name: free_port() for name in ("pd", "sclang", "blender")}
    programs = {"pd": pure_data(folder, ports["pd"]), "sclang": super_collider(folder, ports["sclang"])}
    query = free_tcp_port()
    with served() as pages:
        tiers = 'tiers=["smooth","smooth_vectors","levels","music"],signals=["h","trail"]'
        settings = (
            "osc.targets=[" + ",".join(f"{{port={port},{tiers}}}" for port in ports.values()) + "]",
            f'osc.query.origins=["{pages}"]',
            f"osc.query.port={query}",
            f"osc.control.port={free_port()}",
            "osc.query.announce=false",
            "web.enabled=false",
        )
        command = [sys.executable, "-m", "engine.cli", "replay", "examples/session", "--loop"]
        command += ["--config", "examples/smooth.toml", *(word for setting in settings for word in ("--set", setting))]
        with (folder / "replay.out").open("wb") as out:
            env = os.environ | {"PYTHONPATH": str(ROOT)}
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT, env=env, start_new_session=True)
        feed = loaded("blender/algoritmo.py").Feed(ports["blender"])
        try:
            yield Running(query, pages, feed, programs)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            feed.close()
            for program in programs.values():
                program.close()


def pure_data(folder: Path, port: int) -> Program:
    """Pure Data with the starter, and beside it a patch that prints what moves in it."""
    patch = copied(EXAMPLES / "puredata/smooth.pd", folder, {" 9010;": f" {port};"})
    beside = folder / "watch.pd"
    beside.write_text(
        "#N canvas 0 0 400 300 12;\n#X obj 10 10 r drums-envelope;\n#X obj 10 40 print loud;\n#X connect 0 0 1 0;\n"
    )
    options = ["-nogui", "-noaudio", "-nomidi", "-stderr", "-open", patch, "-open", beside]
    return Program(folder, [need("pd", PD), *options])


def super_collider(folder: Path, port: int) -> Program:
    """SuperCollider's language with the starter. Its server is kept out of reach: it would take the sound card."""
    file = copied(
        EXAMPLES / "supercollider/smooth.scd", folder, {"~port = 9010": f"~port = {port}", "~post = false": "~post = true"}
    )
    quiet = {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1", "XDG_RUNTIME_DIR": str(folder), "PATH": "/"}
    return Program(folder, [need("sclang", SCLANG), "-D", file], quiet | {"HOME": str(folder)})


def shown(page: Page) -> np.ndarray:
    """What a page shows, (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def test_the_pages_move_with_the_music(running: Running):
    program = need("chromium", "apt install chromium")
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        pages = {name: browser.new_page(viewport=SMALL) for name in ("p5", "glsl")}
        for name, page in pages.items():
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.goto(f"{running.pages}/{name}.html?feed=127.0.0.1:{running.query}")
        for name, page in pages.items():
            page.wait_for_function("() => now['/smooth/track/drums/envelope']?.[0] > 0.2", timeout=1000 * LIMIT_S)
            first = shown(page)
            was = page.evaluate("now['/smooth/bar/phase'][0]")
            page.wait_for_function(f"() => Math.abs(now['/smooth/bar/phase'][0] - {was}) > 0.1", timeout=1000 * LIMIT_S)
            assert page.inner_text("#words") == ""
            assert first.max() > 120, f"{name} is dark"
            assert len(np.unique(first.reshape(-1, 3)[::7], axis=0)) > 50, f"{name} is nearly empty"
            assert np.abs(shown(page) - first).max() > 60, f"{name} stands still"
        browser.close()
    assert not faults


def test_pure_data_moves(running: Running):
    program = running.programs["pd"]

    def loud() -> list[float] | None:
        found = [float(line.split()[1]) for line in program.output.splitlines() if line.startswith("loud: ")]
        return found if len(set(found)) >= 30 else None

    found = wait_for(loud, LIMIT_S, "the drums' envelope")
    assert max(found) > 0.5
    assert all(0 <= value <= 1 for value in found)
    assert "error" not in program.output.lower()


def test_super_collider_moves(running: Running):
    program = running.programs["sclang"]
    wait_for(lambda: len(re.findall(r"moment \d+, bar [\d.]+, loud \[.*[1-9].*\]", program.output)) >= 2, LIMIT_S, "its lines")
    assert "ERROR" not in program.output


def test_blender_and_touchdesigner_are_told_where_everything_is(running: Running):
    """The add-on's own receiver; what it receives moves its spheres, and is drawn by TouchDesigner's picture."""
    blender, touch = loaded("blender/algoritmo.py"), loaded("touchdesigner/algoritmo.py")
    feed = running.blender
    wait_for(lambda: feed.take() or feed.get("smooth/track/drums/envelope") > 0.2, LIMIT_S, "the drums")
    assert isinstance(feed.latest["smooth/act/0/h/000"][149], float)
    assert isinstance(feed.latest["music/metre"], list)
    where, pictures = [], [np.zeros((touch.SIZE, touch.SIZE, 4), np.float32)]
    for _ in range(12):
        time.sleep(0.03)
        feed.take()
        where.append(blender.places(feed))
        voices = {v: (feed.get(f"smooth/{v}/envelope"), feed.get(f"smooth/{v}/pitch")) for v in touch.VOICES}
        pictures.append(touch.picture(pictures[-1], feed.get("smooth/bar/phase"), voices))
    assert set(where[0]) == set(touch.VOICES) == set(blender.VOICES)
    for x, z, size in where[-1].values():
        assert 1 <= np.hypot(x, z) <= 5
        assert 0.1 <= size <= 0.8
    turned = [np.arctan2(a["player"][1], a["player"][0]) for a in where]
    assert sum(a != b for a, b in pairwise(turned)) >= 6
    assert pictures[-1].dtype == np.float32
    assert 0.5 < pictures[-1][..., :3].max() <= 1
    assert np.abs(pictures[-1] - pictures[-4]).max() > 0.05
    compile(touch.CALLBACKS, "callbacks", "exec")
    feed._read(b"#bundle\0" + bytes(8) + bytes([0, 0, 0, 12]) + b"/a\0\0,f\0\0" + bytes(4))
    with pytest.raises(ValueError, match="no size"):
        feed._read(b"#bundle\0" + bytes(12))


def test_max_connects_what_is_there():
    patcher = json.loads((EXAMPLES / "max/algoritmo.maxpat").read_text())["patcher"]
    boxes = {one["box"]["id"]: one["box"] for one in patcher["boxes"]}
    assert len(boxes) == len(patcher["boxes"])
    for line in patcher["lines"]:
        (source, outlet), (destination, inlet) = line["patchline"]["source"], line["patchline"]["destination"]
        assert outlet < boxes[source]["numoutlets"]
        assert inlet < boxes[destination]["numinlets"]
    (route,) = [box for box in boxes.values() if box.get("text", "").startswith("route ")]
    assert route["numoutlets"] == len(route["text"].split())
    used = {line["patchline"]["source"][1] for line in patcher["lines"] if line["patchline"]["source"][0] == route["id"]}
    assert used == set(range(len(route["text"].split()) - 1))
