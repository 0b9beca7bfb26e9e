"""What a step looks like on the wire: every number where the contract says, in datagrams that pass everywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.core.messages import EVENT, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Registry
from engine.feed.encoder import Encoder, PacketTemplate, SubscriptionSpec
from engine.feed.schema import Schema
from engine.net import osc
from tests.feed.fakes import make_card, make_futures, make_step


def schema_of(card, **options):
    return Schema(card, Registry([t.name for t in card.tracks]), **options)


def messages(datagrams):
    """Return {address: arguments} of bundles, and check that the frame counter leads each."""
    found, frames = {}, set()
    for data in datagrams:
        first, *rest = list(OscBundle(bytes(data)))
        assert first.address.endswith("/frame")
        frames.add(first.params[0])
        for message in rest:
            assert message.address not in found
            found[message.address] = message.params
    assert len(frames) <= 1
    return found, *frames


def events(*tuples):
    return np.array([(f, -1 if t == PLAYER else 0, k, t, p, v, 0) for f, k, t, p, v in tuples], EVENT)


def test_every_number_is_at_its_address(card, schema, chance):
    encoder = Encoder(schema)
    template = PacketTemplate(encoder, SubscriptionSpec())
    step = make_step(card, 37, chance)
    encoder.take(step)
    template.fill()
    found, frame = messages(template.datagrams)
    assert frame == 37
    for k in range(6):
        assert found[f"/algoritmo/act/{k}/h/000"] == step[f"h{k}_next"].tolist()
        assert found[f"/algoritmo/act/{k}/c/000"] == pytest.approx(np.tanh(step[f"c{k}_next"]).tolist(), abs=1e-6)
    for name, slots in card.track_slices().items():
        notes = step["notes"][slots]
        assert found[f"/algoritmo/out/{name}/probability/000"] == step["probability"][slots, 0].tolist()
        assert found[f"/algoritmo/out/{name}/hold/000"] == step["probability"][slots, 1].tolist()
        assert found[f"/algoritmo/out/{name}/notes/000"] == (notes[:, 0] - 0.5 * notes[:, 1]).tolist()
        assert found[f"/algoritmo/track/{name}/onset"] == [float((notes[:, 0] > notes[:, 1]).any())]
    assert found["/algoritmo/beat/phase"] == [0.25]
    assert found["/algoritmo/beat/bar"] == [(37 / 16) % 1]
    assert set(found) == {"/algoritmo" + a.path for a in schema.addresses() if a.tier in ("scalars", "vectors")}


def test_scalars_say_what_the_page_says(card, schema, chance):
    encoder = Encoder(schema)
    first, second = make_step(card, 0, chance), make_step(card, 1, chance)
    encoder.hear(events((1, NOTE_ON, 4, 60, 100), (2, NOTE_ON, PLAYER, 72, 20), (3, NOTE_OFF, 4, 60, 0)))
    encoder.take(first)
    assert [encoder.values[i] for i, s in enumerate(schema.scalars) if s.path.endswith("delta")] == [0] * 6
    encoder.take(second)
    scalar = {s.path: float(encoder.values[i]) for i, s in enumerate(schema.scalars)}
    h = [second[f"h{k}_next"].astype(float) for k in range(6)]
    for k in range(6):
        assert scalar[f"/layer/{k}/mean"] == pytest.approx(np.abs(h[k]).mean(), rel=1e-4)
        assert scalar[f"/layer/{k}/max"] == pytest.approx(np.abs(h[k]).max(), rel=1e-4)
        assert scalar[f"/layer/{k}/delta"] == pytest.approx(np.abs(h[k] - first[f"h{k}_next"]).mean() / 2, rel=1e-4)
    free = second["clamped"] == 0
    p = second["probability"][free, 0].astype(float)
    bits = -np.sum(p * np.log2(np.maximum(p, 1e-12)) + (1 - p) * np.log2(np.maximum(1 - p, 1e-12)))
    assert scalar["/out/entropy"] == pytest.approx(bits / (bits + 8), rel=1e-4)
    assert scalar["/out/confidence"] == pytest.approx(p[second["notes"][free, 0] == 1].mean(), rel=1e-4)
    assert scalar["/note/pitch"] == pytest.approx(60 / 127)
    assert scalar["/note/velocity"] == pytest.approx(100 / 127)


def test_scalars_stay_between_0_and_1_and_are_at_most_64(chance):
    for card in (make_card(), make_card(layers=40, width=3), make_card(layers=1, signals="c"), make_card(signals="")):
        schema = schema_of(card)
        assert len(schema.scalars) <= 64
        encoder = Encoder(schema)
        for number in (-16, 0, 1, 2**40):
            encoder.take(make_step(card, number, chance))
            scalars = encoder.values[: len(schema.scalars)]
            assert np.all((scalars >= 0) & (scalars <= 1))


def test_layers_are_summed_up_whatever_the_card_shows_of_them(chance):
    """No hidden state, one output under two names, layers in any order, layers of unlike size."""
    activations = [
        {"output": "c1_next", "layer": 1, "signal": "c", "shape": [150], "min": -4.0, "max": 4.0},
        {"output": "h0_next", "layer": 0, "signal": "h", "shape": [150]},
        {"output": "h0_next", "layer": 0, "signal": "seen", "shape": [150]},
        {"output": "extra", "layer": 2, "signal": "z", "shape": [3, 5], "min": 0.0, "max": 10.0},
    ]
    card = make_card(layers=2, activations=activations)
    schema = schema_of(card)
    encoder = Encoder(schema)
    step = make_step(card, 0, chance)
    encoder.take(step)
    scalar = {s.path: float(encoder.values[i]) for i, s in enumerate(schema.scalars)}
    expected = [step["h0_next"], np.tanh(step["c1_next"]), step["extra"] / 10]
    for layer, values in enumerate(expected):
        assert scalar[f"/layer/{layer}/mean"] == pytest.approx(np.abs(values).mean(), rel=1e-4)
        assert scalar[f"/layer/{layer}/max"] == pytest.approx(np.abs(values).max(), rel=1e-4)
    template = PacketTemplate(encoder, SubscriptionSpec())
    template.fill()
    found = messages(template.datagrams)[0]
    assert found["/algoritmo/act/0/seen/000"] == found["/algoritmo/act/0/h/000"] == step["h0_next"].tolist()
    assert found["/algoritmo/act/2/z/000"] == step["extra"].ravel().tolist()


def test_bytes_equal_those_of_python_osc(card, schema, chance):
    encoder = Encoder(schema)
    template = PacketTemplate(encoder, SubscriptionSpec(root="/stage"))
    encoder.take(make_step(card, 5, chance))
    template.fill()
    for data in template.datagrams:
        again = []
        for message in OscBundle(bytes(data)):
            builder = OscMessageBuilder(message.address)
            for value in message.params:
                builder.add_arg(value)
            again.append(builder.build().dgram)
        assert osc.bundle(again) == bytes(data)


def test_scalars_of_the_festival_network_are_one_datagram(schema):
    assert len(PacketTemplate(Encoder(schema), SubscriptionSpec(tiers=("scalars",))).datagrams) == 1


@settings(max_examples=40, deadline=None)
@given(
    chunk=st.sampled_from([16, 100, 256, 768, 1600, 8192]),
    root=st.sampled_from(["/a", "/algoritmo", "/" + "x" * 63]),
    signals=st.lists(st.sampled_from(["h", "c", "probability", "notes", "none"])),
    layers=st.lists(st.integers(0, 7)),
    tiers=st.sampled_from([("scalars",), ("vectors",), ("scalars", "vectors"), ()]),
    shape=st.sampled_from([[150], [13, 100], [1]]),
)
def test_datagrams_pass_everywhere_and_hold_what_was_asked(chunk, root, signals, layers, tiers, shape):
    card = make_card(shape=shape)
    schema = schema_of(card)
    template = PacketTemplate(Encoder(schema), SubscriptionSpec(root, chunk, tiers, tuple(signals), tuple(layers)))
    template.fill()
    if chunk <= 256:
        assert all(len(d) <= osc.DATAGRAM for d in template.datagrams)
    found = messages(template.datagrams)[0]
    floats = sum(len(v) for v in found.values())
    wanted = schema.vectors_for(signals, layers) if "vectors" in tiers else []
    assert floats == sum(v.size for v in wanted) + (len(schema.scalars) + 4) * ("scalars" in tiers)  # bar, beat and metre
    assert all(address.startswith(root + "/") for address in found)


def test_chunks_have_numbers_of_as_many_digits_and_end_short(chance):
    card = make_card(layers=1, shape=[13, 100])
    schema = schema_of(card)
    encoder = Encoder(schema)
    template = PacketTemplate(encoder, SubscriptionSpec(signals=("h",)))
    step = make_step(card, 0, chance)
    encoder.take(step)
    template.fill()
    found = messages(template.datagrams)[0]
    parts = [found[f"/algoritmo/act/0/h/{n:03}"] for n in range(6)]
    assert [len(p) for p in parts] == [256] * 5 + [20]
    assert [v for part in parts for v in part] == step["h0_next"].ravel().tolist()


def test_raw_cells_are_raw(card, chance):
    schema = schema_of(card, cells="raw")
    encoder = Encoder(schema)
    template = PacketTemplate(encoder, SubscriptionSpec(signals=("c",)))
    step = make_step(card, 0, chance)
    encoder.take(step)
    template.fill()
    assert messages(template.datagrams)[0]["/algoritmo/act/3/c/000"] == step["c3_next"].tolist()


def test_large_network_sends_its_layers_only_where_they_are_named(chance):
    card = make_card(layers=2, shape=[78, 100])
    schema = schema_of(card)
    assert schema.large
    encoder = Encoder(schema)
    step = make_step(card, 0, chance)
    encoder.take(step)
    modest, all_of_h = PacketTemplate(encoder, SubscriptionSpec()), PacketTemplate(encoder, SubscriptionSpec(signals=("h",)))
    modest.fill()
    all_of_h.fill()
    assert not any("/act/" in a for a in messages(modest.datagrams)[0])
    found = messages(all_of_h.datagrams)[0]
    expected = step["h1_next"].ravel()[:256].astype(np.float16).astype(np.float32)
    assert found["/algoritmo/act/1/h/000"] == expected.tolist()


def test_a_network_gone_wild_sends_numbers(card, schema, chance):
    encoder = Encoder(schema)
    template = PacketTemplate(encoder, SubscriptionSpec())
    step = make_step(card, 0, chance)
    step["h2_next"][7] = np.nan
    step["probability"][3] = np.nan
    encoder.take(step)
    template.fill()
    found = messages(template.datagrams)[0]
    assert np.isfinite([v for part in found.values() for v in part]).all()
    encoder.take(make_step(card, 1, chance))
    assert np.isfinite(encoder.values).all()


def test_presentation_time_is_in_every_timetag(card, schema, chance):
    encoder = Encoder(schema)
    template = PacketTemplate(encoder, SubscriptionSpec(presentation=True))
    encoder.take(make_step(card, 0, chance))
    template.fill(1_700_000_000_250_000_000)
    assert {OscBundle(bytes(d)).timestamp for d in template.datagrams} == {1_700_000_000.25}
    (data,) = template.notes(events((1, NOTE_ON, PLAYER, 60, 1)), 1_700_000_001_000_000_000)
    assert OscBundle(data).timestamp == 1_700_000_001


@pytest.mark.parametrize("chunk", [100, 256, 768])
def test_futures_arrive_row_by_row_under_the_step_they_follow(card, schema, chance, chunk):
    record = make_futures(card, 41, chance, count=3)
    found, datagrams = {}, PacketTemplate(Encoder(schema), SubscriptionSpec(root="/x", chunk=chunk)).futures(record)
    for data in datagrams:
        lead, *rest = OscBundle(data)
        assert (lead.address, lead.params) == ("/x/frame", [41])
        found |= {m.address: m.params for m in rest}
    for future in range(3):
        for path, slots in schema.futures(future):
            parts = sorted(a for a in found if a.startswith(f"/x{path}/"))
            values = [v for a in parts for v in found.pop(a)]
            assert values == (record["notes"][future, :, slots].ravel() / 2).tolist()
    assert found == {}
    if chunk <= 256:
        assert max(map(len, datagrams)) <= osc.DATAGRAM


def test_futures_go_only_to_those_who_wish_them(card, schema, chance):
    record, encoder = make_futures(card, 1, chance), Encoder(schema)
    assert PacketTemplate(encoder, SubscriptionSpec(signals=("h", "future"))).futures(record)
    assert PacketTemplate(encoder, SubscriptionSpec(signals=("h",))).futures(record) == []
    assert PacketTemplate(encoder, SubscriptionSpec(tiers=("scalars",))).futures(record) == []
    (data, *_) = PacketTemplate(encoder, SubscriptionSpec(presentation=True)).futures(record, 1_700_000_000_250_000_000)
    assert OscBundle(data).timestamp == 1_700_000_000.25


def test_notes_tell_pitch_and_velocity_and_zero_at_the_end(schema):
    template = PacketTemplate(Encoder(schema), SubscriptionSpec())
    heard = events(
        (1, NOTE_ON, PLAYER, 60, 93), (2, NOTE_ON, 1, 40, 80), (3, NOTE_OFF, PLAYER, 60, 64), (3, 3, PLAYER, 64, 127)
    )
    (data,) = template.notes(heard)
    assert [(m.address, m.params) for m in OscBundle(data)] == [
        ("/algoritmo/player/note", [60, 93]),
        ("/algoritmo/track/bass/note", [40, 80]),
        ("/algoritmo/player/note", [60, 0]),
    ]
    assert template.notes(events((3, 3, PLAYER, 64, 127))) == []


def test_many_notes_at_once_still_pass_everywhere(schema):
    template = PacketTemplate(Encoder(schema), SubscriptionSpec(root="/" + "x" * 63))
    data = template.notes(events(*((n, NOTE_ON, n % 5, n % 128, 1) for n in range(300))))
    assert max(len(d) for d in data) <= osc.DATAGRAM
    assert sum(OscBundle(d).num_contents for d in data) == 300


def test_impossible_wishes_are_refused(schema):
    with pytest.raises(ValueError, match="root"):
        PacketTemplate(Encoder(schema_of(make_card(shape=[300]))), SubscriptionSpec(root="/" + "x" * 300))
    with pytest.raises(ValueError, match="chunk"):
        PacketTemplate(Encoder(schema_of(make_card(layers=1, shape=[20000]))), SubscriptionSpec(chunk=20000, signals=("h",)))


@pytest.mark.parametrize(
    ("metre", "beat", "told", "phase", "bar"),
    [
        ("4/4", 5.75, [2, 2, 4, 4], 0.75, 0.4375),
        ("6/8", 5.25, [2, 2, 6, 8], 0.5, 0.75),
        ("7/8", -0.5, [0, 7, 7, 8], 0.0, 6 / 7),
        ("5/4", 9.0, [2, 5, 5, 4], 0.0, 0.8),
    ],
)
def test_bar_and_beat_are_those_of_the_metre(card, chance, metre, beat, told, phase, bar):
    encoder = Encoder(Schema(card, Registry([t.name for t in card.tracks])))
    record = make_step(card, 40, chance)
    record["numerator"], record["denominator"] = map(int, metre.split("/"))
    record["beat"] = beat
    encoder.take(record)
    assert encoder.beat == told
    assert encoder.values[:2].tolist() == pytest.approx([phase, bar])
    template = PacketTemplate(encoder, SubscriptionSpec())
    template.fill()
    found, _ = messages(template.datagrams)
    assert found["/algoritmo/beat/now"] == told
