"""Folders and archives to pieces: splits, refusals, cache."""

import io
import json
import tarfile

import numpy as np
import pytest
import symusic

from models.data import main, read_band, split_of
from models.representation import BAND, STRUCK, to_midi

SLOTS = sum(len(t.pitches) for t in BAND)


def song(bars=10, seed=0):
    """A band that plays on every step of 16, as MIDI."""
    roll = np.zeros((bars * 16, SLOTS), np.uint8)
    roll[::2, 0] = STRUCK
    roll[::4, 12 + seed % 12] = STRUCK
    roll[::4, 150] = STRUCK
    return to_midi(roll)


def odd_metre():
    score = symusic.Score.from_midi(song())
    score.time_signatures[0].numerator = 7
    return score.dumps_midi()


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "songs"
    data.mkdir()
    files = {f"set/{i}.mid": song(seed=i) for i in range(4)}
    with tarfile.open(data / "songs.tar.xz", "w:xz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    rows = [{"path": f"{i}.mid", "split": "valid" if i == 3 else "train", "licence": "CC0"} for i in range(4)]
    (data / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return data


def test_an_archive_is_read_where_it_lies_and_the_manifest_gives_splits_and_licences(folder, tmp_path):
    found = read_band([folder])
    assert [len(found.split(s)) for s in ("train", "valid", "test")] == [3, 1, 0]
    assert found.sources == [{"name": "songs", "licence": "CC0"}]
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.jsonl", "songs.tar.xz"]


def test_refused_files_are_counted_by_reason(folder):
    score = symusic.Score.from_midi(song())
    del score.tracks[0], score.tracks[1:]
    for name, content in {
        "alone.mid": score.dumps_midi(),
        "odd.mid": odd_metre(),
        "noise.mid": b"MThd nonsense",
        "short.mid": song(bars=3),
        "large.mid": bytes(5_000_000),
    }.items():
        (folder / name).write_bytes(content)
    found = read_band([folder])
    assert (found.files, found.used) == (9, 4)
    assert found.refused == {
        "fewer than two roles": 1,
        "odd metre": 1,
        "unreadable": 1,
        "shorter than 8 bars": 1,
        "larger than 4 MB": 1,
    }


def test_the_cache_gives_the_same_and_may_be_deleted_or_go_stale(folder, tmp_path):
    cache = tmp_path / "cache"
    first, second = read_band([folder], cache), read_band([folder], cache)
    assert first.facts() == second.facts()
    assert all(a.name == b.name and np.array_equal(a.roll, b.roll) for a, b in zip(first.pieces, second.pieces, strict=True))
    for file in cache.iterdir():
        file.unlink()
    assert read_band([folder], cache).facts() == first.facts()
    (folder / "new.mid").write_bytes(song(seed=7))
    assert read_band([folder], cache).files == first.files + 1


def test_versions_of_one_song_stay_on_one_side():
    assert len({split_of(f"a/Some_Song__{groove}.mid", None) for groove in "abcdefgh"}) == 1
    shares = [split_of(f"{i}.mid", None) for i in range(2000)]
    assert 0.05 < shares.count("valid") / 2000 < 0.11
    assert 0.02 < shares.count("test") / 2000 < 0.06


def test_a_folder_without_music_says_what_was_there(tmp_path):
    with pytest.raises(ValueError, match="there is no MIDI file"):
        read_band([tmp_path])
    (tmp_path / "odd.mid").write_bytes(odd_metre())
    with pytest.raises(ValueError, match="1 odd metre"):
        read_band([tmp_path])
    with pytest.raises(FileNotFoundError):
        read_band([tmp_path / "nowhere"])


def test_the_command_says_what_a_folder_gives(folder, tmp_path, capsys):
    (folder / "odd.mid").write_bytes(odd_metre())
    png, figures = tmp_path / "data.png", tmp_path / "data.json"
    assert main([str(folder), "--png", str(png), "--json", str(figures), "--cache", str(tmp_path / "cache")]) == 0
    said = capsys.readouterr().out
    assert "4 of 5 files can be used" in said
    assert "1 refused: odd metre" in said
    assert png.read_bytes().startswith(b"\x89PNG")
    found = json.loads(figures.read_text())
    assert found["tracks"]["drums"]["strikes_per_step"] == 0.5
    assert found["tracks"]["pad"]["absent"] == 1.0
    assert main([str(tmp_path / "nowhere")]) == 2
