"""Folders and archives to pieces: splits, refusals, cache."""

import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
import symusic

from models.music import data as data_module
from models.music import files as finding
from models.music.data import LARGEST_BYTES, find_files, main, read_band, split_of
from models.music.representation import BAND, OFFSETS, ONSET, SILENT, UNKNOWN_OFFSET, to_midi

SLOTS = sum(len(t.pitches) for t in BAND)


def song(bars=10, seed=0):
    """A band that plays on every step of 16, as MIDI."""
    roll = np.zeros((bars * 16, SLOTS), np.uint8)
    roll[::2, 0] = ONSET
    roll[::4, 12 + seed % 12] = ONSET
    roll[::4, 150] = ONSET
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


def drummer(late=0.0, strays=(0.0,), bars=4, beat_in=2.0):
    """A kick on every beat and hi-hats between, `late` and then by turns `strays` steps after the grid, louder and louder."""
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    track = symusic.Track("kit", 0, True)
    places = [(round(i * 480 / beat_in), 36 if i % 2 == 0 else 22) for i in range(round(bars * 4 * beat_in))]
    for i, (tick, pitch) in enumerate(places):
        at = tick + round((late + strays[i % len(strays)]) * 120)
        track.notes.append(symusic.Note(max(at, 0), 30, pitch, 40 + i))
    score.tracks.append(track)
    return score.dumps_midi()


def test_drums_alone_are_pieces_that_tell_nothing_of_the_band(folder):
    (folder / "beat.mid").write_bytes(drummer(strays=(0.1, -0.1), bars=1))
    (folder / "triplets.mid").write_bytes(drummer(beat_in=1.5))
    (folder / "fives.mid").write_bytes(drummer(beat_in=5))
    found = read_band([folder])
    assert found.refused == {"off the grid": 1}
    (beat,) = (p for p in found.pieces if p.name == "beat.mid")
    assert beat.unknown == ("bass", "chords", "pad", "lead")
    (swung,) = (p for p in found.pieces if p.name == "triplets.mid")
    assert (swung.metre.name, len(swung.roll)) == ("12/8", 4 * 24)  # its beats are cut in three
    assert np.flatnonzero(swung.roll[:24].any(1)).tolist() == [0, 4, 8, 12, 16, 20]
    assert all(p.unknown == () for p in found.pieces if p not in (beat, swung))
    assert len(beat.roll) == 16
    assert np.flatnonzero(beat.roll[:, 0]).tolist() == [0, 4, 8, 12]
    assert np.flatnonzero(beat.roll[:, 3]).tolist() == [2, 6, 10, 14]  # an edge of the closed hi-hat


def test_a_drummers_mean_offset_is_taken_away_and_the_rest_is_kept(tmp_path):
    (tmp_path / "late.mid").write_bytes(drummer(late=0.4, strays=(0.2, -0.2)))
    (tmp_path / "machine.mid").write_bytes(drummer())
    late, machine = read_band([tmp_path]).pieces
    kicks, hats = late.roll[:, 0] == ONSET, late.roll[:, 3] == ONSET
    assert np.flatnonzero(kicks).tolist() == list(range(0, 64, 4))
    np.testing.assert_allclose(late.expression.offset[kicks, 0] / OFFSETS, 0.2, atol=0.02)
    np.testing.assert_allclose(late.expression.offset[hats, 3] / OFFSETS, -0.2, atol=0.02)
    assert late.expression.velocity[late.roll == ONSET].tolist() == list(range(40, 72))
    assert (late.expression.offset[late.roll == SILENT] == UNKNOWN_OFFSET).all()
    assert (machine.expression.offset == UNKNOWN_OFFSET).all()  # nobody's timing
    assert machine.expression.velocity[0, 0] == 40


def test_a_track_that_is_always_as_loud_says_nothing_of_velocity(folder):
    assert all((p.expression.velocity == 0).all() for p in read_band([folder]).pieces)


