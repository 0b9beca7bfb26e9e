"""What the audio needs done and has no time for: instruments built and freed, words for the person at the terminal.

Runs on: audio process, control thread (offline: whoever renders, after each block). The block loop asks for it through
`requests`, and takes what was built from `replies`.
"""

from __future__ import annotations

from collections import deque
from queue import Empty, SimpleQueue

from engine.audio.instrument import Instrument
from engine.audio.messages import FreeInstrument, LogMessage, RebuildTrack, ReplaceInstrument, Request
from engine.audio.plain import Plain
from engine.audio.track import Strip, Track
from engine.core.errors import PatchError
from engine.core.link import Link
from engine.core.messages import ERROR, WARNING


class Worker:
    """Does one request after the other. Channel: writes `notices.audio`."""

    def __init__(self, link: Link) -> None:
        self.requests: SimpleQueue[Request | None] = SimpleQueue()  # None only ends the waiting
        self.replies: deque[ReplaceInstrument] = deque()
        self._link = link
        self._retired: list[Strip] = []  # see Instrument.free

    def run_pending(self, timeout_s: float = 0.0) -> bool:
        """Do one request, waiting for it up to `timeout_s`; return whether there was one."""
        try:
            request = self.requests.get(timeout=timeout_s) if timeout_s > 0 else self.requests.get_nowait()
        except Empty:
            return False
        if isinstance(request, LogMessage):
            self._tell(request.level, request.text)
        elif isinstance(request, RebuildTrack):
            self._rebuild(request.track)
        elif isinstance(request, FreeInstrument):
            self._free(request.strip)
        return True

    def _tell(self, level: int, text: str) -> None:
        self._link.notice("audio", level, text)

    def _rebuild(self, track: Track) -> None:
        """Build the plain instrument in place of one that failed."""
        self._tell(WARNING, f"{track.fault}; the {track.name} is played by plain keys")
        try:
            strip = Strip(Instrument("plain", Plain), track.bus)
        except PatchError as error:
            self._tell(ERROR, f"{error}; the {track.name} is silent")
            return
        self.replies.append(ReplaceInstrument(track, strip))

    def _free(self, strip: Strip) -> None:
        self._retired.append(strip)
        try:
            strip.instrument.free()
        except PatchError as error:
            self._tell(WARNING, str(error))
