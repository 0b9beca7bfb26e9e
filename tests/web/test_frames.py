import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.messages import COUNT_IN, EVENT, FUTURE_STEPS, LATE, NOTE_ON, PLAYER, futures_dtype, step_dtype
from engine.core.metre import parse
from engine.web import frames
from engine.web.frames import HEADER, Encoder
from tests.web.stand import MadeUp, biaxial_card, card_of

CARD = card_of()


def record_of(card=CARD, seed=0):
    source = MadeUp(card, seed)
    source.play(0)
    source.play(1)
    return source.desk.link["steps"].latest()


def parts(card, frame, fmt):
    """A frame taken apart, written from the page's side of the contract."""
    head = HEADER.unpack_from(frame)
    at = 32
    tracks = np.frombuffer(frame, "<f4", len(card.tracks), at)
    at += 4 * len(card.tracks)
    cells = np.frombuffer(frame, np.uint8, card.slots, at)
    at += -(-card.slots // 4) * 4
    values = np.frombuffer(frame, np.uint8 if fmt == "u8" else "<f4", offset=at)
    return head, tracks, cells, values


def test_the_header_is_32_bytes_and_says_what_it_is():
    record = record_of()
    record["flags"], record["mode"], record["beat"], record["tempo_bpm"] = LATE | COUNT_IN, 2, 1.25, 93.5
    record["numerator"], record["denominator"], record["groups"] = 7, 8, parse("7/8 (3+2+2)").code
    head, tracks, _, _ = parts(CARD, Encoder(CARD).step(record, "f32", frames.PAST), "f32")
    assert HEADER.size == 32
    assert head[:5] == (frames.MAGIC, frames.VERSION, frames.STEP, frames.F32, LATE | COUNT_IN | frames.PAST)
    assert head[5:] == (1, 93.5, 1.25, pytest.approx(-6.0), 2, 7, 8, 0b0101001)
    assert np.array_equal(tracks, record["log_prob_tracks"])


@pytest.mark.parametrize("card", [CARD, biaxial_card((30, 40), (7, 5))], ids=["bands", "planes"])
def test_floats_arrive_as_they_were(card):
    record = record_of(card)
    encoder = Encoder(card)
    _, _, _, values = parts(card, encoder.step(record, "f32"), "f32")
    assert len(values) == encoder.size
    assert np.array_equal(values[: card.slots], record["probability"][:, 0])
    assert np.array_equal(values[card.slots : 2 * card.slots], record["probability"][:, 1])
    for name, (at, size) in encoder.blocks.items():
        assert np.array_equal(values[at : at + size], record[name].ravel())


def test_bytes_are_within_half_a_step_of_the_truth():
    record = record_of()
    encoder = Encoder(CARD)
    _, _, _, values = parts(CARD, encoder.step(record, "u8"), "u8")
    for a in CARD.activations:
        at, size = encoder.blocks[a.output]
        back = a.min + values[at : at + size] / 255 * (a.max - a.min)
        assert np.abs(back - record[a.output]).max() <= (a.max - a.min) / 255 / 2 + 1e-6


def test_what_is_out_of_range_is_clipped_and_not_a_number_is_the_lowest():
    record = record_of()
    record["h0"][:5] = [np.nan, np.inf, -np.inf, 5, -5]
    encoder = Encoder(CARD)
    _, _, _, values = parts(CARD, encoder.step(record, "u8"), "u8")
    at, _ = encoder.blocks["h0"]
    assert values[at : at + 5].tolist() == [0, 255, 0, 255, 0]


def test_each_slot_says_what_was_chosen_dictated_and_told():
    record = record_of()
    record["notes"], record["x"], record["clamped"] = 0, 0, 0
    record["notes"][1], record["notes"][2], record["x"][3], record["x"][4], record["clamped"][5] = (
        (1, 0),
        (1, 1),
        (1, 0),
        (1, 1),
        1,
    )
    _, _, cells, _ = parts(CARD, Encoder(CARD).step(record, "u8"), "u8")
    play, hold, clamped, told, told_hold = frames.PLAY, frames.HOLD, frames.CLAMPED, frames.TOLD, frames.TOLD_HOLD
    assert cells[:7].tolist() == [0, play, play | hold, told, told | told_hold, clamped, 0]


def test_an_activation_that_is_a_state_too_is_sent_once():
    card = card_of(
        states=[{"name": "h0", "shape": [4]}],
        activations=[{"output": "h0_next", "layer": 0, "signal": s, "shape": [4]} for s in ("h", "says")],
    )
    encoder = Encoder(card)
    assert encoder.size == 2 * card.slots + 4
    assert encoder.layout()["blocks"] == {"h0_next": {"at": 2 * card.slots, "size": 4}}


@settings(deadline=None)
@given(st.binary(min_size=step_dtype(CARD).itemsize, max_size=step_dtype(CARD).itemsize), st.sampled_from(["u8", "f32"]))
def test_no_record_whatever_its_bytes_breaks_the_encoder(data, fmt):
    record = np.frombuffer(data, step_dtype(CARD))[0]
    encoder = Encoder(CARD)
    with np.errstate(all="ignore"):
        frame = encoder.step(record, fmt)
    assert len(frame) == 32 + 4 * len(CARD.tracks) + -(-CARD.slots // 4) * 4 + encoder.size * (1 if fmt == "u8" else 4)


def test_futures_have_a_frame_of_their_own():
    record = np.zeros((), futures_dtype(CARD))
    record["step"], record["count"] = 12, 2
    record["notes"][:2] = np.arange(record["notes"][:2].size).reshape(record["notes"][:2].shape) % 3
    frame = frames.futures(record)
    head = HEADER.unpack_from(frame)
    assert (head[2], head[4], head[5], head[9]) == (frames.FUTURES, 2, 12, FUTURE_STEPS)
    assert np.frombuffer(frame, np.uint8, offset=32).tolist() == record["notes"][:2].ravel().tolist()


def test_notes_and_sound_have_their_own_frames():
    event = np.zeros((), EVENT)
    event["kind"], event["track"], event["pitch"], event["velocity"] = NOTE_ON, PLAYER, 60, 99
    frame = frames.notes([frames.note(event, 3.5)] * 2, 2, lost=True)
    head = HEADER.unpack_from(frame)
    assert (head[2], head[4], head[5]) == (frames.NOTES, frames.LOST, 2)
    assert struct.unpack_from("<BBBBf", frame, 32 + 8) == (NOTE_ON, PLAYER, 60, 99, 3.5)
    frame = frames.sound(np.array([[0.0, 1.0], [-1.0, 2.0], [np.nan, -9.0]], np.float32), 640)
    head = HEADER.unpack_from(frame)
    assert (head[2], head[5], head[7]) == (frames.SOUND, 3, 640.0)
    assert np.frombuffer(frame, "<i2", offset=32).tolist()[:4] == [0, 32767, -32767, 32767]
