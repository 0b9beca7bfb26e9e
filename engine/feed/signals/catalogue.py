"""Every number of the smooth tier, declared once for a network: its address, its unit, its range before it is known.

Runs on: every process that publishes or describes the feed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.core.contract import Card
from engine.core.messages import PITCHES

MOST_TRACKS, MOST_LAYERS = 16, 14
BANDS = 12
BANDS_HZ = np.geomspace(40.0, 16000.0, BANDS + 1)  # edges of the bands
SILENT_DB = -60.0  # what is softer is shown as silence

Tier = Literal["smooth", "levels"]


@dataclass(frozen=True, slots=True)
class Signal:
    """A number that is sent as 0..1, and on request as it is (raw)."""

    path: str  # below the root
    tier: Tier
    doc: str
    unit: str = ""  # of the raw value
    low: float = 0.0  # raw values shown as 0 and as 1, before those that come are known
    high: float = 1.0
    least: float = 0.05  # the smallest raw span that is shown as the whole range
    release_s: float = 0.0  # time constant with which it falls; 0: at once
    ranged: bool = True  # False: it is 0..1 by itself
    log: bool = False  # it is ranged by its logarithm


@dataclass(frozen=True, slots=True)
class Message:
    """Signals that are sent together: one, or the bands of a level."""

    path: str
    tier: Tier
    doc: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Trail:
    """The trails of a track's notes: a value for each pitch."""

    path: str  # without the chunk's number
    doc: str
    first: int  # among all trails
    count: int
    lowest: int  # MIDI pitch of the first


OF_VOICE = ("envelope", "onset", "density", "pitch")
OF_LEVEL = ("rms", "peak", "loudness", "onset", "brightness")
OF_LAYER = ("mean", "max", "delta")
BEAT, BAR, BEAT_PULSE, BAR_PULSE, LINK_BEAT, LINK_BAR = range(6)


