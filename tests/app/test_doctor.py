import socket
from collections import namedtuple
from pathlib import Path

import pytest

from engine.app import doctor
from engine.app.devices import AudioDevice, MidiBackend
from engine.app.doctor import FAULT, NOTE, OK
from engine.core import config
from engine.core.errors import DeviceError
from tests import tiny

BOX = AudioDevice(1, "box", "ALSA", 2, True, 48000.0, (44100, 48000), 5.3)
REQUIREMENTS = [
    "numpy==2.4.6",
    "onnxruntime==1.31.1",
    "pyo==1.1.0",
    "aalink==0.2.3; extra == 'link'",
    "torch==2.13.0; extra == 'train'",
    "pytest==9.2.0; extra == 'test'",
]


def configured(*settings: str) -> config.Config:
    return config.load(None, settings)


def found(findings) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in findings}


@pytest.mark.parametrize(("version", "level"), [((3, 10), FAULT), ((3, 11), OK), ((3, 12), OK), ((3, 13), FAULT)])
def test_python_versions(version, level):
    assert doctor.python(version).level == level


def test_packages_missing_other_and_optional():
    here = {"numpy": "2.4.6", "onnxruntime": "1.30.0"}
    said = found(doctor.packages(REQUIREMENTS, here.get))
    assert said["pyo"].level == FAULT
    assert said["pyo"].remedy.endswith("-m pip install pyo==1.1.0")
    assert (said["onnxruntime"].level, said["onnxruntime"].said) == (NOTE, "1.30.0; this was made with 1.31.1")
    assert said["packages"].said == "numpy 2.4.6"
    assert not any("link" in name or "vst" in name for name in said)  # no code uses those
    assert "pytest" not in "".join(map(str, said.values()))


def test_a_gpu_build_stands_in_for_onnxruntime():
    here = {"numpy": "2.4.6", "onnxruntime-gpu": "1.31.1", "pyo": "1.1.0", "aalink": "0.2.3", "torch": "2.13.0"}
    assert {finding.level for finding in doctor.packages(REQUIREMENTS, here.get)} == {OK}


def none(_wanted: int | str) -> AudioDevice:
    raise DeviceError("there is no audio device with two outputs; connect one")


def test_no_device_keeps_a_jam_from_working_unless_null_is_configured():
    assert doctor.audio(configured(), none)[1].level == FAULT
    assert doctor.audio(configured("audio.device=null"), none) == (None, doctor.Finding(OK, "audio device", OF_NULL))


OF_NULL = "null: a clock and no sound, as configured"


def test_a_device_that_does_not_take_the_rate():
    device, finding = doctor.audio(configured("audio.rate=96000"), lambda _: BOX)
    assert (device, finding.level) == (BOX, FAULT)
    assert "takes 44100, 48000" in finding.said
    assert doctor.audio(configured(), lambda _: BOX)[1].said == "box (ALSA), 48000 Hz, 5.3 ms"


ALSA = MidiBackend("alsa", ("Keystation 49:Keystation 49 MIDI 1 24:0",), ("Synth A", "Synth B"))
SILENT = MidiBackend("jack", fault="no JACK server; start one")


def midi(*settings: str) -> list[doctor.Finding]:
    return list(doctor.midi(configured("midi.backend=alsa", *settings), [ALSA, SILENT], False))


def test_midi_ports_found_awaited_and_ambiguous():
    assert [f.level for f in midi("midi.inputs=['keystation']")] == [OK, OK]
    absent = midi("midi.inputs=['Launchkey']")[1]
    assert (absent.level, "waits for it" in absent.said) == (NOTE, True)
    ambiguous = midi("midi.outputs=['Synth']")[1]
    assert (ambiguous.level, "Synth B" in ambiguous.said) == (FAULT, True)


def test_a_midi_backend_that_does_not_answer():
    (finding,) = doctor.midi(configured("midi.backend=jack"), [ALSA, SILENT], False)
    assert (finding.level, finding.said) == (FAULT, SILENT.fault)
    (finding,) = doctor.midi(configured("midi.backend=coremidi"), [ALSA], False)
    assert finding.level == FAULT
    (finding,) = doctor.midi(configured("midi.backend=none"), [ALSA], False)
    assert finding.level == OK


def test_music_of_a_network_that_keeps_the_contract(tiny_onnx):
    said = found(doctor.music(configured(f"network.name={tiny_onnx}", "jam.track=lead")))
    assert said["network"].said.startswith("tiny keeps the contract: 3 tracks")
    assert "cpu is taken" in said["onnxruntime"].said
    assert {finding.level for finding in said.values()} == {OK}


