"""What is given stays, the rest is the network's; the same plan gives the same clip."""

from __future__ import annotations

import numpy as np
import pytest

from engine.booth.composing import grid_of
from engine.booth.sampling import Plan, filled, first_clips, is_enough, primed, sample
from engine.core.config import Config
from engine.network.runner import Runner
from engine.store.clip import ClipError, Music, Note, music_of_roll, roll_of_music

FESTIVAL = Config().network_path()


@pytest.fixture(scope="module")
def two() -> Runner:
    """The festival network, of a batch of two."""
    return Runner(FESTIVAL, batch=2)


def test_the_same_plan_gives_the_same_clip_whatever_is_sampled_beside(two: Runner) -> None:
    plans = [Plan(32, 5, {"temperature": 0.9}), Plan(32, 6)]
    first, other = sample(two, plans)
    again, _ = sample(two, [plans[0], Plan(32, 99, {"temperature": 1.3})])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_is_given_stays_to_the_note_and_the_rest_is_filled(two: Runner) -> None:
    card = two.card
    names = [track.name for track in card.tracks]
    lead = names.index("lead")
    given = Music(tuple(Note(4 * k, 2, lead, 72 + k, 100) for k in range(8)), 64, tuple(names))
    cells = np.zeros((64, len(names)), np.float32)
    cells[:32, lead] = 1  # two of four bars
    cells[32:48, names.index("drums")] = 1  # a bar of silence
    for roll in sample(two, [filled(card, given, cells, seed, {}) for seed in (1, 2)]):
        music = music_of_roll(card, roll, 112.0)
        mine = [note for note in music.notes if note.track == lead and note.step < 32]
        assert [(n.step, n.pitch) for n in mine] == [(n.step, n.pitch) for n in given.notes]
        assert not [note for note in music.notes if note.track == names.index("drums") and 32 <= note.step < 48]
        assert [note for note in music.notes if note.track not in (lead,)]


def test_a_primer_is_heard_and_is_no_part_of_the_clip(two: Runner) -> None:
    card = two.card
    primer = music_of_roll(card, sample(two, [Plan(32, 3), Plan(32, 4)])[0], 112.0)
    plan = primed(card, primer, 64, 7, {"temperature": 0.9})
    one, other = sample(two, [plan, Plan(96, 7, {"temperature": 0.9}, lead_in=32)])
    assert one.shape == other.shape == (64, card.slots, 4)
    assert not np.array_equal(one, other)  # it did hear it
    assert roll_of_music(card, primer).shape[0] == plan.lead_in


def test_a_first_generation_is_music() -> None:
    clips = first_clips(FESTIVAL, 8, 2, 1, 112.0)
    assert len(clips) == 8
    assert all(clip.music.bars == 2 and is_enough(clip.music) for clip in clips)
    assert len({clip.music for clip in clips}) == 8
    assert len({clip.conditions["temperature"] for clip in clips}) > 4
    again = first_clips(FESTIVAL, 8, 2, 1, 112.0)
    assert [clip.music for clip in again] == [clip.music for clip in clips]


def test_a_silent_clip_is_not_enough() -> None:
    tracks = ("drums", "lead")
    assert not is_enough(Music((), 64, tracks))
    assert not is_enough(Music(tuple(Note(k, 1, 0, 36) for k in range(64)), 64, tracks))
    assert is_enough(Music(tuple(Note(k, 1, 1, 60 + k % 5) for k in range(64)), 64, tracks))


def test_a_composition_is_read_or_refused() -> None:
    card = Runner(FESTIVAL).card
    music, given = grid_of({"notes": [[0, 4, 4, 72, 90], [20, 8, 4, 74, 90]], "cells": [[4, 0]]}, card, 112.0)
    assert [note.step for note in music.notes] == [0]  # the other lies in no cell that is given
    assert given[:16, 4].all()
    assert given.sum() == 16
    long, _ = grid_of({"notes": [[12, 20, 4, 72, 90]], "cells": [[4, 0]]}, card, 112.0)
    assert long.notes[0].steps == 4  # cut where the cell ends
    for wrong in ([[5, 0]], [[0, 4]], [[0]] * 3, [[0, 0]] * 21, "all", [["0", 0]]):
        with pytest.raises(ClipError):
            grid_of({"notes": [], "cells": wrong}, card, 112.0)
    for nothing in ({}, [], None):
        with pytest.raises(ClipError):
            grid_of(nothing, card, 112.0)
