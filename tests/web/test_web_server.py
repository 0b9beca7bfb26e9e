"""The page's server with real sockets: who gets in, what he may change, and that the slow and the dead cost nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import mimetypes
import random
from contextlib import asynccontextmanager, suppress

import aiohttp
import numpy as np
import pytest
from aiohttp import ClientSession, WSMsgType

from engine.core.config import Web
from engine.core.errors import ConfigError
from engine.core.messages import BLOCK, CHORD, EVENT, FUTURE_STEPS, NEXT_CHORD, NOTE_ON, PLAYED_CHORD, PLAYER
from engine.core.parameters import Live, Parameter, Registry
from engine.midi.channels import Channels
from engine.midi.inputs import KeysInput
from engine.net import sockets
from engine.web import frames, server
from engine.web.client import NOTES_QUEUE
from engine.web.files import STATIC, TYPES, Files
from engine.web.frames import HEADER, Encoder
from engine.web.keyboards import EVERYBODY
from engine.web.pages import stage as stage_page
from engine.web.site import Site
from tests.web.stand import MadeUp, biaxial_card, card_of, free_port

SMALL, LARGE = card_of(), biaxial_card()
LIMIT_S = 20  # within which a thing happens, or the test has failed


class CountingEncoder(Encoder):
    """Counts the steps it encodes."""

    encoded = 0

    def step(self, record, fmt, flags=0):
        self.encoded += 1
        return super().step(record, fmt, flags)


class Evening:
    """A stage with real sockets, and a session of a client to it."""

    def __init__(self, card, **web):
        self.source = MadeUp(card)
        self.desk = self.source.desk
        self.config = Web.model_validate({"port": free_port(), **web})
        self.site = Site(self.desk.link, self.desk.live, card, self.config)
        self.stage = self.site.pages["stage"]
        self.stage._encoder = CountingEncoder(card)
        self.keys = self.desk.link["keys"].reader(0)
        self.step = 0

    @property
    def base(self):
        return f"http://127.0.0.1:{self.config.port}"

    def play(self, steps=1):
        for _ in range(steps):
            self.source.play(self.step)
            self.stage.step(self.desk.link["steps"].latest())
            self.step += 1

    def heard_keys(self):
        """The messages; what a visitor leaves behind as he goes is ()."""
        keys = [key for key in self.keys.read() if key["visitor"] != EVERYBODY]
        return [tuple(key["data"][: key["size"]].tolist()) for key in keys]

    async def join(self, session, query="", **headers):
        return await session.ws_connect(f"{self.base}/socket{query}", headers=headers)

    async def until(self, true):
        """Let others work until `true()`."""
        async with asyncio.timeout(LIMIT_S):
            while not true():
                await asyncio.sleep(0.002)


@asynccontextmanager
async def evening(card=SMALL, **web):
    out = Evening(card, **web)
    await out.site.start()
    try:
        async with ClientSession() as session:
            yield out, session
    finally:
        await out.site.stop()


async def message(ws):
    async with asyncio.timeout(LIMIT_S):
        return await ws.receive()


async def text(ws, kind):
    """The next JSON message of a kind."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            got = await ws.receive()
            assert got.type in (WSMsgType.TEXT, WSMsgType.BINARY), got
            if got.type is WSMsgType.TEXT and (content := json.loads(got.data))["kind"] == kind:
                return content


