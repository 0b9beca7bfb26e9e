"""OSCQuery: everything is found by itself, listening brings what is published, hostile input brings nothing."""

import asyncio
import contextlib
import json
import random
import socket

import aiohttp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage

from engine.core.errors import ConfigError
from engine.core.messages import NOTE_ON, PLAYER
from engine.core.osc_section import Query as QueryConfig
from engine.core.parameters import Live, Parameter, Registry
from engine.feed.announce import server_name, service_name
from engine.feed.feed import Feed
from engine.feed.oscquery import MOST_CLIENTS, Query, _Client
from engine.record.feed_file import Positions
from tests.feed.fakes import make_futures, make_step


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def feed(link, schema):
    return Feed(link, schema, begin=Positions())


@pytest.fixture
def query(feed, live):
    query = Query(QueryConfig(port=free_port(), announce=False), feed, live, ("127.0.0.1", 9001))
    feed.listeners.append(query)
    yield query
    query._socket.close()


def leaves(node):
    if "CONTENTS" not in node:
        return [node]
    return [leaf for child in node["CONTENTS"].values() for leaf in leaves(child)]


def test_tree_holds_every_address_of_the_contract(query, schema):
    status, tree = query.answer("/", "")
    assert status == 200
    found = {leaf["FULL_PATH"] for leaf in leaves(tree)}
    published = {"/algoritmo" + a.path for a in schema.addresses() if a.tier != "reply"}
    assert published <= found
    json.dumps(tree, allow_nan=False)


def test_every_node_says_what_it_must(query):
    def look(node, path):
        assert node["FULL_PATH"] == path
        assert ("CONTENTS" in node) != ("TYPE" in node)
        for name, child in node.get("CONTENTS", {}).items():
            look(child, f"{path if path != '/' else ''}/{name}")

    look(query.answer("/", "")[1], "/")
    look(query.answer("/algoritmo/param", "")[1], "/algoritmo/param")


def test_parameter_tells_value_range_and_words(query, live):
    live.set("tempo", 99)
    status, tempo = query.answer("/algoritmo/param/tempo", "")
    assert status == 200
    assert (tempo["TYPE"], tempo["VALUE"], tempo["ACCESS"], tempo["UNIT"]) == ("f", [99.0], 3, ["bpm"])
    assert tempo["RANGE"] == [{"MIN": 20, "MAX": 400}]
    assert query.answer("/algoritmo/param/mode", "VALUE") == (200, {"VALUE": ["accompany"]})
    assert query.answer("/algoritmo/param/mode", "RANGE") == (200, {"RANGE": [{"VALS": ["trade", "accompany", "solo"]}]})


def test_vector_tells_all_its_numbers(query, feed, link, card, chance):
    step = make_step(card, 3, chance, frame=0)
    link.writer("steps").push(step)
    feed.advance(0)
    node = query.answer("/algoritmo/act/2/h/000", "")[1]
    assert node["TYPE"] == "f" * 150
    assert node["VALUE"] == step["h2_next"].tolist()
    assert node["RANGE"] == [{"MIN": -1.0, "MAX": 1.0}] * 150


def test_answers_by_the_book(query):
    assert query.answer("/nowhere", "")[0] == 404
    assert query.answer("/algoritmo/param/tempo", "CRITICAL")[0] == 204
    assert query.answer("/algoritmo/panic", "VALUE")[0] == 204
    info = query.answer("/", "HOST_INFO")[1]
    assert (info["OSC_IP"], info["OSC_PORT"], info["OSC_TRANSPORT"]) == ("127.0.0.1", 9001, "UDP")
    assert info["WS_PORT"] == query.port
    assert info["EXTENSIONS"]["LISTEN"] is True


def test_busy_port_names_the_key(query, feed, live):
    with pytest.raises(ConfigError, match=r"osc\.query\.port"):
        Query(QueryConfig(port=query.port), feed, live, ("127.0.0.1", 9001))


