"""The signals process: real sockets, a clock that goes on in real time, names that are known late, networks that change."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from engine.app.signaller import Signaller
from engine.core.config import Config
from engine.core.ensemble import Part, as_part, together
from engine.core.link import Layout, Link
from engine.core.messages import CLOCK, NOTE_ON
from engine.core.parameters import Live
from engine.core.process import start
from engine.feed.schema import Schema
from engine.jam.parameters import registry_of
from engine.net import names
from engine.transport.timeline import BeatTimeline
from tests.feed.driven import Driven
from tests.feed.fakes import make_card, make_step
from tests.system.rig import wait_for

RATE = 48000
EVERYTHING = ["smooth", "smooth_vectors", "levels", "music"]


@pytest.fixture
def ear():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        out.bind(("127.0.0.1", 0))
        out.settimeout(20)
        yield out


def heard(ear, seconds):
    """What comes for so long: (time, tick, messages by address) of each datagram that has a tick, and the other messages."""
    came = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = ear.recv(65536)
        came.append((time.monotonic(), data))
    moments, others = [], {}
    for at, data in came:  # read when all has come: what reading takes is not what sending took
        found = {message.address: message.params for message in OscBundle(data)}
        tick = found.pop("/algoritmo/smooth/tick", None)
        if tick is None:
            others |= found
        else:
            moments.append((at, tick[0], found))
    return moments, others


def test_a_process_of_its_own_sends_everything_though_it_is_asked_for_at_a_rate_that_cannot_be(ear, tmp_path):
    target = {"port": ear.getsockname()[1], "tiers": EVERYTHING, "smooth_hz": 1000, "raw": True, "signals": ["h", "c", "trail"]}
    jam = Driven(tmp_path, [target], session=False)
    try:
        process, pipe = start("signals", jam.spec)
        jam._processes.append((process, pipe))
        assert pipe.poll(30)
        assert pipe.recv()[0] == "ready"
        ear.recv(65536)
        jam.note(NOTE_ON, 61)
        moments, others = heard(ear, 0.6)
        jam.stop(process, pipe)
        told = [n["text"].decode() for n in jam.link["notices.signals"].reader(0).read()]
        stats = jam.link["signals_stats"].latest()
    finally:
        jam.close()
    assert told == ["osc.targets.0.smooth_hz: 1000 a second cannot be; it is 120"]
    ticks = sorted({tick for _, tick, _ in moments})
    assert ticks == list(range(ticks[0], ticks[-1] + 1))
    assert 30 <= len(ticks) <= 74  # a machine that is busy passes over moments, and never makes up for them
    assert stats["sent"] > 0
    assert stats["dropped"] == 0
    last = {}
    for _, _, found in moments:
        last |= found
    schema = jam.spec.card.slots  # of trails
    assert sum(len(v) for path, v in last.items() if path.endswith("/trails/000")) == schema + 128
    assert last["/algoritmo/raw/level/master/rms"][0] == pytest.approx(20 * math.log10(0.25), abs=0.01)
    assert last["/algoritmo/smooth/player/envelope"][0] > 0
    assert np.abs(last["/algoritmo/smooth/act/5/c/000"]).max() > 0.1
    phases = [(at, found[path][0]) for at, _, found in moments if (path := "/algoritmo/smooth/beat/phase") in found]
    beats_per_s = RATE / (4 * jam.step_frames)
    passed = np.cumsum([(b - a) % 1 for (_, a), (_, b) in pairwise(phases)])[-1]
    assert passed == pytest.approx(beats_per_s * (phases[-1][0] - phases[0][0]), abs=0.3)
    assert others["/algoritmo/music/tempo"][0] == pytest.approx(60 * beats_per_s, rel=0.01)


@contextlib.contextmanager
def signalling(targets, link, schema, live, networks=()):
    """The signals process's loop, in a thread. Yields what it tells."""
    told = []
    config = Config.model_validate({"osc": {"targets": targets}})
    signaller = Signaller(config, schema, link, live, lambda _level, text: told.append(text), networks)
    thread = threading.Thread(target=signaller.run)
    thread.start()
    try:
        yield told
    finally:
        signaller.end()
        thread.join()


def begun(link, card):
    """Let sound and beat begin now."""
    clock = np.zeros((), CLOCK)
    clock["time_ns"], clock["ns_per_frame"], clock["rate_hz"] = time.perf_counter_ns(), 1e9 / RATE, RATE
    link.writer("clock").push(clock)
    link.writer("timeline").push(BeatTimeline(0.0, 0.0, 120.0, RATE).record())