async def binary(ws, kind=frames.STEP):
    """The next frame of a kind: header and whole frame."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            got = await ws.receive()
            assert got.type in (WSMsgType.TEXT, WSMsgType.BINARY), got
            if got.type is WSMsgType.BINARY and (head := HEADER.unpack_from(got.data))[2] == kind:
                return head, got.data


@pytest.fixture(autouse=True)
def any_rate(monkeypatch):
    """Let the tests play as fast as they can."""
    monkeypatch.setattr(stage_page, "FPS", 1e9)


def run(scenario):
    asyncio.run(scenario())


def test_the_page_comes_whole_and_locked_down():
    async def scenario():
        async with evening() as (stage, session):
            async with session.get(stage.base) as page:
                assert page.status == 200
                assert page.content_type == "text/html"
                policy = page.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert page.headers["X-Content-Type-Options"] == "nosniff"
                tag = page.headers["ETag"]
            async with session.get(stage.base, headers={"If-None-Match": tag}) as again:
                assert again.status == 304
            async with session.get(f"{stage.base}/stage/main.js") as script:
                assert script.content_type == "text/javascript"

    run(scenario)


@pytest.mark.parametrize(
    "path",
    [
        *("/nothing", "/../config.toml", "/%2e%2e/server.py", "/stage/../../server.py", "/stage//main.js", "/.git/config"),
        *(
            "/lib",
            "/lib/index.html",
            "/pages/stage.py",
            "/stage/..%2f..%2fserver.py",
            "/stage\\main.js",
            "/stage/socket/",
            "/lib/socket",
        ),
    ],
)
def test_nothing_else_is_served(path):
    async def scenario():
        async with evening() as (stage, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", stage.config.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(), LIMIT_S)
            assert answer.startswith(b"HTTP/1.1 404")
            writer.close()

    run(scenario)


def test_a_page_is_a_folder_and_its_name_leads_there():
    async def scenario():
        async with evening() as (stage, session):
            async with session.get(f"{stage.base}/stage/") as page, session.get(stage.base) as home:
                assert await page.read() == await home.read()
            async with session.get(f"{stage.base}/stage?kiosk", allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (302, "/stage/?kiosk")
            for path in ("/socket", "/stage/socket"):
                ws = await session.ws_connect(f"{stage.base}{path}")
                await text(ws, "hello")

    run(scenario)


def test_files_are_compressed_for_who_takes_that():
    async def scenario():
        async with evening() as (stage, _):
            tags = []
            async with ClientSession(auto_decompress=False) as session:
                for encoding, packed in (("gzip, br", True), ("identity", False), ("gzip;q=0", False)):
                    headers = {"Accept-Encoding": encoding}
                    async with session.get(f"{stage.base}/stage/main.js", headers=headers) as answer:
                        body = await answer.read()
                        assert (answer.headers.get("Content-Encoding") == "gzip") is packed
                        assert answer.headers["Vary"] == "Accept-Encoding"
                        tags.append(answer.headers["ETag"])
                    whole = (STATIC / "stage" / "main.js").read_bytes()
                    assert (gzip.decompress(body) if packed else body) == whole
                    assert (len(body) < len(whole) / 2) is packed
                    async with session.get(
                        f"{stage.base}/stage/main.js", headers=headers | {"If-None-Match": tags[-1]}
                    ) as again:
                        assert again.status == 304
            assert tags[0] != tags[1] == tags[2]

    run(scenario)


def test_types_are_right_where_the_systems_are_wrong(monkeypatch):
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_, **__: ("text/plain", None))
    assert Files().at("/stage/main.js").type == "text/javascript; charset=utf-8"
    assert Files().at("/stage/stage.css").type == "text/css; charset=utf-8"
    assert {path.suffix for path in STATIC.rglob("*") if path.is_file()} <= set(TYPES)


def test_a_page_is_told_what_serves_it_and_where_phones_find_it():
    async def scenario():
        for web, phones in (({}, False), ({"host": "0.0.0.0"}, True)):
            async with evening(**web) as (stage, session):
                async with session.get(f"{stage.base}/lib/served.json") as answer:
                    assert answer.headers["Cache-Control"] == "no-store"
                    told = await answer.json()
                assert told == {"jam": True, "address": stage.site.address if phones else None}

    run(scenario)


def test_to_add_a_page_is_to_add_a_folder(tmp_path):
    for name in ("stage", "wall", "lib"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    files = Files(tmp_path)
    assert files.pages == ["stage", "wall"]
    assert files.at("/wall/").body == b"wall"
    assert files.page_without_slash("/wall") == "wall"
    assert files.page_without_slash("/lib") is None


def test_a_stranger_is_turned_away_by_host_and_by_origin():
    async def scenario():
        async with evening() as (stage, session):
            async with session.get(stage.base, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 403
            for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:8000"}):
                with pytest.raises(aiohttp.WSServerHandshakeError) as error:
                    await stage.join(session, **headers)
                assert error.value.status == 403
            ws = await stage.join(session, Origin=stage.base)
            await text(ws, "hello")
            async with session.post(stage.base) as answer:
                assert answer.status == 405

    run(scenario)


def test_who_opens_the_page_is_told_everything_and_sees_what_came_before():
    async def scenario():
        async with evening() as (stage, session):
            stage.play(5)
            assert stage.stage._encoder.encoded == 0  # nobody looked: nothing was encoded
            ws = await stage.join(session)
            hello = await text(ws, "hello")
            assert hello["card"]["name"] == "made_up"
            assert hello["layout"] == stage.stage._encoder.layout()
            assert {p["id"] for p in hello["parameters"]} == set(stage.desk.live.registry.index)
            assert hello["values"]["tempo"] == 120
            assert (hello["format"], hello["may_change"]) == ("f32", True)
            past = [(await binary(ws))[0] for _ in range(5)]
            assert [head[5] for head in past] == [0, 1, 2, 3, 4]
            assert all(head[4] & frames.PAST for head in past)
            stage.play()
            head, _ = await binary(ws)
            assert (head[5], head[4] & frames.PAST) == (5, 0)

    run(scenario)


def test_a_step_that_does_not_sound_yet_is_not_shown():
    async def scenario():
        async with evening() as (stage, session):
            stage.play(2)
            stage.source.play(2)  # in the ring, but not handed to the stage
            ws = await stage.join(session)
            assert [(await binary(ws))[0][5] for _ in range(2)] == [0, 1]
            stage.step = 3
            stage.play()
            assert (await binary(ws))[0][5] == 3

    run(scenario)


def test_a_step_is_encoded_once_for_all_and_arrives_as_it_was():
    async def scenario():
        async with evening() as (stage, session):
            sockets = [await stage.join(session, "?fmt=f32") for _ in range(3)] + [await stage.join(session, "?fmt=u8")]
            for ws in sockets:
                await text(ws, "hello")
            stage.play()
            got = [(await binary(ws))[1] for ws in sockets]
            assert stage.stage._encoder.encoded == 2  # once as floats, once as bytes
            assert got[0] == got[1] == got[2]
            values = np.frombuffer(got[0], "<f4", stage.stage._encoder.size, len(got[0]) - 4 * stage.stage._encoder.size)
            at, size = stage.stage._encoder.blocks["h1"]
            assert np.array_equal(values[at : at + size], stage.desk.link["steps"].latest()["h1"])
            assert len(got[3]) < len(got[0])

    run(scenario)


def test_a_large_network_comes_as_bytes_unless_floats_are_asked_for():
    async def scenario():
        async with evening(LARGE) as (stage, session):
            assert (await text(await stage.join(session), "hello"))["format"] == "u8"
            assert (await text(await stage.join(session, "?fmt=f32"), "hello"))["format"] == "f32"
            assert (await text(await stage.join(session, "?fmt=gif&fps=x"), "hello"))["format"] == "u8"

    run(scenario)


def test_a_client_sets_its_own_rate():
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session, "?fps=1")
            await text(ws, "hello")
            stage.play(10)
            await binary(ws)
            assert stage.stage._encoder.encoded == 1

    run(scenario)


def test_who_does_not_read_gets_the_newest_and_holds_up_nobody():
    async def scenario():
        async with evening(LARGE, max_clients=8) as (stage, session):
            slow = []
            for _ in range(4):
                reader, writer = await _deaf_client(stage)
                slow.append((reader, writer))
            quick = await stage.join(session)
            await text(quick, "hello")
            for step in range(60):
                stage.play()
                assert (await binary(quick))[0][5] == step
            assert stage.stage.clients[5].skipped == 0
            deaf = [stage.stage.clients[n] for n in (1, 2, 3, 4)]
            # What the system takes for a client that does not read is a few frames; the rest were left out.
            assert all(client.skipped > 40 for client in deaf)
            assert all(len(client._notes) <= NOTES_QUEUE for client in deaf)
            for _, writer in slow:
                writer.transport.abort()
            await stage.until(lambda: len(stage.stage.clients) == 1)

    run(scenario)


async def _deaf_client(stage):
    """A WebSocket that is opened and never read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.config.port, limit=1024)
    writer.write(
        b"GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT_S)
    writer.transport.pause_reading()
    return reader, writer


def test_a_browser_that_takes_nothing_for_long_is_let_go(monkeypatch):
    monkeypatch.setattr(sockets, "SEND_S", 0.05)

    async def scenario():
        async with evening(LARGE) as (stage, _):
            await _deaf_client(stage)
            await stage.until(lambda: len(stage.stage.clients) == 1)
            async with asyncio.timeout(LIMIT_S):
                while stage.stage.clients:
                    stage.play()
                    await asyncio.sleep(0.005)

    run(scenario)


def test_two_hundred_come_play_and_vanish_and_no_key_stays_down():
    async def scenario():
        async with evening(max_clients=200) as (stage, session):
            steady = await stage.join(session)
            await text(steady, "hello")
            async with ClientSession(connector=aiohttp.TCPConnector(limit=0)) as crowd:
                sockets = await asyncio.gather(*(stage.join(crowd) for _ in range(199)))
                for number, ws in enumerate(sockets):
                    await ws.send_str(json.dumps({"midi": [0x90 | number % 16, 40 + number % 40, 90]}))
                await stage.until(lambda: stage.stage._keyboards.has_played(150))
                stage.play()
                refused = await stage.join(crowd)
                assert (await message(refused)).data == aiohttp.WSCloseCode.TRY_AGAIN_LATER
                for ws in sockets:
                    ws._response.connection.transport.abort()  # no goodbye
            await stage.until(lambda: len(stage.stage.clients) == 1)
            heard, hearing = KeysInput(stage.keys), Channels()
            kinds = [played.kind for message in heard.due(0, BLOCK) for played in hearing.take(message)]
            assert kinds.count(NOTE_ON) == 199
            assert not hearing.held()
            stage.play(3)
            assert await binary(steady)

    run(scenario)


def test_a_full_house_opens_again_when_one_leaves():
    async def scenario():
        async with evening(max_clients=1) as (stage, session):
            first = await stage.join(session)
            await text(first, "hello")
            closed = await message(await stage.join(session))
            assert (closed.type, closed.data) == (WSMsgType.CLOSE, aiohttp.WSCloseCode.TRY_AGAIN_LATER)
            await first.close()
            await stage.until(lambda: not stage.stage.clients)
            await text(await stage.join(session), "hello")

    run(scenario)


def test_what_one_changes_everyone_sees():
    async def scenario():
        async with evening() as (stage, session):
            one, other = await stage.join(session), await stage.join(session)
            await text(other, "hello")
            await one.send_str(json.dumps({"set": {"temperature": 0.5, "tempo": 999, "drums.mute": True, "nonesuch": 1}}))
            changed = (await text(other, "values"))["values"]
            assert changed == {"temperature": 0.5, "tempo": 400.0, "drums.mute": 1.0}
            stage.desk.live.set("density", 2)  # from OSC, or a knob
            assert (await text(other, "values"))["values"] == {"density": 2.0}

    run(scenario)


def test_panic_is_pulled_not_set():
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session)
            await ws.send_str(json.dumps({"set": {"panic": 7}}))
            await ws.send_str(json.dumps({"fire": "tempo"}))
            await ws.send_str(json.dumps({"fire": "panic"}))
            await stage.until(lambda: stage.desk.live.get("panic") == 1)
            assert stage.desk.live.get("tempo") == 120
            await ws.send_str(json.dumps({"transport": "start"}))
            await stage.until(lambda: stage.desk.live.get("transport.start") == 1)

    run(scenario)


