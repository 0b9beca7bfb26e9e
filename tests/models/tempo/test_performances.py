"""Performances that a follower is learned from and measured on."""

from pathlib import Path

import mido
import numpy as np
import pytest

from engine.core.metre import Metre
from models.tempo.learn import count
from models.tempo.performances import RANDOM, RANDOM_S, at_random, read_bands, read_sheets

BARS = 8


def write(path: Path, metre: tuple[int, int], drums: bool = False) -> None:
    """A melody in eighths over a chord a bar, and drums before it where they are asked for."""
    eighths = round(8 * metre[0] / metre[1])
    head = mido.MetaMessage("time_signature", numerator=metre[0], denominator=metre[1])
    melody, chords, kit = (mido.MidiTrack([head]) for _ in range(3))
    for bar in range(BARS):
        for eighth in range(eighths):
            for track, pitch, channel in ((melody, 72 + (bar + eighth) % 5, 0), (kit, 36 if eighth == 0 else 42, 9)):
                track.append(mido.Message("note_on", note=pitch, velocity=80, channel=channel))
                track.append(mido.Message("note_off", note=pitch, time=240, channel=channel))
        chords += [mido.Message("note_on", note=p, velocity=80, channel=1) for p in (48, 52, 55)]
        chords += [mido.Message("note_off", note=p, time=240 * eighths * (p == 48), channel=1) for p in (48, 52, 55)]
    mido.MidiFile(ticks_per_beat=480, tracks=[kit, melody] if drums else [melody, chords]).save(path)


@pytest.mark.parametrize(
    ("written", "asked", "within"),
    [
        ((6, 8), (6, 8), (0, 1 / 3, 2 / 3)),
        ((4, 4), (4, 4), (0, 0.5)),
        ((4, 4), (12, 8), (0, 2 / 3)),
        ((3, 4), (9, 8), (0, 2 / 3)),
    ],
)
def test_a_sheet_is_played_in_beats_of_the_metre_and_swung_to_one_that_is_rare(tmp_path, written, asked, within):
    write(tmp_path / "sheet.mid", written)
    melody, chords, both = read_sheets(tmp_path, 3, Metre(*asked))
    assert (melody.kind, chords.kind, both.kind) == ("melody", "chords", "both")
    assert melody.bar == both.bar == Metre(*asked).beats
    assert sorted(set(np.round(melody.places % 1, 6))) == pytest.approx(sorted(within))
    assert set(np.round(chords.places % 1, 6)) == {0}
    at = np.interp(melody.places, np.arange(len(melody.beats)) + melody.first, melody.beats)
    assert np.abs(at - melody.notes[:, 0]).max() < 0.12  # jitter, and rubato within a beat
    counted = count([melody], melody.bar, drums=False)
    assert counted["first"].tolist() == [1] + [0] * (12 * melody.bar - 1)
    assert counted["features"][:, 0].sum() > 20


@pytest.mark.parametrize("asked", [(3, 4), (12, 8), (2, 4)])
def test_a_sheet_in_another_metre_is_left_out(tmp_path, asked):
    write(tmp_path / "sheet.mid", (6, 8))
    assert list(read_sheets(tmp_path, 1, Metre(*asked))) == []


def test_of_a_band_drums_and_melody_are_played_by_themselves(tmp_path):
    write(tmp_path / "band.mid", (6, 8), drums=True)
    drums, melody = read_bands(tmp_path, Metre(6, 8))
    assert (drums.kind, melody.kind) == ("drums", "melody")
    assert set(drums.notes[:, 1]) == {36, 42}
    assert drums.places[drums.notes[:, 1] == 36].tolist() == list(range(0, 2 * BARS, 2))[: int((drums.notes[:, 1] == 36).sum())]
    assert melody.notes[:, 1].min() >= 72


@pytest.mark.parametrize("kind", RANDOM)
def test_who_plays_at_random_plays_another_time_each(kind):
    one, other = at_random(kind, 1, drums=False), at_random(kind, 2, drums=True)
    assert np.ptp(one[:, 0]) < RANDOM_S
    assert set(other[:, 1]) <= {36, 38, 42}
    assert not np.array_equal(one[:5, 0], other[:5, 0])
