"""A film of a recorded session: picture and sound together, the same bytes twice, and words for what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.app.film import Wish, film, size_of
from engine.cli import main
from engine.core.errors import SessionError
from engine.record.feed_file import FeedReader
from tests.system.rig import need

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
FPS, WIDTH, HEIGHT = 25, 312, 176
SQUARE = WIDTH // 26
PART = ("--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS), "--from", "1.5", "--to", "3.5", "--with", "slate=on")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three bars of the demo, recorded."""
    need("ffmpeg", "apt-get install ffmpeg")
    need("chromium", "apt-get install chromium")
    folder = tmp_path_factory.mktemp("film") / "session"
    demo = ROOT / "engine" / "app" / "demo.mid"
    command = [sys.executable, "-m", "engine.cli", "render", demo, "--out", folder, "--bars", "3"]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return folder


def decoded(path: Path) -> np.ndarray:
    """The frames of a video, uint8 (frames, height, width)."""
    command = ["ffmpeg", "-loglevel", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(data, np.uint8).reshape(-1, HEIGHT, WIDTH)


def test_picture_and_sound_are_together_and_it_is_the_same_twice(session, tmp_path):
    films = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for path in films:
        assert main(["film", str(session), "--look", "trails", *PART, "--out", str(path)]) == 0
    assert films[0].read_bytes() == films[1].read_bytes()
    frames = decoded(films[0])
    assert len(frames) == 50
    with FeedReader(session / "feed.bin") as reader:
        sounds_s = {int(e.step["step"]): e.frame / reader.rate_hz for e in reader if e.step is not None}
    # The step that is drawn is written into each frame; it began to sound no more than a frame away.
    middle = SQUARE // 2
    for number, frame in enumerate(frames):
        bits = [frame[middle, bit * SQUARE + middle] > 127 for bit in range(26)]
        assert bits[0]
        assert not bits[25]
        step = sum(1 << bit for bit, on in enumerate(bits[1:25]) if on) - 1
        seen_s = 1.5 + (number + 0.5) / FPS
        assert sounds_s[step] <= seen_s + 1 / FPS
        assert sounds_s.get(step + 1, 1e9) >= seen_s - 1 / FPS
    # And the sound lies where the picture has it.
    sound = subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-i", films[0], "-f", "f32le", "-ac", "1", "-"], check=True, capture_output=True
    ).stdout
    heard = np.frombuffer(sound, "<f4")
    samples, rate = soundfile.read(session / "session.wav", dtype="float32", always_2d=True)
    played = samples.mean(1)[int(1.5 * rate) :][: len(heard)]
    short = slice(rate // 2, rate // 2 + rate // 2)
    match = np.correlate(heard[short.start - 2000 : short.stop + 2000], played[short], "valid")
    assert abs(int(match.argmax()) - 2000) <= rate / FPS


def test_what_cannot_be_filmed_is_named(session, tmp_path, monkeypatch):
    out = tmp_path / "film.mp4"
    with pytest.raises(SessionError, match="look=fire: there are snapshot, alike"):
        film(session, out, Wish(look="fire", width=64, height=64))
    with pytest.raises(SessionError, match="session is over after"):
        film(session, out, Wish(first_s=1000, width=64, height=64))
    with pytest.raises(SessionError, match="session"):
        film(tmp_path, out, Wish())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SessionError, match="ffmpeg"):
        film(session, out, Wish())
    assert list(tmp_path.iterdir()) == []


def test_a_session_without_sound_or_cut_short_gives_a_silent_film(session, tmp_path):
    cut = tmp_path / "cut"
    cut.mkdir()
    data = (session / "feed.bin").read_bytes()
    (cut / "feed.bin").write_bytes(data[: len(data) * 2 // 3])
    said: list[str] = []
    count = film(cut, tmp_path / "film.mp4", Wish("orbit", WIDTH, HEIGHT, FPS, 0, 1), said.append)
    assert count == FPS == len(decoded(tmp_path / "film.mp4"))
    assert any("silent" in line for line in said)


@pytest.mark.parametrize("words", ["1920", "1920*1080", "x1080", "-4x4", "1.5x3"])
def test_a_size_that_is_none_says_how_to_write_one(words):
    with pytest.raises(SessionError, match="--size 1920x1080"):
        size_of(words)


@pytest.mark.parametrize(
    "wish", [{"width": 15}, {"height": 1081}, {"fps": 0}, {"fps": 1000}, {"first_s": -1}, {"first_s": 3, "last_s": 2}]
)
def test_a_wish_that_cannot_be_is_refused(wish):
    with pytest.raises(SessionError, match=r"--(size|fps|from)"):
        Wish(**wish)
