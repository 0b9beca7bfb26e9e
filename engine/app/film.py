"""A recorded session as a video: a look of the page for the wall, frame by frame, with the session's sound.

Runs on: main process (`algoritmo film`). The page /art/ draws in a browser without a window; it is given what was recorded
instead of a connection, and the time of each picture instead of a clock, so that the same session gives the same film. ffmpeg
makes the video.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import soundfile

from engine.core.contract import Card
from engine.core.errors import SessionError
from engine.record.feed_file import Entry, FeedReader
from engine.record.session import WAVE, feed_path
from engine.web import frames
from engine.web.files import Files
from engine.web.frames import Encoder

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

PLACE = "http://algoritmo.invalid"  # never asked for: every request is answered here
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PICTURE, QUALITY = "image/jpeg", 0.95
LARGEST = 7680  # pixels
TAIL_S = 2.0  # of a session without sound, after its last step
TOLD_EVERY_S = 5.0  # of film, how often it is told how far it is


@dataclass(frozen=True, slots=True)
class Wish:
    """What kind of film: a look and what its address takes, size in pixels, frames a second, a part in seconds."""

    look: str = "snapshot"
    width: int = 1920
    height: int = 1080
    fps: int = 30
    first_s: float = 0.0
    last_s: float | None = None
    address: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Raises SessionError."""
        if not (16 <= self.width <= LARGEST and 16 <= self.height <= LARGEST) or self.width % 2 or self.height % 2:
            raise SessionError(
                f"--size {self.width}x{self.height}: even numbers from 16 to {LARGEST}, for example --size 1920x1080"
            )
        if not 1 <= self.fps <= 120:
            raise SessionError(f"--fps {self.fps}: a number from 1 to 120")
        if self.first_s < 0 or (self.last_s is not None and self.last_s <= self.first_s):
            raise SessionError(f"--from {self.first_s:g} --to {self.last_s}: give seconds, the second later than the first")


def size_of(words: str) -> tuple[int, int]:
    """Return width and height of WIDTHxHEIGHT. Raises SessionError."""
    width, _, height = words.partition("x")
    if not width.isdecimal() or not height.isdecimal():
        raise SessionError(f"--size {words}: write WIDTHxHEIGHT, for example --size 1920x1080")
    return int(width), int(height)


def film(session: Path, out: Path, wish: Wish, tell: Callable[[str], None] = lambda _text: None) -> int:
    """Make a film of the session in a folder; return how many frames it has.

    Raises SessionError: when the session, the look, the browser or ffmpeg is not there, or the file cannot be written.
    """
    encoder = shutil.which("ffmpeg")
    if encoder is None:
        raise SessionError("film needs ffmpeg, which makes the video: apt install ffmpeg, or https://ffmpeg.org")
    folder = session.parent if session.is_file() else session
    with FeedReader(feed_path(session)) as reader, opened_page(wish, reader.card) as page:
        wave = folder / WAVE
        sound = wave if wave.exists() else None
        last_s = _length_s(reader, sound)
        last_s = last_s if wish.last_s is None else min(wish.last_s, last_s)
        if last_s <= wish.first_s:
            raise SessionError(f"--from {wish.first_s:g}: the session is over after {last_s:.1f} s")
        count = max(round((last_s - wish.first_s) * wish.fps), 1)
        if sound is None:
            tell(f"{folder}: has no {WAVE}; the film is silent")
        part = out.with_name(f"{out.stem}.part{out.suffix or '.mp4'}")
        try:
            _encode(encoder, _pictures(page, reader, wish, count, tell), wish, sound, count / wish.fps, part)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    return count


def _length_s(reader: FeedReader, sound: Path | None) -> float:
    if sound is not None:
        return float(soundfile.info(str(sound)).duration)
    last = 0
    for block in reader.blocks():
        for entry in reader.read(block) or ():
            last = max(last, entry.frame)
    return last / reader.rate_hz + TAIL_S


