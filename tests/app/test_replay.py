"""Replay: the very same datagrams as were sent live, and an end, or none."""

import asyncio
import socket

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from engine.app.replay import Player, replay, targets_setting
from engine.core.config import Config, load
from engine.core.errors import ConfigError, SessionError
from engine.core.messages import BLOCK, NOTE_OFF, NOTE_ON, OUTPUTS, PLAYER
from engine.feed.encoder import SubscriptionSpec
from engine.feed.feed import Feed
from engine.feed.targets import Clocks
from engine.record.feed_file import FeedReader
from engine.record.session import Recorder, feed_path
from tests.feed.fakes import make_futures, make_step, received

RATE = 48000


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


def config_to(*socks, **osc):
    targets = [{"port": s.getsockname()[1], "max_rate_hz": 1000.0} for s in socks]
    off = {"enabled": False}
    return Config.model_validate({"osc": {"targets": targets, "control": off, "query": off} | osc, "web": off})


@pytest.fixture
def session(tmp_path, link, schema, card, chance, live):
    """A short jam, recorded; `.sent` is what went over the wire."""
    recorder = Recorder(tmp_path, link, schema, RATE, lambda level, text: None)
    feed = Feed(link, schema)
    feed.record(recorder.log, recorder.positions)
    sent = []
    feed.targets.add("live", SubscriptionSpec(), 1000.0, lambda data: sent.append(bytes(data)))
    for number in range(24):
        link.writer("events").push(
            (number * 1500, -1, NOTE_OFF if number % 3 else NOTE_ON, PLAYER if number % 2 else 2, 60, 80, 0.0)
        )
        link.writer("steps").push(make_step(card, number, chance, frame=number * 1500))
        for block in range(24):
            link.writer("wave").push(((number * 24 + block) * BLOCK, np.full((BLOCK, OUTPUTS), 0.5, np.float32)))
        if number % 4 == 1:
            link.writer("futures").push(make_futures(card, number, chance, frame=number * 1500))
        feed.advance(number * 1500, Clocks(number / 30))
        if number % 5 == 0:
            recorder.drain()
    recorder.close()
    return tmp_path, sent


def test_datagrams_are_those_that_were_sent_live(session, receiver):
    folder, sent = session
    assert replay(folder, config_to(receiver), speed=4.0) == 24
    assert received(receiver) == sent


def test_again_and_again_are_the_same_datagrams(session, receiver):
    folder, sent = session
    told = []
    with FeedReader(feed_path(folder)) as reader:
        player = Player(reader, config_to(receiver), 20.0, lambda level, text: told.append(text), folder / "none.wav")

        async def two_rounds():
            task = asyncio.get_running_loop().create_task(player.run(True))
            while player.steps < 60:
                await asyncio.sleep(0.001)
            task.cancel()

        asyncio.run(two_rounds())
    found = received(receiver)
    assert len(found) >= 2 * len(sent)
    # Rounds follow on one another faster than the target's rate where one ends and the next begins.
    steps = [OscBundle(d).content(0).params[0] for d in found if OscBundle(d).content(0).address.endswith("frame")]
    assert set(steps) == set(range(24))
    assert set(found) <= set(sent)
    assert "replaying to" in told[0]


def test_page_is_given_what_it_is_given_live(session, receiver):
    folder, _ = session
    with FeedReader(feed_path(folder)) as reader:
        player = Player(reader, config_to(), 1.0, lambda level, text: None, folder / "session.wav")
        seen = []

        class Page:
            def step(self, record):
                seen.append(int(record["step"]))

            def notes(self, events):
                seen.append("notes")

            def futures(self, record):
                seen.append("futures")

        player._feed.listeners.append(Page())
        asyncio.run(player.run(False))
        assert [s for s in seen if s not in ("notes", "futures")] == list(range(24))
        assert seen.count("notes") == 24
        assert seen.count("futures") == 6
        assert player._link["steps"].latest()["step"] == 23
        assert player._live.get("tempo") == 120
        assert player._link["wave"].count > 0
        assert float(player._link["wave"].latest()["samples"].max()) == pytest.approx(0.5, abs=1e-6)


def test_what_cannot_be_replayed_is_said(tmp_path, session):
    with pytest.raises(SessionError, match="cannot be read"):
        replay(tmp_path / "nothing", config_to())
    with pytest.raises(SessionError, match="speed"):
        replay(session[0], config_to(), speed=0.0)
    with pytest.raises(ConfigError, match="no signal"):
        replay(session[0], config_to(targets=[{"signals": ["q"]}]))


def test_a_session_without_stems_says_so_and_has_the_masters_level_all_the_same(session, receiver):
    target = {"port": receiver.getsockname()[1], "tiers": ["levels"], "raw": True}
    told = []
    assert replay(session[0], config_to(targets=[target]), tell=lambda level, text: told.append((level, text))) == 24
    assert (1, "this session has no stems: the levels of tracks stay at 0; record them with session.stems = true") in told
    last = {}
    for data in received(receiver):
        last |= {message.address: message.params for message in OscBundle(data)}
    assert last["/algoritmo/raw/level/master/rms"][0] == pytest.approx(-6.02, abs=0.05)
    assert last["/algoritmo/level/track/drums/rms"] == [0.0]


def test_session_cut_short_is_replayed_as_far_as_it_goes(session, receiver):
    folder, sent = session
    data = (folder / "feed.bin").read_bytes()
    (folder / "feed.bin").write_bytes(data[: len(data) * 2 // 3])
    assert 0 < replay(folder, config_to(receiver), speed=20.0) < 24
    found = received(receiver)
    assert set(found) <= set(sent)


def test_receivers_on_the_command_line_become_targets():
    loaded = load(None, [targets_setting(["10.0.0.5:9100", "[::1]:7000", ":9000"])])
    assert [(t.host, t.port) for t in loaded.osc.targets] == [("10.0.0.5", 9100), ("::1", 7000), ("127.0.0.1", 9000)]
    for wrong in ("here", "here:", "here:port"):
        with pytest.raises(ConfigError, match="HOST:PORT"):
            targets_setting([wrong])
