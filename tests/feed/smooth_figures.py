"""Measures the smooth tiers on this machine, in a jam of the demonstration, and prints the figures as JSON.

    python tests/feed/smooth_figures.py jam --seconds 60     # three receivers at 60 Hz: period, age, jumps, cost
    python tests/feed/smooth_figures.py range --seconds 600  # how much of its range each ranged number uses, rendered
    python tests/feed/smooth_figures.py lights               # four universes of Art-Net at 44 Hz: period, what is missing
    python tests/feed/smooth_figures.py block                # what a block of sound costs with and without its buses

Runs beside the tests, not among them: a figure is no test. Linux only. What other programs took of the processor meanwhile
is told, for it is seen in the figures.
"""

# ruff: noqa: E402, T201  (runs from anywhere, and prints)

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.app.bench import cpu_s, memory_mb
from engine.audio.engine import AudioEngine
from engine.core.config import Config
from engine.core.contract import Card, read_card
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, CLOCK, NOTE_ON, stem_names, step_dtype
from engine.core.parameters import Live
from engine.feed.schema import Schema
from engine.feed.signals.catalogue import Catalogue
from engine.feed.signals.ranges import Ranges
from engine.feed.signals.signals import Signals, Wants
from engine.jam.parameters import registry_of
from engine.jam.settings import set_defaults
from engine.lights.plan import CHANNELS, FASTEST_HZ
from engine.net.packets import Malformed, read
from engine.record.feed_file import FeedReader
from engine.record.session import feed_path
from engine.record.stems import FOLDER as STEMS
from engine.transport.timeline import BeatTimeline
from tests.system.receiver import Heard, Receiver
from tests.system.rig import Jam
from tests.system.whole import SETTLED_S, Others, add_options, said, spread, start_jam

RATE_HZ = 60.0
TEMPO_BPM = 112.0
PHASE = "/algoritmo/smooth/beat/phase"
LOUD = "/algoritmo/raw/level/master/rms"
WINDOW_S = 1024 / 48000
LOOKS_HZ = 20.0  # how often the use of ranges is looked at
LAGS_S = np.arange(-0.06, 0.0601, 0.0005)


def main() -> None:
    """Measure what the arguments ask for."""
    what: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "jam": jam,
        "range": use_of_range,
        "lights": lights,
        "block": block,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=what)
    add_options(parser)
    arguments = parser.parse_args()
    others = Others()
    figures = what[arguments.what](arguments)
    print(json.dumps(figures | others.said(), indent=1))


def _targets(ports: list[int], **more: Any) -> str:
    words = {"tiers": ["smooth", "levels", "music"], "smooth_hz": RATE_HZ, **more}
    told = ", ".join(f"{key}={json.dumps(value)}" for key, value in words.items())
    return "osc.targets=[" + ", ".join(f"{{port={port}, {told}}}" for port in ports) + "]"


def _jam(arguments: argparse.Namespace, folder: Path, *settings: str) -> Jam:
    return start_jam(folder, arguments, 9, *settings)