def test_a_name_that_takes_long_keeps_nobody_waiting(ear, monkeypatch):
    card = make_card()
    registry = registry_of(card)
    link = Link.private(Layout.of(card, len(registry), stage=True))
    live = Live(registry, link.values)
    live.reset_to_defaults()
    asked = []
    real = socket.getaddrinfo

    def slow(host, port, *words, **more):
        if host not in ("stage-pc", "nobody"):
            return real(host, port, *words, **more)
        asked.append(host)
        time.sleep(0.6)
        if host == "nobody":
            raise socket.gaierror(-2, "Name or service not known")
        return real("127.0.0.1", port, *words, **more)

    monkeypatch.setattr(names.socket, "getaddrinfo", slow)
    port = ear.getsockname()[1]
    wish = {"port": port, "tiers": ["smooth"]}
    begun(link, card)
    with signalling(
        [wish, wish | {"host": "stage-pc", "root": "/late"}, wish | {"host": "nobody"}], link, Schema(card, registry), live
    ) as told:
        ear.recv(65536)
        times, late = [time.monotonic()], 0
        end = times[0] + 20
        while not (late and told) and time.monotonic() < end:
            address = next(iter(OscBundle(ear.recv(65536)))).address
            late += address.startswith("/late")
            times += [time.monotonic()] * address.startswith("/algoritmo")
    assert sorted(asked[:2]) == ["nobody", "stage-pc"]
    assert told == [f"nobody:{port} is not reached (Name or service not known); it is tried again"]
    assert times[-1] - times[0] > 0.5
    assert np.diff(times).max() < 0.4  # as it would be, had it waited for a name


def test_what_moves_is_that_of_the_network_that_plays_whatever_layers_it_has(ear):
    first = make_card(
        layers=2,
        width=20,
        name="piano",
        tracks=[{"name": "piano", "pitches": list(range(40, 80))}, {"name": "bass", "pitches": [40]}],
    )
    second = make_card()
    whole = together([first, second])
    parts = (Part(0, Path("a"), first, (0, 1)), Part(1, Path("b"), second, (2, 1, 3, 4, 5)))
    registry = registry_of(whole)
    link = Link.private(Layout.of(whole, len(registry), networks=[first, second], stage=True))
    live = Live(registry, link.values)
    live.reset_to_defaults()
    networks = [(as_part(link, part), Schema(part.card, registry, whole=whole)) for part in parts]
    rings = [of for of, _ in networks]
    chance = np.random.default_rng(3)
    begun(link, whole)
    own, others = "/algoritmo/smooth/act/0/h/000", "/algoritmo/smooth/act/5/h/000"

    def step(number, which):
        record = make_step(parts[which].card, number, chance)
        record["log_prob_tracks"][:] = 0
        record["log_prob_tracks"][0] = -4.0
        record["frame"] = 0
        rings[which].writer("steps").push(record)

    def now(seconds=0.3):
        last = {}
        for _, _, found in heard(ear, seconds)[0]:
            last |= found
        return last

    def play(which, shows):
        link.writer("playing").push((3, which, 0.0, rings[which]["steps"].count))
        step(0, which)
        wait_for(lambda: shows(now(0.1)), 10, "the other network's numbers")
        step(1, which)
        return now()

    target = {"port": ear.getsockname()[1], "tiers": ["smooth", "smooth_vectors"], "raw": True}
    with signalling([target], link, networks[0][1], live, networks):
        ear.recv(65536)
        step(0, 0)
        before = now()
        link.writer("events").push((0, 0, NOTE_ON, 2, 60, 100, 0.0))
        after = play(1, lambda found: others in found)
        again = play(0, lambda found: others not in found)
    surprise, layer = "/algoritmo/raw/smooth/track/{}/surprise", "/algoritmo/raw/smooth/layer/{}/mean"
    assert [len(found[own]) for found in (before, after, again)] == [20, 150, 20]
    assert np.abs(after[own]).max() > 0.1
    for found, plays, waits in ((before, "piano", "drums"), (after, "drums", "piano"), (again, "piano", "drums")):
        assert found[surprise.format(plays)][0] == pytest.approx(4 / math.log(2), rel=0.1)
        assert found[surprise.format(waits)][0] == 0
        assert found[layer.format(1)][0] > 0.1
        assert (found[layer.format(5)][0] > 0.1) == (plays == "drums")
    assert after["/algoritmo/smooth/track/drums/envelope"][0] > 0