def test_what_was_not_followed_is_said():
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session)
            for order, name, words in (
                ({"set": {"tempoo": 100}}, "tempoo", "did you mean tempo?"),
                ({"set": {"tempo": 999}}, "tempo", "tempo is 400 bpm"),
                ({"fire": "tempo"}, "tempo", "no trigger"),
                ({"transport": "warp"}, "warp", "rewind"),
            ):
                await ws.send_str(json.dumps(order))
                said = await text(ws, "said")
                assert said["id"] == name
                assert words in said["text"]

    run(scenario)


def test_knobs_come_to_the_page_with_their_patch_and_go_with_it():
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session)
            await text(ws, "hello")
            there = Live(Registry(stage.desk.live.registry.tracks), stage.desk.live.values)  # of the audio process
            there.declare("lead", [Parameter("lead.cutoff", 100, 10000, 2000, "Of the filter", "Hz", scale="exponential")])
            last = (await text(ws, "parameters"))["parameters"][-1]
            assert (last["id"], last["kind"], last["scale"]) == ("lead.cutoff", "continuous", "exponential")
            assert (await text(ws, "values"))["values"] == {"lead.cutoff": 2000.0}
            await ws.send_str(json.dumps({"set": {"lead.cutoff": 500}}))
            await stage.until(lambda: there.get("lead.cutoff") == 500)
            there.withdraw("lead")
            while "lead.cutoff" in [p["id"] for p in (await text(ws, "parameters"))["parameters"]]:
                pass

    run(scenario)


