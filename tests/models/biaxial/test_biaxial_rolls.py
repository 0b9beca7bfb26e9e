"""Reading one keyboard's music: the standard rolls, merged MIDI, what is refused."""

import numpy as np
import pytest
import symusic

from models.biaxial import recipe
from models.music.keyboard import read_keyboard
from models.music.representation import HELD, ONSET, SILENT


def write_poly(path, notes):
    """An archive of three splits with one sequence each; notes: list of steps, each a list of MIDI pitches."""
    roll = np.zeros((len(notes), 88), np.uint8)
    for step, pitches in enumerate(notes):
        roll[step, [p - 21 for p in pitches]] = 1
    packed = np.packbits(roll, axis=1)
    parts = dict.fromkeys(("train", "valid", "test"), packed)
    np.savez(path, **parts, **{f"{s}_len": np.asarray([len(notes)], np.int32) for s in parts})
    return path


def midi(notes, numerator=4, tracks=1):
    """A MIDI file of quarter notes: (start, length, pitch) in quarters, dealt out over `tracks` tracks."""
    score = symusic.Score(480)
    score.time_signatures.append(symusic.TimeSignature(0, numerator, 4))
    for track in range(tracks):
        part = symusic.Track(f"t{track}", 0, False)
        for start, length, pitch in notes[track::tracks]:
            part.notes.append(symusic.Note(int(start * 480), int(length * 480), pitch, 80))
        score.tracks.append(part)
    return bytes(score.dumps_midi())


def test_a_roll_is_held_where_a_note_goes_on(tmp_path):
    path = write_poly(tmp_path / "Tunes.npz", [[60, 64], [60], [60, 67]])
    (piece,) = read_keyboard([path], 58, 70, 1).split("test")
    assert piece.roll[:, 2].tolist() == [ONSET, HELD, HELD]
    assert piece.roll[:, 6].tolist() == [ONSET, SILENT, SILENT]
    assert piece.roll[:, 9].tolist() == [SILENT, SILENT, ONSET]


def test_a_roll_outside_the_keyboard_is_refused_not_cut(tmp_path):
    path = write_poly(tmp_path / "Tunes.npz", [[60], [72]])
    with pytest.raises(ValueError, match="widen low and high"):
        read_keyboard([path], 58, 70, 1)


def test_all_tracks_of_a_file_sound_on_one_keyboard(tmp_path):
    notes = [(beat, 1, 60 + beat % 3) for beat in range(32)] + [(beat, 1, 40) for beat in range(0, 32, 4)]
    (tmp_path / "song.mid").write_bytes(midi(notes, tracks=2))
    (piece,) = read_keyboard([tmp_path], 24, 101, 4).pieces
    assert piece.roll.shape == (128, 78)
    assert (piece.roll == ONSET).sum() == len(notes)
    assert piece.roll[0, 40 - 24] == ONSET
    assert piece.roll[0, 60 - 24] == ONSET


def test_refusals_are_counted_by_reason(tmp_path):
    (tmp_path / "good.mid").write_bytes(midi([(b, 1, 60) for b in range(16)]))
    (tmp_path / "waltz.mid").write_bytes(midi([(b, 1, 60) for b in range(48)], numerator=3))
    (tmp_path / "short.mid").write_bytes(midi([(b, 1, 60) for b in range(8)]))
    (tmp_path / "broken.mid").write_bytes(b"MThd nothing of the kind")
    found = read_keyboard([tmp_path], 24, 101, 4)
    assert found.used == 1
    assert dict(found.refused) == {"odd metre": 1, "shorter than 4 bars": 1, "unreadable": 1}


def test_a_folder_without_music_says_so(tmp_path):
    with pytest.raises(ValueError, match="there is no MIDI file"):
        read_keyboard([tmp_path], 24, 101, 4)


def small(tmp_path, **more):
    path = write_poly(tmp_path / "Tunes.npz", [[60 + step % 5, 48] for step in range(100)])
    config = {**recipe.DEFAULTS, "low": 40, "high": 80, "articulates": False, "segment": 32, "batch": 3, **more}
    return recipe.dataset([path], config, tmp_path)


def test_batches_are_the_same_when_asked_again(tmp_path):
    data = small(tmp_path)
    first, again, other = data.batch(7, 0, 1), data.batch(7, 0, 1), data.batch(8, 0, 1)
    assert all((first[k] == again[k]).all() for k in first)
    assert first["current"].shape == (3, 32, 41, 1)
    assert not (first["current"] == other["current"]).all()


def test_a_stretch_is_transposed_as_a_whole_and_never_off_the_keyboard(tmp_path):
    data = small(tmp_path, low=46, high=68, shift=9)
    moved = set()
    for update in range(30):
        batch = data.batch(update, 0, 1)
        assert (batch["current"].sum((2, 3)) == 2 * batch["mask"]).all()
        lowest = batch["current"][:, 0, :, 0].argmax(1) + 46
        moved |= {int(p) - 48 for p in lowest}
    assert moved == set(range(-2, 5))


def test_the_step_before_a_stretch_is_the_one_before_it(tmp_path):
    data = small(tmp_path, shift=0)
    for update in range(10):
        batch = data.batch(update, 0, 1)
        assert (batch["previous"][:, 1:] == batch["current"][:, :-1]).all()
        for row in range(3):
            first, before = batch["current"][row, 0, :, 0], batch["previous"][row, 0, :, 0]
            tune = int(first[60 - 40 : 65 - 40].argmax())
            if before.any():
                assert int(before[60 - 40 : 65 - 40].argmax()) == (tune - 1) % 5
            else:
                assert tune == 0


def test_validation_steps_are_capped(tmp_path):
    data = small(tmp_path, valid_steps=70)
    assert sum(int(b["mask"].sum()) for b in data.valid()) == 70
