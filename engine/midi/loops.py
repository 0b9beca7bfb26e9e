"""What comes back: notes that went out over an output and come in again over an input, through an instrument's thru or a loop.

Runs on: audio process. The MIDI output's thread tells what it sends; the audio callback asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from engine.midi.message import Kind, MidiMessage

BACK_NS = 60_000_000  # so long a note may be under way
MOST = 256  # notes that are remembered
_STATUS = {Kind.NOTE_ON: 0x90, Kind.NOTE_OFF: 0x80}


class Loops:
    """Remembers for a moment which notes were sent."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, tuple[int, ...]]] = deque(maxlen=MOST)  # when, and the message

    def tell(self, message: Sequence[int], now_ns: int) -> None:
        """A message is being sent. The MIDI output's thread."""
        if message[0] < 0xA0:
            self._sent.append((now_ns, tuple(message)))

    def comes_back(self, message: MidiMessage) -> bool:
        """Whether a message is one that was sent: it is not what anybody plays."""
        status = _STATUS.get(message.kind)
        if status is None or not self._sent:
            return False
        for sent in reversed(list(self._sent)):
            when_ns, (head, pitch, velocity) = sent
            if message.time_ns - when_ns >= BACK_NS:
                return False
            if head != status | message.channel or pitch != message.number:
                continue
            if message.kind is Kind.NOTE_OFF or velocity == message.value:
                self._sent.remove(sent)
                return True
        return False
