"""Lights: the file of them with all its faults, the channels of each universe, and the datagrams to an independent receiver."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request

import numpy as np
import pytest
from sacn.messages.data_packet import DataPacket

from engine.core.config import Config
from engine.core.contract import read_card
from engine.core.errors import ConfigError
from engine.feed.signals.catalogue import Catalogue
from engine.lights.dmx import Universe, packets
from engine.lights.outputs import DmxOutput, MidiOutput
from engine.lights.plan import FASTEST_HZ, Output, Plan, ToMidi, load
from tests.system.rig import ROOT, need, wait_for
from tests.web.stand import free_port as free_tcp_port

PLUGINS = """dummy espnet ftdidmx gpio karate kinet milinst nanoleaf opendmx openpixelcontrol osc pathport renard sandnet
    shownet spi spidmx stageprofi uartdmx usbdmx usbserial dmx4linux"""  # of OLA that have nothing to do here
EXAMPLE = ROOT / "examples" / "lights.toml"
LIMIT_S = 60  # for what takes OLA a fraction of a second, on a machine that is busy with other tests


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue(read_card(Config().network_path()))


class Moment:
    """The numbers of a moment, set by hand."""

    def __init__(self, catalogue):
        self.catalogue = catalogue
        self.values = np.zeros(len(catalogue), np.float32)

    def __setitem__(self, path, value):
        self.values[self.catalogue.index[path]] = value


def test_the_example_can_be_read(catalogue):
    plan = load(EXAMPLE, catalogue)
    assert {output.protocol for output in plan.outputs} == {"artnet", "sacn"}


def test_every_fault_of_a_file_is_told_at_once_with_what_to_do(catalogue, tmp_path):
    path = tmp_path / "lights.toml"
    path.write_text(
        """
        [[outputs]]
        protocol = "sacn"
        universes = [0, 3]
        [[outputs]]
        protocol = "artnet"
        universes = [1]
        [fixtures.par]
        channels = ["dimmer", "red"]
        [[lights]]
        fixture = "parr"
        universe = 3
        address = 1
        [[lights]]
        fixture = "par"
        universe = 3
        address = 512
        [[lights]]
        fixture = "par"
        universe = 3
        address = 10
        [lights.channels]
        dimer = "/smooth/energy"
        red = "/smooth/enrgy"
        [[lights]]
        fixture = "par"
        universe = 3
        address = 11
        [lights.channels]
        red = 256
        [[lights]]
        fixture = "par"
        universe = 9
        address = 1
        [[midi]]
        signal = "/smooth/energy"
        """
    )
    with pytest.raises(ConfigError) as error:
        load(path, catalogue)
    told = str(error.value).splitlines()
    for part in (
        "outputs.0.universes: 0 is none of sacn",
        "outputs.1.host: give the address",
        "lights.0.fixture: there is no fixture parr; did you mean par?",
        "lights.1.address: par ends at channel 513",
        "lights.2.channels.dimer: this fixture has no such channel; did you mean dimmer?",
        "lights.2.channels.red.signal: there is no signal /smooth/enrgy; did you mean /smooth/energy?",
        "lights.3.address: channel 11 of universe 3 is lights.2's already",
        "lights.3.channels.red: 256 is none of 0 to 255",
        "lights.4.universe: no output sends universe 9",
        "midi.0: give a cc or a note",
    ):
        assert any(part in line for line in told), (part, told)
    assert str(path) in told[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[outputs]]\nprotocol = 'dmx'\nuniverses = [1]", "outputs.0.protocol"),
        ("= 1", "is not TOML"),
        (None, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told(catalogue, tmp_path, text, told):
    path = tmp_path / "lights.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        load(path, catalogue)


def test_channels_follow_their_signals_through_curves_and_ranges(catalogue):
    plan = load(EXAMPLE, catalogue)
    moment = Moment(catalogue)
    first, second = Universe(0, plan, catalogue), Universe(1, plan, catalogue)
    moment["/smooth/track/drums/envelope"] = 0.5
    moment["/level/track/drums/brightness"] = 1.0
    moment["/smooth/energy"] = 0.5
    moment["/smooth/bar/phase"] = 0.5
    moment["/smooth/track/lead/envelope"] = np.nan  # what is no number leaves the light dark
    for universe in (first, second):
        universe.fill(moment.values)
    assert first.data[:8].tolist() == [64, 255, 255, 0, 0, 140, 0, 128]
    assert int(second.data[0]) * 256 + int(second.data[1]) == pytest.approx(0.5 * 65535, abs=1)
    assert second.data[4:6].tolist() == [0, 40]
    assert (first.wants_levels, second.wants_levels) == (True, False)


def test_packets_are_those_of_the_standards(catalogue):
    plan = load(EXAMPLE, catalogue)
    universe = Universe(1, plan, catalogue)
    universe.data[:3] = 7, 8, 9
    (sacn,) = packets(plan.outputs[1], [universe], bytes(range(16)))
    for sequence in (0, 1):
        found = DataPacket.make_data_packet(tuple(sacn.made()))
        assert (found.universe, found.sequence, found.priority, found.dmxData[:3]) == (1, sequence, 100, (7, 8, 9))
    assert DataPacket.make_data_packet(tuple(sacn.made(end=True))).option_StreamTerminated
    far = Universe(0x1234, Plan(), catalogue)
    (artnet,) = packets(Output(protocol="artnet", universes=(0x1234,), host="::1"), [far], b"")
    head = bytes(artnet.made())[:18]
    assert head == b"Art-Net\0\x00\x50\x00\x0e\x01\x00\x34\x12\x02\x00"


def test_a_signal_leaves_as_controller_and_as_note(catalogue):
    moment, sent = Moment(catalogue), []
    wanted = [
        ToMidi(signal="/smooth/energy", cc=74, channel=2),
        ToMidi(signal="/smooth/player/onset", note=36, threshold=0.5),
    ]
    output = MidiOutput(wanted, moment, lambda message: sent.append(list(message)))
    for energy, onset in ((0.0, 0.0), (0.5, 0.9), (0.5, 0.4), (1.0, 0.1), (1.0, 0.9)):
        moment["/smooth/energy"], moment["/smooth/player/onset"] = energy, onset
        output.tick(0)
    output.close()
    assert [m for m in sent if m[0] == 0xB1] == [[0xB1, 74, 0], [0xB1, 74, 64], [0xB1, 74, 127]]
    assert [m for m in sent if m[0] != 0xB1] == [[0x90, 36, 114], [0x80, 36, 0], [0x90, 36, 114], [0x80, 36, 0]]


class Ola:
    """OLA, which receives Art-Net and sACN, with settings of its own; its ports for those two are the protocols' own."""

    def __init__(self, folder):
        program = need("olad", "apt install ola")
        conf = folder / "ola"
        conf.mkdir()
        conf.joinpath("ola-artnet.conf").write_text("enabled = true\nuse_loopback = true\n")
        conf.joinpath("ola-e131.conf").write_text("enabled = true\n")
        for plugin in PLUGINS.split():
            conf.joinpath(f"ola-{plugin}.conf").write_text("enabled = false\n")
        port = free_tcp_port()
        command = [program, "--log-level", "3", "--config-dir", str(conf), "--no-register-with-dns-sd"]
        command += ["--http-port", str(port), "--rpc-port", str(free_tcp_port())]
        if os.geteuid() == 0:  # as which it will not run
            for place in (conf, *conf.parents[:3]):
                place.chmod(0o777)
            command = [shutil.which("setpriv") or "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        self._address = f"http://127.0.0.1:{port}"
        self._log = folder / "ola.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def ask(self, path, **form):
        """Return its answer, None where it gives none in time."""
        assert self._process.poll() is None, f"OLA has ended:\n{self.said}"
        data = urllib.parse.urlencode(form).encode() if form else None
        try:
            with urllib.request.urlopen(f"{self._address}/{path}", data, timeout=5) as answer:
                return json.loads(answer.read())
        except OSError:
            return None

    def dmx(self, universe):
        """Return the channels of a universe that it has received."""
        return (self.ask(f"get_dmx?u={universe}") or {}).get("dmx", [])

    @property
    def said(self):
        """The end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])

    def close(self):
        """End it."""
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture
def ola(tmp_path):
    one = Ola(tmp_path)
    yield one
    one.close()


@contextlib.contextmanager
def sent_on(outputs):
    """Send at the rate of DMX for as long as it lasts, however long the receiver takes to answer."""
    over = threading.Event()

    def send():
        while not over.wait(1 / FASTEST_HZ):
            for output in outputs:
                output.tick(0)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


DEVICES = {"artnet": "ArtNet", "sacn": "E1.31"}  # what OLA calls them, among others


def test_an_independent_receiver_has_the_universes_of_both_protocols(ola, catalogue):
    def ports():
        found = [p for p in ola.ask("json/get_ports") or () if not p["is_output"]]
        named = {name: p["id"] for p in found for name, of in DEVICES.items() if of in p["device"]}
        return named if len(named) == 2 else None  # it has them one after the other

    inputs = wait_for(ports, LIMIT_S, "OLA")
    numbers = {"artnet": 0, "sacn": 1}
    for protocol, number in numbers.items():
        assert ola.ask("new_universe", id=number, name=protocol, add_ports=inputs[protocol])["ok"], ola.said
    plan, moment = load(EXAMPLE, catalogue), Moment(catalogue)
    outputs = [DmxOutput(o, [Universe(n, plan, catalogue) for n in o.universes], moment) for o in plan.outputs]
    moment["/smooth/track/drums/envelope"], moment["/smooth/energy"] = 1.0, 0.25
    moment["/smooth/track/lead/envelope"] = 0.6
    found = {}

    def received():
        found.update({protocol: ola.dmx(number) for protocol, number in numbers.items()})
        return all(len(data) == 512 and any(data) for data in found.values())

    with sent_on(outputs):
        try:
            wait_for(received, LIMIT_S, "both universes")
        except AssertionError as error:
            lengths = {protocol: (len(data), sum(data)) for protocol, data in found.items()}
            raise AssertionError(f"{error}; received, and their sums: {lengths}\n{ola.said}") from None
    assert found == {p: outputs[n]._universes[0].data.tolist() for n, p in enumerate(("artnet", "sacn"))}
    assert found["artnet"][0] == 255
    assert found["sacn"][4] == round(0.6 * 255)
    for output in outputs:
        output.close()
    wait_for(lambda: (dmx := ola.dmx(0)) and not any(dmx), LIMIT_S, "darkness")
