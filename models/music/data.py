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
import os
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.contract import Track
from engine.midi.song import metre_name
from models.music.files import LARGEST_BYTES, LEAD_SHEETS, MIDI, File, files_below, find_files, on_disk
from models.music.grid import FOUR, GRIDS, STEPS_PER_QUARTER, Grid, swung
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
    counts_as,
    grid_fit,
    grid_of_song,
    quantise,
    read_song,
    sections,
    sounding_bars,
    stretches,
)

__all__ = ["LARGEST_BYTES", "File", "find_files"]  # of files, for those who read them here
SPLITS = ("train", "valid", "test")
TABLES = ("manifest.jsonl", "manifest.csv", "info.csv")  # of splits and licences, beside the files or in their archive
LEAST_LEVELS, LEAST_SPREAD = 4, 3.0  # different velocities, and their deviation, of a track that was played and not typed
READER = 8  # raise when the meaning of a roll changes: older caches are then left unread

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
    chords: np.ndarray | None = None  # what it plays at each beat, by models/music/sounding_chords.py, where that was asked
    metre: Grid = FOUR  # its roll begins with a bar


@dataclass(slots=True)
class Collection:
    """What a set of paths gave."""

    pieces: list[Piece] = field(default_factory=list)
    files: int = 0
    used: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    sources: list[dict[str, str]] = field(default_factory=list)  # name and licence of each, for a card
    refusals: dict[str, str] = field(default_factory=dict)  # by file: the reason, in full
    lost: dict[str, list[str]] = field(default_factory=dict)  # by file that was used: what of it was mended or left out

    def refuse(self, name: str, error: SongError) -> None:
        """Count a file that cannot be used, and keep why."""
        self.refused[error.reason] += 1
        self.refusals[name] = str(error)

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
            "refused_files": self.refusals,
            "lost": self.lost,
            "pieces": {s: len(self.split(s)) for s in SPLITS},
            "steps": {s: sum(len(p.roll) for p in self.split(s)) for s in SPLITS},
            "metres": {
                g.name: {s: sum(p.metre == g for p in self.split(s)) for s in SPLITS}
                for g in GRIDS
                if any(p.metre == g for p in self.pieces)
            },
        }


# What a damaged file makes a reader raise that did not foresee it.
DAMAGED = (ArithmeticError, EOFError, LookupError, TypeError, ValueError, MemoryError)


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
# Roll, expression where it is read, the tracks of which the file tells nothing, and the metre.
Converted = tuple[np.ndarray, Expression | None, tuple[str, ...], Grid]
# What is made of one file; what of it was mended or left out is added to the list.
Convert = Callable[[File, list[str]], list[Converted]]


def metres_of(song: Song) -> str:
    """The metres of a song as a person reads them."""
    return ", ".join(dict.fromkeys(metre_name(metre) for metre in song.metres))


def left_out(song: Song, least_bars: int = 0, grid: Grid = FOUR) -> list[str]:
    """What of a song is in no stretch: bars of another metre, and stretches that are too short."""
    gone = [
        f"{round((end - start) * metre[1] / metre[0] / 4)} bars of {metre_name((start, *metre))} left out"
        for start, end, metre in stretches(song)
        if not counts_as(metre, grid) and end - start > song.pickup
    ]
    bar = grid.bar / STEPS_PER_QUARTER
    short = [(a, b) for a, b in sections(song, grid) if b - a < bar * least_bars]
    return gone + [f"a stretch of {round((b - a) / bar)} bars left out" for a, b in short]


def band_stretches(
    song: Song, tracks: Sequence[Track] = BAND, least_fit: float = 0.8, least_bars: int = 8
) -> tuple[Grid, list[Stretch]]:
    """Return the metre of a song and its usable stretches in it, rolls with their expression.

    What lies off the sixteenths and on a beat's sixths instead, swings: it is read in beats of six steps. Raises SongError
    where there is nothing to use.
    """
    roles = assign_roles(song.parts)
    if {r for r in roles if r} == {"drums"}:
        return drum_stretches(song, tracks)
    if len({r for r in roles if r}) < 2:
        raise SongError("fewer than two roles")
    grid, spans = _metre_of(song)
    per_quarter = STEPS_PER_QUARTER
    if grid_fit(song.parts, spans[0][0]) < least_fit:
        if not _can_swing(grid) or grid_fit(song.parts, spans[0][0], 6) < least_fit:
            raise SongError("off the grid")
        grid, per_quarter = swung(grid), 6
    found = [_stretch(song.parts, roles, span, tracks, grid, per_quarter, performed=False) for span in spans]
    found = [f for f in found if len(f[0]) >= least_bars * grid.bar]
    if not found:
        raise SongError("shorter than 8 bars")
    return grid, found


