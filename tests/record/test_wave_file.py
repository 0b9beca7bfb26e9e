"""The sound file is whole at every moment, whatever happens to its writer."""

import shutil
import wave

import numpy as np
import pytest
import soundfile

from engine.core.errors import SessionError
from engine.record.wave_file import HEADER, WaveFile


def noise(chance, frames):
    return chance.uniform(-1, 1, (frames, 2)).astype(np.float32)


def test_what_was_written_is_read_back(tmp_path, chance):
    samples = noise(chance, 1000)
    file = WaveFile(tmp_path / "a.wav", 48000)
    file.write(samples)
    file.flush()
    file.close()
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == 48000
    assert np.abs(read - samples).max() <= 2**-23
    with wave.open(str(tmp_path / "a.wav")) as plain:
        assert (plain.getnchannels(), plain.getsampwidth(), plain.getnframes()) == (2, 3, 1000)


def test_over_full_scale_does_not_wrap(tmp_path):
    file = WaveFile(tmp_path / "a.wav", 48000)
    file.write(np.array([[1.5, -1.5], [1.0, -1.0]], np.float32))
    file.flush()
    read, _ = soundfile.read(tmp_path / "a.wav")
    assert np.allclose(read, [[1, -1], [1, -1]], atol=1e-6)


def test_copy_at_any_moment_plays(tmp_path, chance):
    file = WaveFile(tmp_path / "a.wav", 44100)
    for number in range(1, 6):
        file.write(noise(chance, 100))
        file.flush()
        file.write(noise(chance, 7))  # the header does not know of these yet
        shutil.copy(tmp_path / "a.wav", tmp_path / "copy.wav")
        assert len(soundfile.read(tmp_path / "copy.wav")[0]) >= 100 * number
        assert soundfile.info(tmp_path / "copy.wav").samplerate == 44100


def test_going_on_loses_nothing_that_reached_the_disk(tmp_path, chance):
    samples = noise(chance, 500)
    first = WaveFile(tmp_path / "a.wav", 48000)
    first.write(samples[:200])
    first.flush()
    first.write(samples[200:300])  # killed before the header was told
    with open(tmp_path / "a.wav", "ab") as file:
        file.write(b"\x01\x02")  # and in the middle of a frame
    again = WaveFile(tmp_path / "a.wav", 48000, resume=True)
    assert again.frames == 300
    again.write(samples[300:])
    again.flush()
    again.close()
    read, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert np.abs(read - samples).max() <= 2**-23


def test_larger_than_riff_becomes_rf64(tmp_path, chance):
    samples = noise(chance, 2000)
    file = WaveFile(tmp_path / "a.wav", 48000, riff_limit=HEADER + 6 * 1000)
    file.write(samples[:500])
    file.flush()
    assert soundfile.info(tmp_path / "a.wav").format == "WAV"
    file.write(samples[500:])
    file.flush()
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    assert np.abs(soundfile.read(tmp_path / "a.wav", dtype="float32")[0] - samples).max() <= 2**-23
    again = WaveFile(tmp_path / "a.wav", 48000, resume=True, riff_limit=HEADER + 6 * 1000)
    assert again.frames == 2000


def test_a_file_of_hours_goes_on_beyond_four_gigabytes(tmp_path, chance):
    path, frames = tmp_path / "a.wav", 900_000_000  # 5.2 hours, 5.4 GB; nearly all of it a hole in the file
    WaveFile(path, 48000).close()
    with path.open("r+b") as file:
        file.truncate(HEADER + 6 * frames)
    samples = noise(chance, 1000)
    file = WaveFile(path, 48000, resume=True)
    assert file.frames == frames
    file.write(samples)
    file.flush()
    file.close()
    assert path.stat().st_size > 2**32
    with soundfile.SoundFile(path) as read:
        assert (read.format, read.frames) == ("RF64", frames + 1000)
        read.seek(frames)
        assert np.abs(read.read(dtype="float32") - samples).max() <= 2**-23


def test_silence_is_silence(tmp_path):
    file = WaveFile(tmp_path / "a.wav", 48000)
    file.silence(20000)
    file.flush()
    read, _ = soundfile.read(tmp_path / "a.wav")
    assert len(read) == 20000
    assert not read.any()


def test_something_else_is_not_written_over(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"the only recording of grandmother" * 10)
    with pytest.raises(SessionError, match="move it away"):
        WaveFile(tmp_path / "a.wav", 48000, resume=True)
    assert (tmp_path / "a.wav").read_bytes().startswith(b"the only recording")


def test_resuming_where_nothing_was_begun_begins(tmp_path):
    file = WaveFile(tmp_path / "a.wav", 48000, resume=True)
    file.silence(10)
    file.flush()
    assert soundfile.info(tmp_path / "a.wav").frames == 10
