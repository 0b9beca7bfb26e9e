"""The doctor: what is here, what is missing, and the command that mends it.

Runs on: main process. Each examination is a function that takes what it looks at, so that the tests can hand it a system
with any fault.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import platform
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from engine.app.devices import PROBED_RATES_HZ, AudioDevice, MidiBackend, configured_device, midi_backends, quiet
from engine.core import contract
from engine.core.config import Config
from engine.core.errors import AlgoritmoError, DeviceError
from engine.core.link import Layout, Link
from engine.core.parameters import Live
from engine.core.realtime import AWAKE_REMEDY, CPU_DMA_LATENCY
from engine.host.catalogue import Catalogue
from engine.host.display import has_display
from engine.jam.parameters import registry_of
from engine.jam.settings import set_defaults, track_of
from engine.midi.ports import VIRTUAL, backend_of, find

OK, NOTE, FAULT = range(3)  # NOTE: it plays without
_MARKS = ("ok  ", "note", "FAIL")
_EXTRAS = {"train": "training", "vst": "VST3 plugins"}  # those that a command uses
_LOW_DISK_HOURS = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination; a FAULT keeps `jam` from working as configured."""

    level: int
    what: str
    said: str
    remedy: str = ""

    def __str__(self) -> str:
        lines = [f"{_MARKS[self.level]}  {self.what}: {self.said}", *([f"-> {self.remedy}"] if self.remedy else [])]
        return "\n".join(lines).replace("\n", "\n        ")


def examine(config: Config) -> int:
    """Print the findings; return 0 when a jam would work as configured, else 1."""
    worst = OK
    for finding in findings(config):
        worst = max(worst, finding.level)
        print(finding, flush=True)
    print("A jam will not work like this: see the lines marked FAIL." if worst == FAULT else "A jam will work.")
    return 1 if worst == FAULT else 0


def findings(config: Config) -> Iterator[Finding]:
    """Examine this system for this configuration; each finding as soon as it is made."""
    yield python(sys.version_info[:2])
    yield from packages(_requirements(), _version)
    device, finding = audio(config, configured_device)
    yield finding
    backends = midi_backends()
    if any(b.name == "jack" for b in backends):
        running = any(b.name == "jack" and not b.fault for b in backends)
        yield Finding(OK, "JACK server", "runs" if running else "does not run")
    yield from midi(config, backends, device is not None and "JACK" in device.host_api)
    yield from music(config)
    yield from osc(config)
    yield plugins(ctypes.util.find_library)
    yield session(config, shutil.disk_usage)
    if sys.platform.startswith("linux"):
        yield from realtime(Path("/"), _priority_limit())
        yield from awake(config.audio.cpu_dma_latency_us, CPU_DMA_LATENCY)


def python(version: tuple[int, int]) -> Finding:
    """Judge the interpreter's version."""
    said = f"{version[0]}.{version[1]}"
    if (3, 11) <= version <= (3, 12):
        return Finding(OK, "Python", said)
    return Finding(FAULT, "Python", f"{said}; 3.11 or 3.12 is needed", "python3.12 -m venv .venv && .venv/bin/pip install -e .")


