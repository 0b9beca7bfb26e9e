"""From given notes to sound: the engine of the stage with its patches, mixer and limiter, and no network.

Runs on: whoever asks, in one thread; pyo has one server in a process, so that who serves others asks in a process of its own.
The same notes give the same bytes.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import soundfile

from engine.audio.engine import FADE_S, AudioEngine
from engine.core import contract
from engine.core.config import Config
from engine.core.contract import Card
from engine.core.errors import SessionError
from engine.core.link import Layout, Link, Writer
from engine.core.messages import BLOCK, NOTE_OFF, NOTE_ON, OUTPUTS
from engine.core.metre import parse
from engine.core.parameters import Live
from engine.jam.parameters import registry_of
from engine.jam.settings import set_defaults
from engine.store.clip import Music
from engine.transport.sources.virtual import VirtualSource
from engine.transport.timeline import BeatTimeline

RING_OUT_S = 2.0  # for the last notes to fade
DRAIN_BLOCKS = 1024  # at least so often the ring of sound, which holds a few seconds, is emptied
LATEST_START_S = 5.0  # by then the transport plays
STEP = -1  # the timestep its events are of: none of a network's


def sound_of(music: Music, config: Config) -> tuple[np.ndarray, int]:
    """Return the sound of a music, float32 (frames, 2), and its rate in Hz; it begins with the music's first beat.

    Its tracks are played by the patches of the configuration and stand in its mixer. Plugins are left out: their tracks are
    played by plain keys.
    """
    card = contract.read_card(config.network_path())
    registry = registry_of(card)
    rate_hz = config.audio.rate_hz
    link = Link.private(Layout.of(card, len(registry)))
    live = Live(registry, link.values)
    quiet = config.model_copy(update={"clock": config.clock.model_copy(update={"count_in": 0, "source": "internal"})})
    set_defaults(live, quiet, card)
    metre = parse(music.metre)
    live.set("tempo", music.tempo_bpm / metre.tempo_beat)
    live.set("metronome", 0)
    beat = VirtualSource([(0.0, music.tempo_bpm / metre.tempo_beat)], [(0.0, metre.numerator, metre.denominator, metre.code)])
    engine = AudioEngine(link.view("audio"), registry, card, quiet, rate_hz, beat=beat)
    try:
        return _rendered(engine, link, live, music, card), rate_hz
    finally:
        engine.close()


def _rendered(engine: AudioEngine, link: Link, live: Live, music: Music, card: Card) -> np.ndarray:
    heard = link["wave"].reader(0)
    blocks: list[np.ndarray] = []
    sent = _Sent(music, card, link.view("network").writer("notes"))
    live.fire("transport.start")
    while not engine.transport.line.playing:
        engine.render_block()
        if engine.frame > LATEST_START_S * engine.rate_hz:
            raise SessionError("the transport does not start")
    line = engine.transport.line
    begin = line.frame_at(line.bar_beat)
    end = line.frame_at(line.bar_beat + music.steps / music.steps_per_beat) + RING_OUT_S * engine.rate_hz
    while engine.frame < end:
        sent.send(engine.transport.line, engine.frame + 4 * BLOCK)
        engine.render_block()
        if engine.frame % (DRAIN_BLOCKS * BLOCK) == 0:
            blocks.append(heard.read()["samples"])
    engine.release_all()
    fade = engine.frame + 2 * FADE_S * engine.rate_hz
    while engine.frame < fade:
        engine.render_block()
    blocks.append(heard.read()["samples"])
    whole = np.concatenate(blocks).reshape(-1, OUTPUTS)
    return whole[max(math.floor(begin), 0) :]


class _Sent:
    """Hands the notes over as the beat comes to them."""

    def __init__(self, music: Music, card: Card, notes: Writer) -> None:
        self._notes = notes
        numbers = {track.name: at for at, track in enumerate(card.tracks)}
        known = [note for note in music.notes if music.tracks[note.track] in numbers]
        events: list[tuple[float, int, int, int, int]] = []  # beat, kind, track, pitch, velocity
        sounding: dict[tuple[int, int], int] = {}  # track and pitch -> place of its end in `events`
        for note in known:
            track = numbers[music.tracks[note.track]]
            begin = max((note.step + note.offset) / music.steps_per_beat, 0.0)
            before = sounding.get((track, note.pitch))
            if before is not None and events[before][0] > begin:
                events[before] = (begin, *events[before][1:])
            sounding[track, note.pitch] = len(events) + 1
            events.append((begin, NOTE_ON, track, note.pitch, note.velocity))
            events.append(((note.step + note.steps) / music.steps_per_beat, NOTE_OFF, track, note.pitch, 0))
        self._events = sorted(events, key=lambda event: (event[0], event[1] == NOTE_ON))
        self._next = 0

    def send(self, line: BeatTimeline, until_frame: float) -> None:
        while self._next < len(self._events):
            beat, kind, track, pitch, velocity = self._events[self._next]
            frame = line.frame_at(line.bar_beat - (line.bar - 1) * line.beats_per_bar + beat)
            if frame >= until_frame:
                return
            self._notes.push((max(math.floor(frame), 0), STEP, kind, track, pitch, velocity, 0.0))
            self._next += 1


def write(music: Music, config: Config, path: Path) -> float:
    """Write the sound of a music as a file, of the kind that its suffix names (.wav, .flac, .mp3); return its seconds.

    Raises SessionError where it cannot be written.
    """
    sound, rate_hz = sound_of(music, config)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(str(part), sound, rate_hz)
        part.replace(path)
    except (OSError, RuntimeError, TypeError) as error:  # soundfile's own errors are RuntimeErrors; TypeError: no such kind
        part.unlink(missing_ok=True)
        raise SessionError(f"{path}: cannot be written ({error}); give another place, with .wav, .flac or .mp3") from error
    return len(sound) / rate_hz


def mp3(music: Music, config: Config) -> bytes:
    """Return the sound of a music as MP3."""
    sound, rate_hz = sound_of(music, config)
    out = io.BytesIO()
    soundfile.write(out, sound, rate_hz, format="MP3", subtype="MPEG_LAYER_III")
    return out.getvalue()
