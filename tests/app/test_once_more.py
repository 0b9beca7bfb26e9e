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


class Take:
    """A tape of the sound: `intake` is told, `again` is told the same."""

    def __init__(self) -> None:
        self._registry = registry_of(card())
        self._link = Link.private(Layout.of(card(), len(self._registry)))
        self._live = Live(self._registry, self._link.values)
        self._tape = self._link[ring_of("audio")].reader(0)
        self.intake = Intake(self._link, self._live)

    def again(self, are_hosted: bool = False) -> SoundTold:
        """Return the sound that is told it once more."""
        self._tape.position = 0
        (life,) = lives(self._tape.read())
        return SoundTold(self._link, self._live, life, Places([], self._registry, frozenset()), are_hosted)


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


def test_the_clock_goes_on_before_the_very_block_before_which_it_did():
    """In the place of a process that died some blocks are rendered ahead, and notes may sound in them."""
    take = Take()
    take.intake.start(True, RATE_HZ, 0)
    ahead = 10 * BLOCK + 16 * BLOCK
    take.intake.catch_up(0, 10 * BLOCK)
    take.intake.catch_up(ahead, 100 * BLOCK)
    told = take.again()
    told.start(True, RATE_HZ, 0)
    assert told.catches_up(0) == 10 * BLOCK
    assert [told.catches_up(frame) for frame in range(10 * BLOCK, ahead, BLOCK)] == [None] * 16
    assert told.catches_up(ahead) == 100 * BLOCK


def test_where_plugins_are_the_source_may_be_asked_once_more_and_says_nothing_new():
    take = Take()
    take.intake.start(False, RATE_HZ, 0)
    take.intake.begin(0)
    given = Reading(97.0, 3, 4, beat=2.5, at_once=True)
    take.intake.source(Steady(given)).read(0.0, 0.0)
    for are_hosted in (False, True):
        told = take.again(are_hosted)
        told.start(False, RATE_HZ, 0)
        told.begin(0)
        assert told.answer_again() == given
        told.begin(BLOCK)
        if are_hosted:
            assert told.answer_again() == Reading(97.0, 3, 4)
        else:
            with pytest.raises(DivergedError):
                told.answer_again()
