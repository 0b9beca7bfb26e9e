"""A band that is left alone has chords of its own: a form, keys that move, the player's loop where he left one."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.messages import CHORD
from engine.jam.chords import chord
from engine.jam.modes import MODES
from engine.jam.progression import FORM, SECTION_BARS, Progression
from tests import tiny
from tests.jam.test_jam import TIMELINE, Stage

BAR, SONG = 4, 4 * 4 * SECTION_BARS  # beats
LOOP = tuple(chord(root, quality) for root, quality in ((2, "m"), (7, ""), (0, ""), (9, "m")) for _ in range(BAR))


@pytest.fixture(scope="module")
def chordal(tmp_path_factory):
    """A network that can be told chords."""
    path = tmp_path_factory.mktemp("chordal") / "chordal.onnx"
    return tiny.write(path, conditions=[{"name": name, "shape": [24]} for name in ("chord", "next_chord")])


def chords(song: Progression, first: int, beats: int) -> list[str]:
    return [song.at(first + beat).name for beat in range(beats)]


def test_a_song_is_a_form_of_two_sections_and_the_next_is_another():
    song = Progression()
    song.begin(3, 8, BAR, 5)
    assert song.at(8).name == "F"  # it begins on the tonic
    sections = [chords(song, 8 + at * BAR * SECTION_BARS, BAR * SECTION_BARS) for at in range(8)]
    a, b = sections[0], sections[2]
    assert [["A", "B"][s == b] for s in sections[:4]] == list(FORM)
    assert sections[1] == sections[3] == a != b
    assert sections[4:] != sections[:4]
    bars = [a[at : at + BAR] for at in range(0, len(a), BAR)]
    assert all(len(set(bar)) == 1 for bar in bars)  # chords change with bars


def test_the_same_seed_the_same_songs_wherever_they_are_asked_for_first():
    one, other, another = Progression(), Progression(), Progression()
    for song, seed in ((one, 4), (other, 4), (another, 5)):
        song.begin(seed, 0, 3, None)
    late = chords(other, 900, 50)
    assert chords(one, 0, 950)[900:] == late
    assert chords(another, 900, 50) != late


def test_over_four_hundred_bars_it_goes_to_many_keys():
    for seed in range(5):
        song = Progression()
        song.begin(seed, 0, BAR, None)
        roots = np.bincount([song.at(beat).root for beat in range(0, 400 * BAR, BAR)], minlength=12)
        assert (roots > 0).sum() >= 9
        assert roots.max() < 0.3 * roots.sum()


def test_what_the_player_left_is_the_a_of_every_other_song_and_goes_on_where_it_was():
    song = Progression()
    song.learn(LOOP, 100)
    song.begin(1, 108, BAR, 0)
    left = [of.name for of in LOOP]
    assert chords(song, 108, BAR * SECTION_BARS) == (left[8:] + left[:8]) * 2
    assert chords(song, 108 + SONG, BAR * SECTION_BARS) != chords(song, 108, BAR * SECTION_BARS)
    assert chords(song, 108 + 2 * SONG, BAR * SECTION_BARS) == chords(song, 108, BAR * SECTION_BARS)
    song.forget()
    song.begin(1, 108, BAR, 0)
    assert chords(song, 108, BAR * SECTION_BARS) != (left[8:] + left[:8]) * 2


def told(stage: Stage) -> bool:
    return bool(stage.runner.inputs["chord"].any())


def test_in_solo_it_is_told_from_the_first_step_and_where_it_is_to_go_its_own_way_not(chordal):
    stage = Stage(chordal, "solo")
    stage.advance()
    assert told(stage)
    assert any(e[2] == CHORD for e in stage.played)  # and everybody is told
    stage.live.set("follow", 0)
    stage.advance()
    assert not told(stage)


def remembers(stage: Stage) -> bool:
    """Whether the network goes on from something in the next step."""
    stage.jam.hear(stage.heard.read(), TIMELINE, 0)
    stage.jam.choose(stage.step, TIMELINE)
    states = stage.runner.card.states
    return any((stage.runner.inputs[state.name] != state.initial).any() for state in states)


def test_with_each_song_the_band_begins_anew(chordal):
    stage = Stage(chordal, "solo")
    steps = SONG * stage.runner.card.steps_per_beat
    stage.run(steps - 1)
    assert remembers(stage)
    stage.advance()
    assert not remembers(stage)
    assert not remembers(stage)  # chosen again, because more was heard
    stage.run(2)
    assert remembers(stage)
    other = Stage(chordal, "solo", follow=0)  # of a band that goes as it likes nothing is known of songs
    other.run(steps)
    assert remembers(other)


def test_a_band_waits_for_its_player_and_goes_on_in_his_key_when_he_is_gone(chordal):
    stage = Stage(chordal, "accompany", takeover=0)
    stage.run(3 * 16)
    assert not told(stage)
    for _ in range(4):  # A major
        for pitch in (69, 61, 64):
            stage.player(stage.step + 0.01, pitch)
        stage.run(15)
        for pitch in (69, 61, 64):
            stage.player(stage.step - 0.1, pitch, on=False)
        stage.run(1)
    assert stage.jam.following.now == chord(9, "")
    own = []
    for _ in range(14 * 16):
        stage.advance()
        now = stage.jam.following.now
        own.append("" if now is None else now.name)
    assert len(set(own[5 * 16 :])) > 2
    stage.player(stage.step - 0.4, 65)
    stage.player(stage.step - 0.4, 69)
    stage.player(stage.step - 0.4, 60)
    stage.run(2)
    assert stage.jam.following.now == chord(5, "")  # what he plays is what counts


def test_by_turns_nobody_goes_his_own_way(chordal):
    stage = Stage(chordal, "trade")
    stage.run(6 * 16)
    assert not told(stage)
    stage.live.set("mode", MODES.index("solo"))
    stage.advance()
    assert told(stage)
