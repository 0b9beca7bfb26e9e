"""The orders and questions of the OSC contract, declared once.

Runs on: feed process. What is published stands in `schema`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.jam.modes import MODES

Tier = Literal[
    "lead", "scalars", "notes", "vectors", "futures", "smooth", "levels", "smooth_vectors", "music", "control", "reply"
]

AT_ONCE = "at once"  # done when the next message is read
NEXT_BLOCK = "asynchronous: from the next block or timestep"
IN_TIME = "asynchronous: with the beat"
ON_BAR_LINE = "asynchronous: on a bar line, once it is ready"
IN_BACKGROUND = "asynchronous: it is built in the background; when it plays, its knobs are there"


@dataclass(frozen=True, slots=True)
class Command:
    """An order or a question that the control socket takes; `when` it is done. A reply goes out at once."""

    path: str  # below the root
    arguments: str  # as a person reads it: names and OSC types
    reply: str
    doc: str
    example: str
    when: str = AT_ONCE


@dataclass(frozen=True, slots=True)
class Address:
    """One line of the contract."""

    path: str  # below the root
    types: str
    minimum: float | None
    maximum: float | None
    unit: str
    rate: str
    tier: Tier
    doc: str
    example: str


COMMANDS = (
    Command(
        "/param/<id>",
        "f, i or s (none: ask)",
        "asked: the same address with the value; out of range: the same address, the value set, the word clamped",
        "Set or ask a parameter; pull a trigger, with any argument or none",
        "/param/tempo 120.0",
        NEXT_BLOCK,
    ),
    Command("/mode", "s or i", "", "Set the mode: " + ", ".join(MODES), "/mode trade", NEXT_BLOCK),
    Command("/tempo", "f", "", "Set the tempo in bpm", "/tempo 120.0", NEXT_BLOCK),
    Command(
        "/panic",
        "(none) or any",
        "",
        "Silence; 0 or false as argument (a button let go) does nothing, here as for every trigger",
        "/panic",
        NEXT_BLOCK,
    ),
    Command("/reset", "(none) or any", "", "The network forgets all it heard", "/reset", NEXT_BLOCK),
    Command(
        "/chart",
        "s (none: ask)",
        "asked: /chart s, the chart that is played by",
        "Play by these chords; an empty text: by ear again. What cannot be read changes nothing and is answered with its bar",
        '/chart "| C | G7 | Am F |"',
        NEXT_BLOCK,
    ),
    Command(
        "/learn",
        "s",
        "",
        "The MIDI control that is moved next moves this parameter from then on; an empty name: none is waited for",
        '/learn "lead.level"',
        NEXT_BLOCK,
    ),
    Command(
        "/scene/go",
        "i or s",
        "",
        "Go to a scene of the set, by number or name; it begins on a bar line, see the parameter scene.bars",
        "/scene/go 3",
        ON_BAR_LINE,
    ),
    Command(
        "/scene/list", "", "/scene/list.reply s", "The set, the scene that plays and the one to come, as JSON", "/scene/list"
    ),
    Command("/scene/next", "(none) or any", "", "Go to the next scene", "/scene/next", ON_BAR_LINE),
    Command("/scene/previous", "(none) or any", "", "Go to the scene before", "/scene/previous", ON_BAR_LINE),
    Command("/scene/undo", "(none) or any", "", "Back to how it was before the last scene", "/scene/undo", ON_BAR_LINE),
    Command("/scene/ab", "(none) or any", "", "To the other of the last two scenes, as it was left", "/scene/ab", ON_BAR_LINE),
    Command("/scene/keep", "i", "", "Keep what is now as the scene of this number", "/scene/keep 4", AT_ONCE),
    Command("/start", "(none) or any", "", "Count in, then play from bar 1", "/start", IN_TIME),
    Command("/stop", "(none) or any", "", "Stop the beat and the network; the player is still heard", "/stop", IN_TIME),
    Command("/continue", "(none) or any", "", "Go on where it stopped", "/continue", IN_TIME),
    Command("/pause", "(none) or any", "", "Stop where it plays, go on where it stands", "/pause", IN_TIME),
    Command("/rewind", "(none) or any", "", "Jump to bar 1, with the next beat", "/rewind", IN_TIME),
    Command("/tap", "(none) or any", "", "Tap the tempo, twice or more", "/tap", IN_TIME),
    Command("/status", "", "/status.reply s", "How it goes, as JSON", "/status"),
    Command("/version", "", "/version.reply s s i", "Version, name of the network, contract it keeps", "/version"),
    Command(
        "/info",
        "",
        "/info.reply i i s",
        "Names, shapes and ranges of everything, as JSON in numbered parts: part, parts, text",
        "/info",
    ),
    Command(
        "/notify",
        "i, then any of: port i, tiers s, signals s, layers s, rate f, smooth f, raw i, root s, chunk i, timetag s",
        "/done s i f",
        "1: send the feed to the sender as well (or to another port of it), 0: stop, with the port or without. Say it again "
        "before the lease in the reply (seconds) runs out; lists are words with commas between them; smooth is the rate of the "
        "smooth tiers; timetag is immediate or presentation",
        "/notify 1 tiers scalars,vectors signals h,c layers 0,5 rate 30.0",
    ),
    Command(
        "/token",
        "s",
        "/done s",
        "Only where osc.control.host lets the network in: with the right token the sender's machine may change things until it "
        "has been silent for ten minutes",
        "/token c2VzYW1l",
    ),
    Command("/sync", "i", "/synced i", "Answered when everything before it has been done", "/sync 7"),
    Command("/dumpOSC", "i", "", "1: show at the terminal what comes in here, 0: stop", "/dumpOSC 1"),
)
REPLIES = (
    Address(
        "/done",
        "s[if]",
        None,
        None,
        "",
        "reply",
        "reply",
        "It is done: the address; of a subscription also its number and its lease in seconds",
        "",
    ),
    Address(
        "/fail", "ss", None, None, "", "reply", "reply", "What was not understood, and why; at most 20 a second are sent", ""
    ),
)
