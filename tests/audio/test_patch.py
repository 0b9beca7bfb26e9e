"""Voices and the loader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyo import Fader, PyoObject, Sig

from engine.audio.instrument import Instrument
from engine.audio.library import available, load
from engine.audio.patch import Param, Patch
from engine.audio.plain import Plain
from engine.audio.server import output_of
from engine.audio.voices import VOICE_SLEEP_BLOCKS, Notes, Voice
from engine.core.errors import PatchError
from patches._space import together

Bench = Callable[..., object]


def played(polyphony: int, *order: str) -> list[int]:
    """Play "+60" and "-60" in order; return the pitches whose voices are held."""
    notes = Notes(polyphony)
    for word in order:
        if word[0] == "+":
            notes.note_on(int(word[1:]), 0.5)
        else:
            notes.note_off(int(word[1:]))
    return notes.held


def test_a_free_voice_is_taken_before_one_that_is_held() -> None:
    assert played(3, "+60", "+62", "-60", "+64", "+65") == [62, 64, 65]


def test_the_voice_released_longest_ago_is_taken_first() -> None:
    notes = Notes(2)
    for pitch in (60, 62):
        notes.note_on(pitch, 0.5)
    notes.note_off(62)
    notes.note_off(60)
    notes.note_on(64, 0.5)  # takes the voice of 62
    notes.note_on(60, 0.5)  # the voice of 60 is still its own
    assert notes.held == [60, 64]


def test_the_oldest_note_is_stolen_when_all_are_held() -> None:
    assert played(2, "+60", "+62", "+64") == [62, 64]
    assert played(2, "+60", "+62", "+60", "+64") == [60, 64]  # struck again, 60 is the younger one


def test_letting_go_of_a_stolen_note_ends_nothing() -> None:
    assert played(2, "+60", "+62", "+64", "-60") == [62, 64]


def test_drums_answer_to_their_own_pitches_and_choke_each_other() -> None:
    notes = Notes(1)
    notes.key(36)
    notes.key(42, 46)
    for pitch in (36, 46, 42):
        notes.note_on(pitch, 0.5)
    assert notes.held == [36, 42]


@given(st.lists(st.tuples(st.booleans(), st.integers(55, 66)), max_size=60), st.integers(1, 5))
def test_no_voice_is_lost_and_none_hangs(moves: list[tuple[bool, int]], polyphony: int) -> None:
    notes = Notes(polyphony)
    down: list[int] = []  # oldest first
    for on, pitch in moves:
        down = [p for p in down if p != pitch]
        if on:
            down = [*down, pitch]
            notes.note_on(pitch, 0.5)
        else:
            notes.note_off(pitch)
        held = notes.held
        assert len(held) <= polyphony
        assert set(held) <= set(down)
        assert not on or pitch in held
    notes.all_off()
    assert notes.held == []


class Probe(Patch):
    """Puts out its voices' pitch and velocity."""

    polyphony = 2

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        return notes.velocity


def test_velocity_is_zero_on_the_first_sample_of_every_note(bench: Bench) -> None:
    bench().blocks(10)  # a server, and over the few milliseconds in which it fades in
    instrument = Instrument("probe", Probe)
    server = instrument.sound.out().getServer()
    view = output_of(server)

    def block() -> np.ndarray:
        server.process()
        return view[:, 0].copy()

    assert not block().any()
    for velocity in (0.5, 0.25):  # the second steals nothing: same pitch, same voice, still held
        instrument.note_on(60, velocity)
        found = block()
        assert found[0] == 0
        assert found[1:] == pytest.approx(velocity, rel=1e-5)
        assert block() == pytest.approx(velocity, rel=1e-5)
    instrument.notes.note_off(60)
    assert not block().any()


def test_one_note_is_bent_alone_and_begins_straight_the_next_time() -> None:
    notes = Notes(2)
    heard = {}
    for number, voice in enumerate(notes.voices()):
        voice.set_hz.append(lambda hz, number=number: heard.update({number: hz}))
    notes.note_on(69, 0.5)
    notes.note_on(57, 0.5)
    notes.note_bend(69, 12.0)
    assert sorted(heard.values()) == [220.0, 880.0]
    notes.note_off(57)
    notes.note_bend(57, -12.0)  # it rings on
    assert sorted(heard.values()) == [110.0, 880.0]
    notes.note_on(69, 0.5)
    assert sorted(heard.values()) == [110.0, 440.0]
    notes.note_bend(60, 12.0)  # no voice plays it
    assert sorted(heard.values()) == [110.0, 440.0]


def test_a_drum_is_bent_by_the_pitch_that_struck_it_last() -> None:
    notes = Notes(1)
    (heard, hat) = [], notes.key(42, 46)
    next(hat.voices()).set_hz.append(heard.append)
    notes.note_on(42, 0.5)
    notes.note_on(46, 0.5)
    notes.note_bend(42, 12.0)
    notes.note_bend(46, 23.0)
    assert heard[2:] == [440.0]


class Touched(Patch):
    """Puts out its voices' pressure and timbre."""

    polyphony = 2

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        return notes.pressure + 10 * notes.timbre