def drum_stretches(song: Song, tracks: Sequence[Track] = BAND, least_fit: float = 0.7) -> tuple[Grid, list[Stretch]]:
    """The same for drums alone, played by hand or by a machine, from one bar on.

    A drummer who is early throughout is on the beat: his mean offset is taken away. He may stray farther than a sequencer.
    """
    grid, spans = _metre_of(song)
    begin, end = spans[0]
    end += 0.25 * (end == song.end)  # the last stroke may be short
    fits = [_on_beat(song.parts, begin, per_quarter) for per_quarter in (STEPS_PER_QUARTER, 6)]
    best = int(fits[1][0] > fits[0][0])
    fit, parts, performed = fits[best]
    if fit < least_fit or (best and not _can_swing(grid)):
        raise SongError("off the grid")
    grid, per_quarter = (swung(grid), 6) if best else (grid, STEPS_PER_QUARTER)
    roles = ["drums" if p.drum else None for p in parts]
    found = _stretch(parts, roles, (begin, end), tracks, grid, per_quarter, performed)
    if not found[0].any():
        raise SongError("no drum the network has")
    return grid, [found]


def _on_beat(parts: Sequence[Part], begin: float, per_quarter: int) -> tuple[float, list[Part], bool]:
    """How well a drummer fits so many steps to a quarter without his mean offset, he without it, and whether it was by hand."""
    onsets = np.concatenate([p.start for p in parts]) * per_quarter
    shift = float(np.angle(np.exp(2j * np.pi * onsets).mean())) / (2 * np.pi) / per_quarter  # quarters
    moved = [_shifted(p, -shift) for p in parts]
    performed = bool(np.mean(np.abs(onsets - np.round(onsets)) > 0.02) > 0.5)
    return grid_fit(moved, begin, per_quarter), moved, performed


def _metre_of(song: Song) -> tuple[Grid, list[tuple[float, float]]]:
    grid = grid_of_song(song)
    if grid is None:
        raise SongError("odd metre", metres_of(song))
    return grid, sections(song, grid)


def _can_swing(grid: Grid) -> bool:
    return grid.steps == STEPS_PER_QUARTER and swung(grid) in GRIDS


def _shifted(part: Part, quarters: float) -> Part:
    return replace(part, start=part.start + quarters, end=part.end + quarters)


def _stretch(
    parts: Sequence[Part],
    roles: Sequence[str | None],
    span: tuple[float, float],
    tracks: Sequence[Track],
    grid: Grid,
    per_quarter: int,
    performed: bool,
) -> Stretch:
    """Whole bars of a roll with its expression, which is unknown where a track is always as loud or a machine timed it."""
    roll, expression = quantise(parts, roles, *span, tracks, per_quarter)
    first, last = sounding_bars(roll, grid.bar)
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
        whole.refusals |= part.refusals
        whole.lost |= part.lost
    if not whole.pieces:
        reasons = ", ".join(f"{n} {r}" for r, n in whole.refused.most_common()) or "there is no MIDI file and no lead sheet"
        listed = "".join(f"\n  {line}" for line in shortened(whole.refusals))
        raise ValueError(f"{', '.join(map(str, paths))}: nothing in it can be used: {reasons}{listed}")
    return whole


def shortened(refusals: Mapping[str, object], most: int = 10) -> list[str]:
    """A line for each file and why it is refused, the first `most` of them."""
    lines = [f"{name}: {why}" for name, why in list(refusals.items())[:most]]
    rest = len(refusals) - len(lines)
    return [*lines, f"and {rest} more"] if rest else lines


def read_files(path: Path, convert: Convert, suffixes: Sequence[str] = MIDI) -> Collection:
    """Convert every file under a path, with split and licence as its table says; what SongError refuses is counted."""
    files = list(find_files(path, (*suffixes, *TABLES)))
    if path.is_file():
        files += [on_disk(path.parent / t, t) for t in TABLES if (path.parent / t).is_file()]
    out = Collection()
    manifest: dict[str, dict[str, Any]] = {}
    for table in (f for f in files if f.name.endswith(TABLES)):
        try:
            manifest |= read_tables([table])
        except (SongError, *DAMAGED) as error:
            out.refuse(str(path / table.name), SongError("a table that cannot be read", str(error)))
    licences = set()
    for file in (f for f in files if not f.name.endswith(TABLES)):
        out.files += 1
        row = _row_of(file.name, manifest)
        named, lost = str(path if path.name == file.name else path / file.name), list[str]()
        try:
            found = convert(file, lost)
        except SongError as error:
            out.refuse(named, error)
            continue
        except DAMAGED as error:  # a file that no reader foresaw costs itself and no other
            out.refuse(named, SongError("unreadable", f"{type(error).__name__}: {error}"))
            continue
        out.used += 1
        if lost:
            out.lost[named] = lost
        licences.add(str((row or {}).get("licence", "")))
        split = split_of(file.name, row)
        for i, (roll, expression, unknown, metre) in enumerate(found):
            name = f"{file.name}#{i}" if i else file.name
            out.pieces.append(Piece(name, split, roll, expression, unknown, metre=metre))
    licence = ", ".join(sorted(licences - {""}))
    name = path.resolve().name
    out.sources = [{"name": name, "licence": licence or LICENCES.get(name, "not stated")}]
    return out


