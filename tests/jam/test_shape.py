"""What shapes the notes: each parameter is heard, measured on what the shipped band plays in the real loop."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.messages import FASTEST_BPM
from engine.core.parameters import Live
from engine.jam.shape import declared
from engine.jam.shape.grid import Grid
from engine.jam.shape.lock import NAMES, SCALES
from engine.jam.shape.touch import SPREAD_MOST, Accents
from engine.transport.timeline import BeatTimeline
from tests.jam.band import BEATS, BEGIN, CARD, LENGTH, PITCH, VELOCITY, Band, tune

BARS = 8
MAJOR = SCALES["major"][0]


@pytest.fixture(scope="module")
def plain() -> Band:
    return Band(BARS)


def inside(notes: np.ndarray, tonic: int, scale: str) -> float:
    """Share of notes in a scale."""
    return float(np.isin((notes[:, PITCH].astype(int) - tonic) % 12, SCALES[scale][0]).mean())


# --- key and scale ---


@pytest.mark.parametrize(("key", "tonic", "scale"), [("D", 2, "major"), ("F#", 6, "blues")])
def test_the_lock_leaves_no_note_outside_the_scale(plain, key, tonic, scale):
    band = Band(BARS, key=key, scale=scale)
    assert len(band.pitched()) > 40
    assert inside(band.pitched(), tonic, scale) == 1
    assert inside(plain.pitched(), tonic, scale) < 0.9


def test_the_lock_wins_over_the_chord_that_is_followed():
    band = Band(BARS, "accompany", tune(BARS), key="D")
    assert inside(band.pitched(), 2, "major") == 1
    at_home = band.pitched()[:, PITCH].astype(int) % 12
    assert {0, 5}.isdisjoint(at_home.tolist())  # of the chords C and F, the player's


def test_the_lock_follows_the_key_that_is_played():
    band = Band(BARS, "accompany", tune(BARS), key="follow", scale="minor pentatonic")
    notes = band.pitched()
    assert inside(notes[notes[:, BEGIN] >= BEATS], 9, "minor pentatonic") == 1


def test_it_begins_in_the_opening_key_and_leaves_it_when_he_plays_in_another():
    quiet = 4 * BEATS
    late = [(beat + quiet, beats, pitch, loud) for beat, beats, pitch, loud in tune(4)]
    notes = Band(BARS, "accompany", late, opening="Ab").pitched()
    before, after = notes[notes[:, BEGIN] < quiet - 1], notes[notes[:, BEGIN] >= quiet + BEATS]
    assert inside(before, 8, "major") == 1
    assert inside(after, 0, "major") > 0.8 > inside(after, 8, "major")


def test_every_scale_with_its_relative_keeps_the_tones_of_the_major_one():
    for name in NAMES:
        tones, up = SCALES[name]
        if len(tones) == 7 and name not in ("harmonic minor", "melodic minor"):
            assert {(up + tone) % 12 for tone in tones} == set(MAJOR)


# --- register ---


def test_a_register_moves_a_track_and_no_other(plain):
    high, low = Band(BARS, lead__register=1, bass__register=1), Band(BARS, chords__register=-1)
    assert high.notes["bass"][:, PITCH].mean() == pytest.approx(plain.notes["bass"][:, PITCH].mean() + 12, abs=3)
    assert high.notes["chords"][:, PITCH].mean() == pytest.approx(plain.notes["chords"][:, PITCH].mean(), abs=8)
    highest = [np.percentile(band.notes["chords"][:, PITCH], 90) for band in (plain, low)]
    assert highest[1] < highest[0] - 6, "an octave lower, and folded at the lowest note there is"


def test_limits_are_kept_and_notes_go_on_under_them(plain):
    band = Band(BARS, chords__lowest=53, chords__highest=76, bass__highest=40)
    chords, bass = band.notes["chords"], band.notes["bass"]
    assert chords[:, PITCH].min() >= 53
    assert chords[:, PITCH].max() <= 76
    assert bass[:, PITCH].max() <= 40
    long, usual = (float((notes[:, LENGTH] > 0.4).mean()) for notes in (chords, plain.notes["chords"]))
    assert long > usual / 2  # none is cut short and struck again


def test_a_register_that_is_turned_while_notes_sound_leaves_none_hanging():
    turns = {beat: [("pad.register", (-1, 1, 2, 0)[n % 4]), ("bass.register", n % 2)] for n, beat in enumerate(range(2, 28, 3))}
    band = Band(BARS, turns=turns, density=2)
    assert band.performance.late == 0
    assert not [1 for event in band.schedule._heap if event[2].kind == 1]
    assert len(band.notes["bass"]) > 10


# --- swing ---


@pytest.mark.parametrize(
    ("swing", "swung", "where"), [(2 / 3, "eighths", {0, 1 / 3, 2 / 3, 5 / 6}), (1, "sixteenths", {0, 0.375, 0.5, 0.875})]
)
def test_swing_is_heard_at_its_place_in_the_beat_and_changes_no_note(plain, swing, swung, where):
    straight, swings = Band(BARS, feel=0), Band(BARS, feel=0, swing=swing, swung=swung)
    within = swings.every()[:, BEGIN] % 1
    assert all(min(abs(at - place) for place in (*where, 1)) < 0.01 for at in within.tolist())
    assert len(swings.every()) == len(straight.every())
    assert swings.performance.late == 0


def test_a_player_who_swings_is_heard_on_the_grid():
    late = [(beat + at, 0.2, 72, 90) for beat in range(16) for at in (0, 2 / 3)]
    band = Band(4, "accompany", late, swing=2 / 3)
    slot = CARD.track_slices()["lead"].start + 72 - 48
    x = band.link["steps"].reader(0).read()["x"][:, slot]
    begins = np.flatnonzero((x[:, 0] > 0) & (x[:, 1] == 0)) - 1
    assert {0, 2} == set((begins % 4).tolist())
    assert len(begins) == len(late)


def test_the_grid_and_back(plain):
    live: Live = plain.live
    grid, line = Grid(live, 4), BeatTimeline(0.0, 0.0, 120.0, 48000.0)
    live.set("swing", 0.8)
    for swung in (0, 1):
        live.set("swung", swung)
        grid.begin(0, line)
        there = [grid.frame_of(line, step / 3) for step in range(60)]
        assert there == sorted(there)
        assert [grid.position_at(line, frame) for frame in there] == pytest.approx([step / 3 for step in range(60)])
        assert [grid.frame_of(line, 4 * beat) for beat in range(9)] == pytest.approx([line.frame_at(beat) for beat in range(9)])
    live.set("swing", 0)
    grid.begin(5, line)  # within a beat nothing changes
    assert grid.frame_of(line, 3) > line.frame_at(0.75)
    grid.begin(8, line)
    assert grid.frame_of(line, 3) == line.frame_at(0.75)


# --- touch ---


def test_humanise_strays_and_every_run_strays_alike():
    flat, one, again = (Band(4, feel=0, humanise=h) for h in (0, 1, 1))
    assert np.ptp(flat.every()[:, VELOCITY]) == 0
    assert np.array_equal(one.every(), again.every())
    off = one.every()[:, BEGIN] * CARD.steps_per_beat
    stray_ms = 1e3 * (off - np.round(off)) / CARD.steps_per_beat * 60 / 112
    assert 6 < stray_ms.std() < 18
    assert 6 < one.every()[:, VELOCITY].std() < 18
    assert len(one.every()) == len(flat.every())  # it hears its notes as it meant them


def test_accents_of_even_drums_are_brought_out_and_those_of_others_are_as_they_are():
    accents = Accents()
    pattern = np.array([0.70, 0.62, 0.66, 0.62])
    for _ in range(100):
        accents.settle(pattern.tolist())
    sounds = accents.widened(pattern)
    assert np.ptp(sounds) == pytest.approx(SPREAD_MOST * np.ptp(pattern))
    assert np.array_equal(np.argsort(sounds), np.argsort(pattern))
    assert sounds.mean() == pytest.approx(pattern.mean(), abs=0.02)
    wild = np.array([0.9, 0.3, 0.6, 0.4])
    for _ in range(100):
        accents.settle(wild.tolist())
    assert accents.widened(wild) == pytest.approx(wild)


def test_the_band_is_louder_and_softer_with_the_player():
    swell = (50, 66, 82, 98, 114, 98, 82, 66)
    took = tune(16, velocity=swell)

    def by_bar(band: Band) -> np.ndarray:
        notes = band.every()
        return np.array([notes[(notes[:, BEGIN] // BEATS) == bar, VELOCITY].mean() for bar in range(2, 16)])

    his = np.array([swell[bar % 8] for bar in range(2, 16)])
    theirs = by_bar(Band(16, "accompany", took, dynamics=1))
    alone = by_bar(Band(16, "accompany", took, dynamics=0))
    assert np.corrcoef(his, theirs)[0, 1] > 0.8
    assert np.corrcoef(his, theirs)[0, 1] > np.corrcoef(his, alone)[0, 1]
    assert np.ptp(theirs) > 25


def test_energy_is_more_of_everything_and_in_the_middle_nothing(plain):
    bands = {energy: Band(BARS, energy=energy) for energy in (0.1, 0.5, 0.9)}
    low, middle, high = (bands[energy] for energy in (0.1, 0.5, 0.9))
    assert np.array_equal(middle.every(), plain.every())
    assert len(low.every()) < 0.5 * len(middle.every()) < 0.45 * len(high.every())
    assert low.every()[:, VELOCITY].mean() + 10 < middle.every()[:, VELOCITY].mean() < high.every()[:, VELOCITY].mean() - 10
    assert [name for name, notes in low.notes.items() if len(notes)] == ["bass", "pad"]


# --- phrases ---


def test_a_loop_repeats_note_for_note_until_the_bar_line_after_it_is_let_go():
    band = Band(16, turns={14: [("loop", 2)], 42: [("loop", 0)]})
    begun, again = band.cells(16, 8), [band.like(16, 16 + 8 * n, 8) for n in (1, 2)]
    assert len(begun) > 20
    assert band.like(8, 16, 8) > 0.9  # what was played, but for what went on into it
    assert again == [1, 1]
    assert band.like(16, 44, 8) < 0.7


def test_a_player_is_free_over_a_loop():
    band = Band(12, "accompany", tune(12, "C G Am F G"), turns={14: [("loop", 2)]}, follow=1)
    assert band.like(16, 24, 8) == band.like(16, 32, 8) == 1


def test_more_is_like_its_last_phrase_and_forget_is_not():
    seeds, likeness = (1, 2, 3), {}
    for what in ("plain", "more", "forget"):
        turns = {30.5: [] if what == "plain" else [what]}
        likeness[what] = np.mean([Band(12, turns=turns, seed=seed).like(16, 32, 16) for seed in seeds])
    assert likeness["more"] > likeness["plain"] + 0.15
    assert likeness["more"] < 0.95  # a variation, no copy
    assert likeness["forget"] < likeness["plain"]


def test_forget_stands_where_it_stood():
    band = Band(6, turns={22: ["forget"]}, phrase=2)
    records = band.link["steps"].reader(0).read()
    state = f"{CARD.states[0].name}_next"
    kept = records[state].reshape(len(records), -1)
    step = 4 * 22  # asked for with this beat; chosen anew, or with the one after it
    heard = [step + late for late in (0, 1) if np.abs(kept[step + late] - kept[step + late - 32]).mean() < 0.2]
    assert heard


SKINS = (36, 38, 41, 47)  # kick, snare, toms


def strokes(drums: np.ndarray) -> np.ndarray:
    """How many there are in the last beat of each of twelve bars."""
    return np.bincount(np.floor(drums[:, BEGIN] + 0.1).astype(int), minlength=48)[3:48:4]


def test_fills_come_where_they_are_asked_for_and_nowhere_else():
    fills, others, arrivals = [], [], []
    for seed in (1, 2, 3):
        drums = Band(12, seed=seed, fills=4, feel=0).notes["drums"]
        every, skins = (strokes(drums[np.isin(drums[:, PITCH], which)]) for which in (drums[:, PITCH], SKINS))
        fills += [(every[bar], skins[bar]) for bar in (3, 7, 11)]
        others += [(every[bar], skins[bar]) for bar in (1, 2, 5, 6, 9, 10)]
        arrivals += [{36, 49} <= set(drums[np.abs(drums[:, BEGIN] - beat) < 0.1, PITCH].tolist()) for beat in (16, 32)]
    more, of_skins = np.mean(fills, 0) / np.mean(others, 0)
    assert more > 1.1
    assert of_skins > 1.4
    assert all(arrivals)


# --- all of them ---


def test_everything_at_its_end_plays_on_in_time():
    ends = {p.id.replace(".", "__"): p.maximum for p in declared(CARD) if p.kind != "trigger"}
    for values in (ends, {p.id.replace(".", "__"): p.minimum for p in declared(CARD) if p.kind != "trigger"}):
        band = Band(3, "accompany", tune(3), turns={5.3: ["more"], 7.1: ["forget"]}, tempo=FASTEST_BPM, **values)
        assert band.performance.late == 0
        assert band.steps == list(range(48))
