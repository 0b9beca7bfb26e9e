"""Real parts for the system tests: a JACK server, a JACK client that plays and listens, a jam, an OSC receiver.

Nothing here waits for a length of time: it waits for a thing to happen, up to a limit that means failure.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
RATE, BLOCK = 48000, 64


def need(program: str, remedy: str) -> str:
    """Return the path of a program; without it the test is skipped, and where CI is set it fails."""
    path = shutil.which(program)
    if path is None:
        _missing(f"{program} is not here: {remedy}")
    return str(path)


def need_portaudio() -> None:
    """The same for the library that sounddevice stands on."""
    try:
        importlib.import_module("sounddevice")
    except OSError:
        _missing("the PortAudio library is not here: apt install libportaudio2")


def _missing(text: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


def wait_for(what: Callable[[], Any], limit_s: float, name: str) -> Any:
    """Return the first true value of `what()`; fail after `limit_s`."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{name}: not within {limit_s:g} s")


def free_port() -> int:
    """Return a UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(osc_port: int | None = None) -> tuple[str, ...]:
    """What every jam of a test is told: nothing that another program on this machine could be in the way of."""
    target = f"[{{port={osc_port}}}]" if osc_port else "[]"
    return (
        f"osc.targets={target}",
        f"osc.control.port={free_port()}",
        "osc.query.enabled=false",
        "web.enabled=false",
        "clock.count_in=0",
    )


def jack_settings(osc_port: int | None = None) -> tuple[str, ...]:
    """The same for a jam that plays through the JACK server."""
    return ("audio.device=system", f"audio.block={BLOCK}", "midi.backend=jack", *settings(osc_port))


def null_settings(osc_port: int | None = None) -> tuple[str, ...]:
    """The same for a jam without any device."""
    return ("audio.device=null", "midi.backend=none", *settings(osc_port))


SERVERS = tuple(f"algoritmo-test-{number}" for number in range(4))


def _free_name() -> tuple[str, int]:
    """Return the name of a server that nobody runs, and the open file whose lock says that somebody does now.

    JACK has eight places for servers, and a killed one leaves its place only to the next of the same name: names are few, and
    are used again.
    """
    import fcntl

    for name in SERVERS:
        lock = os.open(Path(tempfile.gettempdir(), f"{name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
        else:
            return name, lock
    raise AssertionError(f"the servers {', '.join(SERVERS)} all run: end one")


class JackServer:
    """`jackd` with the dummy driver under a name of its own, so that no other server is touched; it begins at once."""

    def __init__(self, log: Path, urgent: bool = False, period: int = BLOCK) -> None:
        """`urgent`: real-time, as on a stage, where this user may. `period`: frames."""
        self._program = need("jackd", "apt install jackd2")
        self._schedule = ["-R", "-P", "10"] if urgent else ["-r"]
        need_portaudio()
        self.name, self._lock = _free_name()
        self.env = {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1", "JACK_NO_AUDIO_RESERVATION": "1"}
        self.log = log
        self.begin(period=period)

    def begin(self, rate_hz: int = RATE, period: int = BLOCK) -> None:
        """Begin, for the first time or again after `kill`, then perhaps at another rate and with other periods."""
        command = [self._program, "-n", self.name, *self._schedule, "-d", "dummy", "-r", str(rate_hz), "-p", str(period)]
        with self.log.open("ab") as out:
            # The name is taken for as long as the server lives, even where this process dies before it.
            self._process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | self.env, pass_fds=[self._lock])

    def wait_ready(self) -> None:
        """Return when the server answers. A client of its own process asks: in one that outlives its server, libjack hangs."""
        ask = "import jack; jack.Client('probe', no_start_server=True).close()"

        def answers() -> bool:
            self._assert_alive()
            done = subprocess.run([sys.executable, "-c", ask], env=os.environ | self.env, capture_output=True, check=False)
            return done.returncode == 0

        wait_for(answers, 30, f"jackd {self.name}: {self.log}")

    def _assert_alive(self) -> None:
        assert self._process.poll() is None, f"jackd ended:\n{self.log.read_text()[-2000:]}"

    def client(self, name: str) -> Any:
        """Return a client of this server, as soon as the server takes one."""
        import jack

        jack.set_error_function(lambda _message: None)  # it has much to say while the server begins

        def connect() -> Any:
            self._assert_alive()
            try:
                return jack.Client(name, no_start_server=True, servername=self.name)
            except jack.JackOpenError:
                return None

        return wait_for(connect, 30, f"jackd {self.name}: {self.log}")

    def stand_still(self, for_s: float) -> None:
        """Let the server do nothing for so long."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(for_s)
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server as a crash does."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
        os.close(self._lock)


