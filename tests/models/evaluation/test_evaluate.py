"""The command: what it writes, and what it says to bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
import symusic

from models.evaluation.evaluate import main
from tests import tiny
from tests.models.evaluation.test_accompany import C_MAJOR


def write_song(path, tracks):
    """A MIDI file of eight bars: `tracks` maps a name to its pitches, one a beat."""
    score = symusic.Score(480)
    for name, pitches in tracks.items():
        track = symusic.Track(name, 0, name == "drums")
        for beat in range(32):
            track.notes.append(symusic.Note(480 * beat, 480, pitches[beat % len(pitches)], 90))
        score.tracks.append(track)
    path.write_bytes(score.dumps_midi())


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for n in range(4):
        lead = [60 + (c + n) % 12 for c in C_MAJOR]
        write_song(folder / f"{n}.mid", {"drums": [36, 38], "bass": [40 + n, 43], "lead": lead})
    return folder


def run(tmp_path, *words):
    report = tmp_path / "report.json"
    code = main([*map(str, words), "--cache", str(tmp_path / "cache"), "--json", str(report)])
    return code, json.loads(report.read_text()) if report.exists() else None


def test_nats_and_baselines_of_a_folder(tiny_onnx, songs, tmp_path):
    code, found = run(tmp_path, tiny_onnx, songs, "--baselines")
    assert code == 0
    assert found["steps"] == 4 * 128
    assert found["nats_per_step"] == pytest.approx(sum(found["tracks"].values()))
    assert sum(p["nats_per_step"] for p in found["per_piece"].values()) / 4 == pytest.approx(found["nats_per_step"])
    assert set(found["baselines"]) == {"frequency", "chain", "trigram"}


def test_solos_and_accompaniment_are_reported_and_drawn(tiny_onnx, songs, tmp_path, capsys):
    words = ("--solo", 3, "--bars", 4, "--png", tmp_path / "solo.png", "--midi", tmp_path / "midi", "--accompany", 2)
    code, found = run(tmp_path, tiny_onnx, songs, *words)
    assert code == 0
    assert len(found["solo"]["per_piece"]["share_in_key"]) == 3
    assert found["accompany"]["songs"] == 2
    assert (tmp_path / "solo.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((tmp_path / "midi").glob("*.mid"))) == 3
    said = capsys.readouterr().out
    assert "alone, 3 seeds of 4 bars" in said
    assert "accompanying 2 songs" in said
    # controls change what is played, and are told
    _, other = run(tmp_path, tiny_onnx, songs, "--solo", 3, "--bars", 4, "--control", "density=4")
    assert other["controls"] == {"density": 4.0}
    assert other["solo"]["per_piece"]["density_lead"] != found["solo"]["per_piece"]["density_lead"]


def test_what_it_plays_when_its_player_has_left_is_told_by_windows(tiny_onnx, songs, tmp_path, capsys):
    code, found = run(tmp_path, tiny_onnx, songs, "--leave", 2, "--bars", 16, "--window", 4)
    assert code == 0
    assert found["leave"]["stops_at_bar"] == 4
    assert len(found["leave"]["figures"]["density_lead"]["medians"]) == 2  # four bars it waits for him
    assert max(found["leave"]["figures"]["density_lead"]["medians"]) > 0
    assert "2 players who stop after bar 4 of 16" in capsys.readouterr().out


def fails(capsys, tmp_path, *words):
    code, found = run(tmp_path, *words)
    assert (code, found) == (2, None)
    return capsys.readouterr().err


def test_bad_music_is_refused_with_the_reason(tiny_onnx, tmp_path, capsys):
    empty, broken, single = (tmp_path / name for name in ("empty", "broken", "single"))
    for folder in (empty, broken, single):
        folder.mkdir()
    (empty / "notes.txt").write_text("not music")
    assert "there is no MIDI file" in fails(capsys, tmp_path, tiny_onnx, empty)
    (broken / "a.mid").write_bytes(b"MThd" + bytes(40))
    (broken / "b.mid").write_bytes(b"")
    assert "2 unreadable" in fails(capsys, tmp_path, tiny_onnx, broken)
    write_song(single / "a.mid", {"lead": [60, 62]})
    assert "1 fewer than two roles" in fails(capsys, tmp_path, tiny_onnx, single)
    assert "no such file or folder" in fails(capsys, tmp_path, tiny_onnx, tmp_path / "nowhere")


def test_one_good_file_among_bad_ones_is_measured_and_the_others_are_counted(tiny_onnx, songs, tmp_path):
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "good.mid").write_bytes((songs / "0.mid").read_bytes())
    (tmp_path / "mixed" / "bad.mid").write_bytes(b"MThd")
    code, found = run(tmp_path, tiny_onnx, tmp_path / "mixed")
    assert code == 0
    assert found["pieces"] == 1
    assert found["refused"] == {"unreadable": 1}


def waltz(path):
    """A song of eight bars, told to be twelve in 3/4."""
    write_song(path, {"drums": [36, 38, 38], "bass": [40, 43, 43], "lead": [60, 64, 67]})
    score = symusic.Score(str(path))
    score.time_signatures.append(symusic.TimeSignature(0, 3, 4))
    path.write_bytes(bytes(score.dumps_midi()))


def test_a_network_that_knows_one_metre_is_measured_in_it_alone(tiny_onnx, songs, tmp_path, capsys):
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "four.mid").write_bytes((songs / "0.mid").read_bytes())
    waltz(folder / "waltz.mid")
    code, found = run(tmp_path, tiny_onnx, folder, "--metres", 1)
    assert code == 0
    assert found["refused"] == {"odd metre": 1}
    assert found["refused_files"]["waltz.mid"] == "in 3/4, which tiny cannot be told"
    assert found["metres_kept"].keys() == {"4/4"}
    assert found["metres_kept"]["4/4"]["data"] == {"kick": 1.0, "bass": 1.0, "both": 1.0}
    said = capsys.readouterr().out
    assert "share of bars that begin with a kick" in said
    assert "(1 songs, 6 bars)" in said


def test_nats_are_told_for_each_metre_where_the_network_hears_it(songs, tmp_path, capsys):
    network = Path(__file__).parents[3] / "models/festival/festival.onnx"
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "four.mid").write_bytes((songs / "0.mid").read_bytes())
    waltz(folder / "waltz.mid")
    code, found = run(tmp_path, network, folder)
    assert code == 0
    metres = found["metres"]
    assert {name: own["steps"] for name, own in metres.items()} == {"4/4": 128, "3/4": 132}
    whole = sum(own["nats_per_step"] * own["steps"] for own in metres.values()) / found["steps"]
    assert whole == pytest.approx(found["nats_per_step"])
    assert "in 3/4" in capsys.readouterr().out


def test_bad_networks_and_arguments_are_refused(songs, tiny_onnx, tmp_path, capsys):
    damaged = tiny.write(tmp_path / "nan.onnx", bias=np.nan)
    assert "not a number" in fails(capsys, tmp_path, damaged, songs)
    disagrees = tiny.write(tmp_path / "noise.onnx", noise=3)
    assert "input 'u' has shape" in fails(capsys, tmp_path, disagrees, songs)
    strange = tiny.write(tmp_path / "strange.onnx", steps_per_beat=3)
    assert "no rule says how music falls" in fails(capsys, tmp_path, strange, songs)
    assert "cannot be read" in fails(capsys, tmp_path, tmp_path / "none.onnx", songs)
    assert "no piece is in it" in fails(capsys, tmp_path, tiny_onnx, songs / "0.mid", "--split", "test")
    assert "write NAME=VALUE" in fails(capsys, tmp_path, tiny_onnx, songs, "--control", "density")
    assert "no control 'drama'" in fails(capsys, tmp_path, tiny_onnx, songs, "--solo", 1, "--control", "drama=1")


@pytest.mark.parametrize("name", ["song0", "song3", "song5"])
def test_without_a_split_everything_is_taken_whatever_its_name(tiny_onnx, songs, tmp_path, name):
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / f"{name}.mid").write_bytes((songs / "0.mid").read_bytes())
    code, found = run(tmp_path, tiny_onnx, folder)
    assert code == 0
    assert (found["pieces"], found["split"]) == (1, "all")


def test_a_bad_file_is_told_by_name_and_the_others_are_measured(tiny_onnx, songs, tmp_path, capsys):
    folder = tmp_path / "some"
    folder.mkdir()
    for file in songs.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "bad.mid").write_bytes(b"nonsense")
    code, found = run(tmp_path, tiny_onnx, folder)
    assert code == 0
    assert found["pieces"] == 4
    assert list(found["refused_files"]) == [str(folder / "bad.mid")]
    assert f"refused {folder / 'bad.mid'}: unreadable: is not a MIDI file" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--json", "--png", "--midi", "--cache"])
def test_what_cannot_be_written_is_named_with_a_remedy(tiny_onnx, songs, tmp_path, capsys, option):
    (tmp_path / "file").write_bytes(b"")
    words = [str(tiny_onnx), str(songs), "--solo", "1", "--bars", "1"]
    cache = [] if option == "--cache" else ["--cache", str(tmp_path / "cache")]
    assert main([*words, *cache, option, str(tmp_path / "file" / "x")]) == 2
    said = capsys.readouterr().err
    assert f"{option} {tmp_path / 'file' / 'x'}: cannot be" in said
    assert "give a" in said
