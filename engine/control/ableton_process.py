"""The process that takes part in a session of Ableton Link: it tells where the session's beat is, and sets its tempo.

Runs on: ableton process. It is started when the parameter `clock.source` is `link`, and leaves the session while it is not.
"""

from __future__ import annotations

import asyncio
import gc
import time
from multiprocessing.connection import Connection
from typing import Any

from engine.core.config import source_names
from engine.core.link import Link
from engine.core.messages import ERROR, FASTEST_BPM, INFO, SLOWEST_BPM
from engine.core.metre import of_choice
from engine.core.parameters import Live
from engine.core.process import Spec, stop_requested
from engine.core.realtime import SOUND, be_urgent
from engine.jam.parameters import registry_of
from engine.transport.outside import share
from engine.transport.sample_clock import SampleClock
from engine.transport.timeline import TimelineReader

NAME = "ableton"
SOURCE = "link"
POLL_S = 0.01  # how often the session is looked at
ENABLE_S = 0.5  # from construction to joining: one that joins at once may set the session's tempo to its own
FOUND_S = 2.0  # so long the others are looked for before what it says is of a session of its own
SETTLED_S = 0.3  # from the first of them on
SHOW_S = 0.1  # how often the parameter `tempo` is moved while the session's changes
READS = 3  # of the beat, of which the shortest tells best when it was
SAME_BPM = 1e-4
LEARNS, LARGEST_MS = 0.02, 10.0  # of the jitter, from look to look; what is further off is a jump
REMEDY = "clock.source link needs aalink: pip install -e '.[link]'; the band keeps its own tempo"


def main(spec: Spec, pipe: Connection) -> None:
    """Take part until told to stop."""
    link = spec.link(NAME)
    pipe.send(("ready", {}))
    try:
        import aalink
    except ImportError:
        link.notice(NAME, ERROR, REMEDY)
        while not stop_requested(pipe, ENABLE_S):
            link.beat(NAME)
        return
    live = Live(registry_of(spec.card), link.values)
    be_urgent(SOUND)
    gc.disable()
    asyncio.run(_take_part(aalink, live, link, pipe))


async def _take_part(aalink: Any, live: Live, link: Link, pipe: Connection) -> None:
    number = source_names().index(SOURCE)
    member: Member | None = None
    while not stop_requested(pipe, 0):
        link.beat(NAME)
        wanted = int(live.get("clock.source")) == number
        if wanted and member is None:
            member = Member(aalink.Link(told_bpm(live)), live, link)
        elif not wanted and member is not None:
            member.leave()
            member = None
        if member is not None:
            member.look(time.perf_counter())
        await asyncio.sleep(POLL_S)
    if member is not None:
        member.leave()


def told_bpm(live: Live) -> float:
    """Return the tempo that is set, in quarters."""
    return live.get("tempo") * of_choice(int(live.get("metre"))).tempo_beat