def test_on_a_network_only_the_token_opens_what_changes_something():
    async def scenario():
        async with evening(host="0.0.0.0", token="sesame") as (stage, session):
            ws = await stage.join(session)
            assert (await text(ws, "hello"))["may_change"] is False
            change = json.dumps({"set": {"temperature": 0.5}, "fire": "panic", "midi": [0x90, 60, 90]})
            await ws.send_str(change)
            await ws.send_str(json.dumps({"token": "open"}))
            assert (await text(ws, "allowed"))["may_change"] is False
            await ws.send_str(change)
            await ws.send_str(json.dumps({"token": "sesame"}))
            assert (await text(ws, "allowed"))["may_change"] is True
            assert (stage.desk.live.get("temperature"), stage.desk.live.get("panic"), stage.heard_keys()) == (1, 0, [])
            await ws.send_str(change)
            await stage.until(lambda: stage.desk.live.get("temperature") == 0.5)
            assert stage.heard_keys() == [(0x90, 60, 90)]
            notice = stage.desk.link["notices.feed"].latest()
            assert b"#token=sesame" in notice["text"]

    run(scenario)


def test_nothing_can_be_changed_in_a_recording():
    async def scenario():
        async with evening(token="sesame") as (stage, session):
            stage.stage.recorded = True
            ws = await stage.join(session)
            hello = await text(ws, "hello")
            assert (hello["recorded"], hello["may_change"]) == (True, False)
            assert hello["rate_hz"] > 0
            stage.stage._has_sound = False
            assert (await text(await stage.join(session), "hello"))["rate_hz"] == 0
            await ws.send_str(json.dumps({"token": "sesame", "set": {"tempo": 200}, "midi": [144, 60, 100]}))
            assert (await text(ws, "allowed"))["may_change"] is False
            assert stage.desk.live.get("tempo") != 200
            assert stage.heard_keys() == []

    run(scenario)


