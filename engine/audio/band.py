"""The network's notes on their way to the instruments: kept until their frame, given away, withdrawn, ended.

Runs on: audio process (audio callback; offline: whoever renders).
"""

from __future__ import annotations

from collections.abc import Callable

from engine.audio.mixer import Mixer
from engine.audio.sounding import Sounding
from engine.core.link import Link
from engine.core.messages import ALL_OFF, CHORD_KINDS, NOTE_OFF, NOTE_ON, PLAYER
from engine.core.parameters import Live
from engine.midi.schedule import Event, Schedule, is_late


class Band:
    """Reads `notes` and plays them at their frames; what the player takes falls silent in the very block."""

    def __init__(self, link: Link, live: Live, mixer: Mixer, sounding: Sounding, stopped_at: Callable[[], float]) -> None:
        """`stopped_at` returns the frame from which on the beat stands."""
        self.late = 0  # notes that came after their block had been rendered
        # The MIDI output's: called with every note of the network as it comes, and the ALL_OFFs.
        self.outlet: Callable[[Event], object] | None = None
        self._mixer, self._sounding, self._stopped_at = mixer, sounding, stopped_at
        self._notes = link["notes"].reader()
        self._yields = link["yields"]
        self._events, self._values = link["events"], live.values
        self._given: set[int] = set()  # tracks that fell silent for the player, until the network has heard of it
        self._since = (0, 0)  # so many events there were then, and which version of the parameters
        self._schedule = Schedule()
        self._muted: set[int] = set()
        places = [(n, live.registry.index.get(f"{track}.punch")) for n, track in enumerate(live.registry.tracks)]
        self._punches = [(track, place) for track, place in places if place is not None]
        self._punched: set[int] = set()

    # --- what the player does ----------------------------------------------------------------------------------------------

    def give_way(self, frame: int) -> None:
        """He has just begun a note: what the network said that it plays in his stead ends with this block."""
        said = self._yields.numbers()
        if said is not None and said[0]:
            self._silence({track for track in range(len(self._mixer.tracks)) if said[0] >> track & 1}, frame)
            self._since = (self._events.count, self._since[1])

    def take_parameters(self, frame: int) -> None:
        """A track that he punched in on falls silent now: the network leaves it to him from its next choice on."""
        numbers = self._values.numbers
        punched = {track for track, place in self._punches if numbers[place] > 0}
        if punched - self._punched:
            self._silence(punched - self._punched, frame)
            self._since = (self._since[0], self._values.version)
        self._punched = punched

    def _silence(self, tracks: set[int], frame: int) -> None:
        for track in tracks - self._given:
            self.accept(Event(frame, -1, ALL_OFF, track, 0, 0, 0.0), frame)
        self._given |= tracks

    def _is_known(self) -> bool:
        """Whether the network has chosen since with what made tracks fall silent."""
        said = self._yields.numbers()
        return said is not None and said[1] >= self._since[0] and said[2] >= self._since[1]

    def mute(self, muted: set[int], frame: int) -> None:
        """These tracks are silent from now on; PLAYER may be among them."""
        for track in muted - self._muted - {PLAYER}:
            if self.outlet is not None:
                self.outlet(Event(frame, -1, ALL_OFF, track, 0, 0, 0.0))
        self._muted = muted

    # --- what the network sends --------------------------------------------------------------------------------------------

    def play(self, frame: int, end: int) -> None:
        """Take what came, and play what is due in the block from `frame` to `end`."""
        if self._given and self._is_known():
            self._given.clear()
        if self._notes.is_behind():
            for record in self._notes.read().tolist():
                self.accept(Event(*record), frame)
        if len(self._schedule):
            for event in self._schedule.due(end):
                self._play(event, max(event.frame, frame))

    def accept(self, event: Event, frame: int) -> None:
        """Take one event of the network: into the schedule, and to the MIDI output. `frame`: the block's first."""
        if event.track >= len(self._mixer.tracks) and event.track != PLAYER:
            return
        if is_late(event, frame):
            self.late += 1
            return
        if event.kind == NOTE_ON and (event.frame >= self._stopped_at() or event.track in self._given):
            return  # sent before the network heard of it
        self._schedule.put(event)
        if self.outlet is not None and not (event.kind == NOTE_ON and event.track in self._muted):
            self.outlet(event)

    def silence(self, frame: int) -> None:
        """Forget what was to come, and end what sounds at the MIDI output (panic)."""
        self._schedule.clear()
        if self.outlet is not None:
            self.outlet(Event(frame, -1, ALL_OFF, PLAYER, 0, 0, 0.0))

    def _play(self, event: Event, frame: int) -> None:
        if event.kind == NOTE_ON:
            self._sounding.begin(event.track, event.step, event.pitch, event.velocity, frame)
        elif event.kind == NOTE_OFF:
            self._sounding.end(event.track, event.step, event.pitch, frame)
        elif event.kind == ALL_OFF:
            for track in range(len(self._mixer.tracks)) if event.track == PLAYER else (event.track,):
                self._sounding.end_track(track, event.step, frame)
        elif event.kind in CHORD_KINDS:
            self._sounding.tell(frame, event.step, event.kind, event.track, event.pitch, event.velocity)
