"""Reads folders, archives and single MIDI files into pieces; counts what it refuses, and why.

    algoritmo data PATH... [--png FILE] [--json FILE]

An archive (*.tar.xz, *.tar.gz, *.zip) in a folder is read where it lies. Whatever is read once is kept in a cache folder
that is safe to delete at any time. Runs without torch.

A file of drums alone is a piece of which only the drums are known, a lead sheet one of which melody and chords are. A
performance by hand is moved onto the grid by its mean offset, and what remains of each stroke's offset is kept beside
the roll.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import lzma
import os
import sys
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from engine.core.contract import Track
from models.music.musicxml import read_lead_sheet
from models.music.representation import (
    BAND,
    ONSET,
    UNKNOWN_OFFSET,
    Expression,
    Part,
    Song,
    SongError,
    assign_roles,
    grid_fit,
    quantise,
    read_song,
    sections,
    sounding_bars,
)

SPLITS = ("train", "valid", "test")
MIDI = (".mid", ".midi", ".kar")
LEAD_SHEETS = (".mxl", ".musicxml")  # tell of lead and chords alone
ARCHIVES = (".tar.xz", ".tar.gz", ".tgz", ".zip")
TABLES = ("manifest.jsonl", "manifest.csv", "info.csv")  # of splits and licences, beside the files or in their archive
LARGEST_BYTES = 4_000_000  # a MIDI file of music is a hundred times smaller
LEAST_LEVELS, LEAST_SPREAD = 4, 3.0  # different velocities, and their deviation, of a track that was played and not typed
READER = 6  # raise when the meaning of a roll changes: older caches are then left unread

# What the folders' own LICENSE.txt and SOURCE.md say, for the cards of networks trained on them.
LICENCES = {
    "ewld_mma_synth": "melodies MIT or public domain; grooves from a GPL-2.0 library",
    "groove_midi": "CC-BY-4.0",
    "hydrogen_patterns": "CC-BY-SA",
    "piano_midi_de": "CC-BY-SA-3.0-DE",
    "mutopia_piano": "public domain",
    "nottingham_jukedeck": "GPL-3.0",
    "openewld_leadsheets": "MIT; public-domain works",
    "mcgill_billboard": "CC0",
}


@dataclass(slots=True, frozen=True)
class Piece:
    """One stretch of one file."""

    name: str
    split: str
    roll: np.ndarray  # uint8 (steps, slots), see representation
    expression: Expression | None = None  # how its notes were struck, where that was read
    unknown: tuple[str, ...] = ()  # tracks of which the file tells nothing: they may play or not


@dataclass(slots=True)
class Collection:
    """What a set of paths gave."""

    pieces: list[Piece] = field(default_factory=list)
    files: int = 0
    used: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    sources: list[dict[str, str]] = field(default_factory=list)  # name and licence of each, for a card

    def split(self, name: str) -> list[Piece]:
        """Pieces of one split."""
        return [p for p in self.pieces if p.split == name]

    def facts(self) -> dict[str, Any]:
        """Counts, for a card or a table."""
        return {
            "sources": self.sources,
            "files": self.files,
            "used": self.used,
            "refused": dict(self.refused.most_common()),
            "pieces": {s: len(self.split(s)) for s in SPLITS},
            "steps": {s: sum(len(p.roll) for p in self.split(s)) for s in SPLITS},
        }


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


def find_files(path: Path, suffixes: Sequence[str] = MIDI) -> Iterator[File]:
    """Yield the files under `path` (a file, a folder, or an archive), those in its archives included, sorted by name."""
    if path.is_file() and path.name.endswith(ARCHIVES):
        yield from _in_archive(path, suffixes)
    elif path.is_file():
        yield _on_disk(path, path.name)
    elif path.is_dir():
        for child in sorted(p for p in path.rglob("*") if p.is_file()):
            if child.name.endswith(ARCHIVES):
                yield from _in_archive(child, suffixes)
            elif child.name.lower().endswith(tuple(suffixes)):
                yield _on_disk(child, child.relative_to(path).as_posix())
    else:
        raise FileNotFoundError(f"{path}: no such file or folder")


def _on_disk(path: Path, name: str) -> File:
    with path.open("rb") as stream:
        return _file(name, stream)


def _file(name: str, stream: IO[bytes]) -> File:
    data = stream.read(LARGEST_BYTES + 1)
    return File(name, data if len(data) <= LARGEST_BYTES else None)


def _in_archive(path: Path, suffixes: Sequence[str]) -> Iterator[File]:
    """The archive's files by name; of a broken archive those before the damage, then the archive itself as a file."""
    found: list[File] = []
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.lower().endswith(tuple(suffixes)):
                        with archive.open(name) as stream:
                            found.append(_file(name, stream))
        else:
            with tarfile.open(path) as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.isfile() else None
                    if content is not None and member.name.lower().endswith(tuple(suffixes)):
                        found.append(_file(member.name, content))
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError):
        found.append(File(path.name, b""))
    yield from sorted(found, key=lambda f: f.name)


