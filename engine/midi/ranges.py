"""Which pitch of a track stands for a pitch that it does not have: another octave, or the nearest voice of a drum kit.

Runs on: any process, before the music begins. `data` reads music so, a backing is played so.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.contract import Track

_KIT = {
    36: (35, 36, 64, 66, 27, 28, 86, 87),  # kicks, low conga, low timbale, surdo
    38: (38, 40, 31, 63, 65),  # snares, sticks, open conga, high timbale
    37: (37, 33, 75, 76, 77, 85),  # side stick, claves, wood blocks
    42: (42, 44, 22),  # closed and pedal hi-hat; 22 and 26 are edges of an electronic kit's
    46: (46, 26),
    51: (51, 53, 59, 56, 67, 68, 80, 81, 83, 34),  # rides, cowbell, agogo, triangle, bells
    49: (49, 52, 55, 57),
    41: (41, 43, 45, 61, 78, 79),  # low toms, low bongo, cuica
    47: (47, 48, 50, 60, 62),  # high toms, high bongo, muted conga
    39: (39, 30, 32, 58),  # clap and its like
    54: (54, 69, 71, 72, 73, 74),  # tambourine, cabasa, whistles, guiros
    70: (70, 82, 29),  # maracas, shaker
}
DRUM_OF = {note: slot for slot, notes in _KIT.items() for note in notes}


def fold(pitch: int, pitches: Sequence[int]) -> int:
    """`pitch` moved by octaves into the range of `pitches`."""
    low, high = pitches[0], pitches[-1]
    if pitch < low:
        pitch += 12 * -(-(low - pitch) // 12)
    if pitch > high:
        pitch -= 12 * -(-(pitch - high) // 12)
    return pitch


def pitch_of(track: Track, pitch: int) -> int:
    """Return the pitch of a track that stands for this one."""
    pitches = track.pitches
    wanted = DRUM_OF.get(pitch, pitch) if track.kind == "drums" else fold(pitch, sorted(pitches))
    return wanted if wanted in pitches else min(pitches, key=lambda p: abs(p - wanted))
