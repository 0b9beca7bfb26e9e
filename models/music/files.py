"""Finds music under a path: files by their names, in linked folders and in archives too.

Runs without torch.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from engine.midi.smf import SUFFIXES as MIDI
from models.music.representation import SongError

LEAD_SHEETS = (".mxl", ".musicxml", ".xml")  # tell of lead and chords alone
ARCHIVES = (".tar.xz", ".tar.gz", ".tgz", ".zip")
LARGEST_BYTES = 4_000_000  # a MIDI file of music is a hundred times smaller
_SCORES = (b"score-partwise", b"score-timewise", b"opus")  # what a MusicXML file calls itself

__all__ = ["ARCHIVES", "LARGEST_BYTES", "LEAD_SHEETS", "MIDI", "File", "find_files"]


@dataclass(slots=True, frozen=True)
class File:
    """A file found under a path, perhaps inside an archive; one too large to be music is never read."""

    name: str  # path inside its folder or archive
    data: bytes | None

    def content(self) -> bytes:
        """The file's bytes. Raises SongError where it is too large."""
        if self.data is None:
            raise SongError(f"larger than {LARGEST_BYTES // 1_000_000} MB")
        return self.data

    def is_called(self, *suffixes: str) -> bool:
        """Whether its name ends so, in whatever case."""
        return self.name.lower().endswith(suffixes)


def find_files(path: Path, suffixes: Sequence[str] = MIDI) -> Iterator[File]:
    """Yield the files under `path` (a file, a folder, or an archive), those in its archives included, sorted by name.

    Links to folders are followed, each folder once. Companion files of macOS (._name, __MACOSX) are no music, nor is XML that
    is no score. Raises FileNotFoundError.
    """
    if path.is_file() and path.name.lower().endswith(ARCHIVES):
        yield from _in_archive(path, suffixes)
    elif path.is_file():
        yield on_disk(path, path.name)
    elif path.is_dir():
        for child in sorted(files_below(path)):
            if child.name.lower().endswith(ARCHIVES):
                yield from _in_archive(child, suffixes)
            elif _is_wanted(child.name, suffixes):
                found = on_disk(child, child.relative_to(path).as_posix())
                if _is_score(found):
                    yield found
    else:
        raise FileNotFoundError(f"{path}: no such file or folder")


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and those below it; a link that leads back, or to what was seen, is not followed again."""
    seen: set[str] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()  # the same road every time
        yield from (p for name in names if (p := Path(here, name)).is_file())


def _is_wanted(name: str, suffixes: Sequence[str]) -> bool:
    parts = PurePosixPath(name).parts
    hidden = parts[-1].startswith("._") or "__MACOSX" in parts
    return not hidden and name.lower().endswith(tuple(suffixes))


def _is_score(file: File) -> bool:
    """Whether a file may be music by its beginning, where its name alone does not say so."""
    if not file.is_called(".xml") or file.data is None:
        return True
    begin = file.data[:4096].replace(b"\0", b"")  # UTF-16 has one beside each letter
    return any(name in begin for name in _SCORES)


def on_disk(path: Path, name: str) -> File:
    """Read a file under the name it is to have."""
    with path.open("rb") as stream:
        return _file(name, stream)


def _file(name: str, stream: IO[bytes]) -> File:
    data = stream.read(LARGEST_BYTES + 1)
    return File(name, data if len(data) <= LARGEST_BYTES else None)


def _in_archive(path: Path, suffixes: Sequence[str]) -> Iterator[File]:
    """The archive's files by name; of a broken archive those before the damage, then the archive itself as a file."""
    found: list[File] = []
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if _is_wanted(name, suffixes):
                        with archive.open(name) as stream:
                            found.append(_file(name, stream))
        else:
            with tarfile.open(path) as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.isfile() else None
                    if content is not None and _is_wanted(member.name, suffixes):
                        found.append(_file(member.name, content))
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError):
        found.append(File(path.name, b""))  # RuntimeError: it asks for a password
    yield from sorted((f for f in found if _is_score(f)), key=lambda f: f.name)
