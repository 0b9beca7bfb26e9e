"""The child processes of a run as a table; adding one is a row here and a module with a `main`.

Runs on: every process.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """One child process.

    `main`: "module:function", imported in the child alone; called with the specification and the child's end of the pipe.
    `nice`: priority that the system is asked for (only root may be given less than 0); the child's threads inherit it.
    `ends`: its place when a run ends, lowest first. `restarts`: so often within `within_s` seconds it is started again when
    it dies at once; then after pauses that grow. What it may write stands in the table of channels (core/link.py), under its
    name. `silent_s`: so long after its last sign of life it is named; `hung_s`: so long after it that it is ended and begun
    anew; None: never. `pulses`: rings that its signs of life are told in, each with how many times longer it may be silent
    there; none: `alive.` and its name. `parent`: it starts processes of its own; when who started it is gone it ends by itself.
    """

    name: str
    main: str
    nice: int
    ends: int
    restarts: int = 5
    within_s: float = 60.0
    on_demand: bool = False  # not started with every run: when the configuration or the audio process wants it
    ahead: bool = False  # while there are such children another one waits, to take the place of one that died at once
    silent_s: float = 2.0
    hung_s: float | None = 5.0
    pulses: tuple[tuple[str, float], ...] = ()
    parent: bool = False

    @property
    def signs(self) -> tuple[tuple[str, float], ...]:
        """The rings of its pulses."""
        return self.pulses or ((f"alive.{self.name}", 1.0),)


# Of plugins: host0 is shared, the others have one plugin each. The audio process leaves a plugin out that fails again and
# again, so that these may be started often.
HOST = "host"
HOSTS = 8
CLOCK = "clock"  # MIDI clock out
BOOTH = "booth"  # visitors draw, compose and vote
ABLETON = "ableton"  # takes part in a session of Ableton Link
PRODJ = "prodj"  # listens to the players of a Pro DJ Link network
SURFACE = "surface"  # shows controllers with lights and motors how the parameters stand
OF_SOURCE = {"link": (ABLETON,), "prodj": (PRODJ,)}  # what a source of the beat needs

AUDIO_SIGNS = (("clock", 1.0), ("alive.audio", 5.0))

# In the order in which they are started. The sound goes before the beat, the beat before what is seen. At the end first stops
# what asks for notes, then the sound fades, and last goes the recorder, which has heard all of it by then.
ROLES = (
    # Its blocks, and its control thread, which may be busy with a device or a patch for a while.
    Role("audio", "engine.audio.process:main", nice=-15, ends=2, silent_s=1.6, hung_s=3.0, pulses=AUDIO_SIGNS),
    Role("network", "engine.jam.process:main", nice=-10, ends=1, silent_s=1.2, hung_s=3.0),
    Role("feed", "engine.app.publisher:main", nice=-5, ends=3, hung_s=8.0),
    Role("signals", "engine.app.signaller:main", nice=-6, ends=6, hung_s=8.0),
    Role(CLOCK, "engine.midi.clock_process:main", nice=-14, ends=5, on_demand=True),
    Role(ABLETON, "engine.control.ableton_process:main", nice=-13, ends=5, on_demand=True),
    Role(SURFACE, "engine.control.surface_process:main", nice=-6, ends=5, on_demand=True),
    Role(PRODJ, "engine.control.prodj_process:main", nice=-13, ends=5, on_demand=True),
    # It may wait for a disk, and once it is there goes after every other: slowness alone is no reason to begin it anew.
    Role(BOOTH, "engine.booth.process:main", nice=5, ends=0, on_demand=True, silent_s=30.0, hung_s=120.0, parent=True),
    # A plugin may take long to load; one that hangs while it plays is ended by the audio process.
    *(
        Role(
            f"{HOST}{n}",
            "engine.host.process:main",
            nice=-12,
            ends=4,
            restarts=60,
            on_demand=True,
            ahead=True,
            silent_s=10,
            hung_s=None,
        )
        for n in range(HOSTS)
    ),
)
PROCESSES = tuple(role.name for role in ROLES)
SUPERVISOR = "supervisor"  # who starts them, and is none of them


def role_of(name: str) -> Role:
    """Return the row of this name."""
    return ROLES[PROCESSES.index(name)]