def order(command, path):
    return json.dumps({"COMMAND": command, "DATA": path})


async def with_server(query, talk):
    """Run `talk(base address, session)` against the served query."""
    await query.start()
    try:
        async with aiohttp.ClientSession() as session:
            return await asyncio.wait_for(talk(f"http://127.0.0.1:{query.port}", session), 20)
    finally:
        await query.stop()


def test_over_http(query):
    async def talk(base, session):
        async with session.get(f"{base}/?HOST_INFO") as answer:
            assert answer.status == 200
            assert answer.content_type == "application/json"
            assert (await answer.json())["NAME"] == "Algoritmo"
        async with session.get(f"{base}/algoritmo/param/tempo?VALUE") as answer:
            assert await answer.json() == {"VALUE": [112.0]}
        async with session.get(f"{base}/nowhere") as answer:
            assert answer.status == 404
        async with session.post(f"{base}/algoritmo/param/tempo", data="100") as answer:
            assert answer.status == 405

    asyncio.run(with_server(query, talk))


def test_listening_brings_steps_notes_and_changes(query, feed, link, live, card, chance):
    paths = ("/algoritmo/act/0/h/000", "/algoritmo/frame", "/algoritmo/player/note", "/algoritmo/param/tempo")

    async def talk(base, session):
        async with session.ws_connect(base) as ws:

            async def until(path, arguments):
                while True:
                    message = OscMessage(await ws.receive_bytes())
                    if message.address == path and message.params == arguments:
                        return

            for path in paths:
                await ws.send_str(order("LISTEN", path))
            await until("/algoritmo/param/tempo", [112.0])  # what it is now comes at once
            step = make_step(card, 9, chance, frame=0)
            link.writer("steps").push(step)
            link.writer("events").push((0, -1, NOTE_ON, PLAYER, 60, 99, 0.0))
            feed.advance(0)
            await until("/algoritmo/act/0/h/000", step["h0_next"].tolist())
            link.writer("steps").push(make_step(card, 10, chance, frame=0))
            link.writer("events").push((0, -1, NOTE_ON, PLAYER, 61, 98, 0.0))
            feed.advance(0)
            await until("/algoritmo/player/note", [61, 98])
            live.set("tempo", 77)
            await until("/algoritmo/param/tempo", [77.0])
            await ws.send_str(order("IGNORE", "/algoritmo/param/tempo"))
            await ws.send_str(order("LISTEN", "/algoritmo/param/seed"))
            await until("/algoritmo/param/seed", [1])
            live.set("tempo", 78)
            live.set("seed", 5)
            assert OscMessage(await ws.receive_bytes()).address == "/algoritmo/param/seed"

    asyncio.run(with_server(query, talk))


def test_one_who_never_reads_costs_a_slot_for_each_path(query, feed, link, card, chance):
    client = _Client()
    query._clients[client] = None
    for path in ("/algoritmo/frame", "/algoritmo/act/0/h/000"):
        query.order(client, order("LISTEN", path))
    for number in range(100):
        link.writer("steps").push(make_step(card, number, chance, frame=number))
        feed.advance(number)
    waiting = client.take()
    assert len(waiting) == 2
    assert OscMessage(waiting[0]).params == [99]


def test_too_many_are_turned_away(query):
    async def talk(base, session):
        sockets = [await session.ws_connect(base) for _ in range(MOST_CLIENTS)]
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(base)
        for ws in sockets:
            await ws.close()

    asyncio.run(with_server(query, talk))