def test_a_token_cannot_be_guessed_by_trying():
    async def scenario():
        async with evening(host="0.0.0.0", token="sesame") as (stage, session):
            ws = await stage.join(session)
            for _ in range(50):
                await ws.send_str(json.dumps({"token": "x"}))
            await ws.send_str(json.dumps({"token": "sesame"}))  # by now it is no longer even looked at
            await ws.send_str(json.dumps({"sound": True}))
            await stage.until(lambda: stage.stage.clients[1].listens)
            assert not stage.stage.clients[1].may_change

    run(scenario)


def test_notes_go_out_at_once_with_their_beat():
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session)
            await text(ws, "hello")
            events = stage.desk.link["events"].reader(0)
            stage.desk.event(6, NOTE_ON, PLAYER, 60, 99)
            stage.stage.notes(events.read())
            head, data = await binary(ws, frames.NOTES)
            assert head[5] == 1
            note = np.frombuffer(data, frames.NOTE, offset=32)[0]
            assert note.item() == (NOTE_ON, PLAYER, 60, 99, 1.5)

    run(scenario)


def test_what_may_follow_goes_out_and_the_newest_wins():
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session)
            await text(ws, "hello")
            record = np.zeros((), stage.desk.link["futures"].dtype)
            for step in (7, 8):
                record["step"], record["count"] = step, 3
                stage.stage.futures(record)
            head, data = await binary(ws, frames.FUTURES)
            assert (head[4], head[5]) == (3, 8)
            assert len(data) == 32 + 3 * FUTURE_STEPS * stage.desk.card.slots

    run(scenario)