class Catalogue:
    """The signals of a network in their order, and where each kind of them begins.

    Voices are the tracks and the player; buses are the voices and the master.
    """

    def __init__(self, card: Card) -> None:
        self.card = card
        self.tracks = tuple(track.name for track in card.tracks[:MOST_TRACKS])
        self.layers = tuple(sorted({a.layer for a in card.activations}))[:MOST_LAYERS]
        self.voices = (*(f"track/{name}" for name in self.tracks), "player")
        self.buses = (*self.voices, "master")
        found: list[Signal] = []
        starts = []
        for part in (self._beat(), self._notes(), self._steps(), self._levels()):
            starts.append(len(found))
            found += part
        self.signals = tuple(found)
        self.beat, self.notes, self.steps, self.levels = starts
        self.messages = tuple(self._messages())
        self.trails = tuple(self._trails())
        self.trail_size = self.trails[-1].first + self.trails[-1].count
        self.index = {signal.path: number for number, signal in enumerate(self.signals)}

    def __len__(self) -> int:
        return len(self.signals)

    def _beat(self) -> Iterator[Signal]:
        for path, doc in (
            ("/smooth/beat/phase", "Position within the beat, a dotted quarter in 6/8, 9/8 and 12/8, as it is heard"),
            ("/smooth/bar/phase", "Position within the bar, as it is heard"),
            ("/smooth/beat/pulse", "1 where a beat begins, then falling"),
            ("/smooth/bar/pulse", "1 where a bar begins, then falling"),
            ("/smooth/link/phase", "Position within the beat of the Ableton Link session, a quarter; 0 while there is none"),
            ("/smooth/link/bar", "Position within the bar of the Ableton Link session; 0 while there is none"),
        ):
            yield Signal(path, "smooth", doc, ranged=False)

    def _notes(self) -> Iterator[Signal]:
        for voice in self.voices:
            who = voice.rpartition("/")[2].capitalize()
            at = f"/smooth/{voice}"
            yield Signal(f"{at}/envelope", "smooth", f"{who}: how loud its notes are, with the attack and release of its kind")
            yield Signal(f"{at}/onset", "smooth", f"{who}: rises where a note begins, then falls")
            yield Signal(f"{at}/density", "smooth", f"{who}: how many notes begin, over two seconds", "notes/s", 0, 8, 0.5)
            yield Signal(f"{at}/pitch", "smooth", f"{who}: pitch of its newest note, glided to", "MIDI pitch", 36, 84, 3)

    def _steps(self) -> Iterator[Signal]:
        yield Signal("/smooth/out/entropy", "smooth", "How undecided the network is", "", 0, 1, 0.05)
        yield Signal("/smooth/out/confidence", "smooth", "Mean P(play) of the notes it chose", "", 0, 1, 0.05)
        yield Signal("/smooth/surprise", "smooth", "How unlikely what was just played is", "bits", 0, 30, 2)
        yield Signal("/smooth/energy", "smooth", "How many notes sound and how loud, all together", "notes/s", 0, 20, 0.5)
        for name in self.tracks:
            yield Signal(
                f"/smooth/track/{name}/surprise", "smooth", f"{name.capitalize()}: how unlikely its notes are", "bits", 0, 10, 1
            )
        digits = len(str(self.layers[-1])) if self.layers else 1
        for layer in self.layers:
            at = f"/smooth/layer/{layer:0{digits}}"
            yield Signal(f"{at}/mean", "smooth", f"Layer {layer}: mean size of its activations", "", 0, 0.5, 0.01)
            yield Signal(f"{at}/max", "smooth", f"Layer {layer}: largest size among them", "", 0, 1, 0.01)
            yield Signal(f"{at}/delta", "smooth", f"Layer {layer}: how far a step moved them, mean", "", 0, 0.3, 0.01)

    def _levels(self) -> Iterator[Signal]:
        for bus in self.buses:
            who = bus.rpartition("/")[2].capitalize()
            at = f"/level/{bus}"

            def of(name: str, doc: str, *raw: str | float, who: str = who, at: str = at, **more: float | bool) -> Signal:
                return Signal(f"{at}/{name}", "levels", f"{who}: {doc}", *raw, **more)  # type: ignore[arg-type]

            yield of("rms", "level over the last 21 ms", "dBFS", -50.0, -12.0, 3.0, release_s=0.12)
            yield of("peak", "largest sample of the last 21 ms", "dBFS", -40.0, -3.0, 3.0, release_s=0.3)
            yield of("loudness", "short-term loudness, ITU-R BS.1770, three seconds", "LUFS", -50.0, -14.0, 1.0)
            yield of("onset", "how much more there is than a moment ago, mean of the bands", "dB", 0.0, 9.0, 1.0, release_s=0.1)
            yield of("brightness", "centre of its spectrum", "Hz", 150.0, 5000.0, 0.2, release_s=0.08, log=True)
            for number in range(BANDS):
                low, high = BANDS_HZ[number : number + 2]
                doc = f"level from {low:.0f} to {high:.0f} Hz"
                yield of(f"bands/{number}", doc, "dBFS", -60.0, -20.0, 3.0, release_s=0.12)

    def _messages(self) -> Iterator[Message]:
        number = 0
        while number < len(self.signals):
            signal = self.signals[number]
            path, _, _ = signal.path.rpartition("/")
            if path.endswith("/bands"):
                who = signal.doc.partition(":")[0]
                doc = f"{who}: level of {BANDS} bands from {BANDS_HZ[0]:.0f} to {BANDS_HZ[-1]:.0f} Hz, equally wide to the ear"
                yield Message(path, signal.tier, doc, number, BANDS)
                number += BANDS
            else:
                yield Message(signal.path, signal.tier, signal.doc, number, 1)
                number += 1

    def _trails(self) -> Iterator[Trail]:
        first = 0
        for name, track in zip(self.tracks, self.card.tracks, strict=False):
            doc = f"{name.capitalize()}: each pitch's trail, its velocity when it begins, fading"
            low, high = min(track.pitches), max(track.pitches)
            yield Trail(f"/smooth/track/{name}/trails", f"{doc} (MIDI pitches {low} to {high})", first, len(track.pitches), low)
            first += len(track.pitches)
        yield Trail("/smooth/player/trails", "Player: each pitch's trail (MIDI pitches 0 to 127)", first, PITCHES, 0)
