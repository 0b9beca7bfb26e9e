"""The terminal view: what it shows of a jam, within the terminal's width, and only what has changed."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from engine.app import big, running
from engine.app.running import Running, choose, tell
from engine.app.stage import KEYS, Screen, _text
from engine.app.stage_view import HEIGHT, WIDTH, Tracks, meter, note_name, page
from engine.control.status import (
    Beat,
    Care,
    Chords,
    Devices,
    FeedFigures,
    NetworkFigures,
    Outside,
    Place,
    Snapshot,
    SoundFigures,
    Spread,
)
from engine.core.errors import AlgoritmoError
from engine.core.link import Layout, Link
from engine.core.messages import ALL_OFF, ERROR, EVENT, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Live
from engine.jam.parameters import registry_of
from tests.audio.conftest import card


def jam() -> Snapshot:
    """A jam in the middle of bar 12."""
    spread = Spread(0.3, 0.9, 2.0)
    return Snapshot(
        mode="trade",
        takes_turns=True,
        tempo_bpm=112.0,
        seed=1,
        place=Place(12, 3, 112.0, True, True),
        network=NetworkFigures(100, 2, spread, 0, 0, spread, 10.0, True, "cpu"),
        sound=SoundFigures(48000.0, 0.11, 0.3, 0.3, 4, 0, 0, 0, False),
        feed=FeedFigures(10, 0, 8.0, 10.0, 1, 480000),
        chords=Chords("Bbmaj7", "Am7", "F", ""),
    )


@pytest.fixture
def live() -> Live:
    """The parameters of a jam of three tracks."""
    registry = registry_of(card())
    found = Live(registry, Link.private(Layout.of(card(), len(registry))).values)
    found.reset_to_defaults()
    return found


def event(kind: int, track: int, pitch: int = 60, velocity: int = 100) -> np.ndarray:
    """One EVENT record."""
    found = np.zeros(1, EVENT)
    found["kind"], found["track"], found["pitch"], found["velocity"] = kind, track, pitch, velocity
    return found


def shown(lines: list[list[tuple[str, str]]]) -> list[str]:
    """The letters alone."""
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("plain", [False, True])
def test_all_of_it_fits_a_terminal_of_80_by_24(live: Live, plain: bool):
    tracks = Tracks(live.registry.tracks)
    for track in (0, 1, 2, PLAYER):
        for pitch in range(40, 80, 3):
            tracks.hear(event(NOTE_ON, track, pitch))
    long = [(ERROR, "x" * 200), (ERROR, "y" * 200)]
    lines = shown(page(jam(), tracks, live, 0.5, long, KEYS, plain))
    assert len(lines) == HEIGHT
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    for wanted in ("trade", "LISTENING", "112.0 bpm", "next Am7", "it plays F", "-6.0 dB", "late 2 of 100", "REC", "panic"):
        assert wanted in text, wanted
    if plain:
        assert text.isascii()


def test_tracks_show_what_sounds(live: Live):
    tracks = Tracks(live.registry.tracks)
    tracks.hear(event(NOTE_ON, 1, 45))
    tracks.hear(event(NOTE_ON, 1, 48))
    row = next(line for line in shown(page(jam(), tracks, live, 0.0, [], "")) if "bass" in line)
    assert "A2 C3" in row
    assert "█" in row
    live.set("bass.mute", 1)
    row = next(line for line in shown(page(jam(), tracks, live, 0.0, [], "")) if "bass" in line)
    assert "mute" in row
    assert "█" not in row
    tracks.hear(event(NOTE_OFF, 1, 45))
    tracks.hear(event(ALL_OFF, PLAYER))
    assert not any(track.held for _, track in tracks)
    before = max(track.level for _, track in tracks)
    tracks.fall()
    assert 0 < max(track.level for _, track in tracks) < before


def test_what_is_wrong_stands_out(live: Live):
    sound = cast(SoundFigures, jam().sound)
    lost = replace(jam(), sound=replace(sound, device_lost=True))
    styled = [piece for line in page(lost, Tracks(live.registry.tracks), live, 1.0, [(ERROR, "a fault")], "") for piece in line]
    assert ("  OUT IS LOST", "31;1") in styled
    assert ("a fault", "31;1") in styled
    nothing = Snapshot("accompany", False, 112.0, 1, None, None, None, None)
    assert "STARTING" in "\n".join(shown(page(nothing, Tracks(live.registry.tracks), live, 0.0, [], "")))


def test_where_the_beat_comes_from_what_is_plugged_in_and_what_is_the_matter_are_told_and_fit(live: Live):
    devices = Devices("Scarlett 2i2 USB, ALSA" * 3, ("Keystation 61 MK3",) * 4, ("TR-8",), ("Launch Control XL",))
    care = Care({"network": "hung", "feed": "begun anew"}, ("page", "booth", "feed"), "12 steps came too late")
    beat = Beat("link", locked=False, waits=False, outside=(Outside("link", there=False),))
    full = replace(jam(), devices=devices, care=care, beat=beat)
    lines = shown(page(full, Tracks(live.registry.tracks), live, 0.5, [(ERROR, "x" * 99)] * 3, KEYS))
    assert len(lines) == HEIGHT
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    for wanted in (
        "link  Link: no session; it goes on by itself",
        "Scarlett",
        "no Launch Control XL!",
        "network hung, feed begun anew",
        "less of: page",
    ):
        assert wanted in text, wanted
    following = replace(jam(), beat=Beat("follow", locked=True, waits=False, heard_bpm=118.2, confidence=0.93))
    text = "\n".join(shown(page(following, Tracks(live.registry.tracks), live, 0.5, [], KEYS)))
    assert "follow  your 118 bpm, 93 % sure" in text
    assert "care" not in text


def test_letters_are_large_where_there_is_room():
    assert big.lines("1") == [" █".replace(" ", "  ").replace("█", "██") + "  ", "████  ", "  ██  ", "  ██  ", "██████"]
    assert len({big.width(letter) for letter in "0123456789"}) == 1, "the bar's number stays where it is"
    for chord in ("C", "F#m7", "Bbmaj7", "C#m7b5", "Gsus4", "Ebaug"):
        rows = big.fitting(chord, 36)
        assert max(map(len, rows)) <= 36
        assert "█" in "".join(rows)
    assert big.fitting("something long that nobody wrote", 10)[2] == "something "


def test_meters_and_names():
    assert [meter(share, 4) for share in (-1, 0, 0.5, 1, 2)] == ["    ", "    ", "██  ", "████", "████"]
    assert meter(0.5, 4, plain=True) == "##  "
    assert [note_name(pitch) for pitch in (60, 21, 127)] == ["C4", "A0", "G9"]


def test_a_frame_writes_what_has_changed_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "2")
    out = io.StringIO()
    screen = Screen(out)
    screen.draw([[("one", "")], [("two", "1")], [("three", "")]])
    first = out.getvalue()
    assert "one" in first
    assert "three" not in first, "there is no room for it"
    out.seek(0)
    out.truncate()
    screen.draw([[("one", "")], [("other", "1")], [("three", "")]])
    assert re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", out.getvalue()) == "other"
    out.seek(0)
    out.truncate()
    screen.draw([[("one", "")], [("other", "1")], [("three", "")]])
    assert not out.getvalue()
    assert _text([("abc", "1"), ("def", "")], 4) == "\x1b[1mabc\x1b[0md"


def test_running_jams_are_told_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(AlgoritmoError, match="no jam runs"):
        choose()
    path = tell("segment", [tmp_path / "n.onnx"], None, False, 0, None)
    assert path.stat().st_mode & 0o77 == 0 or path.parent.stat().st_mode & 0o77 == 0, "others cannot read it"
    assert choose().segment == "segment"
    with pytest.raises(AlgoritmoError, match="no jam runs as process 1;"):
        choose(1)
    (path.parent / "999999999.json").write_text(path.read_text().replace(str(choose().pid), "999999999"))
    (path.parent / "1.json").write_text("{")
    assert len(running.running()) == 1, "what was killed is no more"
    assert isinstance(running.running()[0], Running)
    path.unlink()
    assert not running.running()