def test_sound_goes_to_who_asked_for_it_and_stops_when_he_has_enough():
    async def scenario():
        async with evening() as (stage, session):
            ws, other = await stage.join(session), await stage.join(session)
            await ws.send_str(json.dumps({"sound": True}))
            await stage.until(lambda: stage.stage.clients[1].listens)
            stage.desk.link.writer("wave").push((0, np.full((64, 2), 0.5, np.float32)))
            head, data = await binary(ws, frames.SOUND)
            assert (head[5], head[7]) == (64, 0.0)
            assert set(np.frombuffer(data, "<i2", offset=32)) == {16383}
            await ws.send_str(json.dumps({"sound": False}))
            await stage.until(lambda: stage.stage._sound is None)
            assert not stage.stage.clients[2].listens
            await other.close()

    run(scenario)


def test_a_network_that_shows_nothing_of_itself_can_be_watched():
    async def scenario():
        async with evening(card_of(activations=[])) as (stage, session):
            ws = await stage.join(session)
            assert (await text(ws, "hello"))["layout"]["blocks"] == {}
            stage.play()
            assert (await binary(ws))[0][5] == 0

    run(scenario)


def test_nobody_looks_nothing_runs():
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session)
            await text(ws, "hello")
            assert stage.stage._watch is not None
            await ws.close()
            await stage.until(lambda: not stage.stage.clients)
            assert (stage.stage._watch, stage.stage._sound) == (None, None)
            before = stage.stage._encoder.encoded
            stage.play(3)
            assert stage.stage._encoder.encoded == before

    run(scenario)


def test_hostile_messages_change_nothing_and_hurt_nobody():
    rng = random.Random(4)
    # fmt: off
    pieces = [
        *('{"set":', '{"midi":', '{"fire":', "[", "{", '"tempo"', "NaN", "Infinity", "-1e999", "1" * 400, "null", "true"),
        *("}", "]", "[]", "{}"),
        *('"__proto__"', "\\u0000", ",", ":", "[144,60,", "300]", '"\\ud83d\\ude00"', "{}" * 50, "[" * 300, '{"set":[]}'),
        *('{"set":{"tempo":[]}}', '{"set":{"tempo":NaN}}', '{"set":{"tempo":"9"}}', '{"set":{"tempo":null}}', '{"token":{}}'),
        *('{"sound":3}', '{"midi":[144,60,999]}', '{"midi":"144"}', '{"fire":["panic"]}', '{"fire":"nonesuch"}'),
    ]
    # fmt: on

    async def scenario():
        async with evening() as (stage, session):
            before = stage.desk.link.values.numbers.copy()
            good = await stage.join(session)
            await text(good, "hello")
            ws = await stage.join(session)
            for number in range(1500):
                if number % 3:
                    await ws.send_str("".join(rng.choices(pieces, k=rng.randrange(1, 5))))
                else:
                    await ws.send_bytes(rng.randbytes(rng.randrange(200)))
            await ws.send_str('{"sound":true}')
            await ws.send_str("x" * 5000)  # too long: this one is closed, and only this one
            await stage.until(lambda: len(stage.stage.clients) == 1)
            assert np.array_equal(stage.desk.link.values.numbers, before)
            assert stage.heard_keys() == []
            stage.play()
            assert (await binary(good))[0][5] == 0

    run(scenario)


def test_a_flood_of_orders_is_cut_down():
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session)
            for _ in range(3000):
                await ws.send_str('{"fire":"panic"}')
            await ws.close()
            await stage.until(lambda: not stage.stage.clients)
            assert 700 <= stage.desk.live.get("panic") < 3000

    run(scenario)


def test_garbage_on_the_port_is_answered_or_hung_up_on():
    rng = random.Random(5)

    async def scenario():
        async with evening() as (stage, session):
            for number in range(150):
                reader, writer = await asyncio.open_connection("127.0.0.1", stage.config.port)
                head = rng.choice(
                    [b"", b"GET / HTTP/1.1\r\n", b"GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"]
                )
                writer.write(head + rng.randbytes(rng.randrange(1, 400)) + b"\r\n\r\n")
                with suppress(ConnectionError):
                    await writer.drain()
                    if number % 2:
                        writer.write_eof()
                        await asyncio.wait_for(reader.read(), LIMIT_S)
                writer.transport.abort()
            ws = await stage.join(session)
            await text(ws, "hello")

    run(scenario)


def test_a_connection_that_asks_for_nothing_is_closed(monkeypatch):
    monkeypatch.setattr(server, "SILENT_S", 0.05)

    async def scenario():
        async with evening() as (stage, _):
            for opening in (b"", b"GET / HTT"):
                reader, writer = await asyncio.open_connection("127.0.0.1", stage.config.port)
                writer.write(opening)
                assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
                writer.close()

    run(scenario)