def read_tables(files: Iterable[File]) -> dict[str, dict[str, Any]]:
    """Return the rows of the tables among `files`, by the path each names."""
    rows: list[dict[str, Any]] = []
    for file in files:
        text = file.content().decode("utf-8", "replace")
        if file.name.endswith(".jsonl"):
            rows += [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            rows += csv.DictReader(io.StringIO(text))
    keys = ("path", "file", "midi_filename", "filename")
    return {str(row[k]): row for row in rows for k in keys if k in row}


def split_of(name: str, row: dict[str, Any] | None) -> str:
    """The manifest's split where it gives one, else by a hash of the song's name: 8 % valid, 4 % test."""
    given = str((row or {}).get("split", "")).replace("validation", "valid")
    if given in SPLITS:
        return given
    # Versions of one song (title__groove.mid) stay on one side.
    song = Path(name).stem.split("__")[0].lower()
    bucket = int.from_bytes(hashlib.sha256(song.encode()).digest()[:4], "big") % 25
    return "valid" if bucket < 2 else "test" if bucket == 2 else "train"


Stretch = tuple[np.ndarray, Expression]


def band_stretches(song: Song, tracks: Sequence[Track] = BAND, least_fit: float = 0.8, least_bars: int = 8) -> list[Stretch]:
    """Return the usable stretches of a song, rolls with their expression. Raises SongError where there is none."""
    roles = assign_roles(song.parts)
    if {r for r in roles if r} == {"drums"}:
        return drum_stretches(song, tracks)
    if len({r for r in roles if r}) < 2:
        raise SongError("fewer than two roles")
    stretches = _metre_of_four(song)
    if grid_fit(song.parts, stretches[0][0]) < least_fit:
        raise SongError("off the grid")
    found = [_stretch(song.parts, roles, start, end, tracks, performed=False) for start, end in stretches]
    found = [f for f in found if len(f[0]) >= least_bars * 16]
    if not found:
        raise SongError("shorter than 8 bars")
    return found


def drum_stretches(song: Song, tracks: Sequence[Track] = BAND, least_fit: float = 0.7) -> list[Stretch]:
    """The same for drums alone, played by hand or by a machine, from one bar on.

    A drummer who is early throughout is on the beat: his mean offset is taken away. He may stray farther than a
    sequencer, but not so far that triplets would fit him better.
    """
    begin, end = _metre_of_four(song)[0]
    end += 0.25 * (end == song.end)  # the last stroke may be short
    onsets = np.concatenate([p.start for p in song.parts]) * 4
    shift = float(np.angle(np.exp(2j * np.pi * onsets).mean())) / (2 * np.pi) / 4  # quarters
    parts = [_shifted(p, -shift) for p in song.parts]
    straight, triplet = (grid_fit(parts, begin, per_beat) for per_beat in (4, 6))
    if straight < least_fit or triplet > straight:
        raise SongError("off the grid")
    performed = bool(np.mean(np.abs(onsets - np.round(onsets)) > 0.02) > 0.5)
    found = _stretch(parts, ["drums" if p.drum else None for p in parts], begin, end, tracks, performed)
    if not found[0].any():
        raise SongError("no drum the network has")
    return [found]


def _metre_of_four(song: Song) -> list[tuple[float, float]]:
    stretches = sections(song)
    if not stretches:
        raise SongError("odd metre")
    return stretches


def _shifted(part: Part, quarters: float) -> Part:
    return replace(part, start=part.start + quarters, end=part.end + quarters)


def _stretch(
    parts: Sequence[Part], roles: Sequence[str | None], start: float, end: float, tracks: Sequence[Track], performed: bool
) -> Stretch:
    """Whole bars of a roll with its expression, which is unknown where a track is always as loud or a machine timed it."""
    roll, expression = quantise(parts, roles, start, end, tracks)
    first, last = sounding_bars(roll)
    rest = ((0, max(0, last - len(roll))), (0, 0))  # the last bar is whole
    roll = np.pad(roll, rest)[first:last]
    offset = np.pad(expression.offset, rest, constant_values=UNKNOWN_OFFSET)
    expression = Expression(np.pad(expression.velocity, rest), offset)[first:last]
    at = 0
    for track in tracks:
        own = expression.velocity[:, at : (at := at + len(track.pitches))]
        struck = own[own > 0]
        if len(np.unique(struck)) < LEAST_LEVELS or struck.std() < LEAST_SPREAD:
            own[:] = 0
    if not performed:
        expression.offset[:] = UNKNOWN_OFFSET
    return roll, expression


def _row_of(name: str, manifest: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The manifest's row for a file: an archive may put one folder before the paths the manifest names."""
    return manifest.get(name) or manifest.get(name.partition("/")[2])


def read_band(paths: Sequence[Path], cache: Path | None = None, tracks: Sequence[Track] = BAND) -> Collection:
    """Read every MIDI file and lead sheet under `paths` into band rolls, with splits, counting refusals by reason.

    Raises FileNotFoundError for a path that is not there and ValueError where nothing under the paths can be used.
    """
    return joined(paths, [_cached(path, cache, tracks) if cache else _read_one(path, tracks) for path in paths])


def joined(paths: Sequence[Path], parts: Iterable[Collection]) -> Collection:
    """What several paths gave, as one. Raises ValueError where that is nothing."""
    whole = Collection()
    for part in parts:
        whole.pieces += part.pieces
        whole.files += part.files
        whole.used += part.used
        whole.refused += part.refused
        whole.sources += part.sources
    if not whole.pieces:
        reasons = ", ".join(f"{n} {r}" for r, n in whole.refused.most_common()) or "there is no MIDI file and no lead sheet"
        raise ValueError(f"{', '.join(map(str, paths))}: nothing to train on: {reasons}")
    return whole


# What is made of one file: roll, expression where it is read, and the tracks of which the file tells nothing.
Convert = Callable[[File], list[tuple[np.ndarray, Expression | None, tuple[str, ...]]]]


def read_files(path: Path, convert: Convert, suffixes: Sequence[str] = MIDI) -> Collection:
    """Convert every file under a path, with split and licence as its table says; what SongError refuses is counted."""
    files = list(find_files(path, (*suffixes, *TABLES)))
    if path.is_file():
        files += [_on_disk(path.parent / t, t) for t in TABLES if (path.parent / t).is_file()]
    manifest = read_tables(f for f in files if f.name.endswith(TABLES))
    out = Collection()
    licences = set()
    for file in (f for f in files if not f.name.endswith(TABLES)):
        out.files += 1
        row = _row_of(file.name, manifest)
        try:
            stretches = convert(file)
        except SongError as error:
            out.refused[error.reason] += 1
            continue
        out.used += 1
        licences.add(str((row or {}).get("licence", "")))
        split = split_of(file.name, row)
        out.pieces += [Piece(f"{file.name}#{i}" if i else file.name, split, *found) for i, found in enumerate(stretches)]
    named = ", ".join(sorted(licences - {""}))
    name = path.resolve().name
    out.sources = [{"name": name, "licence": named or LICENCES.get(name, "not stated")}]
    return out


def _read_one(path: Path, tracks: Sequence[Track]) -> Collection:
    def convert(file: File) -> list[tuple[np.ndarray, Expression | None, tuple[str, ...]]]:
        sheet = file.name.lower().endswith(LEAD_SHEETS)
        song = (read_lead_sheet if sheet else read_song)(file.content())
        return [(roll, expression, unknown_tracks(roll, tracks, sheet)) for roll, expression in band_stretches(song, tracks)]

    return read_files(path, convert, (*MIDI, *LEAD_SHEETS))


def unknown_tracks(roll: np.ndarray, tracks: Sequence[Track], sheet: bool = False) -> tuple[str, ...]:
    """Drums alone and lead sheets say nothing of the other tracks; a band says of a track that is not there: it is silent."""
    at, sounding = 0, set()
    for track in tracks:
        if roll[:, at : (at := at + len(track.pitches))].any():
            sounding.add(track.name)
    alone = sheet or sounding == {t.name for t in tracks if t.kind == "drums"}
    return tuple(t.name for t in tracks if t.name not in sounding) if alone else ()


def _cache_key(path: Path, tracks: Sequence[Track]) -> str:
    """Changes whenever a file under `path`, the reader or the tracks do."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    seen = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    text = json.dumps([READER, [t.model_dump() for t in tracks], seen])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _cached(path: Path, cache: Path, tracks: Sequence[Track]) -> Collection:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    file = cache / f"band-{_cache_key(path.resolve(), tracks)}.npz"
    if file.is_file():
        return _load(file)
    fresh = _read_one(path, tracks)
    if fresh.pieces:
        cache.mkdir(parents=True, exist_ok=True)
        about = {
            "files": fresh.files,
            "used": fresh.used,
            "refused": dict(fresh.refused),
            "sources": fresh.sources,
            "pieces": [(p.name, p.split, len(p.roll), p.unknown) for p in fresh.pieces],
        }
        expressions = [p.expression for p in fresh.pieces if p.expression is not None]
        partial = file.with_suffix(f".{os.getpid()}.partial.npz")
        np.savez_compressed(
            partial,
            roll=np.concatenate([p.roll for p in fresh.pieces]),
            velocity=np.concatenate([t.velocity for t in expressions]),
            offset=np.concatenate([t.offset for t in expressions]),
            about=json.dumps(about),
        )
        os.replace(partial, file)
    return fresh


def _load(file: Path) -> Collection:
    with np.load(file) as stored:
        roll, expression = stored["roll"], Expression(stored["velocity"], stored["offset"])
        about = json.loads(str(stored["about"]))
    out = Collection([], about["files"], about["used"], Counter(about["refused"]), about["sources"])
    at = 0
    for name, split, steps, unknown in about["pieces"]:
        own = slice(at, at := at + steps)
        out.pieces.append(Piece(name, split, roll[own], expression[own], tuple(unknown)))
    return out


def track_figures(pieces: Sequence[Piece], tracks: Sequence[Track] = BAND) -> dict[str, dict[str, Any]]:
    """For each track: strikes per step, share of pieces without it, and how often each pitch is struck."""
    whole = np.concatenate([p.roll for p in pieces])
    found, at = {}, 0
    for track in tracks:
        where = slice(at, at := at + len(track.pitches))
        strikes = (whole[:, where] == ONSET).sum(0)
        found[track.name] = {
            "strikes_per_step": float(strikes.sum() / len(whole)),
            "absent": float(np.mean([not p.roll[:, where].any() for p in pieces])),
            "pitches": dict(zip(map(str, track.pitches), strikes.tolist(), strict=True)),
        }
    return found


def write_histograms(figures: dict[str, dict[str, Any]], pieces: Sequence[Piece], path: Path) -> None:
    """Write a PNG: strikes of each pitch by track, and the lengths of the pieces in bars."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ground, ink = "#0b0c0e", "#d8dade"
    colours = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7")
    figure, axes = pyplot.subplots(2, 3, figsize=(12, 6), facecolor=ground, layout="constrained")
    for cell in axes.flat:
        cell.set_facecolor(ground)
        cell.tick_params(colors=ink)
    for cell, (name, track), colour in zip(axes.flat, figures.items(), colours, strict=False):
        cell.bar(range(len(track["pitches"])), track["pitches"].values(), color=colour)
        ticks = range(0, len(track["pitches"]), 1 if len(track["pitches"]) <= 12 else 12)
        cell.set_xticks(ticks, [list(track["pitches"])[i] for i in ticks])
        cell.set_title(f"{name}: {track['strikes_per_step']:.2f} a step", color=ink)
    axes.flat[-1].hist([len(p.roll) / 16 for p in pieces], bins=30, color=ink)
    axes.flat[-1].set_title("bars of a piece", color=ink)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="algoritmo data", description="What a folder of MIDI would give for training.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="MIDI files, folders or archives")
    parser.add_argument("--png", type=Path, help="write histograms to this file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where read data is kept; safe to delete")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Console entry: `algoritmo data PATH ...`; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        found = read_band(args.paths, args.cache)
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    facts, figures = found.facts(), track_figures(found.pieces)
    print(f"{facts['used']} of {facts['files']} files can be used")
    for reason, count in facts["refused"].items():
        print(f"  {count:5} refused: {reason}")
    for split in SPLITS:
        print(f"  {split:6} {facts['pieces'][split]:5} pieces, {facts['steps'][split]:8} steps of a 16th")
    for name, track in figures.items():
        print(f"  {name:6} {track['strikes_per_step']:.3f} strikes a step, absent from {track['absent']:.0%} of the pieces")
    if args.png:
        write_histograms(figures, found.pieces, args.png)
    if args.json:
        args.json.write_text(json.dumps({**facts, "tracks": figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