def packages(requirements: Sequence[str], version_of: Callable[[str], str | None]) -> Iterator[Finding]:
    """Compare what is installed with what this version was made with; extras are optional."""
    if not requirements:
        yield Finding(NOTE, "packages", "not installed by pip, so not compared", f"{sys.executable} -m pip install -e .")
    missing_of: dict[str, list[str]] = {}
    here = []
    for requirement in requirements:
        match = re.match(r"([A-Za-z0-9._-]+)==([^; ]+)(?:.*extra == ['\"](\w+)['\"])?", requirement)
        if match is None or match[3] not in (None, *_EXTRAS):
            continue
        name, wanted, extra = match.groups()
        have = version_of(name)
        if have is None and name == "onnxruntime":  # its builds for GPUs go by other names and stand in for it
            have = version_of("onnxruntime-gpu") or version_of("onnxruntime-directml")
        if extra:
            missing_of.setdefault(extra, []).extend([name] if have is None else [])
        elif have is None:
            yield Finding(FAULT, name, "is missing", f"{sys.executable} -m pip install {name}=={wanted}")
        elif have != wanted:
            said = f"{have}; this was made with {wanted}"
            yield Finding(NOTE, name, said, f"{sys.executable} -m pip install {name}=={wanted}")
        else:
            here.append(f"{name} {have}")
    if here:
        yield Finding(OK, "packages", ", ".join(here))
    for extra, missing in missing_of.items():
        what = f"extra {extra!r} ({_EXTRAS[extra]})"
        if missing:
            yield Finding(NOTE, what, f"without {', '.join(missing)}", f"{sys.executable} -m pip install -e '.[{extra}]'")
        else:
            yield Finding(OK, what, "is here")


def plugins(find: Callable[[str], str | None]) -> Finding:
    """Say which plugins can be hosted here, and whether their windows can be shown; `find` looks for a library."""
    kinds, remedies = ["CLAP"], []
    for kind, here, remedy in (
        ("LV2", find("lilv-0") is not None, "LV2: sudo apt install liblilv-0-0, on macOS: brew install lilv"),
        ("VST3", importlib.util.find_spec("pedalboard") is not None, f"VST3: {sys.executable} -m pip install -e '.[vst]'"),
    ):
        if here:
            kinds.append(kind)
        else:
            remedies.append(remedy)
    catalogue = Catalogue()
    known, failed = catalogue.plugins, sum(bool(found.fault) for found in catalogue.found)
    count = ", ".join(f"{n} {kind}" for kind in kinds if (n := sum(about.format == kind.lower() for about in known)))
    said = f"{' and '.join(kinds)}; {count or 'none'} known"
    said += f", {failed} files cannot be hosted (algoritmo plugins --all)" if failed else ", see `algoritmo plugins`"
    said += "" if has_display() else "; no display for their windows"
    return Finding(NOTE, "plugins", said, "; ".join(remedies)) if remedies else Finding(OK, "plugins", said)


def _requirements() -> list[str]:
    try:
        return metadata.requires("algoritmo") or []
    except metadata.PackageNotFoundError:  # run from its folder without having been installed
        return []


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def audio(config: Config, find_device: Callable[[int | str], AudioDevice]) -> tuple[AudioDevice | None, Finding]:
    """Find the device that is configured; return it, None for none, and what to say."""
    wanted = config.audio.device
    if wanted == "null":
        return None, Finding(OK, "audio device", "null: a clock and no sound, as configured")
    try:
        device = find_device(wanted)
    except DeviceError as error:
        return None, Finding(FAULT, "audio device", str(error))
    if config.audio.rate == "device":
        said = f"{device.name} ({device.host_api}), at its own rate, {device.latency_ms:.1f} ms"
        return device, Finding(OK, "audio device", said)
    if config.audio.rate in PROBED_RATES_HZ and config.audio.rate not in device.rates_hz:
        rates = ", ".join(str(rate) for rate in device.rates_hz)
        said = f"{device.name} does not take {config.audio.rate} Hz; it takes {rates or 'none of the usual rates'}"
        return device, Finding(FAULT, "audio device", said, "set audio.rate to what it takes, or audio.device to another")
    said = f"{device.name} ({device.host_api}), {config.audio.rate} Hz, {device.latency_ms:.1f} ms"
    return device, Finding(OK, "audio device", said)


