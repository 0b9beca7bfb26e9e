"""What can be played through: audio devices and MIDI ports, as `algoritmo devices` lists them.

Runs on: main process.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import rtmidi

from engine.audio.lookup import find, portaudio
from engine.core.errors import DeviceError
from engine.core.messages import OUTPUTS
from engine.midi.ports import APIS, maker

PROBED_RATES_HZ = (44100, 48000, 96000)


@dataclass(frozen=True, slots=True)
class AudioDevice:
    """One audio device that can play. `latency_ms`: what it offers at its lowest, output only."""

    id: int
    name: str
    host_api: str
    channels: int
    default: bool
    rate_hz: float
    rates_hz: tuple[int, ...]
    latency_ms: float


@dataclass(frozen=True, slots=True)
class MidiBackend:
    """The ports of one way to MIDI, or why there are none."""

    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    fault: str = ""


def show(as_json: bool) -> int:
    """Print every audio device and MIDI port; what is missing is one line with its remedy."""
    fault = ""
    devices: tuple[AudioDevice, ...] = ()
    try:
        devices = audio_devices()
    except DeviceError as error:
        fault = str(error)
    midi = midi_backends()
    if as_json:
        data = {"audio": [asdict(d) for d in devices], "audio_fault": fault, "midi": [asdict(b) for b in midi]}
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
    else:
        sys.stdout.write(text(devices, fault, midi) + "\n")
    return 0


def text(devices: tuple[AudioDevice, ...], fault: str, midi: tuple[MidiBackend, ...]) -> str:
    """Return the list as a person reads it."""
    lines = ["Audio devices (audio.device takes the number or a part of the name; * is the default)"]
    width = max((len(d.name) for d in devices), default=0)
    for d in devices:
        rates = ", ".join(f"{rate}" for rate in d.rates_hz) or f"{d.rate_hz:.0f}"
        lines.append(
            f"  {'*' if d.default else ' '}{d.id:>3}  {d.name:<{width}}  {d.host_api}, {d.channels} channels, "
            f"{rates} Hz, {d.latency_ms:.1f} ms"
        )
    if fault:
        lines.append(f"     {fault}")
    elif not devices:
        lines.append("     none; connect one, or start a JACK server")
    lines.append('       null  a clock and no sound: audio.device = "null"')
    for backend in midi:
        lines.append(f"MIDI ports, {backend.name} (midi.inputs and midi.outputs take names or parts of names)")
        if backend.fault:
            lines.append(f"     {backend.fault}")
            continue
        for way, names in (("in ", backend.inputs), ("out", backend.outputs)):
            lines += [f"     {way}  {name}" for name in names] or [f"     {way}  none"]
    return "\n".join(lines)


def audio_devices() -> tuple[AudioDevice, ...]:
    """Return the devices a jam can play on, of every host API. Raises DeviceError when PortAudio is not here."""
    with quiet():
        sd = portaudio()
        try:
            default = find(sd, "default")
        except DeviceError:  # there is none, or several might be meant
            default = -1
        count = len(sd.query_devices())
        return tuple(_device(sd, i, i == default) for i in range(count) if sd.query_devices(i)["max_output_channels"] > 0)


def configured_device(wanted: int | str) -> AudioDevice:
    """Return the device that `audio.device` means. Raises DeviceError when it means none, or several."""
    with quiet():
        sd = portaudio()
        return _device(sd, find(sd, wanted), wanted == "default")


def _device(sd: Any, index: int, default: bool) -> AudioDevice:
    device = sd.query_devices(index)
    return AudioDevice(
        id=index,
        name=device["name"],
        host_api=sd.query_hostapis(device["hostapi"])["name"],
        channels=device["max_output_channels"],
        default=default,
        rate_hz=device["default_samplerate"],
        rates_hz=tuple(rate for rate in PROBED_RATES_HZ if _takes(sd, index, rate)),
        latency_ms=1e3 * device["default_low_output_latency"],
    )


def _takes(sd: Any, device: int, rate_hz: int) -> bool:
    try:
        sd.check_output_settings(device=device, channels=OUTPUTS, dtype="float32", samplerate=rate_hz)
    except (sd.PortAudioError, ValueError):
        return False
    return True


def midi_backends() -> tuple[MidiBackend, ...]:
    """Return the ports of each way to MIDI that this python-rtmidi was built with."""
    compiled = rtmidi.get_compiled_api()
    with quiet():
        return tuple(_backend(name) for name, api in APIS.items() if api in compiled)


def _backend(name: str) -> MidiBackend:
    try:
        clients = [maker(name, direction)() for direction in (rtmidi.MidiIn, rtmidi.MidiOut)]
    except DeviceError as error:
        return MidiBackend(name, fault=str(error))
    inputs, outputs = (tuple(client.get_ports()) for client in clients)
    for client in clients:
        client.delete()
    return MidiBackend(name, inputs, outputs)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what the C libraries of ALSA and JACK print away from the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
