import json
import sys
from types import SimpleNamespace

import pytest
import rtmidi

from engine.app import devices
from engine.core.errors import DeviceError


class PortAudioError(Exception):
    pass


def fake_portaudio(default: int = -1) -> SimpleNamespace:
    """Two host APIs; a microphone, a box at 44.1 and 48 kHz, a JACK server at 48 kHz."""

    def device(name: str, api: int, out: int) -> dict:
        return {
            "name": name,
            "hostapi": api,
            "max_output_channels": out,
            "default_samplerate": 48000.0,
            "default_low_output_latency": 0.004,
        }

    def check(device: int, channels: int, dtype: str, samplerate: int) -> None:
        if samplerate == 96000 or (device == 2 and samplerate != 48000):
            raise PortAudioError("no")

    apis = [
        {"name": "ALSA", "default_output_device": -1},
        {"name": "JACK Audio Connection Kit", "default_output_device": 2},
    ]
    all_devices = [device("mic", 0, 0), device("box", 0, 8), device("system", 1, 2)]
    return SimpleNamespace(
        PortAudioError=PortAudioError,
        query_hostapis=lambda i=None: apis if i is None else apis[i],
        query_devices=lambda i=None: all_devices if i is None else all_devices[i],
        check_output_settings=check,
        default=SimpleNamespace(device=[-1, default]),
    )


class FakePort:
    """A MIDI port of the ALSA sequencer; there is no JACK."""

    names = ("Keystation 49:0",)

    def __init__(self, api: int, name: str) -> None:
        if api == 3:
            raise rtmidi.SystemError("JACK server not running?")

    def get_ports(self) -> list[str]:
        return list(self.names)

    def delete(self) -> None:
        pass


@pytest.fixture
def fakes(monkeypatch):
    monkeypatch.setattr(devices.rtmidi, "get_compiled_api", lambda: [2, 3])
    monkeypatch.setattr(devices.rtmidi, "MidiIn", FakePort)
    monkeypatch.setattr(devices.rtmidi, "MidiOut", FakePort)
    monkeypatch.setitem(sys.modules, "sounddevice", fake_portaudio())


def test_only_devices_that_can_play_with_the_rates_they_take(fakes):
    box, system = devices.audio_devices()
    assert (box.id, box.name, box.host_api, box.rates_hz, box.channels) == (1, "box", "ALSA", (44100, 48000), 8)
    assert (system.rates_hz, system.latency_ms) == ((48000,), 4.0)


def test_without_a_system_default_the_only_one_of_a_host_api_is_marked(fakes):
    assert [d.default for d in devices.audio_devices()] == [False, True]


def test_the_system_default_is_marked(fakes, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", fake_portaudio(default=1))
    assert [d.default for d in devices.audio_devices()] == [True, False]


def test_a_backend_that_is_not_there_is_one_line_with_its_remedy(fakes):
    alsa, jack = devices.midi_backends()
    assert (alsa.name, alsa.inputs, alsa.fault) == ("alsa", ("Keystation 49:0",), "")
    assert "jack does not answer" in jack.fault
    assert "start the JACK server" in jack.fault


def test_no_portaudio_library_names_the_package(tmp_path, monkeypatch):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(DeviceError, match="apt install libportaudio2"):
        devices.audio_devices()


def test_everything_missing_is_told_without_a_traceback(fakes, monkeypatch, capsys):
    def gone() -> None:
        raise DeviceError("the PortAudio library is missing; install it (apt install libportaudio2)")

    monkeypatch.setattr(devices, "portaudio", gone)
    assert devices.show(as_json=False) == 0
    printed = capsys.readouterr().out
    for part in ("apt install libportaudio2", 'audio.device = "null"', "start the JACK server", "Keystation 49:0"):
        assert part in printed
    assert devices.show(as_json=True) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["audio"] == []
    assert "libportaudio2" in data["audio_fault"]


def test_the_configured_device(fakes):
    assert devices.configured_device("box").id == 1
    assert devices.configured_device(2).name == "system"
    with pytest.raises(DeviceError, match="no output device 'harp'"):
        devices.configured_device("harp")


def test_json_has_every_figure(fakes, capsys):
    devices.show(as_json=True)
    data = json.loads(capsys.readouterr().out)
    assert data["audio"][0]["rates_hz"] == [44100, 48000]
    assert [b["name"] for b in data["midi"]] == ["alsa", "jack"]