def test_page_of_somebody_else_is_turned_away(query):
    async def talk(base, session):
        async with session.get(base, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(base, origin="http://evil.example")

    asyncio.run(with_server(query, talk))


def test_listening_brings_what_is_imagined(query, feed, card, chance):
    client = _Client()
    query._clients[client] = None
    query.order(client, order("LISTEN", "/algoritmo/future/1/bass/notes/000"))
    record = make_futures(card, 3, chance, count=2)
    feed.imagine(record)
    (data,) = client.take()
    bass = record["notes"][1, :, card.track_slices()["bass"]].ravel()[:256] / 2
    assert OscMessage(data).params == bass.tolist()
    assert query.answer("/algoritmo/future/1/bass/notes/000", "VALUE") == (200, {"VALUE": bass.tolist()})


def test_page_of_ones_own_listens_once_it_is_named(feed, live):
    mine = "http://127.0.0.1:8080"
    query = Query(QueryConfig(port=free_port(), announce=False, origins=[mine]), feed, live, ("127.0.0.1", 9001))

    async def talk(base, session):
        async with session.ws_connect(base, origin=mine) as ws:
            await ws.send_str(order("LISTEN", "/algoritmo/frame"))
            assert OscMessage(await ws.receive_bytes()).params == [0]
        for other in ("http://127.0.0.1:8081", "https://127.0.0.1:8080", "http://127.0.0.1:8080.evil.example", "null"):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(base, origin=other)
        async with session.get(base, headers={"Host": "evil.example", "Origin": mine}) as answer:
            assert answer.status == 403

    asyncio.run(with_server(query, talk))


@pytest.mark.parametrize("origin", ["null", "*", "127.0.0.1:8080", "http://127.0.0.1:8080/", "file:///page.html"])
def test_what_names_no_page_is_refused(origin):
    with pytest.raises(ValueError, match="origins"):
        QueryConfig(origins=[origin])


def test_step_is_told_in_the_order_asked(query, feed, link, card, chance):
    client = _Client()
    query._clients[client] = None
    asked = ["/algoritmo/frame", *(f"/algoritmo/act/{layer}/h/000" for layer in (3, 0, 5, 1)), "/algoritmo/out/entropy"]
    for path in asked:
        query.order(client, order("LISTEN", path))
    client.take()
    link.writer("steps").push(make_step(card, 1, chance, frame=0))
    feed.advance(0)
    assert [OscMessage(m).address for m in client.take()] == asked


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
hostile = st.one_of(
    st.text(max_size=100),
    json_values.map(json.dumps),
    st.tuples(json_values, json_values).map(lambda p: json.dumps({"COMMAND": p[0], "DATA": p[1]})),
    st.tuples(st.sampled_from(["LISTEN", "IGNORE", "listen"]), st.text(max_size=30)).map(lambda p: order(*p)),
    st.just("[" * 100_000),
)


def test_hostile_orders_change_nothing(query, live):
    before = live.values.numbers.copy()

    @settings(max_examples=300, deadline=None)
    @given(st.lists(hostile, max_size=5))
    def attack(texts):
        client = _Client()
        for text in texts:
            query.order(client, text)
        assert not client.paths

    attack()
    assert np.array_equal(live.values.numbers, before)


def test_hostile_paths_are_answered_with_a_status(query):
    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=40), st.text(max_size=20))
    def attack(path, attribute):
        assert query.answer("/" + path, attribute)[0] in (200, 204, 404)

    attack()


