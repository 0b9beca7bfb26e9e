"""Bands for other metres: sheets are read, warped and swung, and what MMA is given says so. MMA itself is not asked."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import symusic

from models.music import generated
from models.music.data import read_band
from models.music.files import File
from models.music.generated import FAMILIES, WARPS, Sheet, band_file, plan, read_sheet, score_of, swung, warped


def tune(numerator=6, denominator=8, bars=12):
    """A melody in eighths over a chord a bar, with a pickup of an eighth at the end of the first bar."""
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, numerator, denominator))
    bar = 1920 * numerator // denominator
    lead, chords = symusic.Track("", 0, False), symusic.Track("", 0, False)
    for at in range(bar - 240, bars * bar, 240):
        lead.notes.append(symusic.Note(at, 240, 72 + at // 240 % 5, 80))
    for number in range(1, bars):
        for pitch in (48, 52, 55) if number % 2 else (43, 47, 50):
            chords.notes.append(symusic.Note(number * bar, bar, pitch, 80))
    for track in (lead, chords):
        score.tracks.append(track)
    return bytes(score.dumps_midi())


def test_a_tune_is_melody_and_chords_from_a_bar_line_on():
    sheet = read_sheet(File("jigs7.mid", tune()), "GPL-3.0")
    assert (sheet.name, sheet.metre, sheet.bars, sheet.bar) == ("jigs7", "6/8", 12, 3.0)
    assert sheet.melody[0].tolist() == [2.5, 3.0, sheet.melody[0, 2]]
    assert [at for at, _ in sheet.chords] == [3.0 * n for n in range(1, 12)]
    assert [sheet.chord_at(at) for at in (0, 3, 6, 8.9)] == [(0, "maj"), (0, "maj"), (7, "maj"), (7, "maj")]


@pytest.mark.parametrize(("before", "after"), WARPS)
def test_bars_become_bars_of_another_metre(before, after):
    above, below = map(int, before.split("/"))
    bar = 4 * above / below
    at = np.arange(0, 3 * bar, 0.5)
    sheet = Sheet("a", before, "", 3, np.stack([at, at + 0.5, np.full_like(at, 60)], 1), ((0.0, (0, "maj")), (bar, (7, "7"))))
    for seed in range(6):
        new = warped(sheet, after, np.random.default_rng(seed))
        starts = new.melody[:, 0]
        assert new.bar == 4 * int(after.split("/")[0]) / int(after.split("/")[1])
        assert (np.diff(starts) > 0).all()
        assert starts[(at % bar) == 0].tolist() == [0, new.bar, 2 * new.bar]
        assert [c[0] for c in new.chords] == [0.0, new.bar]
        if after in ("5/4", "7/8"):
            assert np.allclose(starts * 4, np.round(starts * 4))  # on the sixteenths


def test_swing_moves_what_is_between_the_beats_to_their_last_third():
    assert swung(np.asarray([0, 0.75, 1.5, 2.25])).tolist() == [0, 1, 1.5, 2.5]


def test_mma_is_told_bars_chords_and_a_kick_and_its_bars_become_those_of_the_metre():
    sheet = read_sheet(File("jigs7.mid", tune()), "GPL-3.0")
    march = next(f for f in FAMILIES if f.grooves[0] == "68March")
    chance = np.random.default_rng(1)
    score, grooves = score_of(sheet, march, chance)
    lines = score.splitlines()
    assert {f"Groove {g}" for g in grooves} == {line for line in lines if line.startswith("Groove")}
    assert [line for line in lines if line[:1].isdigit()][:3] == ["1 C /", "2 C /", "3 G /"]
    made = symusic.Score(192)  # MMA's march has two quarters to a bar
    drums = symusic.Track("Drum-Kick", 0, True)
    for beat in range(24):
        drums.notes.append(symusic.Note(192 * beat, 1, 36, 90))
    made.tracks.append(drums)
    found = symusic.Score.from_midi(band_file(sheet, march, made))
    assert (found.time_signatures[0].numerator, found.time_signatures[0].denominator) == (6, 8)
    assert [n.time for n in found.tracks[0].notes][:3] == [0, 288, 576]
    assert found.tracks[-1].name == "Melody"
    assert found.tracks[-1].notes[0].time == 480


def test_everything_in_another_metre_is_played_and_what_is_rare_is_made():
    sheets = [
        Sheet(name, metre, "MIT or public domain", 8, np.asarray([[0, 1, 60.0]]), ((0.0, (0, "maj")),))
        for name, metre in (("a", "4/4"), ("b", "3/4"), ("c", "6/8"), ("d", "11/8"))
    ]
    found = [(s.name, s.metre, f.metre) for s, f in plan(sheets, 2, np.random.default_rng(1))]
    assert all(metre == played for _, metre, played in found)
    assert {name for name, _, _ in found} == {"a", "b", "c"}
    assert {metre for _, metre, _ in found} == {"3/4", "6/8", "12/8", "9/8", "5/4", "7/8"}


@pytest.mark.skipif(shutil.which("mma") is None, reason="MMA is not installed")
def test_with_mma_a_waltz_and_a_jig_are_written_and_read(tmp_path):
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes/jig.mid").write_bytes(tune())
    (tmp_path / "tunes/waltz.mid").write_bytes(tune(3, 4))
    out = tmp_path / "bands"
    assert generated.main([str(out), "--tunes", str(tmp_path / "tunes")]) == 0
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert {row["metre"] for row in rows} == {"3/4", "6/8"}
    assert all(row["licence"] == "GPL-3.0; grooves from a GPL-2.0 library" for row in rows)
    found = read_band([out])
    assert {p.metre.name for p in found.pieces} <= {"3/4", "6/8", "9/8"}
    assert len(found.pieces) == len(rows)


def test_what_mma_refuses_costs_a_song_and_no_more(tmp_path, monkeypatch, capsys):
    refused = SimpleNamespace(returncode=1, stdout="Error: no such groove", stderr="")
    monkeypatch.setattr(generated.subprocess, "run", lambda *_, **__: refused)
    (tmp_path / "tune.mid").write_bytes(tune())
    assert generated.main([str(tmp_path / "out"), "--tunes", str(tmp_path)]) == 2
    assert "no such groove" in capsys.readouterr().err
