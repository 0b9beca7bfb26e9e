"""What the terminal view shows: lines of text made of how the jam goes, to be read from two metres.

Runs on: main process. Nothing here knows a terminal: what changed is written by `stage`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from engine.app import big
from engine.app.status import of_beat
from engine.control.status import Snapshot
from engine.core.messages import ALL_OFF, ERROR, NOTE_OFF, NOTE_ON, PLAYER, WARNING
from engine.core.parameters import Live

WIDTH, HEIGHT = 80, 24  # what all of it needs; of a smaller terminal the last lines are left out
FADE = 0.75  # of a track's meter, from one frame to the next
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
BAR = " ▏▎▍▌▋▊▉█"
DIM, BOLD, PLAIN = "2", "1", ""
PLAYED, NETWORK, WARNED, WRONG = "33", "36", "33", "31;1"  # colours by the terminal's own palette
FLOOR_DB = -48.0

Styled = tuple[str, str]  # text, and its style as the terminal's codes


@dataclass(slots=True)
class Track:
    """One track: what it holds, and how lively it is."""

    name: str
    held: dict[int, int] = field(default_factory=dict)  # pitch -> velocity
    level: float = 0.0  # 0..1, falling


class Tracks:
    """Follows what sounds. `hear` takes EVENT records, `fall` is called once a frame."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._all = {PLAYER: Track("you")} | {number: Track(name) for number, name in enumerate(names)}

    def __iter__(self) -> Iterator[tuple[int, Track]]:
        yield from ((number, track) for number, track in self._all.items() if number != PLAYER)
        yield PLAYER, self._all[PLAYER]

    def hear(self, events: np.ndarray) -> None:
        """Take what began and ended."""
        for event in events:
            kind, number, pitch = int(event["kind"]), int(event["track"]), int(event["pitch"])
            track = self._all.get(number)
            if kind == ALL_OFF:
                for other, of in self._all.items():
                    if number == other or (number == PLAYER and other != PLAYER):
                        of.held.clear()
            elif track is not None and kind == NOTE_ON:
                track.held[pitch] = int(event["velocity"])
                track.level = max(track.level, int(event["velocity"]) / 127)
            elif track is not None and kind == NOTE_OFF:
                track.held.pop(pitch, None)

    def fall(self) -> None:
        """Let the meters fall."""
        for track in self._all.values():
            track.level *= FADE