def test_music_names_what_is_wrong_with_a_network(tmp_path):
    broken = tiny.write(tmp_path / "broken.onnx", drop=("log_prob",))
    (finding,) = doctor.music(configured(f"network.name={broken}"))
    assert (finding.level, "log_prob" in finding.said) == (FAULT, True)


@pytest.mark.parametrize("setting", ["jam.track=flute", "parameters.tempi=3", "midi.cc.tempi=3", "network.name=nonesuch"])
def test_music_names_what_is_wrong_with_the_configuration(tiny_onnx, setting):
    *_, last = doctor.music(configured(f"network.name={tiny_onnx}", setting))
    assert last.level == FAULT


def test_a_patch_that_cannot_be_loaded_is_a_note(tiny_onnx):
    *_, last = doctor.music(configured(f"network.name={tiny_onnx}", "patches.lead=nonesuch"))
    assert (last.level, "nonesuch" in last.said) == (NOTE, True)


def test_a_control_port_that_another_program_has():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        taken = found(doctor.osc(configured(f"osc.control.port={port}", "osc.query.enabled=false")))["osc.control"]
    assert (taken.level, "osc.control.port=PORT" in taken.remedy) == (FAULT, True)
    free = found(doctor.osc(configured(f"osc.control.port={port}", "osc.query.enabled=false")))["osc.control"]
    assert free.level == OK


def test_a_target_that_nobody_knows(monkeypatch):
    def unknown(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(doctor.socket, "getaddrinfo", unknown)
    said = found(doctor.osc(configured("osc.targets=[{host='laptop.invalid'}]", "osc.control.enabled=false")))
    assert said["osc.targets"].level == NOTE


def disk(free: int):
    usage = namedtuple("Usage", "free")
    return lambda _path: usage(free)


def test_the_session_folder(tmp_path):
    inside = configured(f"session.dir={tmp_path / 'a' / 'b'}")
    assert doctor.session(inside, disk(10**12)).level == OK
    assert doctor.session(inside, disk(10**8)).level == NOTE
    (tmp_path / "file").write_text("")
    blocked = doctor.session(configured(f"session.dir={tmp_path / 'file' / 'below'}"), disk(10**12))
    assert (blocked.level, "session.dir" in blocked.remedy) == (FAULT, True)
    assert doctor.session(configured("session.record=false"), disk(0)).level == OK


def system(root: Path, governor: str = "performance", realtime: str = "", options: str = "quiet") -> Path:
    """A tree with what Linux says of itself."""
    for number in (0, 1):
        folder = root / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(governor + "\n")
    (root / "proc").mkdir()
    (root / "proc/cmdline").write_text(options)
    if realtime:
        (root / "sys/kernel").mkdir()
        (root / "sys/kernel/realtime").write_text(realtime)
    return root


def test_realtime_hints(tmp_path):
    poor = found(doctor.realtime(system(tmp_path / "poor", governor="powersave"), 0))
    assert (poor["real-time priority"].level, poor["CPU governor"].level) == (NOTE, NOTE)
    assert "performance" in poor["CPU governor"].remedy
    assert "threadirqs helps" in poor["kernel"].said
    good = found(doctor.realtime(system(tmp_path / "good", realtime="1\n"), 95))
    assert {finding.level for finding in good.values()} == {OK}
    assert good["kernel"].said.endswith("real-time")
    assert doctor._kernel(system(tmp_path / "irq", options="threadirqs")).endswith("with threadirqs")


def test_whether_the_processor_can_be_kept_awake(tmp_path, monkeypatch):
    device = tmp_path / "cpu_dma_latency"
    assert list(doctor.awake(-1, device)) == []
    assert [finding.level for finding in doctor.awake(0, device)] == [NOTE]
    device.write_bytes(b"")
    assert [finding.level for latency_us in (-1, 0) for finding in doctor.awake(latency_us, device)] == [OK, OK]
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    refused = [finding for latency_us in (-1, 0) for finding in doctor.awake(latency_us, device)]
    assert [finding.level for finding in refused] == [OK, NOTE]
    assert all("udev" in finding.remedy for finding in refused)


def test_the_exit_status_is_that_of_a_jam(monkeypatch, capsys):
    notes = [doctor.Finding(OK, "a", "b"), doctor.Finding(NOTE, "c", "one\ntwo", "mend it")]
    monkeypatch.setattr(doctor, "findings", lambda _config: notes)
    assert doctor.examine(configured()) == 0
    assert "note  c: one\n        two\n        -> mend it" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "findings", lambda _config: [*notes, doctor.Finding(FAULT, "e", "f")])
    assert doctor.examine(configured()) == 1
    assert "A jam will not work" in capsys.readouterr().out