def test_more_connections_than_a_crowd_needs_are_refused():
    async def scenario():
        async with evening(max_clients=1) as (stage, _):
            open_ones = [await asyncio.open_connection("127.0.0.1", stage.config.port) for _ in range(20)]
            reader, _ = await asyncio.open_connection("127.0.0.1", stage.config.port)
            with suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
            for _, writer in open_ones:
                writer.close()

    run(scenario)


def test_who_asks_without_end_is_told_to_wait(monkeypatch):
    server_limits = server.Limits
    monkeypatch.setattr(server, "Limits", lambda: server_limits(requests_hz=1.0))  # a slow machine asks slowly

    async def scenario():
        async with evening() as (stage, session):
            answers = []
            for _ in range(1000):
                async with session.get(f"{stage.base}/lib/icon.svg") as answer:
                    answers.append(answer.status)
            assert set(answers[:800]) == {200}
            assert 429 in answers

    run(scenario)


def test_a_busy_port_is_an_error_that_names_the_key():
    async def scenario():
        async with evening() as (stage, _):
            second = Site(stage.desk.link, stage.desk.live, SMALL, stage.config)
            with pytest.raises(ConfigError, match=r"web: 127.0.0.1:\d+ cannot be opened .*web.port"):
                second.open()

    run(scenario)


def test_the_end_is_quick_and_said(monkeypatch):
    async def scenario():
        async with evening() as (stage, session):
            ws = await stage.join(session)
            await ws.send_str(json.dumps({"midi": [0x90, 60, 90]}))
            await stage.until(lambda: stage.stage._keyboards.has_played(1))
            await stage.site.stop()
            while (got := await message(ws)).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                pass
            assert got.data == aiohttp.WSCloseCode.GOING_AWAY
            assert stage.heard_keys() == [(0x90, 60, 90), ()]  # the key is let go

    run(scenario)


def test_aiohttp_is_not_loaded_before_the_server_starts():
    import subprocess
    import sys

    code = "import engine.web.site, sys; sys.exit(any(m.split('.')[0] == 'aiohttp' for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_chords_and_chart_are_told_as_they_sound_and_a_chart_is_typed_or_refused():
    async def scenario():
        async with evening() as (stage, session):
            desk = stage.desk
            chord = np.zeros(3, EVENT)
            chord["kind"], chord["track"] = [CHORD, NEXT_CHORD, PLAYED_CHORD], PLAYER
            chord["pitch"], chord["velocity"] = [9, 5, 0], [2, 1, 0]
            stage.stage.notes(chord)  # nobody is there yet
            ws = await stage.join(session)
            hello = await text(ws, "hello")
            assert hello["chords"] == {"heard": "Am", "expected": "F", "played": ""}
            assert hello["chart"]["bars"] == []
            chord["pitch"], chord["velocity"] = [5, 7, 5], [1, 1, 1]
            stage.stage.notes(chord)
            assert await text(ws, "chords") == {"kind": "chords", "heard": "F", "expected": "G", "played": "F"}
            asked = desk.link["charts"].reader(0)
            await ws.send_json({"chart": "|: C | G7 :|"})
            await stage.until(lambda: asked.is_behind())
            record = asked.read()[0]
            assert record["text"] == b"|: C | G7 :|"
            record["text"], record["beats"], record["origin"], record["loop_beats"] = b"| C | G7 | C | G7 |", 4, 1, 12
            desk.link.writer("chart").push(record)  # the network has taken it up
            chart = await text(ws, "chart")
            assert (chart["bars"], chart["origin"], chart["loop_bars"], chart["bar"]) == (["C", "G7", "C", "G7"], "typed", 3, 4)
            for wrong in ("| C | H |", 5, "C " * 2001):
                await ws.send_json({"chart": wrong})
                refused = await text(ws, "refused")
                assert refused["text"]
                assert len(refused["text"]) <= 1200
            for _ in range(40):  # each has to be read
                await ws.send_json({"chart": "C"})
            await ws.send_json({"chart": "H"})
            assert (await text(ws, "refused"))["text"] == "too many charts at once"
            assert desk.link["charts"].count < 24

    run(scenario)