def _encode(encoder: str, pictures: Iterator[bytes], wish: Wish, sound: Path | None, length_s: float, out: Path) -> None:
    """Pipe the pictures through ffmpeg. Raises SessionError."""
    command = [encoder, "-hide_banner", "-loglevel", "error", "-y"]
    command += ["-f", "image2pipe", "-framerate", str(wish.fps), "-c:v", "mjpeg", "-i", "-"]
    if sound is not None:
        command += ["-ss", f"{wish.first_s:.6f}", "-t", f"{length_s:.6f}", "-i", str(sound), "-c:a", "aac", "-b:a", "256k"]
    command += ["-c:v", "libx264", "-crf", "17", "-preset", "medium", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    # The same session gives the same bytes: no name of a version, no date.
    command += ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", str(out)]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise SessionError(f"{encoder}: cannot be started ({error.strerror})") from error
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        for picture in pictures:
            process.stdin.write(picture)
        process.stdin.close()
    except BrokenPipeError:
        pass  # what it says of it comes below
    except BaseException:
        process.kill()
        raise
    finally:
        said = process.stderr.read().decode(errors="replace").strip()
        status = process.wait()
    if status:
        raise SessionError(f"{out}: ffmpeg could not write it: {said.splitlines()[-1] if said else f'status {status}'}")


def _pictures(page: Page, reader: FeedReader, wish: Wish, count: int, tell: Callable[[str], None]) -> Iterator[bytes]:
    """Yield each frame as a JPEG. A frame shows the middle of the time it is seen."""
    encoder = Encoder(reader.card)
    messages = Messages(reader, encoder)
    for number in range(count):
        at_s = wish.first_s + (number + 0.5) / wish.fps
        page.evaluate("messages => art.take(messages)", messages.until(at_s))
        data = page.evaluate("([now, type, quality]) => art.picture(now, type, quality)", [1000 * at_s, PICTURE, QUALITY])
        yield base64.b64decode(data)
        if number and number % max(round(TOLD_EVERY_S * wish.fps), 1) == 0:
            tell(f"{number / wish.fps:.0f} of {count / wish.fps:.0f} s")


class Messages:
    """What was published, in order, as the page takes it."""

    def __init__(self, reader: FeedReader, encoder: Encoder) -> None:
        self._reader, self._encoder = reader, encoder
        self._entries = iter(reader)
        self._next: Entry | None = next(self._entries, None)
        self._step: Any = None

    def until(self, at_s: float) -> list[tuple[float, str]]:
        """Return what was published up to a time: milliseconds, and the message in base 64."""
        out: list[tuple[float, str]] = []
        while (entry := self._next) is not None and entry.frame <= at_s * self._reader.rate_hz:
            message = self._message(entry)
            if message is not None:
                out.append((1000 * entry.frame / self._reader.rate_hz, base64.b64encode(message).decode()))
            self._next = next(self._entries, None)
        return out

    def _message(self, entry: Entry) -> bytes | None:
        if entry.step is not None:
            self._step = entry.step
            return self._encoder.step(entry.step, "u8")
        if entry.events is not None:
            packed = [frames.note(event, self._beat(int(event["frame"]))) for event in entry.events]
            return frames.notes(packed, len(packed), lost=False)
        return None

    def _beat(self, frame: int) -> float:
        step = self._step
        if step is None:
            return 0.0
        passed_s = (frame - int(step["frame"])) / self._reader.rate_hz
        return float(step["beat"]) + passed_s * float(step["tempo_bpm"]) / 60


@contextmanager
def opened_page(wish: Wish, card: Card) -> Iterator[Page]:
    """Open the page in a browser without a window. Raises SessionError."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError as error:
        raise SessionError("film needs playwright, which drives the browser: pip install -e '.[film]'") from error
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    flags = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=flags)
        except Error as error:
            raise SessionError(
                "film needs Chromium, which draws: apt install chromium, or playwright install chromium"
                f" ({str(error).splitlines()[0]})"
            ) from error
        try:
            page = browser.new_page(viewport={"width": wish.width, "height": wish.height})
            page.route("**/*", _answer(Files()))
            query = urlencode([("film", "on"), ("look", wish.look), *wish.address])
            page.goto(f"{PLACE}/art/?{query}")
            page.evaluate("() => art.ready")
            if fault := page.evaluate("() => document.getElementById('fault').textContent"):
                raise SessionError(fault)
            layout = Encoder(card).layout()
            hello = {"card": card.model_dump(mode="json"), "layout": layout, "format": "u8", "recorded": True}
            page.evaluate("([hello, width, height]) => art.film(hello, width, height)", [hello, wish.width, wish.height])
            yield page
        finally:
            browser.close()


def _answer(files: Files) -> Callable[[Route], None]:
    """Answer the page's requests with the files of the pages; nothing leaves this process."""

    def answer(route: Route) -> None:
        address = urlsplit(route.request.url)
        file = files.at(address.path) if f"{address.scheme}://{address.netloc}" == PLACE else None
        if file is None:
            route.fulfill(status=404, body="")
        else:
            route.fulfill(status=200, body=file.body, content_type=file.type)

    return answer
