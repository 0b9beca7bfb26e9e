"""A scene begins in the block of its bar line: its sounds, its numbers, and nothing before."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from engine.audio.engine import AudioEngine
from engine.core.messages import BEGIN, BLOCK, DROP, MAKE_READY, NOTE_ON, PLAYS, READY, SWITCH
from tests.audio.conftest import RATE, Bench, first_sound

Build = Callable[..., Bench]


def switch(stage: Bench, number: int, what: int, beat: float = 0.0, **told: object) -> None:
    record = np.zeros((), SWITCH)
    record["number"], record["what"], record["beat"] = number, what, beat
    record["text"] = json.dumps({"name": "X", "patches": {}, "values": {}, "chart": None} | told).encode()
    stage.link.writer("switches").push(record)


def answers(stage: Bench) -> list[tuple[int, int]]:
    return [(int(r["number"]), int(r["state"])) for r in stage.link["switched"].reader(0).read()]


def playing(bench: Build, *settings: str) -> Bench:
    stage = bench("clock.count_in=0", "clock.tempo=120", *settings)
    stage.live.fire("transport.start")
    stage.blocks(100)
    return stage


def until(stage: Bench, beat: float) -> np.ndarray:
    """Render all blocks that end before a beat."""
    return stage.blocks(int((stage.engine.transport.line.frame_at(beat) - stage.engine.frame) // BLOCK))


def test_sound_and_numbers_change_in_the_block_of_the_bar_line(bench: Build):
    stage = playing(bench)
    told = {"patches": {"lead": "glass"}, "values": {"lead.level": 0.25, "lead.shine": 0.4, "tempo": 90, "temperature": 1.5}}
    switch(stage, 1, MAKE_READY, **told)
    stage.blocks(10)
    assert answers(stage) == [(1, READY)]
    assert stage.live.registry["lead.patch"].text(stage.live.get("lead.patch")).endswith("tone.py")
    switch(stage, 1, BEGIN, 4.0, **told)
    until(stage, 4.0)
    assert (stage.live.get("lead.level"), stage.engine.mixer[2].patch[-4:]) == (0.8, "e.py")
    frame = stage.engine.frame
    stage.blocks(1)
    assert (stage.live.get("lead.level"), stage.live.get("lead.shine"), stage.live.get("temperature")) == (0.25, 0.4, 1.5)
    assert stage.engine.mixer[2].patch == "glass"
    done = stage.link["switched"].latest()
    assert done is not None
    assert (int(done["state"]), int(done["frame"])) == (PLAYS, frame + BLOCK)
    line = stage.engine.transport.line
    assert (line.beat, round(line.tempo_bpm)) == (4.0, 90)  # bent on the bar line itself
    stage.blocks(20)
    assert stage.engine.mixer[2].patch == "glass"  # and it is loaded once


def test_a_scene_leaves_the_tempo_to_the_clock_that_leads(bench: Build):
    stage = playing(bench)
    stage.live.set("clock.source", stage.live.registry["clock.source"].choices.index("link"))
    before = stage.live.get("tempo")
    told = {"values": {"tempo": 90, "temperature": 1.5}}
    switch(stage, 1, MAKE_READY, **told)
    switch(stage, 1, BEGIN, 4.0, **told)
    stage.seconds(2.5)
    assert (stage.live.get("tempo"), stage.live.get("temperature")) == (before, 1.5)
    told = {"values": {"tempo": 90, "clock.source": "internal"}}
    switch(stage, 2, MAKE_READY, **told)
    switch(stage, 2, BEGIN, 8.0, **told)
    stage.seconds(2.5)
    assert stage.live.get("tempo") == 90, "a scene with a beat of its own has its tempo"


def test_a_new_metre_begins_with_the_scene(bench: Build):
    stage = playing(bench)
    told = {"values": {"metre": 1}}
    switch(stage, 1, MAKE_READY, **told)
    switch(stage, 1, BEGIN, 4.0, **told)
    stage.seconds(2.5)
    line = stage.engine.transport.line
    assert (line.metre.name, line.bar_beat, line.bar) == ("3/4", 4.0, 2)


def test_the_old_sound_rings_on_while_the_new_one_plays(bench: Build):
    stage = playing(bench)
    stage.network(stage.engine.frame, NOTE_ON, 2, pitch=60)
    stage.blocks(50)
    switch(stage, 1, MAKE_READY, patches={"lead": "pad"})
    stage.blocks(10)
    switch(stage, 1, BEGIN, 4.0, patches={"lead": "pad"})
    until(stage, 4.0)
    before = stage.blocks(1)
    after = stage.blocks(40)
    assert len(stage.engine.mixer[2].strips) == 2
    sound = np.concatenate([before, after])[:, 0]
    assert np.abs(sound).max() > 0.01
    calm = np.abs(np.diff(stage.blocks(100)[:, 0])).max()
    assert np.abs(np.diff(sound)).max() <= 1.1 * calm


def test_while_the_beat_stands_a_scene_begins_at_once(bench: Build):
    stage = bench()
    switch(stage, 1, MAKE_READY, values={"lead.level": 0.1})
    switch(stage, 1, BEGIN, 0.0, values={"lead.level": 0.1})
    stage.blocks(5)
    assert answers(stage)[-1] == (1, PLAYS)
    assert stage.live.get("lead.level") == 0.1


def test_a_scene_that_is_not_to_be_leaves_nothing(bench: Build):
    stage = playing(bench, "parameters.lead.level=0.5")
    stage.live.set("lead.level", 0.5)
    knobs = {p.id for p in stage.live.registry.declared}
    switch(stage, 1, MAKE_READY, patches={"lead": "glass", "bass": "acid"}, values={"lead.level": 0.1})
    stage.blocks(10)
    switch(stage, 1, DROP)
    stage.blocks(10)
    assert {p.id for p in stage.live.registry.declared} == knobs
    assert stage.live.get("lead.level") == 0.5
    switch(stage, 2, MAKE_READY, patches={"lead": "pad"}, values={})
    stage.blocks(3)
    switch(stage, 3, MAKE_READY, patches={"bass": "acid"}, values={"bass.cutoff": 500})
    stage.blocks(10)
    switch(stage, 3, BEGIN, stage.engine.transport.line.beat_at(stage.engine.frame), patches={"bass": "acid"})
    stage.blocks(10)
    assert answers(stage)[-1] == (3, PLAYS)
    assert stage.engine.mixer[2].patch.endswith("tone.py")
    assert (stage.engine.mixer[1].patch, stage.live.get("bass.cutoff")) == ("acid", 500)


def test_what_is_not_there_is_told_and_the_rest_begins(bench: Build):
    stage = playing(bench)
    told = {"patches": {"lead": "nowhere"}, "values": {"lead.level": 0.3, "lead.nothing": 1, "bass.level": 7}}
    switch(stage, 1, MAKE_READY, **told)
    switch(stage, 1, BEGIN, 1.0, **told)
    stage.seconds(1)
    assert (stage.live.get("lead.level"), stage.live.get("bass.level")) == (0.3, 1.0)
    said = stage.notices()
    assert "there is no patch 'nowhere'" in said
    assert "lead.nothing: nothing that plays in it has such a knob" in said
    assert "bass.level: 7 is not within 0 to 1" in said


def test_a_scene_outlives_the_audio_process(bench: Build):
    stage = playing(bench)
    switch(stage, 1, MAKE_READY, values={"lead.level": 0.3})
    switch(stage, 1, BEGIN, 8.0, values={"lead.level": 0.3})
    stage.blocks(5)
    frame = stage.engine.frame
    stage.engine.close()
    from engine.core.config import Config

    stage.engine = AudioEngine(stage.link, stage.registry, stage.card, Config(), RATE)
    stage.engine.frame = frame
    until(stage, 8.0)
    assert stage.live.get("lead.level") == 0.8
    stage.blocks(2)
    assert stage.live.get("lead.level") == 0.3
    assert first_sound(stage.blocks(10)) is None