def test_garbage_on_the_wire_is_survived(query):
    chance = random.Random(1)
    beginnings = [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n", b"\x16\x03\x01"]

    async def talk(base, session):
        for number in range(200):
            reader, writer = await asyncio.open_connection("127.0.0.1", query.port)
            writer.write(beginnings[number % 4] + chance.randbytes(chance.randrange(400)) + b"\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
                if number % 3:
                    await asyncio.wait_for(reader.read(100), 5)
            writer.close()
        async with session.get(f"{base}/?HOST_INFO") as answer:
            assert answer.status == 200

    asyncio.run(with_server(query, talk))


def test_announced_and_found_by_zeroconf(feed, live):
    from zeroconf import ServiceStateChange
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

    query = Query(QueryConfig(port=free_port()), feed, live, ("127.0.0.1", 9001))

    async def talk(_base, _session):
        assert query.announced
        found = asyncio.Queue()

        def changed(zeroconf, service_type, name, state_change):
            if state_change is ServiceStateChange.Added and name.startswith("Algoritmo"):
                found.put_nowait((service_type, name))

        browser = AsyncZeroconf(interfaces=["127.0.0.1"])
        services = AsyncServiceBrowser(browser.zeroconf, ["_oscjson._tcp.local.", "_osc._udp.local."], handlers=[changed])
        wanted = {("_oscjson._tcp.local.", query.port), ("_osc._udp.local.", 9001)}
        seen = set()
        while not wanted <= seen:  # another jam on the same machine is seen as well
            service_type, name = await asyncio.wait_for(found.get(), 15)
            info = AsyncServiceInfo(service_type, name)
            assert await info.async_request(browser.zeroconf, 3000)
            seen.add((service_type, info.port))
        await services.async_cancel()
        await browser.async_close()

    asyncio.run(with_server(query, talk))


# Parameters that come and go with the patches.

CUTOFF = Parameter("lead.cutoff", 100, 10000, 2000, "Of the filter", "Hz", scale="exponential")


def declarer(live):
    """The process that loads the patches."""
    return Live(Registry(live.registry.tracks), live.values)


def test_knobs_are_found_as_long_as_their_patch_is_loaded(query, live):
    assert query.answer("/algoritmo/param/lead/cutoff", "")[0] == 404
    declarer(live).declare("lead", [CUTOFF])
    status, node = query.answer("/algoritmo/param/lead/cutoff", "")
    assert (status, node["VALUE"], node["RANGE"]) == (200, [2000.0], [{"MIN": 100, "MAX": 10000}])
    assert "cutoff" in query.answer("/algoritmo/param/lead", "")[1]["CONTENTS"]
    declarer(live).withdraw("lead")
    assert query.answer("/algoritmo/param/lead/cutoff", "")[0] == 404
    assert "cutoff" not in query.answer("/algoritmo/param/lead", "")[1]["CONTENTS"]


async def texts(ws, count):
    """Return the next `count` texts; the packets between them are passed over."""
    found = []
    while len(found) < count:
        message = await ws.receive(10)
        if message.type is aiohttp.WSMsgType.TEXT:
            found.append(json.loads(message.data))
    return found


def test_who_is_connected_is_told_what_comes_and_goes(query, live):
    there = declarer(live)
    path = "/algoritmo/param/lead/cutoff"

    async def talk(base, session):
        async with session.get(f"{base}/?HOST_INFO") as answer:
            extensions = (await answer.json())["EXTENSIONS"]
            assert {"PATH_ADDED", "PATH_REMOVED", "PATH_CHANGED"} <= extensions.keys()
        async with session.ws_connect(base) as ws:
            there.declare("lead", [CUTOFF])
            assert await texts(ws, 1) == [{"COMMAND": "PATH_ADDED", "DATA": path}]
            await ws.send_str(order("LISTEN", path))
            assert OscMessage(await ws.receive_bytes()).params == [2000.0]
            there.set("lead.cutoff", 300)
            assert OscMessage(await ws.receive_bytes()).params == [300.0]
            there.declare("lead", [Parameter("lead.cutoff", 100, 500, 300, "Of another filter", "Hz")])
            assert await texts(ws, 1) == [{"COMMAND": "PATH_CHANGED", "DATA": path}]
            there.withdraw("lead")
            assert await texts(ws, 1) == [{"COMMAND": "PATH_REMOVED", "DATA": path}]
            live.set("tempo", 99)  # nothing that is gone is looked for
            await ws.send_str(order("LISTEN", "/algoritmo/param/tempo"))
            assert OscMessage(await ws.receive_bytes()).params == [99.0]

    asyncio.run(with_server(query, talk))


def test_one_who_never_reads_is_told_the_newest_of_each_path(query, live):
    client = _Client()
    for number in range(1000):
        client.tell_path("PATH_REMOVED" if number % 2 else "PATH_ADDED", "/a")
    client.tell_path("PATH_ADDED", "/b")
    assert [json.loads(text)["DATA"] for text in client.take()] == ["/a", "/b"]


def test_a_listened_path_that_went_with_another_reader_of_the_parameters_costs_nothing(query, live, feed, card, chance):
    there = declarer(live)
    there.declare("lead", [CUTOFF])
    client = _Client()
    query._clients[client] = None
    query.order(client, order("LISTEN", "/algoritmo/param/lead/cutoff"))
    there.withdraw("lead")
    live.refresh()  # as the control socket does
    feed.step(make_step(card, 1, chance))
    query._tell_changes()
    assert client.paths == {}


def test_sound_is_measured_only_where_somebody_listens_to_it(query, link):
    def wanted():
        said = json.loads(link["receivers"].latest()["text"])
        return said["shown"], said["levels"]

    async def listen():
        client = _Client()
        query._clients[client] = None
        found = []
        for command, path in (
            ("LISTEN", "smooth/energy"),
            ("LISTEN", "raw/level/master/rms"),
            ("IGNORE", "raw/level/master/rms"),
            ("IGNORE", "smooth/energy"),
        ):
            query.order(client, order(command, f"/algoritmo/{path}"))
            found.append(wanted())
        return found

    assert asyncio.run(listen()) == [(True, False), (True, True), (True, False), (False, False)]


# Between machines.


@pytest.mark.parametrize(
    ("bound", "control", "asked", "osc_ip", "ws_ip"),
    [
        ("0.0.0.0", "127.0.0.1", "192.168.1.4", "192.168.1.4", "192.168.1.4"),
        ("0.0.0.0", "0.0.0.0", "192.168.1.4", "192.168.1.4", "192.168.1.4"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "10.0.0.4", "192.168.1.4", "10.0.0.4", "192.168.1.4"),
        ("::", "::", "::ffff:192.168.1.4", "192.168.1.4", "192.168.1.4"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_address_is_told_that_the_question_came_to(feed, live, bound, control, asked, osc_ip, ws_ip):
    query = Query(QueryConfig(host=bound, port=free_port(), announce=False), feed, live, (control, 9001))
    _, info = query.answer("/", "HOST_INFO", asked)
    assert (info["OSC_IP"], info["WS_IP"], info["WS_PORT"]) == (osc_ip, ws_ip, query.port)
    query._socket.close()


def test_a_machine_on_another_address_of_this_one_is_told_that(feed, live):
    query = Query(QueryConfig(host="0.0.0.0", port=free_port(), announce=False), feed, live, ("0.0.0.0", 9001))

    async def talk(_base, session):
        for address in ("127.0.0.1", "127.0.0.2"):  # all of 127/8 is this machine
            async with session.get(f"http://{address}:{query.port}/?HOST_INFO") as answer:
                info = await answer.json()
                assert (info["OSC_IP"], info["WS_IP"]) == (address, address)

    asyncio.run(with_server(query, talk))


def test_the_announced_host_name_comes_in(query):
    async def talk(base, session):
        for host, status in ((f"{server_name(query.port)}:{query.port}", 200), ("evil.example", 403)):
            async with session.get(f"{base}/?HOST_INFO", headers={"Host": host}) as answer:
                assert answer.status == status

    asyncio.run(with_server(query, talk))


def test_two_machines_are_announced_under_two_names(monkeypatch):
    names = []
    for hostname in ("left.local", "right.local"):
        monkeypatch.setattr("socket.gethostname", lambda hostname=hostname: hostname)
        names.append((service_name(), server_name(9002)))
    assert names == [
        ("Algoritmo on left", "algoritmo-left-9002.local"),
        ("Algoritmo on right", "algoritmo-right-9002.local"),
    ]


def test_with_no_network_to_announce_it_on_it_is_served_all_the_same(feed, live):
    query = Query(QueryConfig(host="::1", port=free_port()), feed, live, ("::1", 9001))

    async def talk():
        await query.start()
        assert not query.announced
        await query.stop()

    asyncio.run(talk())
