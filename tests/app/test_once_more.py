"""What the sound is told when a take is played once more is what it was told then, block for block."""

from __future__ import annotations

from engine.app.once_more import SoundTold, lives
from engine.app.places import Places
from engine.audio.intake import Intake
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK
from engine.core.parameters import Live
from engine.core.tape import ring_of
from engine.jam.parameters import registry_of
from tests.audio.conftest import card

RATE_HZ = 48000.0


def test_the_clock_goes_on_before_the_very_block_before_which_it_did():
    """In the place of a process that died some blocks are rendered ahead, and notes may sound in them."""
    registry = registry_of(card())
    link = Link.private(Layout.of(card(), len(registry)))
    live = Live(registry, link.values)
    tape = link[ring_of("audio")].reader()
    intake = Intake(link, live)
    intake.start(True, RATE_HZ, 0)
    ahead = 10 * BLOCK + 16 * BLOCK
    intake.catch_up(0, 10 * BLOCK)
    intake.catch_up(ahead, 100 * BLOCK)
    (life,) = lives(tape.read())
    told = SoundTold(link, live, life, Places([], registry, frozenset()), False)
    told.start(True, RATE_HZ, 0)
    assert told.catches_up(0) == 10 * BLOCK
    assert [told.catches_up(frame) for frame in range(10 * BLOCK, ahead, BLOCK)] == [None] * 16
    assert told.catches_up(ahead) == 100 * BLOCK
