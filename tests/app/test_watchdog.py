"""The watch over the processes: silence is told apart by its cause, and nobody is blamed for a time that nobody lived."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import cast

import psutil
import pytest

from engine.app.shedding import CALM_S, LATE_LOOKS, LATE_S, WINDOW_S, Shedding
from engine.app.watchdog import Condition, Watchdog, Word, condition_of
from engine.control.status import Care, NetworkFigures, snapshot
from engine.core.care import SPARED
from engine.core.link import Layout, Link
from engine.core.parameters import Live
from engine.core.roles import PROCESSES, role_of
from engine.jam.parameters import registry_of
from tests.app.test_stage import jam
from tests.audio.conftest import card

STEP_S = 0.25
NETWORK = {"network": 7}


class Stand:
    """A watchdog, a machine whose time is ours, and processes that beat when they are told."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.busy = 0.2
        self.condition: Condition | None = Condition(psutil.STATUS_SLEEPING, 0.0)
        self.link = Link.private(Layout.of(card(), 4))
        self.dog = Watchdog(self.link, lambda: self.now_s, lambda _pid: self.condition, lambda: self.busy)

    def pass_by(self, seconds: float, beats: tuple[str, ...] = (), cpu: float = 0.0) -> list[Word]:
        """Let time pass, looking as often as the supervisor does; `cpu`: share of a core that the process takes."""
        found = []
        for _ in range(round(seconds / STEP_S)):
            self.now_s += STEP_S
            for name in beats:
                self.link.beat(name)
            if self.condition is not None:
                self.condition = replace(self.condition, cpu_s=self.condition.cpu_s + cpu * STEP_S)
            found += self.dog.look(NETWORK)
        return found

    @property
    def ailing(self) -> dict[str, str]:
        return Care.of(self.link["care"].latest(), None).ailing


@pytest.fixture
def stand() -> Stand:
    found = Stand()
    assert found.pass_by(5, ("network",)) == []
    assert found.ailing == {}
    return found


HUNG_S = cast(float, role_of("network").hung_s)


@pytest.mark.parametrize(
    ("status", "cpu", "said", "state"),
    [
        (psutil.STATUS_SLEEPING, 0.0, "hangs, waiting", "hung"),
        (psutil.STATUS_RUNNING, 1.0, "hangs, computing without end", "hung"),
        (psutil.STATUS_STOPPED, 0.0, "something has stopped it", "stopped"),
    ],
)
def test_one_that_is_silent_is_named_by_its_cause_and_then_ended(stand: Stand, status: str, cpu: float, said: str, state: str):
    stand.condition = Condition(status, 0.0)
    (first,) = stand.pass_by(HUNG_S - 2 * STEP_S, cpu=cpu)
    assert not first.end
    assert first.text.startswith("the network process ")
    assert stand.ailing == {"network": state}
    (last,) = stand.pass_by(4 * STEP_S, cpu=cpu)
    assert said in last.end


def test_one_that_goes_on_in_time_is_let_live(stand: Stand):
    (named,) = stand.pass_by(HUNG_S - 4 * STEP_S)
    assert "hangs" in named.text
    (back,) = stand.pass_by(STEP_S, ("network",))
    assert "goes on" in back.text
    assert stand.ailing == {}
    assert stand.pass_by(60, ("network",)) == []


def test_a_slow_one_is_only_named(stand: Stand):
    stand.busy = 1.0
    (named,) = stand.pass_by(3 * HUNG_S)
    assert "no time left for it" in named.text
    assert stand.ailing == {"network": "slow"}
    assert any(word.end for word in stand.pass_by(10 * HUNG_S)), "one that never comes back is not waited for without end"


def test_a_machine_that_slept_or_a_program_that_was_stopped_as_a_whole_blames_nobody(stand: Stand):
    stand.condition = Condition(psutil.STATUS_STOPPED, 0.0)
    for slept_s in (5.0, 3600.0, 3e6):
        stand.now_s += slept_s
        (word,) = stand.dog.look(NETWORK)
        assert f"stood still for {slept_s:.0f} s" in word.text
        assert stand.pass_by(10, ("network",)) == []


def test_one_that_took_the_place_of_another_begins_with_all_its_time(stand: Stand):
    stand.pass_by(HUNG_S - STEP_S)
    stand.dog.look({"network": 8}, ["feed"])
    assert stand.ailing == {"feed": "begun anew"}
    assert stand.dog.look({"network": 8}) == []
    assert stand.ailing == {}


def test_one_that_has_just_begun_has_much_time_until_its_first_sign_of_life(stand: Stand):
    stand.condition = Condition(psutil.STATUS_RUNNING, 0.0)
    begun = [word for _ in range(round(10 * HUNG_S / STEP_S)) for word in look_again(stand)]
    assert begun == [], "it loads a network, or looks through the recording of hours"
    assert any(word.end for _ in range(round(60 * HUNG_S / STEP_S)) for word in look_again(stand))


