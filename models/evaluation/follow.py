"""Measures how well a band follows a player: his chords at the downbeat and after, his melody, a change of key, his loudness.

What is measured is what was heard: notes with the times they sounded at, the player's and the band's. Every figure is a share
of a count, so that takes add up. Runs without torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from engine.midi.ranges import fold
from models.music.sounding_chords import CLASSES

Array = np.ndarray
Band = Mapping[str, Array]  # by track: notes (n, 4): start and end in beats from the first downbeat, pitch, velocity
BEATS = 4  # in a bar
STEPS = 4  # in a beat, at which the melody is looked for in the band
START, END, PITCH, VELOCITY = range(4)

KICKS = (35, 36)
NEAR = 0.25  # beats about the downbeat in which a bass note belongs to it
EARLY = 0.1  # beats by which a note may come before its bar
AFTER_S = 0.15  # seconds after the downbeat at which it is looked what sounds
PITCHED = ("bass", "chords", "pad", "lead")
HARMONY = ("bass", "chords", "pad")  # in which a melody's notes are looked for
BARS_AFTER = 4  # bars after the move that are told one by one; as many before it are what they are compared with

# Figure, what it is the share of, and in words.
FIGURES = {
    "bass_root": "bass begins on the new root",
    "beat1_new": "sounding 150 ms after the downbeat: in the new chord",
    "beat1_old": "... in the old chord only",
    "bar_new": "notes of the whole bar in the chord",
    "no_kick": "bars without a kick",
    "no_bass": "bars without a bass note",
    "melody": "the melody's pitch class sounds in the band",
}


@dataclass(frozen=True, slots=True)
class Take:
    """What a player plays, and the chords that it goes over."""

    name: str
    track: str  # of the network that is his
    player: Array  # notes (n, 4)
    classes: Array  # of CLASSES at each beat from the first downbeat, int64 (beats,); 0 where there is no chord
    first_bar: int = 0  # that is measured
    tempo_bpm: float = 112.0
    own: Band = field(default_factory=dict)  # the band that the music came with; nothing where it came with none
    moved_bar: int | None = None  # from which on all is six semitones higher

    @property
    def bars(self) -> int:
        """Whole bars of it."""
        return len(self.classes) // BEATS

    def moved(self, semitones: int = 6) -> Take:
        """The same, moved up from the middle on; what would leave a keyboard's middle is folded back by octaves."""
        bar = self.bars // 2
        beat = bar * BEATS
        player = self.player.copy()
        late = player[:, START] >= beat - EARLY
        reach = tuple(range(48, 96))
        player[late, PITCH] = [fold(round(p) + semitones, reach) for p in player[late, PITCH]]
        classes = self.classes.copy()
        classes[beat:] = CLASSES.moved(classes[beat:], semitones)
        return replace(self, player=player, classes=classes, moved_bar=bar, own={})


def count(take: Take, band: Band) -> Counter[str]:
    """Every figure's `<name>` and `<name>_of`, of one band over one take."""
    found: Counter[str] = Counter()
    band = {track: notes for track, notes in band.items() if track != take.track}
    for bar in range(take.first_bar, take.bars):
        _count_bar(take, band, bar, found)
    for bar in range(take.first_bar, take.bars):
        inside, steps = melody(take, band, bar)
        found["melody"] += inside
        found["melody_of"] += steps
    return found


def _count_bar(take: Take, band: Band, bar: int, found: Counter[str]) -> None:
    begin = bar * BEATS
    new, old = take.classes[begin], take.classes[begin - 1] if begin else 0
    bass = band.get("bass", np.zeros((0, 4)))
    within = [_between(band.get(track, bass[:0]), begin - EARLY, begin + BEATS - EARLY) for track in ("drums", "bass")]
    for name, there in (("no_kick", np.isin(within[0][:, PITCH], KICKS).any()), ("no_bass", len(within[1]) > 0)):
        found[name] += not there
        found[f"{name}_of"] += 1
    if new and new != old:
        _count_downbeat(take, band, begin, found)
    tones = CLASSES.tones() > 0
    for track in PITCHED:
        for note in _between(band.get(track, bass[:0]), begin - EARLY, begin + BEATS - EARLY):
            chord = take.classes[min(int(max(note[START] + EARLY, 0)), len(take.classes) - 1)]
            if chord:
                found["bar_new"] += bool(tones[chord, round(note[PITCH]) % 12])
                found["bar_new_of"] += 1


