"""The OSC encoder against python-osc, byte for byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing import ntp

from engine.net import osc

addresses = st.text(
    st.characters(codec="ascii", min_codepoint=33, exclude_characters="#*,/?[]{} "), min_size=1, max_size=20
).map("/".__add__)
floats = st.floats(width=32, allow_nan=False)
arguments = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(lambda v: ("i", v)),
    st.integers(2**31, 2**63 - 1).map(lambda v: ("h", v)),
    st.integers(-(2**63), -(2**31) - 1).map(lambda v: ("h", v)),
    floats.map(lambda v: ("f", v)),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30).map(lambda v: ("s", v)),
    st.binary(min_size=1, max_size=30).map(lambda v: ("b", v)),
    st.booleans().map(lambda v: ("T" if v else "F", v)),
)


def by_python_osc(address, arguments):
    builder = OscMessageBuilder(address)
    for tag, value in arguments:
        builder.add_arg(value, tag)
    return builder.build()


@given(addresses, st.lists(arguments, max_size=12))
def test_message_equals_python_osc(address, arguments):
    assert osc.message(address, *(v for _, v in arguments)) == by_python_osc(address, arguments).dgram


@given(addresses, st.lists(floats, max_size=300))
def test_vector_equals_python_osc(address, values):
    expected = by_python_osc(address, [("f", v) for v in values]).dgram
    assert osc.vector(address, np.array(values, np.float32)) == expected


@given(st.lists(st.tuples(addresses, st.lists(arguments, max_size=4)), max_size=6))
def test_bundle_equals_python_osc(messages):
    builder = OscBundleBuilder(IMMEDIATELY)
    for address, args in messages:
        builder.add_content(by_python_osc(address, args))
    mine = osc.bundle(osc.message(a, *(v for _, v in args)) for a, args in messages)
    assert mine == builder.build().dgram
    assert OscBundle(mine).num_contents == len(messages)


@given(st.integers(0, 2**32 * 10**9 - 2208988800 * 10**9 - 1))
def test_timetag_is_the_ntp_date(unix_ns):
    seconds = ntp.ntp_to_system_time(osc.timetag(unix_ns))
    assert seconds == pytest.approx(unix_ns / 1e9, abs=1e-6)


def test_integer_beyond_64_bits_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        osc.message("/a", 2**63)


def test_a_chunk_with_its_frame_counter_fits_one_datagram():
    chunk = osc.vector("/algoritmo/act/0/h/000", np.zeros(256))
    data = osc.bundle([osc.message("/algoritmo/frame", 1), chunk])
    assert len(data) <= osc.DATAGRAM
    assert list(OscMessage(chunk)) == [0.0] * 256
