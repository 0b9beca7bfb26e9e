"""A recorded take for other programs: as a DAWproject, stem by stem, compressed.

Runs on: main process.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import soundfile

from engine.core.errors import SessionError
from engine.record import dawproject
from engine.record.made_with import read as read_made
from engine.record.moves import moves
from engine.record.take import Take, read

AT_ONCE = 1 << 18  # frames read at a time


def export(
    session: Path,
    project: Path | None,
    stems: Path | None,
    mp3: Path | None,
    flac: Path | None,
    moves_to: Path | None = None,
) -> Iterator[str]:
    """Write what is asked for; yield a line for each. Raises SessionError."""
    take = read(session)
    if (project, stems, mp3, flac, moves_to) == (None,) * 5:
        project = session / f"{session.resolve().name}.dawproject"
    if project is not None:
        dawproject.write(take, project)
        with_stems = "" if take.stems else "; the whole as one sound, for there are no stems (session.stems = true)"
        yield f"{project}: {sum(map(len, take.notes.values()))} notes, {len(take.markers)} markers{with_stems}"
    if stems is not None:
        yield _copied(take, stems)
    if moves_to is not None:
        yield _moved(take, moves_to)
    for path, form, subtype in ((mp3, "MP3", "MPEG_LAYER_III"), (flac, "FLAC", "PCM_24")):
        if path is not None:
            _convert(session / "session.wav", path, form, subtype)
            yield f"{path}: {take.frames / take.rate_hz:.1f} s"


def _moved(take: Take, path: Path) -> str:
    """Write every move of a parameter as a table: where it was, in seconds and in beats, which, and what it became."""
    known = [name for name, _ in read_made(take.folder, []).parameters]
    part = path.with_name(path.name + ".part")
    count = 0
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("seconds", "beat", "parameter", "value", "word"))
            for move in moves(take.folder, known):
                beat = f"{take.beat_at(move.frame):.6f}"
                table.writerow((f"{move.frame / take.rate_hz:.6f}", beat, move.parameter, f"{move.value:.9g}", move.text))
                count += 1
        part.replace(path)
    except OSError as error:
        raise SessionError(f"{path}: cannot be written ({error.strerror}); give another file with --moves FILE") from error
    return f"{path}: {count} moves of parameters"


def _copied(take: Take, folder: Path) -> str:
    if not take.stems:
        raise SessionError(f"{take.folder}: has no stems; record them with session.stems = true, or render with --stems")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in take.stems.items():
            shutil.copyfile(path, folder / f"{name}.wav")
    except OSError as error:
        raise SessionError(f"{folder}: cannot be written ({error.strerror}); give another folder with --stems DIR") from error
    return f"{folder}: {', '.join(take.stems)}"


def _convert(source: Path, path: Path, form: str, subtype: str) -> None:
    """Write a sound file in another form. Raises SessionError."""
    part = path.with_name(path.name + ".part")
    try:
        with soundfile.SoundFile(str(source)) as sound:
            kind = {"samplerate": sound.samplerate, "channels": sound.channels, "format": form, "subtype": subtype}
            with soundfile.SoundFile(str(part), "w", **kind) as out:
                while len(block := sound.read(AT_ONCE, "float32")):
                    out.write(block)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # soundfile's own errors are RuntimeErrors
        part.unlink(missing_ok=True)
        raise SessionError(f"{path}: cannot be written ({error}); give another place") from error
