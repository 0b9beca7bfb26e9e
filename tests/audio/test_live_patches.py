"""The patch of a track is live: another one, the same one saved again, its knobs; nothing clicks and nothing is left over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.audio.library import available
from engine.audio.track import MOST_RINGING, SLEEP_BLOCKS
from engine.core.messages import NOTE_OFF, NOTE_ON
from engine.core.parameters import Live
from tests.audio.conftest import RATE, Bench, first_sound, sounding
from tests.audio.test_track import RAISES_IN_NOTE, largest_step, patch

Build = Callable[..., Bench]
LEAD = 2

STEADY = """
from pyo import Sig, Sine
from engine.audio.patch import Param, Patch

class Steady(Patch):
    "A tone while a note is held, and for 20 ms after it: 100 Hz at LOUD of full scale."
    params = (Param("loud", 0, 1, LOUD, doc="How loud"), Param("ONLY", 1, 9, 3, "Hz", "exp"))
    polyphony = 2
    def build(self, notes, p):
        from pyo import Port
        held = Port((notes.velocity > 0).mix(1), 0.003, 0.003)
        return Sine([100, 100], mul=held * p.loud)
"""


def steady(folder: Path, name: str, loud: float, only: str | None = None) -> str:
    return patch(folder, STEADY.replace("LOUD", str(loud)).replace("ONLY", only or name), name)


def choose(stage: Bench, name: str, track: str = "lead") -> None:
    """Turn the parameter that says which patch plays a track."""
    stage.live.refresh()
    stage.live.set(f"{track}.patch", stage.registry[f"{track}.patch"].choices.index(name))


@pytest.fixture
def stage(bench: Build, tmp_path: Path) -> Bench:
    """A stage whose lead plays `one` and that knows `two`; every level at the top."""
    one, two = steady(tmp_path, "one", 0.2), steady(tmp_path, "two", 0.1)
    stage = bench(patches={"lead": one, "bass": two})
    stage.live.set("lead.level", 1)
    stage.blocks(30)
    return stage


def test_another_patch_plays_the_new_notes_and_the_old_one_keeps_its_own_to_their_end(stage: Bench, tmp_path: Path) -> None:
    stage.network(stage.engine.frame, NOTE_ON, LEAD, pitch=60)
    held = stage.seconds(0.2)
    choose(stage, str(tmp_path / "two.py"))
    switching = stage.seconds(0.2)
    assert np.abs(switching).max() == pytest.approx(0.2, rel=0.01)  # the held note goes on as it was
    assert np.abs(np.diff(switching, axis=0)).max() <= np.abs(np.diff(held, axis=0)).max() * 1.01  # and nothing clicks
    stage.network(stage.engine.frame, NOTE_OFF, LEAD, pitch=60)
    stage.seconds(0.2)
    assert first_sound(stage.blocks(20)) is None
    stage.network(stage.engine.frame, NOTE_ON, LEAD, pitch=62)
    stage.seconds(0.1)
    assert np.abs(stage.seconds(0.1)).max() == pytest.approx(0.1, rel=0.01)
    assert sounding(stage.events()) == {(LEAD, 62)}
    assert "the lead plays" in stage.notices()


def test_a_note_struck_again_after_the_switch_ends_on_the_old_instrument(stage: Bench, tmp_path: Path) -> None:
    stage.network(stage.engine.frame, NOTE_ON, LEAD, pitch=60)
    stage.seconds(0.1)
    choose(stage, str(tmp_path / "two.py"))
    stage.blocks(2)
    stage.network(stage.engine.frame, NOTE_ON, LEAD, pitch=60)
    stage.seconds(0.2)
    assert np.abs(stage.seconds(0.1)).max() == pytest.approx(0.1, rel=0.01)


def test_panic_silences_what_rings_out_too(stage: Bench, tmp_path: Path) -> None:
    stage.network(stage.engine.frame, NOTE_ON, LEAD, pitch=60)
    stage.seconds(0.1)
    choose(stage, str(tmp_path / "two.py"))
    stage.blocks(2)
    stage.live.fire("panic")
    stage.seconds(0.03)
    assert first_sound(stage.seconds(0.5)) is None


def test_an_instrument_that_has_rung_out_is_freed_whole(stage: Bench, tmp_path: Path) -> None:
    """Switching to and fro leaves as many pyo objects as there were: hours of it must not slow the server down."""
    server = stage.engine.mixer._server
    one, two = str(tmp_path / "one.py"), str(tmp_path / "two.py")

    def switch(name: str) -> int:
        stage.network(stage.engine.frame, NOTE_ON, LEAD, pitch=60)
        stage.blocks(10)
        choose(stage, name)
        stage.blocks(2)
        stage.network(stage.engine.frame, NOTE_OFF, LEAD, pitch=60)
        stage.blocks(SLEEP_BLOCKS + 500)
        return len(server.getStreams())

    counts = [switch(name) for name in (two, one) * 3]
    assert counts[4:] == counts[2:4] == counts[:2]


@pytest.mark.parametrize("name", sorted(available()))
def test_a_shipped_patch_is_freed_whole(name: str, bench: Build) -> None:
    stage = bench()
    stage.blocks(2)
    server = stage.engine.mixer._server
    before = len(server.getStreams())
    own = stage.registry["lead.patch"].text(stage.live.get("lead.patch"))
    choose(stage, name)
    stage.blocks(3)
    assert stage.engine.mixer[LEAD].patch == name
    choose(stage, own)
    stage.blocks(3)
    assert len(server.getStreams()) == before


def test_many_switches_while_a_note_is_held_let_only_few_instruments_ring(stage: Bench, tmp_path: Path) -> None:
    names = [str(tmp_path / "one.py"), str(tmp_path / "two.py")]
    for number in range(6):
        stage.network(stage.engine.frame, NOTE_ON, LEAD, pitch=60 + number)
        stage.seconds(0.05)
        choose(stage, names[(number + 1) % 2])
        before = stage.blocks(1)
        after = stage.seconds(0.1)
        tone, glide = 0.6 * 2 * np.pi * 100 / RATE, 0.6 / (0.02 * RATE)
        assert largest_step(np.concatenate([before, after])) <= tone + glide
    assert len(stage.engine.mixer[LEAD]._ringing) <= MOST_RINGING


def test_a_patch_that_is_saved_again_is_loaded_again(stage: Bench, tmp_path: Path) -> None:
    worker = stage.engine.worker
    stage.notices()
    worker.watch()
    stage.blocks(2)
    assert stage.notices() == ""  # nothing has changed
    steady(tmp_path, "one", 0.4)
    os.utime(tmp_path / "one.py", ns=(1, 10**18))
    worker.watch()
    stage.network(stage.engine.frame, NOTE_ON, LEAD)
    stage.seconds(0.1)
    assert np.abs(stage.seconds(0.1)).max() == pytest.approx(0.4, rel=0.01)
    assert "saved" in stage.notices()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def (", "one.py:1"),
        ("x = 1", "defines 0"),
        ("import nothing_here", "one.py:1"),
        (STEADY.replace("LOUD", "0"), "one.py"),
    ],
)
def test_a_patch_that_is_saved_broken_keeps_the_last_sound_and_is_named(
    text: str, told: str, stage: Bench, tmp_path: Path
) -> None:
    broken = text.replace("held * p.loud", "1 / 0").replace("ONLY", "x")
    (tmp_path / "one.py").write_text(broken)
    os.utime(tmp_path / "one.py", ns=(1, 10**18))
    streams = len(stage.engine.mixer._server.getStreams())
    stage.notices()
    stage.engine.worker.watch()
    stage.network(stage.engine.frame, NOTE_ON, LEAD)
    stage.seconds(0.1)
    assert np.abs(stage.seconds(0.1)).max() == pytest.approx(0.2, rel=0.01)
    assert told in (said := stage.notices())
    assert "the lead keeps its sound" in said
    stage.engine.worker.watch()
    stage.blocks(1)
    assert stage.notices() == ""  # told once
    assert len(stage.engine.mixer._server.getStreams()) <= streams + 8
    steady(tmp_path, "one", 0.3)
    os.utime(tmp_path / "one.py", ns=(1, 2 * 10**18))
    stage.engine.worker.watch()
    stage.network(stage.engine.frame, NOTE_ON, LEAD, pitch=62)
    stage.seconds(0.1)
    assert np.abs(stage.seconds(0.1)).max() > 0.25


def test_a_patch_that_cannot_be_chosen_leaves_the_parameter_at_what_plays(bench: Build, tmp_path: Path) -> None:
    odd = patch(tmp_path, "import nothing_of_this_name", "odd")
    stage = bench(patches={"bass": odd})
    assert "odd.py:1" in (stage.blocks(1), stage.notices())[1]
    before = stage.live.get("lead.patch")
    choose(stage, odd)
    stage.blocks(3)
    assert "the lead keeps its sound" in stage.notices()
    assert stage.live.get("lead.patch") == before
    stage.network(stage.engine.frame, NOTE_ON, LEAD)
    assert first_sound(stage.blocks(2)) is not None


def test_a_patch_that_was_broken_at_the_start_is_taken_when_it_is_mended(bench: Build, tmp_path: Path) -> None:
    odd = patch(tmp_path, "import nothing_of_this_name", "odd")
    stage = bench(patches={"lead": odd})
    steady(tmp_path, "odd", 0.2)
    os.utime(tmp_path / "odd.py", ns=(1, 10**18))
    stage.engine.worker.watch()
    stage.blocks(2)
    assert stage.engine.mixer[LEAD].patch == odd


def test_a_patch_that_fails_while_playing_can_be_exchanged(bench: Build, tmp_path: Path) -> None:
    moody, one = patch(tmp_path, RAISES_IN_NOTE, "moody"), steady(tmp_path, "one", 0.2)
    stage = bench(patches={"lead": moody, "bass": one})
    stage.network(0, NOTE_ON, LEAD, pitch=60)
    stage.blocks(4)
    assert stage.engine.mixer[LEAD].patch == "plain"
    choose(stage, one)
    stage.blocks(3)
    assert stage.engine.mixer[LEAD].patch == one


def test_the_knobs_of_a_patch_are_live_parameters_and_glide(stage: Bench) -> None:
    knob = stage.registry["lead.loud"]
    assert (knob.minimum, knob.maximum, knob.default, knob.doc) == (0, 1, 0.2, "How loud")
    assert (stage.registry["lead.one"].scale, stage.registry["lead.one"].unit) == ("exponential", "Hz")
    assert stage.live.get("lead.loud") == 0.2
    stage.network(stage.engine.frame, NOTE_ON, LEAD)
    stage.seconds(0.1)
    stage.live.set("lead.loud", 0.6)
    turning = stage.blocks(30)
    assert largest_step(turning) <= 0.6 * 2 * np.pi * 100 / RATE + 0.4 / (0.02 * RATE)
    assert np.abs(stage.seconds(0.1)).max() == pytest.approx(0.6, rel=0.01)


def test_a_knob_that_was_turned_keeps_its_value_where_the_next_patch_has_it_too(stage: Bench, tmp_path: Path) -> None:
    other = Live(stage.registry, stage.link.values)
    generation = other.generation
    stage.live.set("lead.loud", 0.6)
    stage.blocks(1)
    choose(stage, str(tmp_path / "two.py"))
    stage.blocks(3)
    stage.live.refresh()
    assert stage.live.get("lead.loud") == 0.6
    assert "lead.one" not in stage.registry
    assert stage.live.get("lead.two") == 3
    assert other.refresh()
    assert other.generation > generation
    stage.network(stage.engine.frame, NOTE_ON, LEAD)
    stage.seconds(0.1)
    assert np.abs(stage.seconds(0.1)).max() == pytest.approx(0.6, rel=0.01)


def test_a_knob_that_was_not_turned_takes_the_default_of_the_next_patch(stage: Bench, tmp_path: Path) -> None:
    choose(stage, str(tmp_path / "two.py"))
    stage.blocks(3)
    assert stage.live.get("lead.loud") == 0.1


def test_a_knob_cannot_have_the_name_of_another_parameter(bench: Build, tmp_path: Path) -> None:
    wrong = steady(tmp_path, "wrong", 0.3, only="level")
    stage = bench(patches={"bass": wrong})
    stage.blocks(1)
    assert "bass.level is the name of another parameter" in stage.notices()
    choose(stage, wrong)
    stage.blocks(3)
    assert "the lead keeps its sound" in stage.notices()


def test_the_configuration_sets_a_knob_at_the_start(bench: Build, tmp_path: Path) -> None:
    stage = bench('parameters={"lead.loud"=0.5, "lead.cutof"=3}', patches={"lead": steady(tmp_path, "one", 0.2)})
    stage.blocks(1)
    assert stage.live.get("lead.loud") == 0.5
    assert "parameters.lead.cutof" in stage.notices()


def test_a_controller_turns_a_knob(bench: Build, tmp_path: Path) -> None:
    names = {"lead": steady(tmp_path, "one", 0.2), "bass": steady(tmp_path, "two", 0.2)}
    stage = bench('midi.cc={"lead.loud"=21, "lead.two"=21}', patches=names)
    stage.play(0xB0, 21, 127)  # lead.two is not there by now
    stage.blocks(1)
    assert stage.live.get("lead.loud") == 1
    assert "midi.cc.lead.two: no patch that plays now has such a knob" in stage.notices()
    choose(stage, names["bass"])
    stage.blocks(3)
    stage.play(0xB0, 21, 0)
    stage.blocks(1)
    assert (stage.live.get("lead.loud"), stage.live.get("lead.two")) == (0, 1)


def test_another_process_in_its_place_plays_what_was_chosen_last(stage: Bench, tmp_path: Path) -> None:
    from engine.audio.engine import AudioEngine
    from engine.core.config import load

    choose(stage, str(tmp_path / "two.py"), "player")
    stage.live.set("player.level", 1)
    stage.blocks(3)
    stage.live.set("player.loud", 0.7)
    stage.engine.close()
    config = load(None, [f"patches.{name}={tmp_path / 'one.py'}" for name in ("player", "drums", "bass", "lead")])
    stage.engine = AudioEngine(stage.link, stage.registry, stage.card, config, RATE)
    stage.blocks(30)
    assert stage.engine.mixer.player.patch == str(tmp_path / "two.py")
    stage.play(0x90, 60, 100)
    stage.seconds(0.1)
    assert np.abs(stage.seconds(0.1)).max() == pytest.approx(0.7, rel=0.01)