def jam(arguments: argparse.Namespace) -> dict[str, Any]:
    """Three receivers at 60 Hz: how regularly it comes, how old it is, what it costs."""
    with tempfile.TemporaryDirectory() as name:
        receivers = [Receiver(4 << 20, keep=True) for _ in range(3)]
        timed = Receiver(4 << 20)
        ports = [receiver.port for receiver in receivers]
        # The first says what the numbers are as well: the age is found by the level.
        first, others = _targets(ports[:1], raw=True)[:-1], _targets(ports[1:]).partition("[")[2][:-1]
        targets = f'{first}, {others}, {{port={timed.port}, tiers=["scalars"], timetag="presentation"}}]'
        running = _jam(arguments, Path(name), targets)
        try:
            running.wait_playing()
            time.sleep(SETTLED_S)
            pids = running.pids()
            before = {process: cpu_s(pid) for process, pid in pids.items()}
            begun_s, begun = time.time(), time.monotonic()
            time.sleep(arguments.seconds)
            took_s = time.monotonic() - begun
            shares = {process: round((cpu_s(pid) - before[process]) / took_s, 4) for process, pid in pids.items()}
            memory = memory_mb(pids["signals"])
            ended_s = time.time()
            running.end()
            found = said(running)
            sound, rate_hz = soundfile.read(running.session / "session.wav", dtype="float32", always_2d=True)
            with FeedReader(feed_path(running.session)) as reader:
                recorded = [entry.step for entry in reader if entry.step is not None]
                frames = {int(step["step"]): int(step["frame"]) for step in recorded}
            heard = [receiver.stop() for receiver in receivers]
            steps = timed.stop()
        finally:
            running.close()
    out: dict[str, Any] = {"core_share": shares, "signals_memory_mb": memory}
    out["periods"] = [_periods(h, begun_s, ended_s) for h in heard]
    arrived, values = _series(heard[0], begun_s, ended_s)
    out["beat_phase"] = _phase(values[PHASE])
    out["age_ms"] = _age_ms(arrived[LOUD], values[LOUD], sound, rate_hz, steps, frames)
    out["lost"] = [h.lost for h in heard]
    return out | found


def _periods(heard: Heard, begun_s: float, ended_s: float) -> dict[str, Any]:
    """The moments at which its first datagrams came: how far their distances are from the period."""
    ticks: dict[int, float] = {}
    for (at_s, *_), body in zip(heard.datagrams.tolist(), heard.bodies, strict=True):
        if begun_s <= at_s <= ended_s:
            first = next((m for m in read(body) if not isinstance(m, Malformed)), None)
            if first is not None and first.address.endswith("/smooth/tick"):
                ticks.setdefault(int(first.arguments[0]), at_s)
    numbers, times = np.array(list(ticks)), np.array(list(ticks.values()))
    periods = np.diff(times)[np.diff(numbers) == 1]
    return {
        "moments": len(times),
        "expected": round((ended_s - begun_s) * RATE_HZ),
        "off_the_period_ms": spread(np.abs(periods - 1 / RATE_HZ) * 1e3),
        "off_the_grid_ms": spread(np.abs(_off_grid(numbers, times)) * 1e3),
    }


def _off_grid(numbers: np.ndarray, times: np.ndarray) -> np.ndarray:
    off = times - numbers / RATE_HZ
    at: np.ndarray = off - np.median(off)
    return at


