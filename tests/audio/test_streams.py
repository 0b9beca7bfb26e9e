"""A sound that is changed a thousand times leaves nothing behind."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pyo

from engine.audio.instrument import Instrument
from engine.audio.library import available, load
from engine.audio.streams import let_go
from engine.audio.track import Strip
from engine.core.messages import NOTE_ON
from tests.audio.conftest import Bench

Build = Callable[..., Bench]


def streams() -> int:
    return sum(type(thing) is pyo.Stream for thing in gc.get_objects())


def test_every_shipped_sound_gives_its_streams_back(bench: Build) -> None:
    bench()
    for name in available():
        before = streams()
        strip = Strip(Instrument(name, load(name)), 0)
        made = streams() - before
        strip.free()
        lost = streams() - before  # some are made and thrown away within pyo
        assert lost <= made / 5, (name, made, lost)


def test_changing_a_track_again_and_again_leaves_nothing(bench: Build) -> None:
    stage = bench()
    lead = next(track for track in stage.engine.worker.tracks if track.name == "lead")
    seen = []
    for _ in range(3):
        for patch in ("glass", "pad", "lead"):
            assert stage.engine.worker.play(lead, patch)
            stage.blocks(3)
        seen.append(streams())
    assert seen[1] == seen[2]
    stage.network(stage.engine.frame, NOTE_ON, 2)
    assert abs(stage.blocks(200)).max() > 0


def test_what_somebody_still_has_is_left_alone(bench: Build) -> None:
    bench()
    sound = pyo.Sig(0.5)
    also = sound * 0.5
    before = streams()
    let_go([*sound.getBaseObjects(), *also.getBaseObjects()])
    assert streams() == before
    assert sound.getBaseObjects()[0]._getStream().getId() > 0
