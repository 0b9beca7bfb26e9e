"""What the sound is told when a take is played once more is what it was told then, block for block."""

from __future__ import annotations

import pytest

from engine.app.once_more import DivergedError, SoundTold, lives
from engine.app.places import Places
from engine.audio.intake import Intake
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK
from engine.core.parameters import Live
from engine.core.tape import ring_of
from engine.jam.parameters import registry_of
from engine.transport.sources import Reading
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


def test_where_plugins_are_the_source_may_be_asked_once_more_and_says_nothing_new():
    registry = registry_of(card())
    link = Link.private(Layout.of(card(), len(registry)))
    live = Live(registry, link.values)
    tape = link[ring_of("audio")].reader()
    intake = Intake(link, live)
    intake.start(False, RATE_HZ, 0)
    intake.begin(0)
    given = Reading(97.0, 3, 4, beat=2.5, at_once=True)
    intake.source(Steady(given)).read(0.0, 0.0)
    (life,) = lives(tape.read())
    for are_hosted in (False, True):
        life.tape, kept = life.tape.copy(), life.tape
        told = SoundTold(link, live, life, Places([], registry, frozenset()), are_hosted)
        told.start(False, RATE_HZ, 0)
        told.begin(0)
        assert told.answer_again() == given
        told.begin(BLOCK)
        if are_hosted:
            assert told.answer_again() == Reading(97.0, 3, 4)
        else:
            with pytest.raises(DivergedError):
                told.answer_again()
        life.tape = kept


class Steady:
    """A source that always answers the same."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def take_parameters(self, _frame: int) -> None:
        """Nothing is to be taken."""

    def read(self, _frame: float, _beat: float, /) -> Reading:
        return self._reading

    def start(self) -> bool:
        return False