def note_name(pitch: int) -> str:
    """Return a pitch as musicians write it; 60 is C4."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def meter(share: float, columns: int, plain: bool = False) -> str:
    """Return a bar that fills a share of some columns, to an eighth of one."""
    filled = min(max(share, 0.0), 1.0) * columns
    if plain:
        return ("#" * round(filled)).ljust(columns)
    whole = int(filled)
    return ("█" * whole + (BAR[int((filled - whole) * 8)] if whole < columns else "")).ljust(columns)


def page(
    jam: Snapshot, tracks: Tracks, live: Live, peak: float, notices: list[tuple[int, str]], keys: str, plain: bool = False
) -> list[list[Styled]]:
    """Return the lines of the view, each of styled pieces.

    `peak`: of the last block, full scale is 1. `notices`: level and text, the latest last. `plain`: letters alone, for a
    terminal that has no blocks.
    """
    block = "#" if plain else "█"
    out: list[list[Styled]] = [*_head(jam, block), _beat(jam, plain), _scene(jam), []]
    out += [_track(number, track, live, plain) for number, track in tracks]
    out += [_master(peak, plain), [], _source(jam), _devices(jam), _machine(jam), _care(jam)]
    out += [[(text[:WIDTH], {WARNING: WARNED, ERROR: WRONG}.get(level, DIM))] for level, text in notices[-2:]]
    out += [[] for _ in range(HEIGHT - 1 - len(out))]
    return [*out[: HEIGHT - 1], [(keys[:WIDTH], DIM)]]


def _head(jam: Snapshot, block: str) -> list[list[Styled]]:
    """Bar and beat on the left, the chord on the right, and below them what goes on."""
    place, chords = jam.place, jam.chords
    where = "-" if place is None else f"{max(place.bar, 0)}.{place.beat}" if place.begun else f"-{place.beat}"
    left = big.fitting(where, 40, block)
    heard = chords.heard or "-"
    right = big.fitting(heard, WIDTH - 44, block)
    style = f"{BOLD};{NETWORK}" if place is not None and place.begun and place.playing else DIM
    rows: list[list[Styled]] = [[(row.ljust(44), style), (other, PLAYED)] for row, other in zip(left, right, strict=True)]
    tempo = "" if place is None else f"{place.tempo_bpm:.1f} bpm"
    expects = f"next {chords.expected}" if chords.expected not in ("", chords.heard) else ""
    plays = f"it plays {chords.played}" if chords.played not in ("", chords.heard) else ""
    words = f"{jam.mode}  {jam.doing.upper()}  {tempo}"
    rows.append([(words.ljust(44), BOLD), ("  ".join(filter(None, (expects, plays))), PLAYED)])
    return rows


def _beat(jam: Snapshot, plain: bool) -> list[Styled]:
    """The beats of the bar as boxes, this one filled."""
    place = jam.place
    if place is None:
        return []
    box, full = ("[ ] ", "[#] ") if plain else ("▱▱▱▱▱▱ ", "▰▰▰▰▰▰ ")
    beats = max(place.beat, 4)
    return [("".join(full if beat < place.beat else box for beat in range(beats))[:WIDTH], NETWORK if place.playing else DIM)]


def _scene(jam: Snapshot) -> list[Styled]:
    """The scene that plays, and the one to come."""
    scenes = jam.scenes
    now = f"{scenes.now} {scenes.name}" if scenes.now else ""
    coming = f"> {scenes.next} {scenes.next_name}" if scenes.next else ""
    return [(now[:43].ljust(44), BOLD), (coming[: WIDTH - 44], WARNED)] if now or coming else []


def _track(number: int, track: Track, live: Live, plain: bool) -> list[Styled]:
    own = "player" if number == PLAYER else track.name
    muted = f"{own}.mute" in live.registry and live.get(f"{own}.mute") > 0
    word = "mute" if muted else ""
    colour = PLAYED if number == PLAYER else NETWORK
    held = " ".join(note_name(pitch) for pitch in sorted(track.held)) if track.name != "drums" else ("*" if track.held else "")
    label = f"{'' if number == PLAYER else number + 1:>2} {track.name}"[:11]
    return [
        (label.ljust(12), BOLD if track.held and not muted else DIM),
        (meter(0.0 if muted else track.level, 24, plain), colour),
        (f" {word:5}{held}"[: WIDTH - 36], PLAIN),
    ]


def _master(peak: float, plain: bool) -> list[Styled]:
    level_db = 20 * np.log10(max(peak, 1e-6))
    share = 1 - level_db / FLOOR_DB
    said = f"{level_db:6.1f} dB" if peak > 1e-5 else "  silent"
    return [("   out".ljust(12), BOLD), (meter(share, 24, plain), WRONG if peak >= 0.999 else NETWORK), (f" {said}", PLAIN)]


def _source(jam: Snapshot) -> list[Styled]:
    """Where the beat comes from, and how it is with that."""
    beat = jam.beat
    more = "  ".join(of_beat(jam))
    alone = "" if beat.locked or not beat.followed else "; it goes on by itself"
    found: list[Styled] = [("   beat".ljust(12), BOLD), (beat.source, PLAIN if beat.locked else WRONG)]
    return [*found, (f"  {more}{alone}"[: WIDTH - 12 - len(beat.source)], PLAIN if beat.locked else WRONG)] if more else found


def _devices(jam: Snapshot) -> list[Styled]:
    """What sounds, what is played on, what plays along, and what is not there."""
    devices, lost = jam.devices, jam.sound is not None and jam.sound.device_lost
    found: list[Styled] = [("   devices".ljust(12), BOLD)]
    waits = "".join(f"  no {name}!" for name in devices.waits)[:40]
    left = WIDTH - 12 - len(waits) - (10 if lost else 0)
    named = [("", devices.audio), ("in ", ", ".join(devices.inputs)), ("to ", ", ".join(devices.outputs))]
    text = "  ".join(before + of for before, of in named if of)
    found.append((text if len(text) <= left else text[: left - 1] + "~", PLAIN))
    found += [(waits, WRONG)] if waits else []
    return [*found, ("  OUT IS LOST", WRONG)] if lost else found


def _care(jam: Snapshot) -> list[Styled]:
    """Which processes are not well, and what is done without."""
    care = jam.care
    ailing = ", ".join(f"{name} {how}" for name, how in care.ailing.items())
    spared = f"less of: {', '.join(care.spared)} ({care.why})" if care.spared else ""
    found: list[Styled] = [("   care".ljust(12), BOLD)]
    if ailing:
        found.append((ailing[: WIDTH - 14] + "  ", WRONG))
    if spared:
        found.append((spared[: max(WIDTH - 14 - len(ailing), 0)], WARNED))
    return found if ailing or spared else []


def _machine(jam: Snapshot) -> list[Styled]:
    """The machine's figures; what is wrong stands out."""
    found: list[Styled] = [("   machine".ljust(12), BOLD)]
    sound, network, feed = jam.sound, jam.network, jam.feed
    if sound is not None:
        found.append((f"DSP {100 * sound.dsp_mean:.0f} %  ", PLAIN))
        found.append((f"xruns {sound.xruns}  ", WARNED if sound.xruns else PLAIN))
    if network is not None:
        found.append((f"step {network.step_ms.p50:.2f} ms  ", PLAIN))
        found.append((f"late {network.late_steps} of {network.steps}  ", WARNED if network.late_steps else PLAIN))
    if feed is not None:
        found.append((f"feed {feed.rate_hz:.0f}/s  ", PLAIN))
        stopped = feed.recording not in (0, 1)
        found.append((("", "REC", "RECORDING STOPPED")[feed.recording], WRONG if stopped else PLAIN))
    return found