def test_what_is_too_large_is_refused_without_being_read(tmp_path, monkeypatch):
    asked = []

    def reads(name, stream):
        real = stream.read
        stream = type("Stream", (), {"read": lambda _self, n=-1: asked.append(n) or real(n)})()
        return kept(name, stream)

    kept = finding._file
    monkeypatch.setattr(finding, "_file", reads)
    with (tmp_path / "huge.mid").open("wb") as file:
        file.truncate(3_000_000_000)  # no disk is used
    with pytest.raises(ValueError, match="1 larger than 4 MB"):
        read_band([tmp_path])
    assert asked == [LARGEST_BYTES + 1]


def test_a_broken_archive_is_counted_and_the_rest_is_read(folder):
    whole = (folder / "songs.tar.xz").read_bytes()
    (folder / "half.tar.xz").write_bytes(whole[: len(whole) // 2])
    (folder / "nonsense.zip").write_bytes(b"PK nonsense")
    found = read_band([folder])
    assert found.used >= 4
    assert found.refused["unreadable"] == 2
    assert {f.name for f in find_files(folder)} >= {"half.tar.xz", "nonsense.zip"}


def test_a_table_of_splits_may_lie_in_the_archive(tmp_path):
    rows = "midi_filename,split,time_signature\n" + "".join(
        f"d/{i}.mid,{s},4-4\n" for i, s in enumerate(["train", "validation"])
    )
    with tarfile.open(tmp_path / "kit.tar.xz", "w:xz") as tar:
        for name, content in {"kit/info.csv": rows.encode(), "kit/d/0.mid": drummer(), "kit/d/1.mid": drummer()}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    found = read_band([tmp_path])
    assert [(p.name, p.split) for p in found.pieces] == [("kit/d/0.mid", "train"), ("kit/d/1.mid", "valid")]


def test_the_cache_gives_the_same_and_may_be_deleted_or_go_stale(folder, tmp_path):
    cache = tmp_path / "cache"
    first, second = read_band([folder], cache), read_band([folder], cache)
    assert first.facts() == second.facts()
    assert all(a.name == b.name and np.array_equal(a.roll, b.roll) for a, b in zip(first.pieces, second.pieces, strict=True))
    for a, b in zip(first.pieces, second.pieces, strict=True):
        assert a.unknown == b.unknown
        assert np.array_equal(a.expression.velocity, b.expression.velocity)
        assert np.array_equal(a.expression.offset, b.expression.offset)
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
    with pytest.raises(ValueError, match="there is no MIDI file and no lead sheet"):
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


def four_metres(bars):
    """A band of so many bars in 4/4, then 3/4, then 4/4 again."""
    score = symusic.Score.from_midi(song(bars=sum(bars)))
    score.time_signatures.append(symusic.TimeSignature(bars[0] * 1920, 3, 4))
    score.time_signatures.append(symusic.TimeSignature(bars[0] * 1920 + bars[1] * 1440, 4, 4))
    return bytes(score.dumps_midi())


def metre_event(data):
    """A band whose metre is these bytes."""
    return song().replace(b"\xff\x58\x04\x04\x02", b"\xff\x58\x04" + data)


BAD = {
    "den.mid": (metre_event(b"\x04\x08"), "odd metre: 4/256"),
    "max.mid": (metre_event(b"\x04\xff"), "odd metre: 4/2^255"),
    "none.mid": (metre_event(b"\x00\x02"), "odd metre: 0/4"),
    "div.mid": (song()[:12] + b"\0\0" + song()[14:], "unreadable: has 0 ticks to a beat"),
    "div.musicxml": (
        b"<score-partwise><part><measure><attributes><divisions>0</divisions></attributes></measure></part></score-partwise>",
        "unreadable: 0 divisions",
    ),
    "page.mid": (b"<html>404</html>", "unreadable: is not a MIDI file (it is a web page)"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_file_is_refused_by_name_and_the_others_are_used(folder, tmp_path, capsys, name):
    (folder / name).write_bytes(BAD[name][0])
    assert main([str(folder), "--cache", str(tmp_path / "cache"), "--json", str(tmp_path / "out.json")]) == 0
    assert f"refused {folder / name}: {BAD[name][1]}" in capsys.readouterr().out
    refused = json.loads((tmp_path / "out.json").read_text())["refused_files"]
    assert list(refused) == [str(folder / name)]
    assert refused[str(folder / name)].startswith(BAD[name][1])
    again = read_band([folder], tmp_path / "cache")
    assert (again.used, again.refusals) == (4, refused)


def test_many_refused_files_are_shortened_on_the_screen_and_whole_in_the_json(folder, tmp_path, capsys):
    for i in range(14):
        (folder / f"bad{i:02}.mid").write_bytes(b"")
    assert main([str(folder), "--cache", str(tmp_path / "cache"), "--json", str(tmp_path / "out.json")]) == 0
    said = capsys.readouterr().out
    assert said.count("refused /") == 10
    assert "and 4 more" in said
    assert len(json.loads((tmp_path / "out.json").read_text())["refused_files"]) == 14


def test_a_reader_that_stumbles_costs_the_file_and_no_other(folder, monkeypatch):
    (folder / "odd.mid").write_bytes(song(seed=9))
    real = data_module.read_song
    monkeypatch.setattr(data_module, "read_song", lambda data: 1 // 0 if data == song(seed=9) else real(data))
    found = read_band([folder])
    assert found.used == 4
    assert found.refusals == {str(folder / "odd.mid"): "unreadable: ZeroDivisionError: integer division or modulo by zero"}


def test_a_damaged_table_is_told_and_the_music_is_read(folder):
    (folder / "manifest.jsonl").write_text("{broken")
    found = read_band([folder])
    assert found.used == 4
    assert list(found.refusals) == [str(folder / "manifest.jsonl")]


def test_what_of_a_file_is_lost_is_told(tmp_path, capsys):
    (tmp_path / "a.mid").write_bytes(four_metres([12, 8, 12]))
    (tmp_path / "b.mid").write_bytes(four_metres([12, 8, 4]))
    assert main([str(tmp_path), "--cache", str(tmp_path / "cache"), "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["lost"] == {
        str(tmp_path / "a.mid"): ["8 bars of 3/4 left out"],
        str(tmp_path / "b.mid"): ["8 bars of 3/4 left out", "a stretch of 6 bars left out"],
    }
    assert "a.mid: 8 bars of 3/4 left out" in capsys.readouterr().out


def test_two_bars_of_two_four_are_one_of_four_where_both_are_told(tmp_path):
    score = symusic.Score.from_midi(song())
    score.time_signatures.append(symusic.TimeSignature(4 * 1920, 2, 4))
    (tmp_path / "polka.mid").write_bytes(bytes(score.dumps_midi()))
    (piece,) = read_band([tmp_path]).pieces
    assert (len(piece.roll), piece.metre.name) == (160, "4/4")


def test_a_pickup_that_no_metre_tells_shifts_the_bars(tmp_path):
    score = symusic.Score(480)
    for name, pitch, first in (("lead", 72, 0), ("bass", 36, 480), ("chords", 60, 480)):
        track = symusic.Track(name, 0, False)
        for at in range(first, 480 * 49, 480 if name == "lead" else 1920):
            track.notes.append(symusic.Note(at, 400 if name == "lead" else 1900, pitch, 80))
        score.tracks.append(track)
    (tmp_path / "pickup.mid").write_bytes(score.dumps_midi())
    roll = read_band([tmp_path]).pieces[0].roll
    bass = roll[:, 12:44]
    assert np.flatnonzero((bass == ONSET).any(1)).tolist() == list(range(0, 192, 16))


@pytest.mark.parametrize("name", ["SONG.MID", "Song.Kar", "a.rmi", "b.smf", "c.MIDI"])
def test_names_may_end_in_whatever_case(tmp_path, name):
    (tmp_path / name).write_bytes(song())
    assert read_band([tmp_path]).used == 1


def test_companion_files_of_macos_are_no_music(folder, tmp_path):
    (folder / "._0.mid").write_bytes(b"\0\5\x16\7 Mac OS X")
    with zipfile.ZipFile(folder / "more.ZIP", "w") as archive:
        archive.writestr("a/b.mid", song(seed=7))
        archive.writestr("__MACOSX/a/._b.mid", b"\0\5\x16\7")
    found = read_band([folder])
    assert (found.files, found.used, found.refusals) == (5, 5, {})


def test_links_to_folders_are_followed_once_each(folder, tmp_path):
    library = tmp_path / "library"
    (library / "own").mkdir(parents=True)
    (library / "own" / "one.mid").write_bytes(song(seed=5))
    (library / "linked").symlink_to(folder, target_is_directory=True)
    (library / "again").symlink_to(folder, target_is_directory=True)
    (library / "own" / "back").symlink_to(library, target_is_directory=True)
    (library / "own" / "gone").symlink_to(tmp_path / "nowhere")
    assert read_band([library]).used == 5
    before = read_band([library], tmp_path / "cache")
    (folder / "new.mid").write_bytes(song(seed=8))
    assert read_band([library], tmp_path / "cache").used == before.used + 1


def test_xml_that_is_no_score_is_no_music(folder):
    (folder / "build.xml").write_bytes(b"<?xml version='1.0'?><project/>")
    assert read_band([folder]).files == 4


@pytest.mark.parametrize("option", ["--cache", "--json", "--png"])
def test_what_cannot_be_written_is_named_and_the_remedy_works(folder, tmp_path, capsys, option):
    (tmp_path / "file").write_bytes(b"")
    words = [str(folder), "--cache", str(tmp_path / "cache")]
    words = words[:1] if option == "--cache" else words
    assert main([*words, option, str(tmp_path / "file" / "x")]) == 2
    said = capsys.readouterr().err
    assert f"{option} {tmp_path / 'file' / 'x'}: cannot be written" in said
    assert "give a" in said
    assert main([*words, option, str(tmp_path / "x")]) == 0


def test_a_damaged_cache_is_written_anew(folder, tmp_path):
    first = read_band([folder], tmp_path)
    (cache,) = tmp_path.glob("band-*.npz")
    for damage in (cache.read_bytes()[:100], b"", b"nonsense"):
        cache.write_bytes(damage)
        assert [p.name for p in read_band([folder], tmp_path).pieces] == [p.name for p in first.pieces]
        assert len(cache.read_bytes()) > 200


def in_metre(numerator, denominator, bars=10):
    """A band that begins every bar with a kick and a bass note."""
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, numerator, denominator))
    bar = 1920 * numerator // denominator
    for name, drum, pitch, every in (("drums", True, 36, bar), ("bass", False, 36, bar), ("lead", False, 72, 240)):
        track = symusic.Track(name, 0, drum)
        for at in range(0, bars * bar, every):
            track.notes.append(symusic.Note(at, 200, pitch, 80))
        score.tracks.append(track)
    return score


@pytest.mark.parametrize(
    ("text", "grid"),
    [("3/4", (3, 4)), ("6/8", (2, 6)), ("12/8", (4, 6)), ("5/4", (5, 4)), ("7/8", (7, 2)), ("2/4", (2, 4)), ("2/2", (4, 4))],
)
def test_a_piece_is_read_in_its_own_metre_from_a_bar_line_on_and_the_cache_keeps_it(tmp_path, text, grid):
    numerator, denominator = map(int, text.split("/"))
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs/song.mid").write_bytes(in_metre(numerator, denominator).dumps_midi())
    for _ in range(2):
        (piece,) = read_band([tmp_path / "songs"], tmp_path / "cache").pieces
        assert piece.metre == grid
        bar = 16 * numerator // denominator
        assert len(piece.roll) == 10 * bar
        assert np.flatnonzero(piece.roll[:, 0]).tolist() == list(range(0, 10 * bar, bar))


def test_where_the_metre_changes_the_longest_counts_and_the_rest_is_told(tmp_path, capsys):
    score = in_metre(3, 4, 24)
    score.time_signatures.append(
        symusic.TimeSignature(14 * 1440, 4, 4)
    )  # of the last ten bars as many as there are bars of 4/4
    (tmp_path / "song.mid").write_bytes(score.dumps_midi())
    assert main([str(tmp_path), "--cache", str(tmp_path / "cache"), "--json", str(tmp_path / "out.json")]) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert sum(found["metres"].pop("3/4").values()) == 1
    assert found["metres"] == {}
    assert sum(found["steps"].values()) == 14 * 12
    assert found["lost"] == {str(tmp_path / "song.mid"): ["7 bars of 4/4 left out"]}
    assert "in 3/4" in capsys.readouterr().out