def _series(heard: Heard, begun_s: float, ended_s: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """When each address came, and with which first value."""
    when: dict[str, list[float]] = defaultdict(list)
    what: dict[str, list[float]] = defaultdict(list)
    for (at_s, *_), body in zip(heard.datagrams.tolist(), heard.bodies, strict=True):
        if not begun_s <= at_s <= ended_s:
            continue
        for message in read(body):
            if not isinstance(message, Malformed):
                for number, value in enumerate(message.arguments):
                    if isinstance(value, float):
                        address = message.address if len(message.arguments) == 1 else f"{message.address}/{number}"
                        when[address].append(at_s)
                        what[address].append(value)
    return {a: np.array(v) for a, v in when.items()}, {a: np.array(v) for a, v in what.items()}


def _phase(phase: np.ndarray) -> dict[str, Any]:
    """Jumps of the beat's phase from frame to frame, as shares of a beat, and of what the tempo moves it in a frame."""
    jumps = np.diff(phase) % 1.0
    usual = TEMPO_BPM / 60 / RATE_HZ
    return {
        "values": len(set(np.round(phase, 4).tolist())),
        "jump_beats": spread(jumps),
        "jump_over_1_by_rate": spread(jumps * RATE_HZ),
        "jump_over_that_of_the_tempo": spread(jumps / usual),
    }


def _age_ms(
    arrived: np.ndarray, level_db: np.ndarray, sound: np.ndarray, rate_hz: int, steps: Heard, frames: dict[int, int]
) -> dict[str, Any]:
    """How old the level is against the sound as it is heard: the lag at which both are most alike."""
    tags = {step: tag for _, tag, step, _ in steps.steps().tolist()}
    # When frame 0 was heard: from the timetags of steps, and where in the sound they lie.
    origins = [tags[step] - frame / rate_hz for step, frame in frames.items() if step in tags]
    return _lag(arrived, level_db, sound, rate_hz, float(np.median(origins)))


def _lag(arrived: np.ndarray, level_db: np.ndarray, sound: np.ndarray, rate_hz: int, origin_s: float) -> dict[str, Any]:
    squares = np.concatenate([[0.0], np.cumsum((sound.astype(float) ** 2).mean(1))])
    half = round(WINDOW_S * rate_hz / 2)
    found = []
    for lag_s in LAGS_S:
        middle = np.round((arrived - lag_s - origin_s) * rate_hz).astype(int)
        inside = (middle > half) & (middle < len(sound) - half)
        power = (squares[middle[inside] + half] - squares[middle[inside] - half]) / (2 * half)
        level = np.maximum(10 * np.log10(np.maximum(power, 1e-12)), -60)
        found.append(float(np.abs(level - level_db[inside]).mean()))
    best = int(np.argmin(found))
    return {"age_ms": round(1e3 * float(LAGS_S[best]), 2), "level_off_db_mean": round(found[best], 3)}


def use_of_range(arguments: argparse.Namespace) -> dict[str, Any]:
    """From the 5th to the 95th percentile of every number that is ranged.

    A player who plays all along is rendered with the band, faster than real time; what was rendered is then given to the
    signals as a jam would, twenty times a second of it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        played = folder / "player.mid"
        bars = _played_again(played, arguments.seconds)
        words = [sys.executable, "-m", "engine.cli", "render", played, "--out", folder / "session", "--stems"]
        words += ["--bars", str(bars), *(word for setting in arguments.set for word in ("--set", setting))]
        subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        values, raw, catalogue, seconds = _as_in_a_jam(folder / "session")
    ranged = [n for n, signal in enumerate(catalogue.signals) if signal.ranged]
    # What never moved was never there: a track that did not play, a session of Ableton Link.
    there = [n for n in ranged if np.ptp(raw[:, n]) > 0]
    silent = Ranges(catalogue).silent  # raw values up to it are silence, which is no part of a range

    def span(n: int, of: np.ndarray) -> float:
        return float(np.subtract(*np.percentile(values[of, n], [95, 5])))

    always = np.ones(len(values), bool)
    used = {catalogue.signals[n].path: (span(n, always), span(n, raw[:, n] > silent[n])) for n in there}
    short = {
        path: [*np.round(spans, 3).tolist(), *_of(raw[:, catalogue.index[path]])]
        for path, spans in sorted(used.items(), key=lambda of: of[1])
        if min(spans) < 0.6
    }
    while_it_sounds = np.array([spans[1] for spans in used.values()])
    return {
        "ranged": len(ranged),
        "that_moved": len(there),
        "below_0.6_always": sum(spans[0] < 0.6 for spans in used.values()),
        "below_0.6_while_it_sounds": int((while_it_sounds < 0.6).sum()),
        "span_while_it_sounds_quantiles_0_5_50": [round(float(q), 3) for q in np.quantile(while_it_sounds, [0, 0.05, 0.5])],
        "below_0.6": short,
        "seconds": round(seconds),
    }


def _played_again(file: Path, seconds: float) -> int:
    """Write the demo's player again and again, for so long; return how many bars that are."""
    demo = mido.MidiFile(ROOT / "engine" / "app" / "demo.mid")
    once = [(sum(m.time for m in demo.tracks[0][: n + 1]), m) for n, m in enumerate(demo.tracks[0]) if not m.is_meta]
    bar = 4 * demo.ticks_per_beat
    period = -(-once[-1][0] // bar) * bar
    bars = round(seconds * TEMPO_BPM / 60 / 4)
    out = mido.MidiFile(ticks_per_beat=demo.ticks_per_beat)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO_BPM), time=0)])
    at = 0
    for again in range(-(-bars * bar // period)):
        for tick, message in once:
            track.append(message.copy(time=again * period + tick - at))
            at = again * period + tick
    out.tracks.append(track)
    out.save(file)
    return bars


def _as_in_a_jam(session: Path) -> tuple[np.ndarray, np.ndarray, Catalogue, float]:
    """Give what was rendered to the signals, moment by moment; return their values and raw ones, (moments, signals)."""
    with FeedReader(feed_path(session)) as reader:
        card, rate_hz = reader.card, reader.rate_hz
        entries = [entry for entry in reader if entry.step is not None or entry.events is not None]
    registry = registry_of(card)
    link = Link.private(Layout.of(card, len(registry), stage=True))
    live = Live(registry, link.values)
    live.reset_to_defaults()
    schema = Schema(card, registry)
    signals = Signals(link, schema, live, rate_hz)
    signals.wants = Wants(levels=True)
    stems = [soundfile.SoundFile(session / STEMS / f"{name}.wav") for name in stem_names(card)]
    master = soundfile.SoundFile(session / "session.wav")
    clock = np.zeros((), CLOCK)
    clock["ns_per_frame"], clock["rate_hz"] = 1e9 / rate_hz, rate_hz
    link.writer("clock").push(clock)
    values, raw, block, following = [], [], 0, 0
    length_s = master.frames / rate_hz
    for moment in range(int(length_s * LOOKS_HZ)):
        frame = moment * rate_hz / LOOKS_HZ
        while following < len(entries) and entries[following].frame <= frame:
            entry = entries[following]
            following += 1
            for event in entry.events if entry.events is not None else ():
                link.writer("events").push(event)
            if entry.step is not None:
                _push_step(link, entry.step, card, rate_hz)
        while (block + 1) * BLOCK <= min(frame + WINDOW_S * rate_hz, master.frames):
            sound = [file.read(BLOCK, dtype="float32", always_2d=True) for file in (*stems, master)]
            link.writer("buses").push((block * BLOCK, np.hstack(sound[:-1])))
            link.writer("wave").push((block * BLOCK, sound[-1]))
            block += 1
        signals.advance(round(moment * 1e9 / LOOKS_HZ))
        values.append(signals.values.copy())
        raw.append(signals.raw.copy())
    return np.array(values), np.array(raw), signals.catalogue, length_s


def _push_step(link: Link, step: np.void, card: Card, rate_hz: float) -> None:
    whole = np.zeros((), step_dtype(card))
    for name in step.dtype.names or ():
        whole[name] = step[name]
    link.writer("steps").push(whole[()])
    line = BeatTimeline(float(step["frame"]), float(step["beat"]), float(step["tempo_bpm"]), rate_hz)
    link.writer("timeline").push(line.record())


def _of(raw: np.ndarray) -> list[Any]:
    return [f"raw p5 {np.percentile(raw, 5):.3g}, p50 {np.percentile(raw, 50):.3g}, p95 {np.percentile(raw, 95):.3g}"]


def lights(arguments: argparse.Namespace) -> dict[str, Any]:
    """Four full universes of Art-Net at 44 Hz to one receiver, every channel moved by a signal."""
    with tempfile.TemporaryDirectory() as name:
        receiver = Receiver(4 << 20, keep=True)
        file = Path(name) / "lights.toml"
        file.write_text(_universes(receiver.port))
        running = _jam(arguments, Path(name), f'lights.file="{file}"', "osc.targets=[]")
        try:
            running.wait_playing()
            time.sleep(SETTLED_S)
            pid = running.pids()["signals"]
            before, begun_s, begun = cpu_s(pid), time.time(), time.monotonic()
            time.sleep(arguments.seconds)
            share = (cpu_s(pid) - before) / (time.monotonic() - begun)
            ended_s = time.time()
            running.end()
            heard = receiver.stop()
            found = said(running)
        finally:
            running.close()
    by_universe: dict[int, list[tuple[float, int, bytes]]] = defaultdict(list)
    for (at_s, *_), body in zip(heard.datagrams.tolist(), heard.bodies, strict=True):
        if begun_s <= at_s <= ended_s and body.startswith(b"Art-Net\0"):
            by_universe[int.from_bytes(body[14:16], "little")].append((at_s, body[12], body[18:]))
    times = {u: np.array([at_s for at_s, *_ in of]) for u, of in by_universe.items()}
    sequence = {u: np.diff([number for _, number, _ in of]) % 255 for u, of in by_universe.items()}
    return {
        "universes": {u: len(of) for u, of in sorted(by_universe.items())},
        "expected": round((ended_s - begun_s) * FASTEST_HZ),
        "off_the_period_ms": spread(np.abs(np.concatenate([np.diff(t) for t in times.values()]) - 1 / FASTEST_HZ) * 1e3),
        "missing_in_a_row": int(sum((of != 1).sum() for of in sequence.values())),
        "whole": all(len(data) == CHANNELS for of in by_universe.values() for *_, data in of),
        "channels_that_moved": {
            u: int((np.ptp(np.frombuffer(b"".join(data for *_, data in of), np.uint8).reshape(-1, CHANNELS), axis=0) > 0).sum())
            for u, of in sorted(by_universe.items())
        },
        "lost": heard.lost,
        "signals_core_share": round(share, 4),
    } | found


def _universes(port: int) -> str:
    """A file of lights: each channel of four universes moves with a signal."""
    signals = ["/smooth/bar/phase", "/smooth/energy", "/smooth/track/drums/envelope", "/level/master/rms"]
    lines = ["[[outputs]]", 'protocol = "artnet"', 'host = "127.0.0.1"', f"port = {port}", "universes = [0, 1, 2, 3]"]
    lines += ["[fixtures.par]", 'channels = ["a", "b", "c", "d"]']
    for universe in range(4):
        for address in range(1, CHANNELS + 1, 4):
            lines += ["[[lights]]", 'fixture = "par"', f"universe = {universe}", f"address = {address}", "[lights.channels]"]
            lines += [
                f'{channel} = {{signal = "{signal}", curve = "square"}}'
                for channel, signal in zip("abcd", signals, strict=True)
            ]
    return "\n".join(lines)


def block(arguments: argparse.Namespace) -> dict[str, Any]:
    """Render blocks in turns: with the buses published, and without; every track plays."""
    config = Config()
    card = read_card(config.network_path())
    registry = registry_of(card)
    link = Link.private(Layout.of(card, len(registry), stage=True))
    live = Live(registry, link.values)
    set_defaults(live, config, card)
    engine = AudioEngine(link, registry, card, config, 48000.0)
    took: dict[bool, list[float]] = {False: [], True: []}
    turns = np.random.default_rng(1).random(24000 // 16) < 0.5  # by lot: nothing else comes as often as they do
    for number in range(24000):
        if number % 750 == 0:  # a second
            for track, of in enumerate(card.tracks):
                for pitch in of.pitches[:: max(len(of.pitches) // 3, 1)]:
                    link.writer("notes").push((number * BLOCK + BLOCK, number // 94, NOTE_ON, track, pitch, 90, 0.0))
        wanted = bool(turns[number // 16])
        if number % 16 == 0:
            link.writer("wanted").push((int(wanted),))
        begun = time.perf_counter()
        engine.render_block()
        took[wanted].append((time.perf_counter() - begun) * 1e6)
    engine.close()
    without, with_them = (spread(np.array(took[wanted][1000:])) for wanted in (False, True))
    return {"block_us": round(1e6 * BLOCK / 48000), "without": without, "with": with_them}


if __name__ == "__main__":
    main()