class Stage:
    """A JACK client that plays MIDI at exact frames and records what comes to its two inputs.

    `heard` holds (frame, left, right) per block, `received` the MIDI that came, each message with its frame. MIDI is sent in
    the block that contains the frame, at its place there.
    """

    def __init__(self, server: JackServer) -> None:
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(1e-4)  # what another thread may keep the callback waiting
        self.client = server.client("stage")
        self.xruns = 0
        self.heard: list[tuple[int, bytes, bytes]] = []
        self.sent: list[tuple[int, bytes]] = []
        self.received: list[tuple[int, bytes]] = []
        self._to_send: deque[tuple[int, bytes]] = deque()
        self._midi = self.client.midi_outports.register("keys")
        self._ear = self.client.midi_inports.register("notes")
        self._inputs = [self.client.inports.register(f"in_{i}") for i in (1, 2)]
        self.client.set_process_callback(self._process)
        self.client.set_xrun_callback(self._xrun)
        self.client.activate()

    def _process(self, frames: int) -> None:
        now = self.client.last_frame_time
        self.heard.append((now, bytes(self._inputs[0].get_buffer()), bytes(self._inputs[1].get_buffer())))
        for offset, message in self._ear.incoming_midi_events():
            self.received.append((now + offset, bytes(message)))
        self._midi.clear_buffer()
        while self._to_send and self._to_send[0][0] < now + frames:
            frame, data = self._to_send.popleft()
            at = max(frame - now, 0)
            self._midi.write_midi_event(at, data)
            self.sent.append((now + at, data))

    def _xrun(self, _delay_us: float) -> None:
        self.xruns += 1

    @property
    def now(self) -> int:
        """Frame of the block heard last."""
        return self.heard[-1][0] if self.heard else int(self.client.frame_time)

    def send(self, events: Iterable[tuple[int, bytes]]) -> None:
        """Play MIDI messages, each with its frame; later than those asked for before."""
        self._to_send.extend(sorted(events, key=lambda e: e[0]))

    def play_file(self, path: Path, after_s: float = 0.2) -> list[tuple[int, bytes]]:
        """Play a MIDI file, from `after_s` on; return its messages with their frames."""
        import mido

        at_s, events = after_s, []
        begin = self.now
        for message in mido.MidiFile(path):
            at_s += message.time
            if not message.is_meta:
                events.append((begin + round(at_s * RATE), bytes(message.bytes())))
        self.send(events)
        return events

    def wait_until(self, frame: int) -> None:
        """Return when this frame has been heard."""
        wait_for(lambda: self.now >= frame, (frame - self.now) / RATE + 20, f"frame {frame}")

    def connect_to_jam(self, limit_s: float = 20, midi: bool = True, notes: bool = False) -> None:
        """Connect to what plays into the loudspeakers and to the MIDI input of the jam; `notes`: to its MIDI output too."""
        speakers = [self.client.get_port_by_name(f"system:playback_{i}") for i in (1, 2)]

        def playing() -> Any:
            ports = [[p for p in self.client.get_all_connections(s) if not p.name.startswith("stage:")] for s in speakers]
            return ports if all(ports) else None

        for port, sources in zip(self._inputs, wait_for(playing, limit_s, "audio ports of the jam"), strict=True):
            self.client.connect(sources[0], port)
        if not midi:
            return
        keys = wait_for(
            lambda: self.client.get_ports("^Algoritmo", is_midi=True, is_input=True), limit_s, "MIDI input of the jam"
        )
        self.client.connect(self._midi, keys[0])
        if notes:
            leaving = wait_for(
                lambda: self.client.get_ports("^Algoritmo", is_midi=True, is_output=True), limit_s, "MIDI output of the jam"
            )
            self.client.connect(leaving[0], self._ear)

    def forget(self) -> None:
        """Let go of all but the last blocks, and of what was sent and received."""
        del self.heard[:-64], self.sent[:], self.received[:]

    def sound(self, begin: int, end: int) -> np.ndarray:
        """Return what was heard of the frames begin..end, float32 (n, 2); frames the client missed are NaN."""
        out = np.full((end - begin, 2), np.nan, np.float32)
        for frame, left, right in self.heard:
            block = np.stack([np.frombuffer(left, np.float32), np.frombuffer(right, np.float32)], axis=1)
            first, last = max(frame, begin), min(frame + len(block), end)
            if first < last:
                out[first - begin : last - begin] = block[first - frame : last - frame]
        return out

    def close(self) -> None:
        """Leave the server."""
        self.client.deactivate()
        self.client.close()
        sys.setswitchinterval(self._switch_s)


