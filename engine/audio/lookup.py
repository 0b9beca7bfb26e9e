"""Which device `audio.device` means.

Runs on: audio process (control thread), and whoever lists the devices.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType
from typing import Any

from engine.core.config import Audio
from engine.core.errors import DeviceError

NULL = "null"  # the configuration's word for a clock without a device
NULL_REMEDY = 'set audio.device to "null" to play without sound'


def find(sd: Any, device: int | str) -> int:
    """Return the number of the output device that `audio.device` means: a number, a part of its name, or "default".

    Raises DeviceError that says what there is.
    """
    there = [i for i, d in enumerate(sd.query_devices()) if d["max_output_channels"] > 0]
    if not there:
        raise DeviceError(f"there is no audio device with an output; connect one, start a JACK server, or {NULL_REMEDY}")
    listing = "\n".join(f"  {i}: {full_name(sd, i)}" for i in there)
    if device == "default":
        return _default(sd, there, listing)
    if isinstance(device, int) or device.isdigit():
        if int(device) not in there:
            raise DeviceError(f"audio.device: there is no output device number {device}; there are\n{listing}")
        return int(device)
    names = {i: full_name(sd, i) for i in there}
    for matches in (
        [i for i in there if device in (names[i], sd.query_devices(i)["name"])],
        [i for i in there if all(word in names[i].casefold() for word in device.casefold().split())],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            several = "\n".join(f"  {i}: {names[i]}" for i in matches)
            raise DeviceError(
                f"audio.device: {device!r} may mean any of these; write more of the name, or the number\n{several}"
            )
    raise DeviceError(f"audio.device: there is no output device {device!r}; there are\n{listing}\nor {NULL_REMEDY}")


def _default(sd: Any, there: list[int], listing: str) -> int:
    """Return the system's default output, or the only one of any host API."""
    system = sd.default.device[1]
    if system in there:
        return int(system)
    candidates = [api["default_output_device"] for api in sd.query_hostapis() if api["default_output_device"] in there]
    if len(candidates) == 1:
        return int(candidates[0])
    raise DeviceError(f"audio.device: the system names no default output; set it to one of\n{listing}")


def index_of(sd: Any, name: str) -> int | None:
    """Return the number under which a device is listed now."""
    return next((i for i in range(len(sd.query_devices())) if full_name(sd, i) == name), None)


def full_name(sd: Any, index: int) -> str:
    """Return the name of a device with that of its host API."""
    device = sd.query_devices(index)
    return f"{device['name']}, {sd.query_hostapis(device['hostapi'])['name']}"


def portaudio() -> ModuleType:
    """Return sounddevice. Raises DeviceError when the library it stands on is missing."""
    try:
        import sounddevice
    except OSError as error:
        raise DeviceError(
            f"the PortAudio library is missing ({error}); install it (Debian, Ubuntu: apt install libportaudio2; "
            f"Fedora: dnf install portaudio; macOS: brew install portaudio), or {NULL_REMEDY}"
        ) from error
    return sounddevice  # type: ignore[no-any-return]  # sounddevice has no types


def rate_of(audio: Audio) -> int:
    """Return the rate to play at: what is configured, or what the device runs at. Raises DeviceError."""
    if audio.rate != "device" or audio.device == NULL:
        return audio.rate_hz
    sd = portaudio()
    return round(float(sd.query_devices(find(sd, audio.device))["default_samplerate"]))


def opens_now(audio: Audio, limit_s: float = 10.0) -> bool:
    """Return whether the device would open now; asked in a process of its own: PortAudio hangs in a JACK server that died."""
    ask = (
        "import sys; from engine.core.config import Audio; from engine.audio.lookup import find, portaudio, rate_of\n"
        "sd, audio = portaudio(), Audio.model_validate_json(sys.argv[1]); index = find(sd, audio.device)\n"
        "channels = min(2, sd.query_devices(index)['max_output_channels'])\n"
        "sd.check_output_settings(device=index, samplerate=rate_of(audio), channels=channels)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ask, audio.model_dump_json()]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=limit_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
