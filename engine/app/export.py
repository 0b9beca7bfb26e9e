"""A recorded take for other programs: as a DAWproject, stem by stem, compressed.

Runs on: main process.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import soundfile

from engine.core.errors import SessionError
from engine.record import dawproject
from engine.record.take import Take, read

AT_ONCE = 1 << 18  # frames read at a time


def export(session: Path, project: Path | None, stems: Path | None, mp3: Path | None, flac: Path | None) -> Iterator[str]:
    """Write what is asked for; yield a line for each. Raises SessionError."""
    take = read(session)
    if project is None and stems is None and mp3 is None and flac is None:
        project = session / f"{session.resolve().name}.dawproject"
    if project is not None:
        dawproject.write(take, project)
        with_stems = "" if take.stems else "; the whole as one sound, for there are no stems (session.stems = true)"
        yield f"{project}: {sum(map(len, take.notes.values()))} notes, {len(take.chords)} chords{with_stems}"
    if stems is not None:
        yield _copied(take, stems)
    for path, form, subtype in ((mp3, "MP3", "MPEG_LAYER_III"), (flac, "FLAC", "PCM_24")):
        if path is not None:
            _convert(session / "session.wav", path, form, subtype)
            yield f"{path}: {take.frames / take.rate_hz:.1f} s"


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