def onset(stage: Stage, frame: int, latest_frames: int) -> int | None:
    """Return how many frames after `frame` the sound rises above what was there before; None when it does not."""
    before = stage.sound(frame - 10 * BLOCK, frame)
    threshold = max(4 * float(np.nan_to_num(np.abs(before)).max()), 1e-4)
    after = np.abs(stage.sound(frame, frame + latest_frames)).max(axis=1)
    loud = np.flatnonzero(after > threshold)  # what the client missed is NaN, and never greater
    return int(loud[0]) if len(loud) else None


def silences(sound: np.ndarray) -> int:
    """Return how many 10 ms of `sound` (n, 2) are silent. What the listener missed (NaN) is not counted, and must be little."""
    window = RATE // 100
    pieces = np.abs(sound[: len(sound) // window * window]).reshape(-1, window * sound.shape[1])
    heard = np.nanmax(pieces[~np.isnan(pieces).all(axis=1)], axis=1)
    assert len(heard) > 0.7 * len(pieces), "the listener missed too much to tell"
    return int((heard < 0.02 * heard.max()).sum())


def jam_command(sessions: Path, *settings: str, options: Iterable[str] = ()) -> list[str]:
    """Return the words of `algoritmo jam`, recording into a folder of `sessions`."""
    command = [sys.executable, "-m", "engine.cli", "jam", "--session", str(sessions), *options]
    return command + [word for setting in settings for word in ("--set", setting)]


class Jam:
    """`algoritmo jam` as its own program, in a process group of its own."""

    def __init__(self, folder: Path, *settings: str, options: Iterable[str] = (), env: dict[str, str] | None = None) -> None:
        self.session_dir = folder / "sessions"
        self._out = folder / "jam.out"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                jam_command(self.session_dir, *settings, options=options),
                stdout=out,
                stderr=out,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | (env or {}),
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._out.read_text(errors="replace")

    @property
    def session(self) -> Path:
        """The folder of the session, once it is there."""
        found = wait_for(lambda: [p for p in self.session_dir.glob("*") if p.is_dir()], 30, "session folder")
        return Path(found[0])

    @property
    def report(self) -> dict[str, Any]:
        """report.json as it is now; empty while there is none."""
        path = self.session / "report.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def wait(self, what: Callable[[dict[str, Any]], Any], limit_s: float, name: str) -> Any:
        """Return the first true value of `what(report)`; fail after `limit_s`, or when the jam has ended, with all it said."""

        def look() -> Any:
            assert self.process.poll() is None, f"the jam ended with {self.process.returncode}:\n{self.output}"
            return what(self.report)

        try:
            return wait_for(look, limit_s, name)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}\n{json.dumps(self.report, indent=1)}") from None

    def wait_playing(self, steps: int = 1, limit_s: float = 40) -> None:
        """Return when the network has played so many steps."""
        self.wait(lambda report: report.get("steps", 0) >= steps, limit_s, f"the jam's first {steps} steps")

    def pids(self) -> dict[str, int]:
        """Process ids of the children, by name."""
        return {name: int(said["pid"]) for name, said in self.report["processes"].items() if said.get("pid")}

    def end(self, number: int = signal.SIGINT, limit_s: float = 10) -> int:
        """Send a signal to the whole group, as a terminal does; return the exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        return self.process.wait(limit_s)

    def close(self) -> None:
        """Leave nothing of it running."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)


class OscDump:
    """liblo's `oscdump` on a port of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        program = need("oscdump", "apt install liblo-tools")
        self._out = folder / "osc.out"
        with self._out.open("wb") as out:
            self._process = subprocess.Popen([program, "-L", str(port)], stdout=out, stderr=out)

    def close(self) -> None:
        """Stop receiving."""
        self._process.terminate()
        self._process.wait(5)

    def messages(self) -> list[tuple[str, str, list[str]]]:
        """Return what came, each as address, type tags and arguments as printed."""
        out = []
        for line in self._out.read_text(errors="replace").splitlines():
            parts = re.match(r"\S+ (/\S+)(?: (\S+))?(?: (.*))?$", line)
            if parts:
                out.append((parts[1], parts[2] or "", (parts[3] or "").split()))
        return out
