"""What a band is made to follow, and how: songs and progressions as a player's notes, rendered by the engine itself.

A render is a process of its own, `algoritmo render` as a musician starts it; what the network hears and when is the engine's
matter, and so is what it does about it. Runs without torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np

from engine.core.contract import Card
from engine.core.errors import NetworkError
from models.evaluation.follow import BEATS, START, VELOCITY, Band, Take
from models.music.chord_symbols import QUALITIES, parse_name
from models.music.data import Piece
from models.music.representation import HELD, ONSET
from models.music.sounding_chords import CLASSES, sounding_chords

Array = np.ndarray
CONTROL = "Bb,Gm,Eb,F"  # what another player plays, where there is no other
KINDS = ("melody", "chords")  # what a player plays of a progression
TEMPO_BPM = 112.0  # the engine's own
TICKS = 480
LOUDEST_BARS = 8  # from one softest bar of a progression to the next
SOFT, LOUD = 56, 104
RENDER_S = 600  # longer, and it hangs
FIRST_BAR = 4  # of a song, from which on it is measured: a band must hear something first
# A chord a bar: start and length in beats, and which of the chord's tones, from the lowest.
MELODY = ((0.0, 1.0, 0), (1.0, 0.5, 1), (1.5, 0.5, 2), (2.0, 1.0, 1), (3.0, 0.5, 2), (3.5, 0.5, 0))
MELODY_FROM, CHORDS_FROM = 72, 60


def progression(text: str, kind: str, bars: int) -> Take:
    """A player who repeats a progression such as "C,G,Am,F", a chord a bar, exactly on the beat; measured from the third time.

    `kind`: as a melody of the chord's tones, or as block chords. He is louder and softer by turns. Raises ValueError.
    """
    names = [name.strip() for name in text.split(",")]
    chords = [parse_name(name) for name in names]
    player: list[tuple[float, float, int, float]] = []
    for bar in range(bars):
        root, quality = chords[bar % len(chords)]
        tones = [(root + i) % 12 for i in QUALITIES[quality]]
        loud = swell(bar)
        begin = bar * BEATS
        if kind == "chords":
            player += [(begin + half, begin + half + 1.9, CHORDS_FROM + tone, loud) for half in (0, 2) for tone in tones]
        else:
            up = sorted(MELODY_FROM + (tone - MELODY_FROM) % 12 for tone in tones)
            player += [(begin + at, begin + at + 0.9 * length, up[k % len(up)], loud) for at, length, k in MELODY]
    classes = np.repeat([CLASSES.of(chords[bar % len(chords)]) for bar in range(bars)], BEATS)
    track = "chords" if kind == "chords" else "lead"
    return Take(f"{text} ({kind})", track, np.asarray(player, float), classes, 2 * len(chords), TEMPO_BPM)


def swell(bar: int) -> float:
    """Velocity of a player who is softer and louder by turns, so that it can be heard whether the band goes with him."""
    return SOFT + (LOUD - SOFT) * abs(2 * (bar % LOUDEST_BARS) / LOUDEST_BARS - 1)


def song(piece: Piece, card: Card, track: str, bars: int) -> Take:
    """A piece with its `track` as the player's; its chords told from all that it plays, the rest its own band."""
    roll = piece.roll[: bars * card.steps_per_bar]
    roll = roll[: len(roll) // card.steps_per_bar * card.steps_per_bar]
    velocity = None if piece.expression is None else piece.expression.velocity
    band = {
        name: notes_of(
            roll[:, where], card.slot_pitches()[where], card.steps_per_beat, None if velocity is None else velocity[:, where]
        )
        for name, where in card.track_slices().items()
    }
    player = band.pop(track)
    if velocity is None or not velocity[:, card.track_slices()[track]].any():
        player[:, VELOCITY] = [swell(int(start) // BEATS) for start in player[:, START]]
    own = {name: notes for name, notes in band.items() if len(notes)}
    return Take(piece.name, track, player, sounding_chords(roll, card.tracks), FIRST_BAR, TEMPO_BPM, own)


def notes_of(roll: Array, pitches: Array, steps_per_beat: int, velocity: Array | None = None) -> Array:
    """The notes (n, 4) of a track's roll (steps, slots)."""
    found = []
    for slot, step in np.argwhere(roll.T == ONSET):
        end = step + 1
        while end < len(roll) and roll[end, slot] == HELD:
            end += 1
        loud = int(velocity[step, slot]) if velocity is not None else 0
        found.append((step / steps_per_beat, end / steps_per_beat, pitches[slot], loud or 90))
    return np.asarray(found, float).reshape(-1, 4)


def write_player(take: Take, path: Path) -> None:
    """Write the player's notes as a MIDI file."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(take.tempo_bpm))])
    timed = []
    for start, end, pitch, velocity in take.player.tolist():
        timed += [(round(start * TICKS), 1, round(pitch), round(velocity)), (round(end * TICKS), 0, round(pitch), 0)]
    now = 0
    for tick, on, pitch, velocity in sorted(timed):
        track.append(mido.Message("note_on" if on else "note_off", note=pitch, velocity=velocity, time=tick - now))
        now = tick
    mido.MidiFile(ticks_per_beat=TICKS, tracks=[track]).save(path)


def read_session(path: Path) -> dict[str, Array]:
    """The notes of each track of a session's MIDI file, (n, 4), in beats from its beginning."""
    file = mido.MidiFile(path)
    found = {}
    for track in file.tracks:
        now, notes = 0, []
        down: dict[int, tuple[int, int]] = {}
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            if message.note in down:
                begun, velocity = down.pop(message.note)
                notes.append((begun / file.ticks_per_beat, now / file.ticks_per_beat, message.note, velocity))
            if message.type == "note_on" and message.velocity:
                down[message.note] = (now, message.velocity)
        if notes:
            found[track.name] = np.asarray(sorted(notes), float)
    return found


def render(take: Take, network: Path, seed: int, settings: Sequence[str], folder: Path) -> Band:
    """Let the engine play to a take in the mode accompany; returns the band's notes. Raises NetworkError where it fails."""
    source, out = folder / "player.mid", folder / "session"
    write_player(take, source)
    words = [str(source), "--out", str(out), "--network", str(network), "--mode", "accompany", "--seed", str(seed)]
    words += ["--bars", str(take.bars)]
    for setting in (f"jam.track={take.track}", *settings):
        words += ["--set", setting]
    command = [sys.executable, "-m", "engine.cli", "render", *words]
    silent = os.environ | {"PYO_GUI_WX": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=silent, timeout=RENDER_S, check=False)
    if done.returncode:
        raise NetworkError(f"{take.name}: cannot be rendered: {(done.stderr or done.stdout)[-400:].strip()}")
    heard = read_session(out / "session.mid")
    if "player" not in heard:
        raise NetworkError(f"{take.name}: nothing of the player was heard; give music with a {take.track}")
    # A count-in stands before the first bar.
    ahead = round(heard.pop("player")[:, 0].min() - take.player[:, 0].min())
    return {track: notes - np.asarray([ahead, ahead, 0, 0]) for track, notes in heard.items()}
