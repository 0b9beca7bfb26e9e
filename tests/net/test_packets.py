"""OSC that comes in, against python-osc; what is wrong costs as little as it can."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.net import osc
from engine.net.packets import DEEPEST, LARGEST, MOST_MESSAGES, Malformed, Message, Other, read

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
scalar = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(lambda v: ("i", v)),
    st.integers(-(2**63), 2**63 - 1).map(lambda v: ("h", v)),
    st.floats(width=32, allow_nan=False).map(lambda v: ("f", v)),
    st.floats(allow_nan=False).map(lambda v: ("d", v)),
    text.map(lambda v: ("s", v)),
    st.binary(min_size=1, max_size=20).map(lambda v: ("b", v)),
    st.booleans().map(lambda v: ("T" if v else "F", v)),
    st.just(("N", None)),
)
arguments = st.recursive(scalar, lambda inner: st.lists(inner, max_size=3).map(lambda v: ("[", v)), max_leaves=6)


def add(builder: OscMessageBuilder, tag: str, value: object) -> None:
    if tag != "[":
        builder.add_arg(value, tag)  # type: ignore[arg-type]
        return
    builder.args.append(("[", None))  # type: ignore[attr-defined]
    for inner in value:  # type: ignore[attr-defined]
        add(builder, *inner)
    builder.args.append(("]", None))  # type: ignore[attr-defined]


def depth(argument: tuple[str, object]) -> int:
    return 1 + max(map(depth, argument[1]), default=0) if argument[0] == "[" else 0  # type: ignore[arg-type,call-overload]


@settings(max_examples=300, deadline=None)
@given(st.lists(arguments, max_size=6))
def test_what_python_osc_reads_is_read_the_same(given_arguments):
    builder = OscMessageBuilder("/a/b")
    for argument in given_arguments:
        add(builder, *argument)
    data = builder.build().dgram
    (found,) = read(data)
    if max(map(depth, given_arguments), default=0) > DEEPEST:
        assert isinstance(found, Malformed)
    else:
        assert isinstance(found, Message)
        assert list(found.arguments) == list(OscMessage(data).params)


def of(tags: str, data: bytes = b"") -> Message | Malformed:
    (found,) = read(osc.string("/a") + osc.string("," + tags) + data)
    return found


@pytest.mark.parametrize(
    ("tags", "data", "expected"),
    [
        ("i", struct.pack(">i", -5), -5),
        ("h", struct.pack(">q", 2**40), 2**40),
        ("f", struct.pack(">f", 0.5), 0.5),
        ("d", struct.pack(">d", 0.1), 0.1),
        ("s", osc.string("größer"), "größer"),
        ("S", osc.string("symbol"), "symbol"),
        ("c", struct.pack(">I", ord("ß")), "ß"),
        ("c", b"\xff\xff\xff\xff", "\ufffd"),
        ("b", struct.pack(">i", 3) + b"abc\0", b"abc"),
        ("b", bytes(4), b""),
        ("T", b"", True),
        ("F", b"", False),
        ("N", b"", None),
        ("I", b"", Other("I")),
        ("t", bytes(range(8)), Other("t", bytes(range(8)))),
        ("r", b"\xff\x80\x00\xff", Other("r", b"\xff\x80\x00\xff")),
        ("m", b"\x00\x90\x3c\x40", Other("m", b"\x00\x90\x3c\x40")),
        ("[i[f]]", struct.pack(">if", 1, 2), [1, [2.0]]),
        ("s", b"caf\xe9\0\0\0\0", "caf\ufffd"),  # Latin-1: still a string
    ],
)
def test_every_type_tag_is_understood(tags, data, expected):
    found = of(tags + "i", data + struct.pack(">i", 77))  # what comes after is read from the right place
    assert found == Message("/a", (expected, 77))


@pytest.mark.parametrize(
    ("tags", "data"),
    [
        ("i", b""),
        ("s", b"abc"),
        ("b", struct.pack(">i", 9)),
        ("b", b"\xff\xff\xff\xff"),
        ("[i", bytes(4)),
        ("]", b""),
        ("Q", b""),
        ("", bytes(4)),
    ],
)
def test_what_cannot_be_read_is_said_with_its_address(tags, data):
    found = of(tags, data)
    assert isinstance(found, Malformed)
    assert found.address == "/a"


def test_no_type_tags_are_no_arguments():
    assert read(b"/a\0\0") == [Message("/a")]


def test_one_bad_message_of_a_bundle_costs_that_message():
    good = [osc.message("/a", n) for n in range(3)]
    bad = [osc.string("/x") + osc.string(",Q"), b"\xff\xff\xff\xff", b"", osc.message("no address"), b"/y\0\0,i\0\0"]
    for wrong in bad:
        data = osc.bundle([good[0], wrong, osc.bundle([wrong, good[1]]), good[2]])
        found = read(data)
        assert [m.arguments for m in found if isinstance(m, Message)] == [(0,), (1,), (2,)]
        assert sum(isinstance(m, Malformed) for m in found) == 2


def test_what_stands_before_a_size_that_does_not_fit_is_read():
    data = osc.bundle([osc.message("/a", 1)]) + struct.pack(">i", 1000) + b"/b\0\0"
    found = read(data)
    assert found[0] == Message("/a", (1,))
    assert isinstance(found[1], Malformed)
    assert len(found) == 2


def test_bundles_within_bundles_have_an_end():
    data = osc.message("/a")
    for _ in range(50):
        data = osc.bundle([data])
    (found,) = read(data)
    assert isinstance(found, Malformed)
    assert "within" in found.reason


def test_a_datagram_has_a_size_and_a_number_of_messages():
    (found,) = read(osc.message("/a", "x" * 5000))
    assert isinstance(found, Malformed)
    assert f"longer than {LARGEST}" in found.reason
    many = read(osc.bundle([b"/a\0\0"] * (MOST_MESSAGES + 9)))
    assert many[:-1] == [Message("/a")] * MOST_MESSAGES
    assert isinstance(many[-1], Malformed)


def sound(found: list[Message | Malformed]) -> bool:
    return all(isinstance(m, Malformed) or (m.address.startswith("/") and m.address.isprintable()) for m in found)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read(data):
    assert sound(read(data))


@settings(max_examples=300, deadline=None)
@given(st.text("ifsbhdtScrmTFNI[]", max_size=12), st.binary(max_size=80))
def test_any_type_tags_before_any_bytes_are_read(tags, data):
    assert sound(read(osc.bundle([osc.string("/a") + osc.string("," + tags) + data])))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"#bundle\0" + bytes(8), b"/algoritmo/tempo\0\0\0\0,f\0\0", b"/a\0\0,s\0\0"]))
def test_any_bytes_after_a_sound_beginning_are_read(tail, beginning):
    assert sound(read(beginning + tail))
