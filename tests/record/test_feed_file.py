"""The recorded feed: gives back what was published, byte for byte, as far as the file is good."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import SessionError
from engine.core.messages import EVENT, NOTE_ON
from engine.core.parameters import Registry
from engine.feed.encoder import Encoder, PacketTemplate, SubscriptionSpec
from engine.feed.schema import Schema
from engine.record import feed_file
from engine.record.feed_file import FUTURES, NOTES, RESET, STEP, FeedLog, FeedReader, FeedWriter, Positions, stored_dtype
from tests.feed.fakes import make_card, make_futures, make_step


def notes(*frames):
    return np.array([(f, -1, NOTE_ON, 1, 40, 80, 0) for f in frames], EVENT)


def record(path, schema, chance, plan, resume=False, start=0):
    """Publish what `plan` says (kinds, in blocks) and record it; return the datagrams that were made."""
    log, sent = FeedLog(schema.card, schema.large), []
    encoder = Encoder(schema)
    wire = PacketTemplate(encoder, SubscriptionSpec())
    writer = FeedWriter(path, schema, 48000, resume)
    number = start
    for block in plan:
        for kind in block:
            at = Positions(number, 2 * number)
            if kind == STEP:
                step = make_step(schema.card, number, chance)
                encoder.take(step)
                wire.fill()
                sent += [bytes(d) for d in wire.datagrams]
                log.step(step, at)
            elif kind == NOTES:
                events = notes(*range(6000 * number, 6000 * number + 1 + number % 3))
                encoder.hear(events)
                sent += wire.notes(events)
                log.notes(events, at)
            elif kind == FUTURES:
                futures = make_futures(schema.card, number, chance, 1 + number % 8)
                sent += wire.futures(futures)
                log.futures(futures, at)
            else:
                encoder.reset()
                log.reset(at)
            number += 1
        writer.write(log.take())
    writer.close()
    return sent


def replayed(path):
    with FeedReader(path) as reader:
        card = reader.card
        schema = Schema(card, Registry([t.name for t in card.tracks]), reader.cells)
        encoder = Encoder(schema)
        wire, sent = PacketTemplate(encoder, SubscriptionSpec()), []
        for entry in reader:
            if entry.kind == STEP:
                encoder.take(entry.step)
                wire.fill()
                sent += [bytes(d) for d in wire.datagrams]
            elif entry.kind == NOTES:
                encoder.hear(entry.events)
                sent += wire.notes(entry.events)
            elif entry.kind == FUTURES:
                sent += wire.futures(entry.futures)
            else:
                encoder.reset()
        return sent


kinds = st.lists(st.lists(st.sampled_from([STEP, NOTES, RESET, FUTURES]), max_size=5), max_size=5)


@settings(max_examples=30, deadline=None)
@given(kinds)
def test_replay_makes_the_very_same_datagrams(tmp_path_factory, plan):
    card = make_card(layers=2, width=7)
    schema = Schema(card, Registry([t.name for t in card.tracks]))
    path = tmp_path_factory.mktemp("feed") / "feed.bin"
    assert record(path, schema, np.random.default_rng(1), plan) == replayed(path)


def test_also_of_a_large_network(tmp_path, chance):
    card = make_card(layers=2, shape=[78, 100])
    schema = Schema(card, Registry([t.name for t in card.tracks]))
    sent = record(tmp_path / "feed.bin", schema, chance, [[STEP, STEP], [NOTES, STEP]])
    assert sent == replayed(tmp_path / "feed.bin")
    assert (tmp_path / "feed.bin").stat().st_size < 3 * 4 * 15600 * 2


def test_also_every_signal_of_a_large_network(tmp_path, chance):
    card = make_card(layers=2, shape=[78, 100])
    schema = Schema(card, Registry([t.name for t in card.tracks]))
    wish = SubscriptionSpec(signals=("h", "c"))
    live, again = Encoder(schema), Encoder(schema)
    step = make_step(card, 1, chance)
    log = FeedLog(card, True)
    log.step(step, Positions())
    writer = FeedWriter(tmp_path / "feed.bin", schema, 48000)
    writer.write(log.take())
    writer.close()
    live.take(step)
    with FeedReader(tmp_path / "feed.bin") as reader:
        again.take(next(iter(reader)).step)
    plans = [PacketTemplate(live, wish), PacketTemplate(again, wish)]
    for plan in plans:
        plan.fill()
    assert [bytes(d) for d in plans[0].datagrams] == [bytes(d) for d in plans[1].datagrams]


def test_same_music_same_file(tmp_path, schema):
    for name in ("a", "b"):
        record(tmp_path / name, schema, np.random.default_rng(5), [[STEP], [NOTES, STEP]])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_cut_or_damaged_anywhere_it_is_good_up_to_there(tmp_path_factory, data):
    card = make_card(layers=1, width=5)
    schema = Schema(card, Registry([t.name for t in card.tracks]))
    path = tmp_path_factory.mktemp("feed") / "feed.bin"
    sent = record(path, schema, np.random.default_rng(2), [[STEP, NOTES]] * 6)
    whole = path.read_bytes()
    with FeedReader(path) as reader:
        begin = next(iter(reader.blocks())).at
    at = data.draw(st.integers(begin, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
    else:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
    found = replayed(path)
    assert found == sent[: len(found)]
    assert len(found) < len(sent)


def test_going_on_behind_a_block_that_was_cut(tmp_path, schema, chance):
    path = tmp_path / "feed.bin"
    first = record(path, schema, chance, [[STEP, STEP], [STEP]])
    with open(path, "ab") as file:
        file.write(b"ALGB and then the power went")
    writer = FeedWriter(path, schema, 48000, resume=True)
    assert writer.positions == Positions(2, 4)
    writer.close()
    second = record(path, schema, chance, [[RESET, NOTES, STEP]], resume=True, start=3)
    assert replayed(path) == first + second


def test_what_is_no_feed_is_refused(tmp_path, schema):
    (tmp_path / "feed.bin").write_bytes(b"something else entirely")
    with pytest.raises(SessionError, match="not a recorded feed"):
        FeedReader(tmp_path / "feed.bin")
    with pytest.raises(SessionError, match="cannot be read"):
        FeedReader(tmp_path / "none.bin")


def test_feed_of_another_network_is_not_gone_on_with(tmp_path, schema, chance):
    record(tmp_path / "feed.bin", schema, chance, [[STEP]])
    card = make_card(layers=1)
    with pytest.raises(SessionError, match="another network"):
        FeedWriter(tmp_path / "feed.bin", Schema(card, Registry([t.name for t in card.tracks])), 48000, resume=True)


def test_a_disk_that_stalls_costs_steps_and_not_memory(card, chance):
    log = FeedLog(card, False)
    step = make_step(card, 0, chance)
    most = (64 << 20) // log.dtype.itemsize
    for _ in range(most + 100):
        log.step(step, Positions())
    assert log.lost == 100
    assert len(log.take()) == most


def test_a_feed_of_the_format_before_is_read_as_in_the_networks_metre(tmp_path, schema, chance, monkeypatch):
    def before(card, large):
        whole = stored_dtype(card, large)
        return np.dtype([(name, whole[name]) for name in whole.names if name not in ("numerator", "denominator", "groups")])

    with monkeypatch.context() as patched:
        patched.setattr(feed_file, "FORMAT", 1)
        patched.setattr(feed_file, "stored_dtype", before)
        log = FeedLog(schema.card, schema.large)
        log.step(make_step(schema.card, 7, chance), Positions())
        writer = FeedWriter(tmp_path / "feed.bin", schema, 48000)
        writer.write(log.take())
        writer.close()
    with FeedReader(tmp_path / "feed.bin") as feed:
        (entry,) = feed
    assert entry.step is not None
    assert (entry.step["step"], entry.step["numerator"], entry.step["denominator"], entry.step["groups"]) == (7, 4, 4, 0)
