"""The recording of a jam: session.wav, session.mid, feed.bin, and stems where asked for; playable whenever the power goes.

Runs on: feed process, recorder thread (the files), or the caller of the offline render. The rings of the run hold the last
seconds, so a recorder that was killed goes on in the same files without a gap. Frame n of the run is frame n of every file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engine.core.contract import Card
from engine.core.errors import SessionError
from engine.core.link import Link
from engine.core.messages import BLOCK, ERROR, OUTPUTS, WARNING
from engine.feed.feed import Positions
from engine.feed.schema import Schema
from engine.record.feed_file import FeedLog, FeedWriter
from engine.record.markers import FILE as MARKERS
from engine.record.markers import Markers
from engine.record.midi_file import MidiFile
from engine.record.stems import StemFiles
from engine.record.tape_file import FILE as TAPES
from engine.record.tape_file import TapeFile
from engine.record.wave_file import WaveFile
from engine.transport.timeline import BeatTimeline

WAVE, MIDI, FEED = "session.wav", "session.mid", "feed.bin"
DRAIN_S = 0.25  # how often the rings are emptied onto the disk
MIDI_S = 1.0  # how often the MIDI file is brought up to date ...
MIDI_BYTES_PER_S = 1_000_000  # ... but after hours of music no faster than this
AT_ONCE = 1024  # blocks taken from the ring at a time
OFF, ON, STOPPED = 0, 1, 2  # as FEED_STATS has it: STOPPED by an error

Tell = Callable[[int, str], None]


class Recorder:
    """Takes what the rings hold and keeps the files true: `drain` now and then, `close` at the end.

    Neither raises when the disk fails: the recording stops, says so once, and what was written stays whole.
    """

    def __init__(
        self,
        folder: Path,
        link: Link,
        schema: Schema,
        rate_hz: float,
        tell: Tell,
        resume: bool = False,
        live: bool = False,
        whole: Card | None = None,
        others: Sequence[Schema] = (),
    ) -> None:
        """Begin the files in `folder`, or with `resume` go on with those a killed process left there.

        `live`: what the processes take in from outside is recorded too, so that the take can be played once more. `whole`:
        where there are several networks, the card with the tracks of all: notes and stems are everybody's. `others`: of the
        networks behind the first, each of which has a file of its own for its steps.
        """
        self.logs = [FeedLog(of.card, of.large) for of in (schema, *others)]  # of each network
        self.stood = [Positions() for _ in self.logs]  # with `resume`: where the publisher stood in its rings
        self.state = OFF
        self._folder = folder
        self._link = link
        self._rate_hz = rate_hz
        self._tell = tell
        self._wave: WaveFile | None = None
        self._feeds: list[FeedWriter] = []  # of each network
        self._stems: StemFiles | None = None
        self._tapes: TapeFile | None = None
        self._markers: Markers | None = None
        self._is_live = live
        self._card = whole or schema.card
        self._blocks = link["wave"].reader(0)
        # The lines before the newest are in the tempo map of what is gone on with.
        self._timeline = link["timeline"].reader(max(link["timeline"].count - 1, 0) if resume else 0)
        self._switches, self._switched = link["switches"].reader(0), link["switched"].reader(0)
        tempo_bpm = float(link.values.numbers[schema.registry.index["tempo"]])
        self._midi = MidiFile(folder / MIDI, self._card, rate_hz, tempo_bpm)
        self._midi_due = 0.0
        self._lost = 0
        self._recorded = 0
        self._first = 0  # frame of the run that the sound file begins with
        try:
            self._open([schema, *others], resume)
        except (OSError, SessionError) as error:
            self._stop(error)

    def _open(self, schemas: Sequence[Schema], resume: bool) -> None:
        self._wave = WaveFile(self._folder / WAVE, round(self._rate_hz), resume)
        if "stems" in self._link:
            self._stems = StemFiles(self._folder, self._card, self._link, self._rate_hz, resume)
        if resume:
            self._midi.resume()
        self._events = self._link["events"].reader(self._midi.position)
        tracks = [track.name for track in self._card.tracks]
        for number, schema in enumerate(schemas):
            self._feeds.append(FeedWriter(self._folder / feed_of(number), schema, round(self._rate_hz), resume, tracks))
        self.stood = [feed.positions for feed in self._feeds]
        self._markers = Markers(self._folder / MARKERS, schemas[0].registry.place("panic"), resume)
        if self._is_live:
            self._tapes = TapeFile(self._folder / TAPES, self._link, resume)
        self.state = ON

    @property
    def log(self) -> FeedLog:
        """Of the first network, and of the notes."""
        return self.logs[0]

    @property
    def positions(self) -> Positions:
        """Where the publisher stood, of the first network and the notes."""
        return self.stood[0]

    @property
    def frames(self) -> int:
        """Frames of sound recorded so far."""
        return self._first + self._wave.frames if self._wave is not None else self._recorded

    def drain(self) -> None:
        """Write what has come since the last time."""
        if self.state != ON:
            for log in self.logs:
                log.take()
            return
        try:
            if self._tapes is not None:
                taken = self._tapes.drain()
                if self._markers is not None:
                    self._markers.look(taken)
            self._drain_wave()
            self._drain_stems()
            self._drain_feed()
            self._drain_midi()
        except OSError as error:
            self._stop(error)

    def _drain_wave(self) -> None:
        assert self._wave is not None
        while len(blocks := self._blocks.read(AT_ONCE)):
            self._follow_rate(int(blocks[0]["frame"]))
            assert self._wave is not None
            for run in np.split(blocks, np.flatnonzero(np.diff(blocks["frame"]) != BLOCK) + 1):
                self._write_run(self._wave, int(run[0]["frame"]), run["samples"].reshape(-1, OUTPUTS))
        self._wave.flush()

    def _drain_stems(self) -> None:
        if self._stems is not None and (lost := self._stems.drain()):
            self._tell(WARNING, f"{lost / self._rate_hz:.2f} s of the stems were not recorded in time; they are silent there")

    def _follow_rate(self, frame: int) -> None:
        """Begin another sound file where the device came back at another rate: one file has one rate."""
        clock = self._link["clock"].latest()
        if clock is None or float(clock["rate_hz"]) == self._rate_hz or self._wave is None:
            return
        if self._stems is not None:
            self._stems.begin_anew(frame, float(clock["rate_hz"]), self._wave.frames)
        self._wave.close()
        self._rate_hz, self._first = float(clock["rate_hz"]), frame
        name = f"session-{frame}.wav"
        self._wave = WaveFile(self._folder / name, round(self._rate_hz))
        self._tell(WARNING, f"the sound device runs at {self._rate_hz:g} Hz now: the recording goes on in {name}")

    def _write_run(self, wave: WaveFile, frame: int, samples: np.ndarray) -> None:
        """Write blocks that follow on one another; `frame` is where they belong."""
        if gap := wave.write_at(frame - self._first, samples):
            self._tell(WARNING, f"{gap / self._rate_hz:.2f} s of sound were not recorded in time; {WAVE} is silent there")

    def _drain_feed(self) -> None:
        for log, feed in zip(self.logs, self._feeds, strict=True):
            feed.write(log.take())
        lost = sum(log.lost for log in self.logs)
        if lost > self._lost:
            self._tell(WARNING, f"the disk is too slow: {lost - self._lost} steps are missing in {FEED}")
            self._lost = lost

    def _drain_midi(self) -> None:
        events = self._events.read()  # before the lines: none of them lies on one that is not known yet
        self._midi.follow(map(BeatTimeline.of, self._timeline.read()))
        self._midi.hear(events)
        assert self._markers is not None
        self._markers.hear(events)
        self._markers.follow(self._switches.read(), self._switched.read())
        for marker in self._markers.write():
            self._midi.mark(marker.frame, marker.text)
        self._midi.position = self._events.position
        if self.frames >= self._midi_due:
            self._midi.write(self.frames)
            wait_s = max(MIDI_S, self._midi.size / MIDI_BYTES_PER_S)
            self._midi_due = self.frames + wait_s * self._rate_hz

    def _stop(self, error: OSError | SessionError) -> None:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        self.state = STOPPED
        self._close_files()
        self._tell(ERROR, f"the recording stopped ({reason}); the jam goes on, and what was recorded until now is whole")

    def _close_files(self) -> None:
        self._recorded = self.frames
        wave, feeds, stems, tapes = self._wave, self._feeds, self._stems, self._tapes
        self._wave = self._stems = self._tapes = None
        self._feeds = []
        if stems is not None and wave is not None:
            stems.close(wave.frames)
        for file in (wave, *feeds, tapes, self._markers, self._midi):
            if file is not None:
                with contextlib.suppress(OSError):  # the error that led here has been told
                    file.close()

    def close(self) -> None:
        """Take the last of it and end the files."""
        self.drain()
        if self.state != ON:
            return
        try:
            self._midi.write(self.frames, final=True)
        except OSError as error:
            self._stop(error)
            return
        self.state = OFF
        self._close_files()


class RecorderThread:
    """A recorder at work on its own thread, so that a disk that stalls never keeps a step waiting."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(DRAIN_S):
            self.recorder.drain()
        self.recorder.close()

    def stop(self) -> None:
        """End the recording and wait until the files are whole."""
        self._end.set()
        self._thread.join()


def feed_of(number: int) -> str:
    """Return the name of the file with the steps of a network, by its number in the jam."""
    return f"{Path(FEED).stem}-{number}{Path(FEED).suffix}" if number else FEED


def feed_path(session: Path) -> Path:
    """Return the recorded feed of a session's folder; a path to a file is taken as it is."""
    return session / FEED if session.is_dir() else session
