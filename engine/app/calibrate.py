"""`algoritmo calibrate`: measures how long sound and MIDI take from an output back to an input, over a cable.

Runs on: main process.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rtmidi

from engine.audio.lookup import find, full_name, portaudio, rate_of
from engine.core import calibration
from engine.core.config import Audio, Config
from engine.core.errors import DeviceError
from engine.midi import ports

BURST, EVERY_S, BURSTS = 2048, 0.25, 6  # frames of noise, how often, how many times
LEVEL = 0.25  # full scale is 1
CLEAR = 6.0  # times what is correlated by chance that the burst's own return must be
NOTES, APART_S, LATE_S = 100, 0.01, 1.0
CHANNEL = 15  # sixteen: an instrument on the way is unlikely to listen to it
BACK = 0.5  # share of the notes that must come back; what stands in the middle of them is the measure


class RoundTrip(NamedTuple):
    """There and back, in ms."""

    median: float
    spread: float  # from the quickest to the slowest
    out: float  # the way out, as far as it can be told from the whole


def sound(audio: Audio) -> tuple[str, RoundTrip]:
    """Play bursts of noise and listen for them; return the device's name and what was measured. Raises DeviceError.

    The way out is what the driver says of it, and half of what it says nothing of.
    """
    sd = portaudio()
    index = find(sd, audio.device)
    name, rate_hz = full_name(sd, index), rate_of(audio)
    burst = np.random.default_rng(1).choice([-LEVEL, LEVEL], BURST).astype(np.float32)
    every = round(EVERY_S * rate_hz)
    frames = every * BURSTS
    played, heard = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
    for at in range(0, frames, every):
        played[at : at + BURST] = burst
    at, done = 0, threading.Event()

    def callback(into: Any, out: Any, count: int, _time: Any, _status: Any) -> None:
        nonlocal at
        here = min(count, frames - at)
        out[:] = 0
        out[:here] = played[at : at + here, None]
        heard[at : at + here] = into[:here, 0]
        at += here
        if at == frames:
            done.set()

    try:
        stream = sd.Stream(
            device=index,
            samplerate=rate_hz,
            blocksize=audio.block,
            channels=1,
            dtype="float32",
            latency="low",
            callback=callback,
        )
        with stream:
            if not done.wait(EVERY_S * BURSTS + 5):
                raise DeviceError(f"audio.device: {name} asks for no sound")
            said_in, said_out = (1e3 * float(way) for way in stream.latency)
    except sd.PortAudioError as error:
        raise DeviceError(f"audio.device: {name} cannot play and listen at the same time ({error})") from error
    found = delays(heard, burst, every)
    if len(found) < BURSTS - 2:
        raise DeviceError(f"{name}: nothing that was played came back; connect its output to its input with a cable")
    ms = [1e3 * delay / rate_hz for delay in found]
    whole = statistics.median(ms)
    return name, RoundTrip(whole, max(ms) - min(ms), max(said_out + (whole - said_out - said_in) / 2, 0.0))


def delays(heard: np.ndarray, burst: np.ndarray, every: int) -> list[int]:
    """Return after how many frames each burst, played every so many, came back; those that did not are left out."""
    found = []
    for begin in range(0, len(heard) - every + 1, every):
        piece = heard[begin : begin + every]
        size = 1 << (len(piece) + len(burst)).bit_length()
        product = np.fft.rfft(piece, size) * np.conj(np.fft.rfft(burst, size))
        like = np.abs(np.fft.irfft(product, size)[: len(piece)])
        best = int(like.argmax())
        if like[best] > CLEAR * float(np.sqrt(np.mean(like**2))) > 0:
            found.append(best)
    return found


def midi(config: Config, out_name: str, in_name: str) -> tuple[str, RoundTrip]:
    """Send notes over an output and wait for them at an input; return the output's name and what was measured.

    The way out is half of the whole. Raises DeviceError.
    """
    backend, _ = ports.backend_of(config.midi.backend, device_is_jack=True)
    if backend == "none":
        raise DeviceError("no MIDI here: set midi.backend")
    outputs, inputs = ports.maker(backend, rtmidi.MidiOut)(), ports.maker(backend, rtmidi.MidiIn)()
    out_index, in_index = _port(out_name, outputs.get_ports(), "output"), _port(in_name, inputs.get_ports(), "input")
    full = ports.bare(outputs.get_ports()[out_index])
    sent: dict[int, int] = {}
    back_ms: dict[int, float] = {}

    def arrived(event: tuple[list[int], float], _data: object = None) -> None:
        now_ns, data = time.perf_counter_ns(), event[0]
        if len(data) == 3 and data[0] == 0x90 | CHANNEL and data[2] and data[1] in sent:
            back_ms.setdefault(data[1], (now_ns - sent[data[1]]) * 1e-6)

    inputs.set_callback(arrived)
    inputs.open_port(in_index)
    outputs.open_port(out_index)
    try:
        time.sleep(0.2)  # until the server has connected them
        for note in range(NOTES):
            sent[note] = time.perf_counter_ns()
            outputs.send_message([0x90 | CHANNEL, note, 1])
            outputs.send_message([0x80 | CHANNEL, note, 0])
            time.sleep(APART_S * (1 + note % 7 / 7))  # not at the pace of anything on the way
        _wait(lambda: len(back_ms) == NOTES, LATE_S)
    finally:
        inputs.cancel_callback()
        inputs.close_port()
        outputs.close_port()
    if len(back_ms) < BACK * NOTES:
        raise DeviceError(f"{full}: {len(back_ms)} of {NOTES} notes came back over {in_name}; connect it to that with a cable")
    ms = sorted(back_ms.values())
    whole = statistics.median(ms)
    return full, RoundTrip(whole, ms[-1] - ms[0], whole / 2)


def _port(name: str, present: list[str], what: str) -> int:
    index = ports.find(name, present)
    if index is None:
        raise DeviceError(f"there is no MIDI {what} {name!r}; there are: {', '.join(present) or 'none'}")
    return index


def _wait(what: Callable[[], bool], limit_s: float) -> None:
    end_s = time.monotonic() + limit_s
    while not what() and time.monotonic() < end_s:
        time.sleep(0.005)


def calibrate(config: Config, folder: Path, with_sound: bool, midi_ports: tuple[str, str] | None) -> list[str]:
    """Measure what is asked for and keep it in a folder; return the lines that say so. Raises DeviceError."""
    lines = []
    for section, measured in (
        ("audio", sound(config.audio) if with_sound else None),
        ("midi", midi(config, *midi_ports) if midi_ports else None),
    ):
        if measured is None:
            continue
        name, trip = measured
        lines.append(f"{name}: there and back {trip.median:.2f} ms (spread {trip.spread:.2f}), out {trip.out:.2f} ms")
        path = calibration.keep(folder, section, name, trip.out)
        lines.append(f"kept in {path}, [{section}.latencies]")
    return lines
