"""The examples as their users run them: what each program prints is what the engine sent, to the last digit it prints."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from engine.net import osc
from tests.system.rig import ROOT, Jam, OscDump, free_port, need, null_settings, wait_for

pytestmark = pytest.mark.system

EXAMPLES = ROOT / "examples"
STEPS = 24
READY = "/ready"
PD = "apt install puredata-core"
SCLANG = "apt install --no-install-recommends supercollider-language"

Message = tuple[str, list[float]]


def flat(packet: OscBundle | OscMessage) -> list[Message]:
    """Return the messages of a packet, as python-osc reads it."""
    if isinstance(packet, OscMessage):
        return [(packet.address, packet.params)]
    return [message for element in packet for message in flat(element)]


class Socket:
    """A receiver of our own: what it was sent, in order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])

    def drain(self) -> list[Message]:
        """Read what waits; return all there has been."""
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return self.messages
            self.messages += flat(OscBundle(data) if OscBundle.dgram_is_bundle(data) else OscMessage(data))

    def ask(self, port: int, *question: Any) -> None:
        """Send a message."""
        self._socket.sendto(osc.message(*question), ("127.0.0.1", port))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Program:
    """A program that prints what it receives. `messages(known)` reads its lines."""

    def __init__(self, folder: Path, command: list[str | Path], env: dict[str, str] | None = None) -> None:
        self._out = folder / f"{Path(command[0]).name}.out"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, env=os.environ | (env or {})
            )

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._out.read_text(errors="replace")

    def messages(self, known: set[str]) -> list[Message]:
        """Return what it printed of what it received. Pure Data prints an address as words: those it can be are `known`."""
        found = []
        for line in self.output.splitlines():
            if line.startswith("received /"):
                address, *values = line.split()[1:]
            elif line.startswith("received: "):
                address, values = _put_together(line.split()[1:], known)
            else:
                continue
            found.append((address, numbers(values)))
        return found

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _put_together(words: list[str], known: set[str]) -> tuple[str, list[str]]:
    for count in range(len(words), 0, -1):
        address = "/" + "/".join(words[:count])
        if address in known:
            return address, words[count:]
    raise AssertionError(f"nothing like it was sent: {words[:6]}")


def copied(source: Path, folder: Path, changes: dict[str, str]) -> Path:
    """Copy an example into a folder, with other ports."""
    text = source.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, f"{source.name} has not one {old!r}"
        text = text.replace(old, new)
    copy = folder / source.name
    copy.write_text(text)
    return copy


def pure_data(folder: Path, port: int, control: int, watch: int) -> Program:
    """Pure Data with the example, and beside it a patch that looks into the example from outside.

    What comes to `watch` goes to the name it begins with.
    """
    program = need("pd", PD)
    patch = copied(EXAMPLES / "puredata/algoritmo.pd", folder, {" 9000;": f" {port};", " 9001;": f" {control};"})
    beside = folder / "watch.pd"
    beside.write_text(
        "#N canvas 0 0 400 300 12;\n"
        f"#X obj 10 10 netreceive -u {watch};\n"
        "#X obj 10 40 route array temperature;\n"
        "#X obj 10 70 s act-0-h-000;\n"
        "#X obj 150 70 s algoritmo-temperature;\n"
        "#X obj 10 120 r layer-0-mean;\n"
        "#X obj 10 150 print mean;\n"
        "#X connect 0 0 1 0;\n#X connect 1 0 2 0;\n#X connect 1 1 3 0;\n#X connect 4 0 5 0;\n"
    )
    options = ["-nogui", "-noaudio", "-nomidi", "-stderr", "-open", patch, "-open", beside, "-send", "algoritmo-print 1"]
    return Program(folder, [program, *options])


