"""The smooth tiers: each number against what it stands for, and the datagrams against the contract."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from engine.core.config import Config
from engine.core.contract import read_card
from engine.core.ensemble import together
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, CLOCK, NETWORK_STATS, NOTE_OFF, NOTE_ON, OUTPUTS, PLAYER, SCENES
from engine.core.osc_section import Target
from engine.core.parameters import Live
from engine.feed.encoder import Encoder
from engine.feed.feed import Feed
from engine.feed.query_tree import Tree
from engine.feed.schema import ROOT, Schema
from engine.feed.signals.levels import LOUDNESS, PEAK, RMS, WINDOW, Levels
from engine.feed.signals.loudness import KWeighting, ShortTerm
from engine.feed.signals.query_leaves import smooth_leaves
from engine.feed.signals.ranges import Falls, Ranges
from engine.feed.signals.section import Sections
from engine.feed.signals.sender import Pacer, UdpConsumer
from engine.feed.signals.shown import Shown
from engine.feed.signals.signals import Signals, Wants
from engine.feed.signals.steps import Steps
from engine.feed.signals.template import SmoothSpec, SmoothTemplate
from engine.feed.signals.words import key_of
from engine.feed.subscribers import Subscribers
from engine.jam.parameters import registry_of
from engine.net.osc import bundle
from engine.transport.timeline import BeatTimeline
from tests.feed.fakes import make_card, make_step

RATE = 48000


class Stage:
    """Rings as a run fills them, with a clock that is set by hand; frame n is rendered at n / 48 000 s, heard 96 later."""

    latency = 96

    def __init__(self, card, registry, bpm=120.0):
        self.link = Link.private(Layout.of(card, len(registry), stage=True))
        self.schema = Schema(card, registry)
        self.live = Live(registry, self.link.values)
        self.live.reset_to_defaults()
        clock = np.zeros((), CLOCK)
        clock["ns_per_frame"], clock["rate_hz"], clock["latency_frames"] = 1e9 / RATE, RATE, self.latency
        self.link.writer("clock").push(clock)
        self.link.writer("timeline").push(BeatTimeline(0.0, 0.0, bpm, RATE).record())
        self.signals = Signals(self.link, self.schema, self.live, RATE)

    def at(self, heard_s):
        """Move on to the moment at which what lies at this time of the sound is heard."""
        self.signals.advance(round((heard_s + self.latency / RATE) * 1e9))
        return self.signals

    def __getitem__(self, path):
        return float(self.signals.raw[self.signals.catalogue.index[path]])

    def note(self, kind, track, pitch, at_s, velocity=100):
        self.link.writer("events").push((round(at_s * RATE), 0, kind, track, pitch, velocity, 0.0))

    def sound(self, begin_s, samples):
        """`samples` (n, channels of the buses) into the rings."""
        for number in range(len(samples) // BLOCK):
            frame = round(begin_s * RATE) + number * BLOCK
            block = samples[number * BLOCK : (number + 1) * BLOCK]
            self.link.writer("buses").push((frame, block))
            self.link.writer("wave").push((frame, block.reshape(BLOCK, -1, OUTPUTS).sum(1)))


@pytest.fixture
def stage(card, registry):
    return Stage(card, registry)


@pytest.fixture(scope="module")
def festival():
    card = read_card(Config().network_path())
    return Stage(card, registry_of(card))


# --- the beat --------------------------------------------------------------------------------------------------------------


def test_the_phase_is_that_of_what_is_heard_and_never_jumps(stage):
    rate_hz, bpm = 60, 120.0
    moments = np.arange(240) / rate_hz
    phases = np.array([(stage.at(t), stage["/smooth/beat/phase"])[1] for t in moments])
    assert phases == pytest.approx(moments * bpm / 60 % 1, abs=1e-4)
    assert np.max(np.diff(phases) % 1) < 1.01 * bpm / 60 / rate_hz
    stage.at(1.25)
    assert stage["/smooth/bar/phase"] == pytest.approx(2.5 / 4, abs=1e-4)
    stage.at(2.001)
    assert stage["/smooth/bar/pulse"] > 0.9


def test_while_the_beat_stands_its_phase_stands(stage):
    stage.link.writer("timeline").push(BeatTimeline(0.0, 1.25, 120.0, RATE, playing=False).record())
    assert [(stage.at(t), stage["/smooth/beat/phase"])[1] for t in (0.1, 0.5, 0.9)] == [0.25] * 3


def test_where_a_session_of_link_is_moves_with_it_and_is_nowhere_without_it(stage):
    stage.at(0.5)
    assert (stage["/smooth/link/phase"], stage["/smooth/link/bar"]) == (0, 0)
    stage.link.writer("ableton").push((round(0.5e9), 6.25, 90.0, 1, 1, 0.1, True))  # host time, beat, tempo
    for heard_s in (0.6, 0.7):
        beat = 6.25 + 1.5 * (heard_s + stage.latency / RATE - 0.5)
        stage.at(heard_s)
        assert stage["/smooth/link/phase"] == pytest.approx(beat % 1, abs=1e-5)
        assert stage["/smooth/link/bar"] == pytest.approx(beat % 4 / 4, abs=1e-5)
    stage.at(1.6)  # it has left
    assert (stage["/smooth/link/phase"], stage["/smooth/link/bar"]) == (0, 0)


# --- notes -----------------------------------------------------------------------------------------------------------------


def test_a_note_moves_its_voice_when_it_is_heard_and_fades_after_it(stage, card):
    name, pitch = card.tracks[0].name, card.tracks[0].pitches[3]
    stage.at(0.0)
    stage.note(NOTE_ON, 0, pitch, 0.5, 127)
    stage.note(NOTE_OFF, 0, pitch, 0.8)
    stage.signals.wants = Wants(trails=True)
    trail = stage.signals.at_trails + 3

    def seen(t):
        stage.at(t)
        values = (f"/smooth/track/{name}/onset", f"/smooth/track/{name}/envelope", f"/smooth/track/{name}/density")
        return [*(stage[path] for path in values), float(stage.signals.numbers[trail])]

    assert seen(0.49) == [0.0] * 4
    onset, envelope, density, lit = seen(0.51)
    assert onset == pytest.approx(math.exp(-0.01 / 0.12), abs=0.01)  # by its own time, not by that of the look
    assert envelope > 0.3
    assert density == pytest.approx(0.5, abs=0.01)
    assert lit == pytest.approx(1.0, abs=0.02)
    held = seen(0.79)
    assert held[1] > 0.8
    seen(0.81)
    after = seen(1.6)
    assert after[1] < 0.4 * held[1]
    assert 0 < after[3] < 0.5 * held[3]
    assert stage[f"/smooth/track/{name}/pitch"] == pytest.approx(pitch)
    assert stage["/smooth/player/envelope"] == 0.0


def test_the_players_notes_are_a_voice_of_their_own(stage):
    stage.note(NOTE_ON, PLAYER, 60, 0.1, 90)
    stage.at(0.11)
    assert stage["/smooth/player/onset"] > 0.6
    assert stage["/smooth/energy"] > 0.3


# --- steps -----------------------------------------------------------------------------------------------------------------


def test_what_grows_is_there_when_it_is_heard_and_what_shrinks_fades(card, schema, chance):
    link = Link.private(Layout.of(card, 1))
    steps = Steps(link["steps"], Encoder(schema), schema.catalogue)
    everything = (slice(0, schema.size),)
    shown = []
    for number in range(3):
        record = make_step(card, number, chance)
        record["step"], record["frame"] = number, number * 6000
        link.writer("steps").push(record)
        for at_s in np.arange(number * 0.125 - 0.02, number * 0.125 + 0.105, 0.005):
            steps.look(0.0, 1e9 / RATE)
            steps.advance(float(at_s), 0.005, everything)
            shown.append((round(float(at_s), 3), steps.values.copy()))
    aim = steps._aim[-schema.size :]
    at = dict(shown)
    before, heard, later = at[0.225], at[0.25], at[0.35]
    grows = np.abs(aim) >= np.abs(before)
    assert np.allclose(heard[grows], aim[grows], atol=1e-6)
    shrinks = np.abs(aim) < np.abs(before) - 0.05
    assert shrinks.any()
    assert np.all(np.abs(later - aim)[shrinks] < 0.2 * np.abs(before - aim)[shrinks])
    most = max(float(np.abs(b - a).max()) for (_, a), (_, b) in pairwise(shown[30:]))
    jump = float(np.abs(aim - before).max())
    assert most < 0.6 * jump  # in no frame of 5 ms all of the way


# --- sound -----------------------------------------------------------------------------------------------------------------


def sine(hz, seconds, gain=1.0):
    return (gain * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_a_full_scale_sine_is_as_loud_as_the_standard_says():
    channel = sine(997, 4)
    blocks = np.stack([channel, np.zeros_like(channel)], 1).reshape(-1, BLOCK, 2)
    weighting, short_term = KWeighting(RATE, 2), ShortTerm(RATE, 1)
    for first in range(0, len(blocks), 13):  # whatever comes at a time
        energies = weighting.energies(np.ascontiguousarray(blocks[first : first + 13].transpose(0, 2, 1)), np.arange(2))
        short_term.add(energies.sum(1, keepdims=True))
    assert short_term.lufs()[0] == pytest.approx(-3.01, abs=0.02)


def test_the_filters_are_those_of_the_standard():
    """Against the filters run sample by sample, with the coefficients that BS.1770 prints for 48 kHz."""
    noise = np.random.default_rng(1).standard_normal(50 * BLOCK).astype(np.float32)
    y = noise.astype(float)
    for b, a in (
        ((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)),
        ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)),
    ):
        x, out = y, np.zeros_like(y)
        for n in range(len(x)):
            past = [(x[n - k] if n >= k else 0.0, out[n - k] if n >= k else 0.0) for k in (1, 2)]
            out[n] = b[0] * x[n] + sum(b[k] * past[k - 1][0] - a[k - 1] * past[k - 1][1] for k in (1, 2))
        y = out
    expected = (y.reshape(-1, BLOCK) ** 2).sum(1)
    found = KWeighting(RATE, 1).energies(noise.reshape(-1, 1, BLOCK), np.arange(1))[:, 0]
    assert found == pytest.approx(expected, rel=2e-3)


def test_levels_bands_and_brightness_are_those_of_what_is_heard(stage, card):
    stage.signals.wants = Wants(levels=True)
    channels = OUTPUTS * (len(card.tracks) + 2)
    name = card.tracks[1].name
    samples = np.zeros((RATE, channels), np.float32)
    samples[:, 2] = samples[:, 3] = sine(1000, 1.0, 0.5)
    loud = 0.5  # from here on it sounds
    samples[: round(loud * RATE)] = 0
    for moment in np.arange(0, 1, 1 / 60):
        begin, end = round(moment * 60) * 800, (round(moment * 60) + 1) * 800
        first = -(-begin // BLOCK) * BLOCK
        stage.sound(first / RATE, samples[first : -(-end // BLOCK) * BLOCK])
        stage.at(moment)
        if moment < loud - WINDOW / RATE:
            assert stage[f"/level/track/{name}/rms"] == pytest.approx(-60)
    assert stage[f"/level/track/{name}/rms"] == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.05)
    assert stage[f"/level/track/{name}/peak"] == pytest.approx(20 * math.log10(0.5), abs=0.05)
    assert stage[f"/level/track/{name}/brightness"] == pytest.approx(1000, rel=0.02)
    assert stage["/level/master/rms"] == pytest.approx(stage[f"/level/track/{name}/rms"], abs=0.01)
    bands = [stage[f"/level/track/{name}/bands/{n}"] for n in range(12)]
    assert int(np.argmax(bands)) == 6  # 809 to 1334 Hz
    assert max(bands) == pytest.approx(stage[f"/level/track/{name}/rms"], abs=0.2)
    assert stage[f"/level/track/{card.tracks[0].name}/rms"] == pytest.approx(-60)


def test_the_master_is_in_time_though_the_buses_came_later_than_it(stage, card):
    stage.signals.wants = Wants(levels=True)
    for number in range(20):  # nobody measured: the buses were not published
        stage.link.writer("wave").push((number * BLOCK, np.zeros((BLOCK, OUTPUTS), np.float32)))
    samples = np.zeros((30 * BLOCK, OUTPUTS * (len(card.tracks) + 2)), np.float32)
    samples[10 * BLOCK :, 2:4] = 0.5
    stage.sound(20 * BLOCK / RATE, samples)
    for block in (20, 26, 32, 38):  # the last is the middle of the window that is loud
        stage.at(block * BLOCK / RATE)
    for bus in (f"track/{card.tracks[1].name}", "master"):
        assert stage[f"/level/{bus}/rms"] == pytest.approx(20 * math.log10(0.5), abs=0.01)


def test_what_is_no_number_is_measured_as_silence():
    levels = Levels(RATE, 1)
    levels.take(np.full((20, BLOCK, 2), np.nan, np.float32))
    assert np.isfinite(levels.values).all()
    levels.take(np.repeat(sine(440, 0.2)[: 100 * BLOCK].reshape(100, BLOCK, 1), 2, 2))
    assert levels.values[0, RMS] == pytest.approx(-3.01, abs=0.05)
    assert levels.values[0, PEAK] == pytest.approx(0, abs=0.01)
    assert np.isfinite(levels.values[0, LOUDNESS])


# --- ranges ----------------------------------------------------------------------------------------------------------------


def test_a_range_opens_to_what_comes_slowly_and_leaves_silence_out(schema):
    catalogue = schema.catalogue
    ranges, chance = Ranges(catalogue), np.random.default_rng(3)
    mean, level = catalogue.index["/smooth/layer/0/mean"], catalogue.index["/level/master/rms"]
    raw, out = np.zeros(len(catalogue), np.float32), np.zeros(len(catalogue), np.float32)
    seen, jumps = [], []
    for number in range(60 * 120):
        raw[mean] = 0.16 + 0.03 * chance.random()  # a fifteenth of its first range
        raw[level] = -60 if number % 600 < 200 else -30 + 6 * chance.random()
        before = ranges.low.copy()
        ranges.map(raw, raw, out, number / 60, awake=True)
        jumps.append(float(np.abs(ranges.low - before)[mean]))
        seen.append(out[[mean, level]].copy())
    late = np.array(seen)[60 * 60 :]
    spans = np.subtract(*np.percentile(late, [95, 5], axis=0))
    assert np.all(spans > 0.6), spans
    assert max(jumps) < 0.02
    loud = late[late[:, 1] > 0, 1]
    assert np.percentile(loud, 10) < 0.3  # where it sounds, it does not stay at the upper end
    low, high = ranges.low.copy(), ranges.high.copy()
    for number in range(600):
        ranges.map(raw, raw, out, 200 + number / 60, awake=False)
    assert np.array_equal((low, high), (ranges.low, ranges.high))  # while nothing plays nothing is learned


def test_what_sounds_now_and_then_is_ranged_by_what_it_is_then_not_by_its_fall(schema):
    catalogue = schema.catalogue
    ranges, falls, chance = Ranges(catalogue), Falls(catalogue), np.random.default_rng(3)
    level = catalogue.index["/level/master/rms"]
    raw, out, loud = np.zeros(len(catalogue), np.float32), np.zeros(len(catalogue), np.float32), []
    for number in range(20 * 240):  # a stroke of a fifth of a second every four seconds
        sounds = number % 80 < 4
        raw[level] = -26 + 6 * chance.random() if sounds else -60
        ranges.map(falls.advance(raw, 0.05), raw, out, number / 20, awake=True)
        if sounds and number > 20 * 120:
            loud.append(float(out[level]))
    assert ranges.low[level] > -27
    assert np.subtract(*np.percentile(loud, [95, 5])) > 0.4


# --- words -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notes", "key"),
    [((0, 4, 7, 5, 9, 0, 7, 11, 2, 0), 0), ((9, 0, 4, 9, 2, 5, 8, 11, 4, 9), 21), ((7, 11, 2, 6, 9, 7, 0, 4, 7, 2), 7)],
    ids=["C major", "A minor", "G major"],
)
def test_the_key_is_heard(notes, key):
    assert key_of(np.bincount(notes, minlength=12).astype(float))[0] == key


def test_a_piece_of_three_parts_is_told_as_such():
    chance = np.random.default_rng(5)
    parts = {
        "A": (np.array([5, 0, 1, 0, 3, 1, 0, 5, 0, 1, 0, 1.0]), np.array([6, 2, 2, 0, 1, 0.0])),
        "B": (np.array([1, 0, 1, 4, 0, 3, 0, 1, 5, 0, 3, 0.0]), np.array([0, 1, 0, 1, 4, 2.0])),
    }
    sections = Sections()
    told = []
    for part in "AAAA" * 2 + "BBBB" * 2 + "AAAA" * 2:
        classes, rates = parts[part]
        told.append(sections.end_bar(np.maximum(classes + chance.normal(0, 0.3, 12), 0), rates * chance.uniform(0.8, 1.2, 6)))
    letters = "".join(section.letter for section in told)
    assert letters == "A" * 12 + "B" * 8 + "A" * 4  # each border is known with the fifth bar after it
    assert [section.place for section in told][-1] == 2


def test_words_say_mode_turn_metre_and_tempo(stage):
    stats = np.zeros((), NETWORK_STATS)
    stats["mode"], stats["listening"] = 0, 1
    stage.link.writer("network").push(stats)
    stage.at(0.5)
    values = stage.signals.words.values
    assert values["/music/mode"] == ("trade", 0)
    assert values["/music/turn"] == ("player", 0)
    assert values["/music/metre"] == ("4/4", 4, 4)
    assert values["/music/tempo"] == (120.0,)
    assert values["/music/scene"] == ("", 0)
    stats["listening"] = 0
    stage.link.writer("network").push(stats)
    scenes = np.zeros((), SCENES)
    scenes["now"], scenes["text"] = 2, json.dumps({"names": ["Slow", "Lift"]})
    stage.link.writer("scenes").push(scenes)
    stage.at(0.6)
    assert values["/music/turn"] == ("band", 1)
    assert values["/music/scene"] == ("Lift", 2)


# --- on the wire -----------------------------------------------------------------------------------------------------------


def messages(datagrams):
    return {m.address: list(m.params) for d in datagrams for m in OscBundle(bytes(d))}


def test_what_is_sent_is_in_the_contract_with_its_types(festival):
    festival.note(NOTE_ON, 0, 36, 0.1)
    festival.at(4.2)
    every = ("smooth", "smooth_vectors", "levels", "music")
    named = tuple(s for s in festival.schema.signals if s not in ("probability", "hold", "notes", "future"))
    template = SmoothTemplate(festival.signals, festival.schema, SmoothSpec(tiers=every, signals=named))
    festival.signals.wants = Wants(True, True, template.spans)
    festival.at(4.3)
    template.fill(7)
    words = template.words(0.0)
    found = messages(template.datagrams) | messages(words)
    assert all(len(d) <= 1472 for d in (*template.datagrams, *words))
    types = {ROOT + a.path: a.types for a in festival.schema.addresses() if a.tier in every}
    unsaid = {ROOT + path for path, word in festival.signals.words.values.items() if not word}
    assert set(found) == types.keys() - unsaid
    for address, values in found.items():
        tags = "".join({float: "f", int: "i", str: "s"}[type(v)] for v in values)
        assert types[address] == (tags if len(values) < 5 else f"f x {len(values)}"), address
    assert found[f"{ROOT}/smooth/tick"] == [7]
    scalars = {a: v for a, v in found.items() if "/smooth/" in a and len(v) == 1 and "/tick" not in a}
    assert all(0 <= v[0] <= 1 for v in scalars.values())


def test_numbers_and_raw_ones_lie_at_their_addresses(stage):
    stage.note(NOTE_ON, PLAYER, 61, 0.1, 64)
    stage.at(0.3)
    template = SmoothTemplate(stage.signals, stage.schema, SmoothSpec(raw=True, root="/wall"))
    template.fill(0)
    found = messages(template.datagrams)
    index = stage.signals.catalogue.index
    for path in ("/smooth/player/pitch", "/smooth/energy", "/smooth/layer/0/mean"):
        assert found[f"/wall{path}"] == [pytest.approx(float(stage.signals.values[index[path]]))]
        assert found[f"/wall/raw{path}"] == [pytest.approx(stage[path])]
    assert found["/wall/raw/smooth/player/pitch"] == [61.0]
    assert "/wall/raw/smooth/beat/phase" not in found
    assert not any("/level/" in path for path in found)


def test_words_come_when_they_change_and_now_and_then_all(stage):
    stage.at(0.5)
    template = SmoothTemplate(stage.signals, stage.schema, SmoothSpec(tiers=("music",)))
    first = messages(template.words(0.0))
    assert {"/algoritmo/music/tempo", "/algoritmo/music/mode"} <= first.keys()
    assert template.words(0.1) == []
    stage.link.writer("timeline").push(BeatTimeline(0.0, 0.0, 90.0, RATE).record())
    stage.at(0.6)
    assert messages(template.words(0.2)) == {"/algoritmo/music/tempo": [90.0]}
    assert messages(template.words(2.1)).keys() == first.keys()


def test_a_rate_that_cannot_be_is_clamped_and_tiers_of_steps_ask_for_nothing():
    assert SmoothSpec.of(Target(tiers=("smooth",), smooth_hz=1000)).rate_hz == 120
    assert SmoothSpec.of(Target(tiers=("levels",), smooth_hz=2)).rate_hz == 20
    assert SmoothSpec.of(Target()) is None


def test_deadlines_are_kept_together_and_never_made_up_for(stage):
    pacer = Pacer(stage.signals, 1_000_000_000)
    got = {}
    for name, rate_hz in (("a", 60.0), ("b", 60.0), ("c", 30.0)):
        template = SmoothTemplate(stage.signals, stage.schema, SmoothSpec(rate_hz))
        got[name] = []
        pacer.add(UdpConsumer(name, template, got[name].append), 1_000_000_000)
    begun = pacer.next_ns
    now = begun
    for _ in range(60):
        now = pacer.next_ns
        assert pacer.run_due(now)
    assert 0.98 < (now - begun) * 1e-9 < 1.0
    assert len(got["a"]) == len(got["b"]) == 2 * len(got["c"])
    assert pacer.missed == 0
    before = len(got["a"])
    late = pacer.next_ns + 500_000_000  # the machine stood still
    pacer.run_due(late)
    assert len(got["a"]) - before == len(got["a"]) // 60  # one moment's datagrams, not thirty's
    assert pacer.missed > 50
    assert 0 < pacer.next_ns - late <= 1e9 / 60 + 2


def test_nothing_is_computed_that_nobody_wants(stage):
    pacer = Pacer(stage.signals)
    template = SmoothTemplate(stage.signals, stage.schema, SmoothSpec(tiers=("levels",)))
    consumer = UdpConsumer("a", template, print)
    assert stage.signals.wants == Wants()
    pacer.add(consumer)
    assert stage.signals.wants == Wants(levels=True)
    pacer.remove(consumer)
    assert stage.signals.wants == Wants()
    assert pacer.next_ns is None


# --- who asks for it ----------------------------------------------------------------------------------------------------------


def test_who_subscribes_is_told_to_the_process_that_sends(stage):
    feed = Feed(stage.link, stage.schema)
    subscribers = Subscribers(feed.targets, print, feed.audience)

    def asked():
        record = stage.link["receivers"].latest()
        return json.loads(record["text"])

    subscribers.join(("10.0.0.5", 7000), ["tiers", "smooth,levels", "smooth", 1000.0, "raw", 1, "root", "/wall"], 0.0)
    assert subscribers.clamped_hz == 120
    (found,) = asked()["receivers"]
    target = Target.model_validate(found)
    assert (target.host, target.port, target.tiers, target.raw) == ("10.0.0.5", 7000, ("smooth", "levels"), True)
    assert SmoothSpec.of(target).rate_hz == 120
    subscribers.join(("10.0.0.6", 7000), ["tiers", "scalars"], 0.0)
    assert len(asked()["receivers"]) == 1
    subscribers.join(("10.0.0.5", 7000), ["tiers", "music"], 0.0)  # again, and otherwise
    assert [r["tiers"] for r in asked()["receivers"]] == [["music"]]
    subscribers.leave(("10.0.0.5", 7000))
    assert asked() == {"shown": False, "levels": False, "receivers": []}


def test_oscquery_has_every_number_as_it_is_now(stage, festival):
    feed = Feed(stage.link, stage.schema)
    leaves = {leaf.path: leaf for leaf in smooth_leaves(stage.schema, feed.audience)}
    level = f"{ROOT}/level/master/rms"
    assert leaves[level].value() == [0.0]
    shown = Shown(stage.link, stage.signals)
    stage.signals.wants = shown.wants
    stage.at(0.5)
    shown.tick(0)
    assert leaves[f"{ROOT}/smooth/beat/phase"].value() == [0.0]
    assert leaves[f"{ROOT}/raw/level/master/rms"].value() == [-60.0]
    assert leaves[f"{ROOT}/raw/level/master/rms"].unit == "dBFS"
    assert leaves[f"{ROOT}/music/metre"].value() == ["4/4", 4, 4]
    assert leaves[f"{ROOT}/music/key"].value() == ["", -1, 0.0]  # none is heard yet
    for leaf in leaves.values():
        if leaf.message is not None:
            (address, values) = next(iter(messages([bundle([leaf.message()])]).items()))
            assert (address, len(values)) == (leaf.path, len(leaf.types))


def test_oscquery_has_what_moves_of_the_network_that_plays():
    first, second = make_card(layers=2, width=20, name="piano"), make_card()
    whole = together([first, second])
    registry = registry_of(whole)
    link = Link.private(Layout.of(whole, len(registry), networks=[first, second], stage=True))
    live = Live(registry, link.values)
    feed = Feed(link, Schema(first, registry, whole=whole))
    own, others = f"{ROOT}/smooth/act/0/h/000", f"{ROOT}/smooth/act/5/h/000"
    leaves = Tree(feed, live).leaves
    assert f"{ROOT}/smooth/layer/5/mean" in leaves  # of the set: lights and pages may name it from the beginning
    assert others not in leaves
    feed.adopt(link, Schema(second, registry, whole=whole), 0, lambda events: events, records=False)
    changed = Tree(feed, live).leaves
    assert others in changed
    assert (len(leaves[own].types), len(changed[own].types)) == (20, 150)
