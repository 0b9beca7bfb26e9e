"""Reads folders, archives and single MIDI files into pieces; counts what it refuses, and why.

    algoritmo data PATH... [--png FILE] [--json FILE]

An archive (*.tar.xz, *.tar.gz, *.zip) in a folder is read where it lies. Whatever is read once is kept in a cache folder
that is safe to delete at any time. Runs without torch.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.network.contract import Track
from models.representation import BAND, STRUCK, Song, SongError, assign_roles, grid_fit, read_song, sections, to_roll, trim

SPLITS = ("train", "valid", "test")
MIDI = (".mid", ".midi", ".kar")
LARGEST_BYTES = 4_000_000  # a MIDI file of music is a hundred times smaller
READER = 3  # raise when the meaning of a roll changes: older caches are then left unread

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
    """A file found under a path, perhaps inside an archive."""

    name: str  # path inside its folder or archive
    data: bytes


def find_files(path: Path, suffixes: Sequence[str] = MIDI) -> Iterator[File]:
    """Yield the files under `path` (a file, a folder, or an archive), those in its archives included, sorted by name."""
    if path.is_file() and path.name.endswith((".tar.xz", ".tar.gz", ".tgz", ".zip")):
        yield from _in_archive(path, suffixes)
    elif path.is_file():
        yield File(path.name, path.read_bytes())
    elif path.is_dir():
        for child in sorted(p for p in path.rglob("*") if p.is_file()):
            if child.name.endswith((".tar.xz", ".tar.gz", ".tgz", ".zip")):
                yield from _in_archive(child, suffixes)
            elif child.name.lower().endswith(tuple(suffixes)):
                yield File(child.relative_to(path).as_posix(), child.read_bytes())
    else:
        raise FileNotFoundError(f"{path}: no such file or folder")


def _in_archive(path: Path, suffixes: Sequence[str]) -> Iterator[File]:
    found = []
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.lower().endswith(tuple(suffixes)):
                    found.append(File(entry.filename, archive.read(entry)))
    else:
        with tarfile.open(path) as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isfile() else None
                if stream is not None and member.name.lower().endswith(tuple(suffixes)):
                    found.append(File(member.name, stream.read()))
    yield from sorted(found, key=lambda f: f.name)


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of manifest.jsonl, manifest.csv or info.csv in `folder`, by the path each names."""
    rows: list[dict[str, Any]] = []
    lines = folder / "manifest.jsonl"
    if lines.is_file():
        rows = [json.loads(line) for line in lines.read_text().splitlines() if line.strip()]
    else:
        for name in ("manifest.csv", "info.csv"):
            if (folder / name).is_file():
                rows = list(csv.DictReader(io.StringIO((folder / name).read_text())))
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


def band_rolls(song: Song, tracks: Sequence[Track] = BAND, least_fit: float = 0.8, least_bars: int = 8) -> list[np.ndarray]:
    """Return the usable stretches of a song as rolls. Raises SongError with the reason where there is none."""
    roles = assign_roles(song.parts)
    if len({r for r in roles if r}) < 2:
        raise SongError("fewer than two roles")
    stretches = sections(song)
    if not stretches:
        raise SongError("odd metre")
    if grid_fit(song.parts, stretches[0][0]) < least_fit:
        raise SongError("off the grid")
    rolls = [trim(to_roll(song.parts, roles, start, end, tracks)) for start, end in stretches]
    rolls = [r for r in rolls if len(r) >= least_bars * 16]
    if not rolls:
        raise SongError("shorter than 8 bars")
    return rolls


def _row_of(name: str, manifest: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The manifest's row for a file: an archive may put one folder before the paths the manifest names."""
    return manifest.get(name) or manifest.get(name.partition("/")[2])


def read_band(paths: Sequence[Path], cache: Path | None = None, tracks: Sequence[Track] = BAND) -> Collection:
    """Read every MIDI file under `paths` into band rolls, with splits, counting refusals by reason.

    Raises FileNotFoundError for a path that is not there and ValueError where nothing under the paths can be used.
    """
    whole = Collection()
    for path in paths:
        part = _cached(path, cache, tracks) if cache else _read_one(path, tracks)
        whole.pieces += part.pieces
        whole.files += part.files
        whole.used += part.used
        whole.refused += part.refused
        whole.sources += part.sources
    if not whole.pieces:
        reasons = ", ".join(f"{n} {r}" for r, n in whole.refused.most_common()) or "there is no MIDI file"
        raise ValueError(f"{', '.join(map(str, paths))}: nothing to train on: {reasons}")
    return whole


def _read_one(path: Path, tracks: Sequence[Track]) -> Collection:
    folder = path if path.is_dir() else path.parent
    manifest = read_manifest(folder)
    out = Collection()
    licences = set()
    for file in find_files(path):
        out.files += 1
        row = _row_of(file.name, manifest)
        try:
            if len(file.data) > LARGEST_BYTES:
                raise SongError("larger than 4 MB")
            rolls = band_rolls(read_song(file.data), tracks)
        except SongError as error:
            out.refused[error.reason] += 1
            continue
        out.used += 1
        licences.add(str((row or {}).get("licence", "")))
        split = split_of(file.name, row)
        out.pieces += [Piece(f"{file.name}#{i}" if i else file.name, split, roll) for i, roll in enumerate(rolls)]
    named = ", ".join(sorted(licences - {""}))
    name = path.resolve().name
    out.sources = [{"name": name, "licence": named or LICENCES.get(name, "not stated")}]
    return out


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
            "pieces": [(p.name, p.split, len(p.roll)) for p in fresh.pieces],
        }
        partial = file.with_suffix(f".{os.getpid()}.partial.npz")
        np.savez_compressed(partial, roll=np.concatenate([p.roll for p in fresh.pieces]), about=json.dumps(about))
        os.replace(partial, file)
    return fresh


def _load(file: Path) -> Collection:
    with np.load(file) as stored:
        roll, about = stored["roll"], json.loads(str(stored["about"]))
    out = Collection([], about["files"], about["used"], Counter(about["refused"]), about["sources"])
    at = 0
    for name, split, steps in about["pieces"]:
        out.pieces.append(Piece(name, split, roll[at : at + steps]))
        at += steps
    return out


def track_figures(pieces: Sequence[Piece], tracks: Sequence[Track] = BAND) -> dict[str, dict[str, Any]]:
    """For each track: strikes per step, share of pieces without it, and how often each pitch is struck."""
    whole = np.concatenate([p.roll for p in pieces])
    found, at = {}, 0
    for track in tracks:
        where = slice(at, at := at + len(track.pitches))
        strikes = (whole[:, where] == STRUCK).sum(0)
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


def main(argv: list[str] | None = None) -> int:
    """Console entry: `algoritmo data PATH ...`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="algoritmo data", description="What a folder of MIDI would give for training.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="MIDI files, folders or archives")
    parser.add_argument("--png", type=Path, help="write histograms to this file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where read data is kept; safe to delete")
    args = parser.parse_args(argv)
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
