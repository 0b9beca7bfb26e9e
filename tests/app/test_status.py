"""The status line and what a jam ends with, for the person at the terminal; and that everybody is told the same."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from engine.app import status
from engine.app.services import Services
from engine.app.status import for_player, line, of_chords, of_machine, summary
from engine.app.supervisor import Supervisor
from engine.control.status import Beat, Chords, NetworkFigures, Outside, Place, Snapshot, SoundFigures, Spread
from engine.core.config import Config, load
from engine.core.messages import CLOCK, FEED_STATS, NETWORK_STATS
from engine.feed.feed import Feed
from engine.feed.schema import Schema
from engine.jam.modes import CLASSES
from engine.net.guard import Guard
from engine.transport.timeline import BeatTimeline
from engine.web.pages import Around
from engine.web.pages.stage import Stage

RATE = 48000
TIMES = Spread(0.05, 0.31, 1.2)
PLACE = Place(bar=12, beat=3, tempo_bpm=120, playing=True, begun=True)
JAM = Snapshot(
    mode="trade",
    takes_turns=True,
    tempo_bpm=120,
    seed=1,
    place=PLACE,
    network=NetworkFigures(480, 1, TIMES, 14, 0, TIMES, 4.0, True, "cpu"),
    sound=SoundFigures(RATE, 0.08, 0.2, 0.1, 2, 0, 0, 0, False),
    feed=None,
)


def report(again: int, notes_late: int, xruns: int = 2, own: int = 0, kept: int = 0) -> dict[str, Any]:
    return {
        "steps": 480,
        "provider": "cpu",
        "step_ms": {"p50": 0.05, "p99": 0.9, "max": 1.2},
        "chosen_again": {"steps": again, "kept": kept, "step_ms": {"p50": 0.7, "p99": 1.1, "max": 1.2}},
        "late_steps": 1,
        "dsp_load": {"mean": 0.08, "max": 1.3, "own_max": 0.42},
        "xruns": xruns,
        "xruns_own": own,
        "notes_late": notes_late,
        "notes_in": 73,
        "notes_out": {"drums": 99, "bass": 57},
        "feed": {"sent": 685, "dropped": 0},
    }


def clock() -> np.void:
    record = np.zeros((), CLOCK)
    record["time_ns"], record["ns_per_frame"] = time.perf_counter_ns(), 1e18  # the frame stays what it is
    return record[()]


def where(line: BeatTimeline) -> str:
    place = Place.of(line, clock(), time.perf_counter_ns())
    return for_player(replace(JAM, place=place)).removeprefix("trade ")


def test_bar_and_beat_are_counted_as_musicians_do():
    line = BeatTimeline(0.0, 9.25, 112.0, 48000.0)
    assert where(line) == "listening, bar 3.2, 112 bpm"
    assert where(replace(line, beat=-2.5)) == "count-in 2, 112 bpm"
    assert where(replace(line, bar_beat=9.0, bar=1)) == "listening, bar 1.1, 112 bpm"
    assert where(replace(line, bar_beat=9.0, bar=4, numerator=6, denominator=8, beat=14.25)) == "listening, bar 5.2, 75 bpm"
    assert where(replace(line, playing=False)) == "stopped, bar 3.2, 112 bpm"
    assert where(replace(line, playing=False, beat=-4)) == "stopped, 112 bpm"


def test_steps_chosen_again_are_told_apart():
    text = summary(report(again=14, notes_late=0), "sessions/one")
    assert "480 steps on cpu, 0.05 ms each (p99 0.90), 1 late" in text
    assert "14 of them chosen again at the last moment: 0.70 ms, p99 1.10\n" in text
    assert "too late" not in text
    assert "you played 73 notes; the network: drums 99, bass 57" in text
    assert text.endswith("recorded in sessions/one")


def test_choices_that_came_too_late_are_told():
    text = summary(report(again=14, notes_late=0, kept=2), "")
    assert "0.70 ms, p99 1.10; 2 of those too late, what was chosen before sounded\n" in text


def test_what_never_was_is_not_spoken_of():
    text = summary(report(again=0, notes_late=3), "")
    assert "again" not in text
    assert "3 notes of the network came too late to sound" in text
    assert "recorded" not in text


def test_whether_xruns_are_the_patches_fault_or_the_machine_s():
    assert "DSP load 8%, the costliest block 42%; 2 xruns, none because a block was too costly" in summary(report(0, 0), "")
    assert "3 xruns, 1 of them because a block was too costly" in summary(report(0, 0, xruns=3, own=1), "")
    assert "; 0 xruns\n" in summary(report(0, 0, xruns=0), "")


# The line.


def test_a_player_reads_first_what_he_needs():
    assert line(JAM) == "trade listening, bar 12.3, 120 bpm | step 0.05 ms, p99 0.31 | DSP 8 % | xruns 2 | late 1 of 480"
    stopped = replace(JAM, place=replace(PLACE, playing=False))
    assert for_player(stopped) == "trade stopped, bar 12.3, 120 bpm"
    count_in = replace(JAM, place=replace(PLACE, bar=0, begun=False))
    assert for_player(count_in) == "trade count-in 3, 120 bpm"
    assert for_player(replace(count_in, place=replace(PLACE, playing=False, begun=False))) == "trade stopped, 120 bpm"
    assert for_player(replace(JAM, mode="solo", takes_turns=False)) == "solo playing, bar 12.3, 120 bpm"
    assert line(replace(JAM, place=None, network=None, sound=None)) == "trade starting"


def states() -> Iterator[Snapshot]:
    """Every mode in every state, after hours of playing, at the fastest."""
    for mode, playing, begun, listening in product(CLASSES, (True, False), (True, False), (True, False)):
        place = Place(bar=123456, beat=4, tempo_bpm=400, playing=playing, begun=begun)
        network = replace(JAM.network, listening=listening)
        yield replace(JAM, mode=mode.name, takes_turns=mode.takes_turns, place=place, network=network)


def test_in_40_columns_what_a_player_needs_survives_whole():
    for jam in states():
        assert len(for_player(jam)) <= 40, for_player(jam)
        assert line(jam, 40).startswith(for_player(jam))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_figures_are_shown_whole_or_not_at_all(width):
    for jam in states():
        shown = line(jam, width)
        first, *figures = shown.split(" | ")
        assert len(shown) <= width
        assert first == for_player(jam)
        assert figures == list(of_machine(jam))[: len(figures)]
    assert ("late" in line(JAM, 200), "late" in line(JAM, 60)) == (True, False)


def test_on_a_terminal_of_40_columns_nothing_wraps():
    for jam in states():
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=40, color_system=None)
        with status.Status(console) as shown:
            shown.show(jam)
            drawn = out.getvalue()
        assert for_player(jam) in drawn
        assert "\n" not in drawn
        assert "\N{HORIZONTAL ELLIPSIS}" not in drawn


def test_a_device_that_is_lost_comes_before_all_other_figures():
    lost = replace(JAM, sound=replace(JAM.sound, device_lost=True))
    assert line(lost, 50) == "trade listening, bar 12.3, 120 bpm | DEVICE LOST"


# What everybody is told.


@pytest.fixture
def supervisor(tmp_path, tiny_onnx) -> Iterator[Supervisor]:
    off = ("osc.control.enabled=false", "osc.query.enabled=false", "web.enabled=false", "session.record=false")
    out = Supervisor(load(None, [f"network.name={tiny_onnx}", *off]), lambda _level, _text: None)
    yield out
    out.close()


def publish(jam: Supervisor) -> None:
    """Let every process publish once: bar 4, second beat."""
    link, now_ns = jam.link, 5_000_000_000
    audio, network, feed = (link.view(name) for name in ("audio", "network", "feed"))
    audio.writer("clock").push((0, now_ns, 1e9 / RATE, RATE, 64, 0, 0.0817, 0.2, 0.1, 7, 3, 0, 2, 3, 0.1, 0))
    audio.writer("timeline").push(BeatTimeline(0.0, 13.5, 96.0, RATE).record())
    stats = network.writer("network").slot()
    for field, value in {"steps": 53, "late_steps": 2, "step_p50_ms": 0.31, "provider": b"cpu", "lead_ms": 4.2}.items():
        stats[field] = value
    network.writer("network").advance()
    stats = feed.writer("feed").slot()
    stats["sent"], stats["dropped"], stats["rate_hz"] = 99, 1, 8.0
    feed.writer("feed").advance()
    assert {NETWORK_STATS, FEED_STATS} == {link["network"].dtype, link["feed"].dtype}


def test_terminal_osc_page_and_report_tell_the_same(supervisor, monkeypatch):
    monkeypatch.setattr("engine.control.status.time.perf_counter_ns", lambda: 5_000_000_000)
    link, live, card = supervisor.link, supervisor.live, supervisor._spec.card
    live.reset_to_defaults()
    publish(supervisor)
    notices: list[str] = []
    services = Services(Config(), Feed(link, Schema(card, live.registry)), link, live, lambda _, text: notices.append(text))
    web = Config().web
    stage = Stage(Around(link.view("feed"), live, card, web, Guard(web.host, web.token)))
    for mode in CLASSES:
        live.set("mode", mode.number)
        terminal, report, page = line(supervisor.snapshot()), supervisor.report(), stage._status()
        osc = json.loads(json.dumps(services._status()))
        for told in (osc, page, report):
            assert (told["mode"], told["bar"], told["steps"], told["late_steps"]) == (mode.name, 4, 53, 2)
            assert told["xruns"] == 7
        assert (osc["playing"], osc["beat"], osc["doing"]) == (page["playing"], page["beat"], page["doing"])
        assert terminal.startswith(f"{mode.name} {osc['doing']}, bar 4.2, 96 bpm | ")
        assert "| xruns 7 | late 2 of 53 | feed 8/s" in terminal
        assert osc["feed"] == {"rate_hz": 8.0, "sent": 99, "dropped": 1}
        assert report["feed"]["sent"] == 99
        assert (osc["dsp_load"], page["dsp"], report["dsp_load"]["mean"]) == (0.082, 0.0817, 0.0817)
        assert "53 steps on cpu, 0.31 ms each" in summary(report, "")


def test_before_anything_was_published_all_four_say_so(supervisor):
    supervisor.live.reset_to_defaults()
    assert supervisor.report()["bar"] is None
    assert not {"steps", "xruns", "feed"} & supervisor.report().keys()
    assert line(supervisor.snapshot()) == f"{supervisor.report()['mode']} starting"


def test_chords_stand_behind_what_a_player_needs_and_say_only_what_differs():
    def words(*names):
        return list(of_chords(replace(JAM, chords=Chords(*names))))

    assert words() == []
    assert words("Am", "Am", "Am") == ["Am"]
    assert words("Am", "F", "Am") == ["Am, next F"]
    assert words("Am", "F", "C") == ["Am, next F, it plays C"]
    assert words("Am", "Am", "") == ["Am"]
    assert " bpm | Am, next F | step " in line(replace(JAM, chords=Chords("Am", "F")))


def test_the_line_says_how_it_is_with_the_players_beat():
    stands = replace(PLACE, playing=False)
    waiting = replace(JAM, place=stands, beat=Beat("follow", locked=False, waits=True))
    assert line(waiting).startswith("trade waits for your beat, 120 bpm | your beat is not found")
    found = replace(JAM, beat=Beat("follow", locked=True, waits=False, heard_bpm=118.2, confidence=0.93))
    assert "| your 118 bpm, 93 % sure |" in line(found)
    lost = replace(found, beat=replace(found.beat, locked=False))
    assert "| your 118 bpm, 93 % sure, on its own |" in line(lost)
    assert "your" not in line(JAM)


@pytest.mark.parametrize(
    ("locked", "clock", "told"),
    [
        (True, Outside("link", True, 120, 1, 0.02, 0.04), "Link: 1 peer, +0.0 ms, jitter 0.0 ms"),
        (True, Outside("prodj", True, 126, 2, 0.8, -1.26), "Pro DJ Link: 2 decks, -1.3 ms, jitter 0.8 ms"),
        (True, Outside("midi", True, 126, 1, 0.8), "MIDI clock: jitter 0.8 ms"),
        (False, Outside("midi", True, 126, 1, 0.8), "MIDI clock: waits for its bar line"),
        (False, Outside("midi", False), "MIDI clock: none comes"),
        (False, Outside("link", False), "Link: no session"),
        (False, Outside("prodj", False), "Pro DJ Link: no deck plays"),
    ],
)
def test_a_clock_from_outside_is_told_as_it_is(locked, clock, told):
    jam = replace(JAM, beat=Beat(clock.name, locked, waits=False, outside=(clock,)))
    assert list(status.of_beat(jam)) == [told]
