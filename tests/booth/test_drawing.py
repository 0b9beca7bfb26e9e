"""From a line to notes; the page has the same, and a test holds both together."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.booth.drawing import (
    COLUMNS,
    MOST_LINES,
    MOST_POINTS,
    PENTATONIC,
    DrawingError,
    heights,
    lines_of,
    music_of_lines,
    notes_of,
    scale,
)
from engine.core import contract
from engine.core.config import Config
from engine.web.files import STATIC
from tests.system.rig import need

CARD = contract.read_card(Config().network_path())
LEAD = next(at for at, track in enumerate(CARD.tracks) if track.name == "lead")


@pytest.mark.parametrize("key", range(12))
def test_pitches_are_the_pentatonic_of_the_key_in_the_range_of_the_track(key: int) -> None:
    for track in CARD.tracks:
        pitches = scale(track, key)
        assert set(pitches) <= set(track.pitches)
        if track.kind == "drums":
            assert pitches == (36, 38, 42, 46)
        else:
            assert all((pitch - key) % 12 in PENTATONIC for pitch in pitches)
            assert len(pitches) >= 8


def test_height_is_pitch_time_goes_to_the_right_and_neighbours_are_merged() -> None:
    rising = music_of_lines([(LEAD, 0.5, [(0.0, 0.0), (1.0, 1.0)])], CARD, 0, 112.0)
    assert rising.steps == 32
    assert [note.pitch for note in rising.notes] == sorted(note.pitch for note in rising.notes)
    assert rising.notes[0].pitch == scale(CARD.tracks[LEAD], 0)[0]
    assert rising.notes[-1].pitch == scale(CARD.tracks[LEAD], 0)[-1]
    assert all(note.step % 2 == 0 for note in rising.notes)
    flat = music_of_lines([(LEAD, 0.5, [(0.0, 0.5), (1.0, 0.5)])], CARD, 0, 112.0)
    assert [(note.step, note.steps) for note in flat.notes] == [(0, 32)]


def test_thick_is_loud() -> None:
    thin, thick = (music_of_lines([(LEAD, w, [(0.0, 0.5), (1.0, 0.5)])], CARD, 0, 112.0).notes[0].velocity for w in (0.0, 1.0))
    assert thin < 70 < 110 < thick


def test_drums_are_struck_anew_in_each_eighth_and_nothing_overlaps() -> None:
    lines = [(0, 0.5, [(0.0, 0.0), (1.0, 0.0)]), (LEAD, 1.0, [(0.0, 0.5), (1.0, 0.5)]), (LEAD, 0.0, [(0.5, 0.5), (0.9, 0.5)])]
    music = music_of_lines(lines, CARD, 0, 112.0)
    assert sum(note.track == 0 and note.pitch == 36 for note in music.notes) == COLUMNS
    last: dict[tuple[int, int], int] = {}
    for note in music.notes:
        assert note.step >= last.get((note.track, note.pitch), 0)
        last[note.track, note.pitch] = note.step + note.steps


def test_a_drawing_of_too_much_or_of_nonsense_is_told() -> None:
    with pytest.raises(DrawingError, match=f"at most {MOST_POINTS} points, and this has 100000"):
        lines_of([[0, 0.5, [[0.5, 0.5]] * 100_000]], 5)
    with pytest.raises(DrawingError, match=f"1 to {MOST_LINES} lines"):
        lines_of([[0, 0.5, [[0.5, 0.5]]]] * 13, 5)
    nonsense: list[Any] = [None, [], {}, [[0, 0.5]], [[9, 0.5, [[0, 0]]]], [[True, 0.5, [[0, 0]]]]]
    nonsense += [[[0, float("nan"), [[0, 0]]]], [[0, 0.5, [[0, 2]]]], [[0, 0.5, [[0]]]], [[0, 0.5, ["x"]]]]
    nonsense += [[[0, 0.5, []]], [[0, "1", [[0, 0]]]]]
    for wrong in nonsense:
        with pytest.raises(DrawingError):
            lines_of(wrong, 5)


SHARE = st.floats(0, 1, allow_nan=False).map(lambda x: round(x, 3))
LINE = st.tuples(st.integers(0, 4), SHARE, st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=40))


@given(st.lists(LINE, min_size=1, max_size=6), st.integers(0, 11))
def test_any_line_gives_notes_of_the_scale(lines: list[Any], key: int) -> None:
    read = lines_of(json.loads(json.dumps(lines)), 5)
    for note in music_of_lines(read, CARD, key, 112.0).notes:
        assert note.pitch in scale(CARD.tracks[note.track], key)
        assert 0 <= note.step < note.step + note.steps <= 32
        assert 1 <= note.velocity <= 127


def test_the_page_makes_the_same_notes() -> None:
    rng = np.random.default_rng(4)
    lines: list[Any] = []
    for _ in range(60):
        x = np.sort(rng.random(int(rng.integers(1, 30))))
        if rng.random() < 0.3:
            x = rng.permutation(x)
        points = [[round(float(a), 3), round(float(b), 3)] for a, b in zip(x, rng.random(len(x)), strict=True)]
        lines.append([int(rng.integers(5)), round(float(rng.random()), 2), points])
    lines.append([4, 0.5, [[0, 0.5], [1, 0.5]]])
    scales = [list(scale(track, 2)) for track in CARD.tracks]
    script = f"""
      import {{ heights, notesOf }} from {json.dumps((STATIC / "booth" / "line.js").as_uri())};
      const [lines, scales] = {json.dumps([lines, scales])};
      const said = lines.map((line) => [heights(line[2]), notesOf(line, scales[line[0]], 4, line[0] !== 0)]);
      console.log(JSON.stringify(said));
    """
    node = need("node", "apt-get install nodejs")
    done = subprocess.run([node, "--input-type=module", "-e", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read = [lines_of([line], 5)[0] for line in lines]
    for line, (theirs, notes) in zip(read, json.loads(done.stdout), strict=True):
        ours = heights(line[2])
        assert [None if h is None else pytest.approx(h) for h in ours] == theirs
        assert [list(n[:5]) for n in notes_of(line, scales[line[0]], 4, line[0] != 0)] == notes