def super_collider(folder: Path, port: int) -> Program:
    """SuperCollider's language with the example. Its server is kept out of reach: it would take the sound card."""
    program = need("sclang", SCLANG)
    source = EXAMPLES / "supercollider/algoritmo.scd"
    file = copied(source, folder, {"~port = 9000": f"~port = {port}", "~post = false": "~post = true"})
    quiet = {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1", "XDG_RUNTIME_DIR": str(folder), "PATH": "/"}
    return Program(folder, [program, "-D", file], quiet | {"HOME": str(folder)})


def tell_pure_data(port: int, text: str) -> None:
    """Send words to a netreceive."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(text.encode() + b";\n", ("127.0.0.1", port))


@dataclass
class Played:
    """A jam that is over: what was sent, and who received it."""

    sent: list[Message]
    session: Path
    receivers: dict[str, Any]
    watch: int
    known: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.known = {READY, *(address for address, _ in self.sent)}

    def steps(self) -> dict[int, dict[str, list[float]]]:
        """What was sent of each step, by its number."""
        out: dict[int, dict[str, list[float]]] = {}
        step: dict[str, list[float]] = {}
        for address, values in self.sent:
            if address == "/algoritmo/frame":
                step = out.setdefault(int(values[0]), {})
            elif not address.endswith("/note"):
                step[address] = values
        return out

    def compare(self, printed: Callable[[], list[Message]]) -> None:
        """Assert that what was printed is what was sent."""

        def complete() -> list[Message] | None:
            found = [message for message in printed() if message[0] != READY]
            return found if len(found) >= len(self.sent) else None

        found = wait_for(complete, 30, "everything that was sent")
        assert [address for address, _ in found] == [address for address, _ in self.sent]
        for (address, values), (_, sent) in zip(found, self.sent, strict=True):
            wanted = numbers(sent)
            assert len(values) == len(wanted), address
            assert np.allclose(values, wanted, rtol=1e-5, atol=1e-6), address  # Pure Data prints six digits


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A jam to all receivers that are here, and to a socket of our own."""
    folder = tmp_path_factory.mktemp("receivers")
    ours, watch = Socket(), free_port()
    ports = {name: free_port() for name in ("oscdump", "pd", "sclang") if shutil.which(name)}
    receivers: dict[str, Any] = {}
    jam: Jam | None = None
    try:
        for name, port in ports.items():
            place = folder / name
            place.mkdir()
            receivers[name] = (
                OscDump(place, port)
                if name == "oscdump"
                else pure_data(place, port, free_port(), watch)
                if name == "pd"
                else super_collider(place, port)
            )
        for name, port in ports.items():
            wait_for(functools.partial(is_ready, receivers[name], ours, port), 60, f"{name} listening")
        wish = 'signals=["h","probability"],max_rate_hz=1000.0'
        targets = ",".join(f"{{port={port},{wish}}}" for port in (ours.port, *ports.values()))
        jam = Jam(folder, *null_settings(), f"osc.targets=[{targets}]", options=["--demo"])

        def enough() -> bool:
            """Whether so many steps came: on a busy machine one that is too old is not sent, so those played are no measure."""
            return len({values[0] for address, values in ours.drain() if address == "/algoritmo/frame"}) >= STEPS

        jam.wait(lambda _: enough(), 60, f"{STEPS} steps")
        session = jam.session
        assert jam.end() == 0, jam.output
        yield Played(ours.drain(), session, receivers, watch)
    finally:
        for one in (*receivers.values(), ours, *([jam] if jam else [])):
            one.close()


def is_ready(receiver: Any, sender: Socket, port: int) -> bool:
    """Say hello; return whether an earlier hello was printed."""
    sender.ask(port, READY, 1)
    return any(message[0] == READY for message in messages_of(receiver, {READY}))


def numbers(values: Sequence[Any]) -> list[float]:
    """Those of the values that are numbers: the name of a chord is a word."""
    return [float(value) for value in values if re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", str(value))]


def messages_of(receiver: Any, known: set[str]) -> list[Message]:
    """Return what a receiver printed."""
    if isinstance(receiver, OscDump):
        return [(address, numbers(values)) for address, _, values in receiver.messages()]
    return list(receiver.messages(known))


def test_what_is_sent_is_worth_comparing(played: Played):
    steps = played.steps()
    assert len(steps) >= STEPS
    assert all(len(step["/algoritmo/act/5/h/000"]) == 150 for step in steps.values())
    assert {address for address, _ in played.sent} >= {"/algoritmo/player/note", "/algoritmo/track/drums/note"}


def test_oscdump_prints_what_was_sent(played: Played):
    need("oscdump", "apt install liblo-tools")
    played.compare(lambda: messages_of(played.receivers["oscdump"], played.known))


def test_pure_data_prints_what_was_sent(played: Played):
    need("pd", PD)
    program = played.receivers["pd"]
    played.compare(lambda: program.messages(played.known))
    assert "error" not in program.output.lower()


def test_pure_data_fills_its_arrays_and_sliders(played: Played, tmp_path: Path):
    need("pd", PD)
    program, last = played.receivers["pd"], list(played.steps().values())[-1]
    means = [step["/algoritmo/layer/0/mean"][0] for step in played.steps().values()]

    def shown() -> list[float] | None:
        found = [float(line.split()[1]) for line in program.output.splitlines() if line.startswith("mean: ")]
        return found if len(found) >= len(means) else None

    assert wait_for(shown, 30, "the mean of every step") == pytest.approx(means, rel=1e-5)
    file = tmp_path / "array.txt"
    tell_pure_data(played.watch, f"array write {file}")
    written = wait_for(lambda: file.exists() and len(found := file.read_text().split()) == 150 and found, 10, "the array")
    assert [float(value) for value in written] == pytest.approx(last["/algoritmo/act/0/h/000"], rel=1e-5, abs=1e-6)


def test_super_collider_prints_what_was_sent(played: Played):
    need("sclang", SCLANG)
    program = played.receivers["sclang"]
    played.compare(lambda: program.messages(played.known))
    assert "you played" in program.output
    assert "undecided" in program.output
    assert "ERROR" not in program.output


@dataclass
class Replay:
    """`algoritmo replay --loop`, as the artist's quick start has it."""

    process: subprocess.Popen[bytes]
    control: int
    query: int


@pytest.fixture
def start_replay(played: Played, tmp_path: Path) -> Iterator[Callable[..., Replay]]:
    """Start a replay of what was played: `start_replay("--osc", "127.0.0.1:9000")`."""
    running: list[Replay] = []

    def begin(*words: str, targets: str = "[]", origin: str = "http://127.0.0.1:1") -> Replay:
        control, query = free_port(), free_tcp_port()
        settings = (
            f"osc.targets={targets}",
            f"osc.control.port={control}",
            f"osc.query.port={query}",
            "osc.query.announce=false",
            f'osc.query.origins=["{origin}"]',
            "web.enabled=false",
        )
        command = [sys.executable, "-m", "engine.cli", "replay", str(played.session), "--loop", *words]
        for setting in settings:
            command += ["--set", setting]
        with (tmp_path / "replay.out").open("wb") as out:
            env = os.environ | {"PYTHONPATH": str(ROOT)}
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=tmp_path, env=env, start_new_session=True)
        running.append(Replay(process, control, query))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
            one.process.wait(5)


def free_tcp_port() -> int:
    """Return a TCP port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_pure_data_turns_the_temperature(start_replay: Callable[..., Replay], tmp_path: Path):
    need("pd", PD)
    replay, ours, watch = start_replay(), Socket(), free_port()
    program = pure_data(tmp_path, free_port(), replay.control, watch)

    def turned() -> bool:
        tell_pure_data(watch, "temperature 1.5")
        ours.ask(replay.control, "/algoritmo/param/temperature")
        return ("/algoritmo/param/temperature", [1.5]) in ours.drain()

    try:
        wait_for(turned, 30, "the temperature the slider was set to")
    finally:
        program.close()
        ours.close()


def test_resolume_hears_its_own_addresses(start_replay: Callable[..., Replay], tmp_path: Path):
    resolume, beside, listen = Socket(), Socket(), free_port()
    file = EXAMPLES / "resolume/resolume.py"
    words = ["--listen", str(listen), "--resolume", f"127.0.0.1:{resolume.port}"]
    program = Program(tmp_path, [Path(sys.executable), file, *map(Path, words)])
    opacity, mean = "/composition/layers/1/video/opacity", "/algoritmo/layer/0/mean"

    def of(messages: list[Message], wanted: str) -> list[float]:
        return [values[0] for address, values in messages if address == wanted]

    try:
        wait_for(lambda: "Ctrl-C ends it" in program.output, 30, "the translator")
        # The default rate may leave a late step out.
        wish = "max_rate_hz=1000.0"
        start_replay(targets=f'[{{port={listen},{wish}}},{{port={beside.port},tiers=["scalars"],{wish}}}]')
        wait_for(
            lambda: min(len(of(resolume.drain(), opacity)), len(of(beside.drain(), mean))) >= STEPS // 2,
            30,
            "what Resolume is told",
        )
    finally:
        program.close()
        resolume.close()
        beside.close()
    told, means = of(resolume.messages, opacity), of(beside.messages, mean)
    count = min(len(told), len(means))
    assert told[:count] == means[:count]
    assert all(address.startswith("/composition/") and 0 <= values[0] <= 1 for address, values in resolume.messages)


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address at which the browser's examples are served, as `python3 -m http.server` serves them."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_words: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(EXAMPLES / "browser"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def web_root() -> Iterator[str]:
    """The same for the length of a test."""
    with served() as address:
        yield address


@pytest.fixture
def page() -> Iterator[Any]:
    """A page in Chromium without a window."""
    from playwright.sync_api import sync_playwright

    program = need("chromium", "apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(30_000)
        yield page
        browser.close()


LOOK = """() => {
  const step = latest[FRAME]?.[0];
  if (!LAYERS.every((path) => latest[path]) || step === undefined) return null;
  const pixels = LAYERS.map((_, n) => [...context.getImageData(step % STEPS, n * UNITS, 1, UNITS).data]);
  return { step, layers: LAYERS.map((path) => latest[path]), pixels, words: words.textContent };
}"""


def test_page_of_ones_own_draws_what_was_sent(played: Played, start_replay: Callable[..., Replay], page: Any, web_root: str):
    replay, steps = start_replay(origin=web_root), played.steps()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{web_root}/?feed=127.0.0.1:{replay.query}")

    def whole() -> Any:
        seen = page.evaluate(LOOK)  # between two messages of a step its layers are not yet all there
        sent = steps.get(seen["step"]) if seen else None
        return seen if sent and seen["layers"] == [sent[f"/algoritmo/act/{n}/h/000"] for n in range(6)] else None

    seen = wait_for(whole, 40, "a step in the page")
    assert f"Step {seen['step']}." in seen["words"]
    for values, pixels in zip(seen["layers"], seen["pixels"], strict=True):
        red, green, blue, _ = np.array(pixels).reshape(150, 4).T
        size = 255 * np.minimum(np.abs(values), 1)
        assert np.abs(red - np.where(np.array(values) > 0, size, 0)).max() <= 1
        assert np.abs(blue - np.where(np.array(values) < 0, size, 0)).max() <= 1
        assert np.abs(green - 0.6 * size).max() <= 1
    assert not faults


def test_page_of_somebody_else_is_told_how_to_be_let_in(start_replay: Callable[..., Replay], page: Any, web_root: str):
    replay = start_replay()
    page.goto(f"{web_root}/?feed=127.0.0.1:{replay.query}")
    page.wait_for_function("words.textContent.startsWith('Nobody answers')")
    assert f'osc.query.origins=["{web_root}"]' in page.locator("#words").inner_text()
