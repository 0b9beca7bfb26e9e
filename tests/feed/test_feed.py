"""From the rings to those who look: each step when it sounds, each note once, the newest where there are many."""

import socket

import pytest
from pythonosc.osc_bundle import OscBundle

from engine.core.messages import NOTE_OFF, NOTE_ON, PLAYER
from engine.feed.encoder import SubscriptionSpec
from engine.feed.feed import Feed
from engine.feed.targets import Clocks
from engine.net import osc
from engine.record.feed_file import NOTES, STEP, FeedLog, Positions
from tests.feed.fakes import make_futures, make_step


class Looker:
    def __init__(self):
        self.steps, self.events, self.imagined = [], [], []

    def step(self, record):
        self.steps.append(int(record["step"]))

    def futures(self, record):
        self.imagined.append(int(record["step"]))

    def notes(self, events):
        self.events += [(int(e["kind"]), int(e["pitch"])) for e in events]


@pytest.fixture
def feed(link, schema):
    feed = Feed(link, schema, begin=Positions())
    feed.listeners.append(Looker())
    return feed


def at(frame):
    """The clocks at a frame, at 48000 a second."""
    return Clocks(frame / 48000, unix_ns=10**18, ns_per_frame=1e9 / 48000)


def push_note(link, frame, kind, track, pitch, velocity=80):
    link.writer("events").push((frame, -1, kind, track, pitch, velocity, 0.0))


def test_step_is_published_when_it_sounds_and_not_before(feed, link, card, chance):
    link.writer("steps").push(make_step(card, 0, chance, frame=6000))
    assert feed.look() == 6000
    feed.advance(5999)
    assert feed.listeners[0].steps == []
    feed.advance(6000)
    assert feed.listeners[0].steps == [0]
    assert feed.look() is None


def test_after_a_stall_only_the_last_few_are_shown_and_all_are_recorded(link, schema, card, chance):
    log = FeedLog(card, schema.large)
    feed = Feed(link, schema, log, Positions())
    feed.listeners.append(Looker())
    for number in range(10):
        link.writer("steps").push(make_step(card, number, chance, frame=4800 * number))
    feed.advance(4800 * 8, at(4800 * 8))
    assert feed.listeners[0].steps == [6, 7, 8]
    assert [int(what["step"]) for _, what, _ in log.take()] == list(range(9))
    feed.advance(4800 * 9 + 48000, at(4800 * 9 + 48000))  # however old it is
    assert feed.listeners[0].steps == [6, 7, 8, 9]


def test_what_a_stall_has_kept_is_not_sent_all_at_once(feed, link, card, chance):
    for number in range(4):
        link.writer("steps").push(make_step(card, number, chance, frame=480 * number))
    assert [feed.advance(960, at(960), paced=True) for _ in range(4)] == [True, True, False, False]
    assert feed.listeners[0].steps == [0, 1, 2]


def test_steps_that_a_stall_made_too_old_are_counted_as_dropped(feed, link, card, chance):
    sent = []
    target = feed.targets.add("it", SubscriptionSpec(tiers=("scalars",)), 1e6, sent.append)
    for number in range(20):
        link.writer("steps").push(make_step(card, number, chance, frame=4800 * number))
    feed.advance(4800 * 9, at(4800 * 9))  # as at the start of a feed that comes late
    assert (len(sent), target.dropped) == (3, 0)
    feed.advance(4800 * 19, at(4800 * 19))
    assert (len(sent), target.dropped) == (6, 7)


def test_timetag_is_when_the_frame_is_heard_not_when_it_was_published(feed, link, card, chance):
    sent = []
    feed.targets.add("it", SubscriptionSpec(tiers=("scalars",), presentation=True), 1e6, lambda data: sent.append(bytes(data)))
    link.writer("steps").push(make_step(card, 0, chance, frame=48000))
    push_note(link, 24000, NOTE_ON, PLAYER, 60)
    now = Clocks(0.0, frame=60000.0, unix_ns=1_800_000_000_000_000_000, ns_per_frame=1e9 / 48000)
    feed.advance(48000, now)
    assert [data[8:16] for data in sent] == [osc.timetag(now.unix_ns - 750_000_000), osc.timetag(now.unix_ns - 250_000_000)]


