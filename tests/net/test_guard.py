import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.net.guard import Bucket, Guard, is_loopback, machine_name, own_address, plain

HOME = Guard("127.0.0.1")
LAN = Guard("0.0.0.0", "sesame")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
def test_loopback_is_open_to_who_sits_there(host):
    assert is_loopback(host)
    guard = Guard(host, "ignored")
    assert guard.open_to_all
    assert guard.token_is_right(None)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "stage.local"])
def test_anything_else_asks_for_a_token(host):
    guard = Guard(host)
    assert not guard.open_to_all
    assert len(guard.token) >= 12  # made when none is given
    assert guard.token_is_right(guard.token)
    for wrong in (None, "", guard.token[:-1], guard.token + " ", 5, ["x"], "ü" * 12):
        assert not guard.token_is_right(wrong)


def test_no_two_evenings_have_the_same_token():
    assert Guard("0.0.0.0").token != Guard("0.0.0.0").token


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.0.0.1:9999"])
def test_our_own_names(host):
    assert HOME.host_is_ours(host)


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.4:8000",
     "127.0.0.1@evil.example", "127.0.0.1:port", "[::1", "localhost/x", "a b"],
)  # fmt: skip
def test_a_rebound_name_is_turned_away(host):
    assert not HOME.host_is_ours(host)


def test_the_address_that_is_shown_is_one_that_is_let_in():
    assert LAN.host_is_ours(f"{own_address()}:8000")


def test_on_a_network_addresses_pass_and_names_of_others_do_not():
    assert LAN.host_is_ours("192.168.1.4:8000")
    assert LAN.host_is_ours("[fe80::1]:8000")
    assert not LAN.host_is_ours("evil.example:8000")


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        (None, "127.0.0.1:8000", True),  # no browser
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://LOCALHOST:8000", "localhost:8000", True),
        ("https://127.0.0.1:8000", "127.0.0.1:8000", True),  # behind a proxy that speaks TLS
        ("http://127.0.0.1:8001", "127.0.0.1:8000", False),
        ("http://evil.example", "127.0.0.1:8000", False),
        ("null", "127.0.0.1:8000", False),
        ("file://127.0.0.1:8000", "127.0.0.1:8000", False),
        ("http://[", "127.0.0.1:8000", False),
        ("http://127.0.0.1:8000", None, False),
    ],
)
def test_only_our_own_page_may_talk_to_us(origin, host, ours):
    assert HOME.origin_is_ours(origin, host) is ours


@given(st.text(), st.text())
def test_no_header_breaks_the_guard(host, origin):
    HOME.host_is_ours(host)
    assert not HOME.origin_is_ours(origin, "127.0.0.1:8000") or "127.0.0.1:8000" in origin


def test_a_bucket_gives_its_burst_and_then_its_rate():
    bucket = Bucket(10, 3)
    assert [bucket.take(0.0) for _ in range(5)] == [True, True, True, False, False]
    assert [bucket.take(0.1), bucket.take(0.1)] == [True, False]
    assert sum(bucket.take(0.1 + i / 100) for i in range(1, 101)) == 10
    assert [bucket.take(100.0) for _ in range(5)].count(True) == 3


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:7f00:1", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("a.b", "a.b"),
    ],
)
def test_an_ipv4_address_in_ipv6_is_what_it_is(host, what):
    assert plain(host) == what


@pytest.mark.parametrize(("host", "here"), [("::ffff:127.0.0.1", True), ("::ffff:10.0.0.7", False), ("::ffff:0.0.0.0", False)])
def test_loopback_is_seen_through_ipv6(host, here):
    assert is_loopback(host) is here
    assert Guard(host).open_to_all is here


def test_names_that_a_server_is_announced_under_are_its_own():
    name = f"algoritmo-{machine_name()}-9002.local."
    for host in ("127.0.0.1", "0.0.0.0"):
        guard = Guard(host, names=[name])
        assert guard.host_is_ours(f"{name.removesuffix('.')}:9002")
        assert guard.host_is_ours(f"{name.upper()}:9002")
        assert not guard.host_is_ours("evil.example:9002")


@pytest.mark.parametrize(
    ("hostname", "name"), [("Studio.local", "studio"), ("MacBook Pro (2)", "macbook-pro-2"), ("x" * 99, "x" * 40)]
)
def test_a_machine_has_a_name_that_may_stand_in_a_host_name(monkeypatch, hostname, name):
    monkeypatch.setattr("socket.gethostname", lambda: hostname)
    assert machine_name() == name


@pytest.mark.parametrize("hostname", ["localhost", "", "localhost.localdomain", "---"])
def test_a_machine_without_a_name_has_its_number(monkeypatch, hostname):
    monkeypatch.setattr("socket.gethostname", lambda: hostname)
    assert machine_name() not in ("", "localhost")