class Member:
    """One who takes part: `look` carries tempo, start and stop both ways, and publishes where the beat is."""

    def __init__(self, session: Any, live: Live, link: Link) -> None:
        """`session`: an aalink.Link that was just made."""
        self._session, self._live, self._link = session, live, link
        self._ring = link.writer(NAME)
        self._made_s = time.perf_counter()
        self._met_s: float | None = None  # when the first of the others was found
        self._shown_s = 0.0
        self._own_bpm = live.get("tempo")  # the parameter, as it was seen last
        self._its_bpm = told_bpm(live)  # the session's, as it was shown last
        self._commands = {f"transport.{word}": live.get(f"transport.{word}") for word in ("start", "stop", "continue")}
        self._peers = 0
        self._changes = 0
        self._share = self._of = 1.0  # beats of the session that are one of the band's, and of its that are counted as one
        self._said: tuple[int, float, float] | None = None  # time, beat and tempo that were told last
        self._jitter_ms = 0.0

    def leave(self) -> None:
        """Take part no longer."""
        self._session.enabled = False

    def look(self, now_s: float) -> None:
        """Look at the session, and at what was turned here."""
        session = self._session
        metre = of_choice(int(self._live.get("metre")))
        self._share = share(session.tempo, self._share)
        quantum = metre.bar * max(self._share, 1.0)
        if session.quantum != quantum:
            session.quantum = quantum
        if now_s - self._made_s < ENABLE_S:
            return
        if not session.enabled:
            session.enabled = True
        together = self._live.get("clock.startstop") > 0
        if session.start_stop_sync_enabled != together:
            session.start_stop_sync_enabled = together
        peers = session.num_peers
        if peers != self._peers:
            self._peers = peers
            self._link.notice(NAME, INFO, f"Link: {peers} {'peer' if peers == 1 else 'peers'}")
            self._met_s = self._met_s or now_s
        if peers and not self._is_settled(now_s):  # whoever joins takes the session's tempo, whatever is turned meanwhile
            self._own_bpm, self._its_bpm = self._live.get("tempo"), 0.0
        if self._is_settled(now_s):
            if not peers and self._met_s is None:
                self._go_on_alone(now_s)
            self._carry_tempo(now_s, metre.tempo_beat * self._share)
            self._carry_start(together)
            self._publish(peers)

    def _go_on_alone(self, now_s: float) -> None:
        """There is nobody whose session could be joined: the one that begins here has the band's beat and bars."""
        self._met_s = now_s - SETTLED_S
        line, clock = TimelineReader(self._link["timeline"]).now(), self._link["clock"].latest()
        if line is not None and clock is not None and line.playing:
            heard = SampleClock.of(clock).frame_at(time.perf_counter_ns()) - float(clock["latency_frames"])
            self._session.force_beat(line.place(line.beat_at(heard)) * self._share)

    def _is_settled(self, now_s: float) -> bool:
        if self._met_s is not None:
            return now_s - self._met_s >= SETTLED_S
        return now_s - self._made_s >= ENABLE_S + FOUND_S

    def _carry_tempo(self, now_s: float, of: float) -> None:
        """A tempo that was turned here is the session's; another one of the session's is shown here."""
        own_bpm = self._live.get("tempo")
        if of != self._of:  # beats are counted otherwise: it is shown anew, and not set
            self._of, self._own_bpm, self._its_bpm, self._shown_s = of, own_bpm, 0.0, 0.0
        if own_bpm != self._own_bpm:
            self._own_bpm = own_bpm
            self._session.tempo = self._its_bpm = own_bpm * of
            return
        its_bpm = self._session.tempo
        if abs(its_bpm - self._its_bpm) < SAME_BPM or now_s - self._shown_s < SHOW_S:
            return
        self._its_bpm, self._shown_s = its_bpm, now_s
        self._live.set("tempo", round(min(max(its_bpm / of, SLOWEST_BPM), FASTEST_BPM), 2))
        self._own_bpm = self._live.get("tempo")

    def _carry_start(self, together: bool) -> None:
        """The band was told to begin or to end: so is the session, where they do it together."""
        for command, seen in self._commands.items():
            pulled = self._live.get(command)
            if pulled != seen:
                self._commands[command] = pulled
                if together:
                    self._session.playing = command != "transport.stop"

    def _publish(self, peers: int) -> None:
        """Tell a beat and the host time at which it was."""
        taken, time_ns, beat = 1 << 62, 0, 0.0
        for _ in range(READS):
            before = time.perf_counter_ns()
            its = self._session.beat
            after = time.perf_counter_ns()
            if after - before < taken:
                taken, time_ns, beat = after - before, (before + after) // 2, its
        self._changes += bool(self._session.playing) != bool(self._changes % 2)
        tempo_bpm = self._session.tempo
        if self._said is not None and self._said[2] == tempo_bpm:
            then_ns, then, _ = self._said
            off_ms = abs((beat - then) * 60 / tempo_bpm * 1e3 - (time_ns - then_ns) * 1e-6)
            self._jitter_ms += LEARNS * (min(off_ms, LARGEST_MS) - self._jitter_ms)
        self._said = (time_ns, beat, tempo_bpm)
        self._ring.push((time_ns, beat, tempo_bpm, peers, self._changes, self._jitter_ms, True))