def test_pressure_and_timbre_reach_the_voice_of_their_note_alone(bench: Bench) -> None:
    bench().blocks(10)
    instrument = Instrument("touched", Touched)
    server = instrument.sound.out().getServer()
    view = output_of(server)

    def settled() -> float:
        for _ in range(40):
            server.process()
        return float(view[-1, 0])

    for pitch in (60, 61):  # the first is heard on the left
        instrument.note_on(pitch, 0.5)
    assert settled() == pytest.approx(5.0)
    instrument.notes.note_pressure(60, 0.75)
    instrument.notes.note_timbre(60, 1.0)
    instrument.notes.note_pressure(61, 0.1)
    instrument.notes.note_timbre(62, 0.1)  # no voice plays it
    assert settled() == pytest.approx(10.75)


class Single(Patch):
    """Puts out its voices' velocity, made one by one."""

    polyphony = 2

    def build(self, notes: Notes, p: SimpleNamespace) -> PyoObject:
        return together(notes.each(self.voice))

    def voice(self, note: Voice) -> PyoObject:
        return note.velocity * 0.5


def test_a_voice_that_has_fallen_silent_sleeps_by_itself_and_wakes_in_time(bench: Bench) -> None:
    bench().blocks(10)
    instrument = Instrument("single", Single)
    out = Sig(instrument.sound).out()  # as a rack has it: what is stopped itself leaves the output
    server = out.getServer()
    view = output_of(server)
    first, second = instrument.notes.voices()

    def blocks(count: int) -> np.ndarray:
        for _ in range(count):
            server.process()
            instrument.listen(1)
        return view.copy()

    instrument.note_on(60, 0.5)
    instrument.note_on(64, 1.0)
    blocks(2)
    instrument.notes.note_off(60)
    blocks(VOICE_SLEEP_BLOCKS - 1)
    assert not first.is_asleep
    heard = blocks(1)
    assert (first.is_asleep, second.is_asleep) == (True, False)
    assert heard[:, 1] == pytest.approx(0.5)
    assert not heard[:, 0].any()
    blocks(VOICE_SLEEP_BLOCKS)
    assert not second.is_asleep  # it is held
    instrument.note_on(60, 0.25)
    heard = blocks(1)
    assert not first.is_asleep
    assert heard[0, 0] == 0
    assert heard[1:, 0] == pytest.approx(0.125)
    blocks(VOICE_SLEEP_BLOCKS)
    assert not first.is_asleep
    instrument.sleep()
    assert (first.is_asleep, second.is_asleep) == (True, True)
    assert not blocks(1).any()
    instrument.note_on(64, 0.5)
    assert (first.is_asleep, second.is_asleep) == (True, False)
    assert blocks(1)[1:, 1] == pytest.approx(0.25)


def test_a_voice_whose_play_begins_something_never_sleeps(bench: Bench) -> None:
    bench()

    class Beginner(Single):
        def voice(self, note: Voice) -> PyoObject:
            return Fader(dur=1).play() * note.velocity

    instrument = Instrument("beginner", Beginner)
    instrument.sleep()
    assert not instrument.is_asleep
    assert not any(voice.made for voice in instrument.notes.voices())


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


CASES = {
    "syntax": ("def (", "broken.py:1"),
    "import": ("import numpy\nimport no_such_module_anywhere", "broken.py:2"),
    "none": ("x = 1", "defines 0"),
    "two": (
        "from engine.audio.patch import Patch\nclass A(Patch): pass\nclass B(Patch): pass",
        "defines 2",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_cannot_be_loaded_is_named_with_its_line(case: str, tmp_path: Path) -> None:
    text, told = CASES[case]
    write(tmp_path, "broken", text)
    with pytest.raises(PatchError, match=told):
        load("broken", tmp_path)


def test_an_unknown_patch_is_answered_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, "bells", "")
    write(tmp_path, "_shared", "")
    assert list(available(tmp_path)) == ["bells"]
    with pytest.raises(PatchError, match="bells"):
        load("trumpet", tmp_path)


BUILD = "from engine.audio.patch import Patch\nfrom pyo import Sig\nclass A(Patch):\n    def build(self, notes, p):\n        "


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 1 / 0", "bad.py:5: ZeroDivisionError"),
        ("return 5", "must return a PyoObject, not int"),
        ("return notes.each(lambda note: 5)[0]", "each\\(\\) wants a PyoObject for every voice, not int"),
        ("return Sig(0)", "must return 2 streams, not 1"),
        ("return None", "not NoneType"),
    ],
)
def test_a_patch_that_cannot_be_built_says_what_is_wrong(body: str, told: str, tmp_path: Path, bench: Bench) -> None:
    bench()
    path = write(tmp_path, "bad", BUILD + body)
    with pytest.raises(PatchError, match=told):
        Instrument("bad", load(str(path)))


def test_knobs_begin_at_their_default(bench: Bench) -> None:
    bench()

    class Knobs(Plain):
        """Plain with another knob."""

        params = (*Plain.params, Param("width", 0, 2, 1.5))

    assert Instrument("knobs", Knobs).knobs.width.value == 1.5
