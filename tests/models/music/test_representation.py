"""MIDI to rolls and back: what is quantised, folded, moved and given a role."""

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st

from models.music.representation import (
    BAND,
    HELD,
    ONSET,
    SILENT,
    Part,
    Song,
    SongError,
    assign_roles,
    channels,
    fold,
    from_channels,
    grid_fit,
    quantise,
    read_song,
    sections,
    to_midi,
    transpose,
    trim,
)

SLOTS = sum(len(t.pitches) for t in BAND)
NAMES = [t.name for t in BAND]


def part(notes, name="lead", program=80, drum=False):
    """A part from (start, end, pitch) in quarters."""
    start, end, pitch = (np.asarray(column, float) for column in zip(*notes, strict=True))
    return Part(name, program, drum, start, end, pitch.astype(int), np.full(len(notes), 90))


@st.composite
def rolls(draw):
    """A roll that music could have made: what is held sounded before; drums are only struck."""
    steps = draw(st.integers(1, 40))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    roll = np.where(chance.random((steps, SLOTS)) < 0.05, ONSET, SILENT).astype(np.uint8)
    for step in range(1, steps):
        goes_on = (roll[step - 1] != SILENT) & (roll[step] == SILENT) & (chance.random(SLOTS) < 0.5)
        goes_on[:12] = False
        roll[step, goes_on] = HELD
    return roll


@given(rolls())
@settings(max_examples=40, deadline=None)
def test_roll_to_midi_and_back_is_the_same_roll(roll):
    song = read_song(to_midi(roll)) if roll.any() else None
    if song is None:
        return
    assert np.array_equal(quantise(song.parts, assign_roles(song.parts), 0.0, len(roll) / 4)[0], roll)


@given(rolls(), st.integers(-6, 6))
@settings(max_examples=30, deadline=None)
def test_transposed_music_keeps_its_rhythm_and_moves_its_pitch_classes(roll, semitones):
    moved = transpose(roll, semitones)
    start = 0
    for track in BAND:
        width = len(track.pitches)
        before, after = roll[:, start : start + width], moved[:, start : start + width]
        if track.kind == "drums":
            assert np.array_equal(before, after)
        else:
            pitches = np.asarray(track.pitches)
            for one, other in zip(before, after, strict=True):
                want = {(p + semitones) % 12 for p in pitches[one != SILENT]}
                assert {p % 12 for p in pitches[other != SILENT]} == want
        start += width


@given(rolls(), st.integers(-6, 6))
@settings(max_examples=30, deadline=None)
def test_nothing_is_held_that_did_not_sound(roll, semitones):
    moved = transpose(roll, semitones)
    silent_before = np.concatenate([np.ones((1, SLOTS), bool), moved[:-1] == SILENT])
    assert not ((moved == HELD) & silent_before).any()


@given(st.floats(0, 20), st.floats(0.01, 6), st.integers(0, 127))
@settings(max_examples=100, deadline=None)
def test_a_note_starts_at_the_nearest_step_and_lasts_at_least_one(start, length, pitch):
    roll = quantise([part([(start, start + length, pitch)])], ["lead"], 0.0, 32.0)[0]
    steps, slots = np.nonzero(roll)
    assert abs(steps[0] / 4 - start) <= 0.125 + 1e-9
    assert len(set(slots)) == 1
    assert roll[steps[0], slots[0]] == ONSET
    assert (np.diff(steps) == 1).all()
    assert (roll[steps[1:], slots[1:]] == HELD).all()
    assert len(steps) == 1 or abs((steps[-1] + 1) / 4 - (start + length)) <= 0.125 + 1e-9


@given(st.integers(0, 127), st.sampled_from(BAND[1:]))
def test_folding_keeps_the_pitch_class_and_lands_in_the_range(pitch, track):
    folded = fold(pitch, track.pitches)
    assert folded in track.pitches
    assert (folded - pitch) % 12 == 0


def test_a_pitch_struck_again_cuts_the_note_before_it():
    roll = quantise([part([(0, 2, 60), (1, 2, 60)])], ["lead"], 0.0, 2.0)[0]
    assert roll[:, roll.any(0)][:, 0].tolist() == [ONSET, HELD, HELD, HELD, ONSET, HELD, HELD, HELD]


def test_channels_and_back():
    roll = np.asarray([[SILENT, ONSET], [HELD, ONSET]], np.uint8)
    assert channels(roll).tolist() == [[[0, 0], [1, 0]], [[1, 1], [1, 0]]]
    assert np.array_equal(from_channels(channels(roll)), roll)


def test_silent_bars_at_both_ends_are_dropped_in_whole_bars():
    roll = np.zeros((80, SLOTS), np.uint8)
    roll[[20, 50], 0] = ONSET
    assert np.array_equal(trim(roll), roll[16:64])


def test_a_pickup_bar_and_an_odd_bar_end_a_section():
    metres = ((0.0, 1, 4), (1.0, 4, 4), (17.0, 3, 4), (20.0, 4, 4), (28.0, 4, 4))
    song = Song((part([(0, 36, 60)]),), metres)
    assert sections(song) == [(1.0, 17.0), (20.0, 36.0)]


def test_triplets_lie_off_the_grid_of_sixteenths():
    straight, triplets = (
        part([(i / 4, i / 4 + 0.1, 60) for i in range(24)]),
        part([(i / 3, i / 3 + 0.1, 60) for i in range(24)]),
    )
    assert grid_fit([straight]) == 1.0
    assert grid_fit([triplets]) < 0.5


def test_roles_by_program_name_register_and_voices():
    low = [(i, i + 1, 36) for i in range(16)]
    high = [(i, i + 0.5, 80) for i in range(16)]
    middle = [(i, i + 0.5, 70) for i in range(16)]
    chord = [(i, i + 1, p) for i in range(16) for p in (60, 64, 67)]
    band = [
        part(low, "", 0),
        part(chord, "Strings", 48),
        part(chord, "Piano", 0),
        part(middle, "", 73),
        part(high, "", 81),
        part(low, "", 0, drum=True),
        part(high, "", 125),
    ]
    assert assign_roles(band) == ["bass", "pad", "chords", "chords", "lead", "drums", None]


def test_a_part_named_melody_leads_though_another_is_higher():
    high, low = [(i, i + 0.5, 90) for i in range(16)], [(i, i + 0.5, 70) for i in range(16)]
    assert assign_roles([part(high, "", 0), part(low, "Melody", 0)]) == ["chords", "lead"]


def test_a_tempo_map_changes_no_step():
    def file(tempos):
        score = symusic.Score(480)
        score.tempos.extend([symusic.Tempo(t, q) for t, q in tempos])
        track = symusic.Track("lead", 80, False)
        track.notes.extend([symusic.Note(240 * i, 120, 60, 90) for i in range(8)])
        score.tracks.append(track)
        return read_song(bytes(score.dumps_midi()))

    steady, wild = file([(0, 120)]), file([(0, 40), (700, 200), (1000, 90)])
    assert np.array_equal(quantise(steady.parts, ["lead"], 0, 4)[0], quantise(wild.parts, ["lead"], 0, 4)[0])


@pytest.mark.parametrize("data", [b"", b"MThd", b"RIFF" + bytes(40)])
def test_what_is_no_midi_is_refused_by_name(data):
    with pytest.raises(SongError) as error:
        read_song(data)
    assert error.value.reason in ("unreadable", "no notes")