def test_step_that_was_prepared_is_sent_as_it_would_have_been(link, schema, card, chance):
    sent = {True: [], False: []}
    for number in range(3):
        link.writer("steps").push(make_step(card, number, chance, frame=480 * number))
    for prepared in sent:
        feed = Feed(link, schema, log := FeedLog(card, schema.large), Positions())
        feed.targets.add("it", SubscriptionSpec(presentation=True), 1e6, lambda data, to=sent[prepared]: to.append(bytes(data)))
        for number in range(3):
            if prepared:
                assert feed.prepare(480 * number - 48, 480 * number - 24, at(480 * number)) is None
                assert feed.prepare(480 * number - 48, 480 * number, at(480 * number - 48)) == 480 * number
            feed.advance(480 * number, at(480 * number))
        assert [kind for kind, _, _ in log.take()] == [STEP] * 3
    assert sent[True] == sent[False]


def test_notes_that_come_while_a_step_waits_are_told_and_kept_behind_it(link, schema, card, chance):
    feed = Feed(link, schema, log := FeedLog(card, schema.large), Positions())
    link.writer("steps").push(make_step(card, 0, chance, frame=480))
    assert feed.prepare(470, 480, at(470)) == 480
    push_note(link, 475, NOTE_ON, 1, 60)
    feed.advance(480, at(480))
    assert [kind for kind, _, _ in log.take()] == [STEP, NOTES]
    assert feed.step_us > 0


def test_notes_are_told_once(feed, link):
    push_note(link, 10, NOTE_ON, PLAYER, 60)
    push_note(link, 20, NOTE_OFF, PLAYER, 60)
    assert feed.notes() == 2
    assert feed.notes() == 0
    push_note(link, 30, NOTE_ON, 1, 40)
    feed.advance(30)
    assert feed.listeners[0].events == [(NOTE_ON, 60), (NOTE_OFF, 60), (NOTE_ON, 40)]
    assert feed.notes_in == 1


def test_futures_are_told_once_their_step_has_sounded_and_only_the_newest(feed, link, card, chance):
    for number in (0, 1):
        link.writer("steps").push(make_step(card, number, chance, frame=100 * number))
        link.writer("futures").push(make_futures(card, number, chance, frame=100 * number))
    feed.advance(50)
    assert (feed.listeners[0].steps, feed.listeners[0].imagined) == ([0], [])
    feed.advance(100)
    feed.advance(101)
    assert (feed.listeners[0].steps, feed.listeners[0].imagined) == ([0, 1], [1])


def test_position_is_behind_what_was_published_not_behind_what_waits(feed, link, card, chance):
    push_note(link, 1, NOTE_ON, PLAYER, 60)
    for number, frame in ((0, 100), (1, 200)):
        link.writer("steps").push(make_step(card, number, chance, frame=frame))
    feed.advance(150)
    assert feed.positions == Positions(steps=1, events=1)


def test_targets_get_frames_in_order(feed, link, card, chance):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect(sock.getsockname())
    feed.targets.add("it", SubscriptionSpec(tiers=("scalars",)), 120.0, out.send)
    for number in range(20):
        link.writer("steps").push(make_step(card, number, chance, frame=number * 10))
        feed.advance(number * 10, Clocks(number * 0.125))
    frames = [OscBundle(sock.recv(2000)).content(0).params[0] for _ in range(20)]
    assert frames == list(range(20))
    assert feed.rate_hz(20 * 0.125) == pytest.approx(8)
    assert feed.rate_hz(20 * 0.125 + 10) == 0
    assert feed.step_us > 0


def test_ring_overrun_goes_on_with_what_is_left(feed, link, card, chance):
    capacity = link["steps"].capacity
    step = make_step(card, 0, chance, frame=0)
    for number in range(2 * capacity):
        step["step"] = number
        link.writer("steps").push(step)
    feed.advance(0)
    assert feed.listeners[0].steps[-1] == 2 * capacity - 1
    assert feed.positions.steps == 2 * capacity


def test_same_rings_same_bytes(link, schema, card, chance):
    for number in range(10):
        push_note(link, 100 * number, NOTE_ON, number % 5, 40 + number)
        link.writer("steps").push(make_step(card, number, chance, frame=100 * number))
    made = []
    for _ in range(2):
        feed = Feed(link, schema, begin=Positions())
        sent = []
        feed.targets.add("it", SubscriptionSpec(), 1000.0, lambda data, sent=sent: sent.append(bytes(data)))
        for number in range(10):
            feed.advance(100 * number, Clocks(number * 0.1))
        made.append(sent)
    assert made[0] == made[1]
    assert len(made[0]) > 100