def _count_downbeat(take: Take, band: Band, begin: int, found: Counter[str]) -> None:
    new, old = take.classes[begin], take.classes[begin - 1] if begin else 0
    tones, root = CLASSES.tones() > 0, (new - 1) % 12
    bass = band.get("bass", np.zeros((0, 4)))
    struck = _between(bass, begin - NEAR, begin + NEAR)
    if len(struck):
        found["bass_root"] += round(struck[:, PITCH].min()) % 12 == root
        found["bass_root_of"] += 1
    at = begin + AFTER_S * take.tempo_bpm / 60
    for track in PITCHED:
        notes = band.get(track, bass[:0])
        for pitch in notes[(notes[:, START] <= at) & (notes[:, END] > at), PITCH].round().astype(int) % 12:
            found["beat1_new"] += bool(tones[new, pitch])
            found["beat1_old"] += bool(tones[old, pitch] and not tones[new, pitch])
            found["beat1_new_of"] += 1
            found["beat1_old_of"] += 1


def melody(take: Take, band: Band, bar: int) -> tuple[int, int]:
    """Of the pitch classes that the player sounds, step by step in a bar, those that sound in the band too; and how many."""
    inside = heard = 0
    notes = np.concatenate([band.get(track, np.zeros((0, 4))) for track in HARMONY if track != take.track])
    for step in range(BEATS * STEPS):
        at = bar * BEATS + (step + 0.5) / STEPS
        his = {round(p) % 12 for p in _sounding(take.player, at)}
        heard += len(his)
        inside += len(his & {round(p) % 12 for p in _sounding(notes, at)})
    return inside, heard


def loudness(take: Take, band: Band) -> tuple[list[float], list[float]]:
    """Mean velocity of the player and of the band in each bar in which both begin notes."""
    his, theirs = [], []
    for bar in range(take.first_bar, take.bars):
        begin = bar * BEATS - EARLY
        own = _between(take.player, begin, begin + BEATS)
        others = [_between(notes, begin, begin + BEATS) for track, notes in band.items() if track != take.track]
        struck = np.concatenate([notes[:, VELOCITY] for notes in others]) if others else np.zeros(0)
        if len(own) and len(struck):
            his.append(float(own[:, VELOCITY].mean()))
            theirs.append(float(struck.mean()))
    return his, theirs


def correlation(pairs: Iterable[tuple[list[float], list[float]]]) -> float | None:
    """Correlation within takes, each about its own mean; None where the player is always as loud."""
    his, theirs = np.zeros(0), np.zeros(0)
    for one, other in pairs:
        if one:
            his = np.concatenate([his, np.asarray(one) - np.mean(one)])
            theirs = np.concatenate([theirs, np.asarray(other) - np.mean(other)])
    spread = float(np.sqrt((his**2).sum() * (theirs**2).sum()))
    return float((his * theirs).sum() / spread) if spread > 1e-6 and np.abs(his).max() > 1 else None


def recovery(pairs: Iterable[tuple[Take, Band]]) -> dict[str, float | None]:
    """Share of the melody in the band before the move and in each of the bars after it."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("before", *map(str, range(1, BARS_AFTER + 1)))}
    for take, band in pairs:
        assert take.moved_bar is not None
        for bar in range(max(take.moved_bar - BARS_AFTER, 0), min(take.moved_bar + BARS_AFTER, take.bars)):
            name = "before" if bar < take.moved_bar else str(bar - take.moved_bar + 1)
            inside, steps = melody(take, band, bar)
            counts[name] += Counter({"inside": inside, "steps": steps})
    return {name: c["inside"] / c["steps"] if c["steps"] else None for name, c in counts.items()}


def shares(counts: Counter[str]) -> dict[str, float | None]:
    """Every figure as a share; None where nothing could be counted."""
    return {name: counts[name] / counts[f"{name}_of"] if counts[f"{name}_of"] else None for name in FIGURES}


def figures(pairs: list[tuple[Take, Band]]) -> dict[str, float | None]:
    """Every figure over all takes, each with its band."""
    whole: Counter[str] = Counter()
    for take, band in pairs:
        whole += count(take, band)
    return {**shares(whole), "loudness": correlation(loudness(take, band) for take, band in pairs)}


def _between(notes: Array, begin: float, end: float) -> Array:
    """Notes that begin in [begin, end)."""
    found: Array = notes[(notes[:, START] >= begin) & (notes[:, START] < end)]
    return found


def _sounding(notes: Array, at: float) -> Array:
    found: Array = notes[(notes[:, START] <= at) & (notes[:, END] > at), PITCH]
    return found