def look_again(stand: Stand) -> list[Word]:
    """Let a step of time pass for a process that took the place of the one before."""
    stand.now_s += STEP_S
    return stand.dog.look({"network": 8})


def test_a_dead_one_is_the_systems_to_tell(stand: Stand):
    stand.condition = None
    assert stand.pass_by(60) == []


def test_nobody_ends_what_is_looked_into_with_a_debugger_and_no_plugin_that_takes_long_to_load(stand: Stand):
    stand.condition = Condition(psutil.STATUS_TRACING_STOP, 0.0)
    assert not any(word.end for word in stand.pass_by(60))
    stand.condition = Condition(psutil.STATUS_SLEEPING, 0.0)
    for _ in range(400):
        stand.now_s += STEP_S
        assert not any(word.end for word in stand.dog.look({"host0": 9}))


def test_every_process_has_signs_of_life_that_someone_gives():
    link = Link.private(Layout.of(card(), 4))
    for name in PROCESSES:
        for ring, factor in role_of(name).signs:
            assert ring in link
            assert factor >= 1
    assert condition_of(1 << 30) is None


# What is done without.


class Short:
    """A machine that is short of time when it is told to be."""

    def __init__(self) -> None:
        self.now_s, self.late, self.said = 100.0, 0, []
        self.link = Link.private(Layout.of(card(), 4))
        self.here: Collection[str] = SPARED
        self.shedding = Shedding(self.link, lambda level, text: self.said.append(text), lambda: self.here, lambda: self.now_s)

    def pass_by(self, seconds: float, late_a_second: float = 0.0, woken_late_s: float = 0.0, changed: bool = False) -> None:
        network = cast(NetworkFigures, jam().network)
        for _ in range(round(seconds / STEP_S)):
            self.now_s += STEP_S
            self.late += late_a_second * STEP_S
            figures = replace(network, late_steps=int(self.late), kept=0)
            changed_s = self.now_s if changed else float("-inf")
            self.shedding.look(replace(jam(), network=figures, sound=None), woken_late_s, changed_s)

    @property
    def spared(self) -> tuple[str, ...]:
        return tuple(what for what in SPARED if self.link.spares(what))


def test_the_least_important_goes_first_and_comes_back_last():
    machine = Short()
    machine.pass_by(10)
    assert machine.spared == ()
    seen = []
    for _ in range(40):
        machine.pass_by(WINDOW_S / 2, late_a_second=4)
        if machine.spared != (seen[-1] if seen else ()):
            seen.append(machine.spared)
    assert seen == [SPARED[:n] for n in range(1, 5)]
    assert "steps came too late: less of the page" in machine.said[0]
    machine.pass_by(CALM_S - 1)
    assert machine.spared == SPARED, "not at once: it would go to and fro"
    back = []
    for _ in range(round(5 * CALM_S)):
        machine.pass_by(1)
        if machine.spared != (back[-1] if back else SPARED):
            back.append(machine.spared)
    assert back == [SPARED[:left] for left in (3, 2, 1, 0)]
    assert "all of the page is back" in machine.said[-1]


def test_what_there_is_not_is_not_done_without():
    machine = Short()
    machine.here = ("page", "feed")
    machine.pass_by(20 * WINDOW_S, late_a_second=4)
    assert machine.spared == ("page", "feed")
    assert not any("booth" in text or "continuations" in text for text in machine.said)
    assert len(machine.said) == 2
    machine.here = SPARED  # a booth was begun meanwhile
    machine.pass_by(2 * WINDOW_S, late_a_second=4)
    assert machine.spared[1] == "booth"


def test_a_supervisor_that_is_woken_late_again_and_again_tells_of_it_too():
    machine = Short()
    machine.pass_by(STEP_S * (LATE_LOOKS - 1), woken_late_s=LATE_S)
    machine.pass_by(STEP_S)
    assert machine.spared == ()
    machine.pass_by(STEP_S * LATE_LOOKS, woken_late_s=LATE_S)
    assert machine.spared == ("page",)
    assert "short of time" in machine.said[0]


def test_what_was_late_for_a_process_that_was_begun_anew_costs_nothing():
    machine = Short()
    machine.pass_by(20, late_a_second=20, changed=True)
    machine.pass_by(10)
    assert machine.spared == ()


def test_the_snapshot_tells_what_is_done_without():
    machine = Short()
    machine.pass_by(4, late_a_second=4)
    live = Live(registry_of(card()), Link.private(Layout.of(card(), len(registry_of(card())))).values)
    live.reset_to_defaults()
    care = snapshot(machine.link, live).care
    assert care.spared[:1] == ("page",)
    assert "too late" in care.why