def _read_one(path: Path, tracks: Sequence[Track]) -> Collection:
    def convert(file: File, lost: list[str]) -> list[Converted]:
        sheet = file.is_called(*LEAD_SHEETS)
        song = (read_lead_sheet if sheet else read_song)(file.content())
        grid, found = band_stretches(song, tracks)
        plain = grid_of_song(song) or grid  # as it is written
        lost += [*song.remarks, *left_out(song, 8 if len(found) < len(sections(song, plain)) else 0, plain)]
        return [(roll, expression, unknown_tracks(roll, tracks, sheet), grid) for roll, expression in found]

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
    files = sorted(files_below(path)) if path.is_dir() else [path]
    seen = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    text = json.dumps([READER, [t.model_dump() for t in tracks], seen])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _cached(path: Path, cache: Path, tracks: Sequence[Track]) -> Collection:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    file = cache / f"band-{_cache_key(path.resolve(), tracks)}.npz"
    try:
        return _load(file)
    except (OSError, zipfile.BadZipFile, zlib.error, *DAMAGED):
        fresh = _read_one(path, tracks)  # there is none, or it is damaged: it is written anew
    if fresh.pieces:
        try:
            _store(fresh, file)
        except OSError as error:
            raise ValueError(
                f"--cache {cache}: cannot be written ({error.strerror}); give another folder with --cache"
            ) from error
    return fresh


def _store(fresh: Collection, file: Path) -> None:
    """Write what was read, in one go. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "files": fresh.files,
        "used": fresh.used,
        "refused": dict(fresh.refused),
        "sources": fresh.sources,
        "refusals": fresh.refusals,
        "lost": fresh.lost,
        "pieces": [(p.name, p.split, len(p.roll), p.unknown, p.metre) for p in fresh.pieces],
    }
    expressions = [p.expression for p in fresh.pieces if p.expression is not None]
    partial = file.with_suffix(f".{os.getpid()}.partial.npz")
    try:
        np.savez_compressed(
            partial,
            roll=np.concatenate([p.roll for p in fresh.pieces]),
            velocity=np.concatenate([t.velocity for t in expressions]),
            offset=np.concatenate([t.offset for t in expressions]),
            about=json.dumps(about),
        )
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _load(file: Path) -> Collection:
    with np.load(file) as stored:
        roll, expression = stored["roll"], Expression(stored["velocity"], stored["offset"])
        about = json.loads(str(stored["about"]))
    facts = (about["files"], about["used"], Counter(about["refused"]), about["sources"], about["refusals"], about["lost"])
    out = Collection([], *facts)
    at = 0
    for name, split, steps, unknown, metre in about["pieces"]:
        own = slice(at, at := at + steps)
        out.pieces.append(Piece(name, split, roll[own], expression[own], tuple(unknown), metre=Grid(*metre)))
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
    axes.flat[-1].hist([len(p.roll) / p.metre.bar for p in pieces], bins=30, color=ink)
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


def told(facts: Mapping[str, Any]) -> list[str]:
    """Lines for the screen: which files are refused and why, and what of the others was left out."""
    refused = {f"refused {name}": why for name, why in facts.get("refused_files", {}).items()}
    lines = [f"  {line}" for line in shortened(refused)]
    lost = {name: "; ".join(found) for name, found in facts.get("lost", {}).items()}
    return lines + [f"  {line}" for line in shortened(lost)]


def metres_told(facts: Mapping[str, Any]) -> list[str]:
    """Lines for the screen: how many pieces there are in each metre."""
    counted = facts.get("metres", {}).items()
    return [f"  in {name:5} " + ", ".join(f"{count} {split}" for split, count in counts.items()) for name, counts in counted]


def check_output(option: str, path: Path | None) -> None:
    """Find out now, not after all the work, whether a file can be written. Raises ValueError with what to do."""
    if path is None:
        return
    was_there = path.exists()
    try:
        with path.open("ab"):
            pass
        if not was_there:
            path.unlink()
    except OSError as error:
        raise ValueError(
            f"{option} {path}: cannot be written ({error.strerror}); give a file in a folder you may write"
        ) from error


def main(argv: list[str] | None = None) -> int:
    """Console entry: `algoritmo data PATH ...`; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        check_output("--png", args.png)
        check_output("--json", args.json)
        found = read_band(args.paths, args.cache)
        facts, figures = found.facts(), track_figures(found.pieces)
        if args.png:
            write_histograms(figures, found.pieces, args.png)
        if args.json:
            args.json.write_text(json.dumps({**facts, "tracks": figures}, indent=1) + "\n")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{facts['used']} of {facts['files']} files can be used")
    for reason, count in facts["refused"].items():
        print(f"  {count:5} refused: {reason}")
    for line in told(facts):
        print(line)
    for split in SPLITS:
        print(f"  {split:6} {facts['pieces'][split]:5} pieces, {facts['steps'][split]:8} steps of a 16th")
    for line in metres_told(facts):
        print(line)
    for name, track in figures.items():
        print(f"  {name:6} {track['strikes_per_step']:.3f} strikes a step, absent from {track['absent']:.0%} of the pieces")
    return 0


if __name__ == "__main__":
    sys.exit(main())