def midi(config: Config, backends: Sequence[MidiBackend], device_is_jack: bool) -> Iterator[Finding]:
    """Look for the MIDI ports that are configured."""
    name, said = backend_of(config.midi.backend, device_is_jack)
    if name == "none":
        yield Finding(NOTE if said else OK, "MIDI", said or "none, as configured")
        return
    backend = next((b for b in backends if b.name == name), None)
    if backend is None or backend.fault:
        said = backend.fault if backend else f"midi.backend: {name} is not to be had on this system; set it to auto"
        yield Finding(FAULT, "MIDI", said)
        return
    yield Finding(OK, "MIDI", f"{name}; inputs: {_listed(backend.inputs)}; outputs: {_listed(backend.outputs)}")
    for key, wanted, present in (
        ("midi.inputs", config.midi.inputs, backend.inputs),
        ("midi.outputs", config.midi.outputs, backend.outputs),
    ):
        for port in wanted:
            yield from _port(key, port, present)


def _port(key: str, wanted: str | int, present: Sequence[str]) -> Iterator[Finding]:
    if wanted == VIRTUAL:
        if sys.platform == "win32":
            yield Finding(FAULT, key, "Windows has no virtual ports", "name a port, for example one of loopMIDI's")
        return
    try:
        index = find(wanted, present)
    except DeviceError as error:
        yield Finding(FAULT, key, str(error))
        return
    if index is None:
        yield Finding(NOTE, key, f"{wanted!r} is not there; a jam waits for it", "algoritmo devices lists what is")
    else:
        yield Finding(OK, key, f"{wanted!r} is {present[index]}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def music(config: Config) -> Iterator[Finding]:
    """Load the network and the instruments as a jam would."""
    from engine.audio.engine import AudioEngine
    from engine.audio.messages import LogMessage

    try:
        path = config.network_path()
        card = contract.read_card(path)
        yield from network(path, config)
        registry = registry_of(card)
        link = Link.private(Layout.of(card, len(registry)))
        set_defaults(Live(registry, link.values), config, card)
        track_of(config, card)
        with quiet():
            engine = AudioEngine(link, registry, card, config, config.audio.rate_hz)
    except AlgoritmoError as error:
        yield Finding(FAULT, "music", str(error))
        return
    told = [order.text for order in _drained(engine.worker.requests) if isinstance(order, LogMessage)]
    engine.close()
    for text in told:
        yield Finding(NOTE, "patches", text)
    if not told:
        names = dict.fromkeys([config.patch_of("player"), *(config.patch_of(t.name) for t in card.tracks)])
        yield Finding(OK, "patches", ", ".join(names))


def network(path: Path, config: Config) -> Iterator[Finding]:
    """Load the network on the provider that a jam would take. Raises NetworkError."""
    from engine.network.runner import choose, present

    runner, timings = choose(path, config.network.provider, config.network.threads)
    card = runner.card
    size = f"{len(card.tracks)} tracks, {card.slots} slots, {path.stat().st_size / 1e6:.1f} MB"
    yield Finding(OK, "network", f"{card.name} keeps the contract: {size}")
    measured = ", ".join(f"{t.provider} {t.p99_ms:.2f} ms" for t in timings)
    said = f"has {', '.join(present())}; a step takes {measured} (p99): {runner.provider} is taken"
    yield Finding(OK, "onnxruntime", said)


def _drained(queue: SimpleQueue[Any]) -> Iterator[Any]:
    while not queue.empty():
        yield queue.get_nowait()


def osc(config: Config) -> Iterator[Finding]:
    """See whether the targets can be reached by name and the sockets be had."""
    for target in config.osc.targets:
        try:
            socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            said = f"{target.host} is not known here ({error.strerror}); nothing is sent there"
            yield Finding(NOTE, "osc.targets", said, "give its address, for example 192.168.1.20")
    if config.osc.targets:
        yield Finding(OK, "feed goes to", ", ".join(f"{t.host}:{t.port}" for t in config.osc.targets))
    sockets = (
        ("osc.control", config.osc.control, socket.SOCK_DGRAM),
        ("osc.query", config.osc.query, socket.SOCK_STREAM),
        ("web", config.web, socket.SOCK_STREAM),
    )
    for key, where, kind in sockets:
        if not where.enabled:
            continue
        try:
            with socket.socket(socket.AF_INET6 if ":" in where.host else socket.AF_INET, kind) as probe:
                if kind == socket.SOCK_STREAM:  # what an ended jam left behind does not block the next one
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((where.host, where.port))
        except OSError as error:
            remedy = f"end the program that has it, or --set {key}.port=PORT, or --set {key}.enabled=false"
            yield Finding(FAULT, key, f"{where.host}:{where.port} cannot be had ({error.strerror})", remedy)
        else:
            yield Finding(OK, key, f"{where.host}:{where.port} is free")


def session(config: Config, usage: Callable[[Path], Any]) -> Finding:
    """See whether a session can be written, and for how long."""
    folder = config.session.dir
    if not config.session.record:
        return Finding(OK, "session.dir", "nothing is recorded, as configured")
    there = next(p for p in [folder.absolute(), *folder.absolute().parents] if p.exists())
    remedy = "set session.dir to a folder you may write, or session.record to false"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding(FAULT, "session.dir", f"{folder} cannot be written", remedy)
    free = usage(there).free
    hours = free / _bytes_per_hour(config.audio.rate_hz)
    said = f"{folder} can be written; {free / 1e9:.1f} GB free, {hours:.0f} hours of recording"
    if hours < _LOW_DISK_HOURS:
        return Finding(NOTE, "session.dir", said, "free some space, or set session.dir to a larger disk")
    return Finding(OK, "session.dir", said)


def _bytes_per_hour(rate_hz: int) -> float:
    """Of session.wav: two channels of 24 bits; everything else is small beside it."""
    return rate_hz * 2 * 3 * 3600


def realtime(root: Path, priority: int) -> Iterator[Finding]:
    """Look at what Linux gives to audio programs; `priority`: the highest real-time one that may be asked for, -1 for any."""
    if priority == 0:
        yield Finding(
            NOTE,
            "real-time priority",
            "not allowed; other programs can make the sound break up",
            "sudo dpkg-reconfigure -p high jackd2 && sudo usermod -aG audio $USER, then log in again",
        )
    else:
        yield Finding(OK, "real-time priority", "any" if priority < 0 else f"up to {priority}")
    governors = sorted({p.read_text().strip() for p in root.glob("sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")})
    if governors and governors != ["performance"]:
        yield Finding(NOTE, "CPU governor", ", ".join(governors), "sudo cpupower frequency-set -g performance")
    elif governors:
        yield Finding(OK, "CPU governor", "performance")
    yield Finding(OK, "kernel", _kernel(root))


def awake(latency_us: int, device: Path) -> Iterator[Finding]:
    """See whether the processor may be kept from sleeping, as `audio.cpu_dma_latency_us` may ask for."""
    if not device.exists():
        if latency_us >= 0:
            yield Finding(NOTE, "audio.cpu_dma_latency_us", f"{device} is not there: it has no effect", "set it to -1")
    elif not os.access(device, os.R_OK | os.W_OK):
        said = "not allowed" if latency_us >= 0 else "not allowed, nor asked for"
        yield Finding(NOTE if latency_us >= 0 else OK, "audio.cpu_dma_latency_us", said, AWAKE_REMEDY)
    elif latency_us < 0:
        yield Finding(OK, "audio.cpu_dma_latency_us", "the processor may sleep; set it to 0 where blocks are too late")
    else:
        yield Finding(OK, "audio.cpu_dma_latency_us", f"{latency_us} us")


def _kernel(root: Path) -> str:
    """Say whether the kernel is a real-time one, and what helps where it is not."""
    mark, options = root / "sys/kernel/realtime", root / "proc/cmdline"
    if mark.exists() and mark.read_text().strip() == "1":
        return f"{platform.release()}, real-time"
    if options.exists() and "threadirqs" in options.read_text():
        return f"{platform.release()}, with threadirqs"
    return f"{platform.release()}; for blocks below 128 the kernel option threadirqs helps, or a real-time kernel"


def _priority_limit() -> int:
    import resource

    return -1 if os.geteuid() == 0 else resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
