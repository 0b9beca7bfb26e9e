"""The page OSC.md, made from the schema.

Runs on: main process, by `python -m engine.control.address_page`; nothing of it is used while music plays.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.control.osc_control import WORK_HZ
from engine.core.config import Web
from engine.core.messages import FUTURE_STEPS, FUTURES
from engine.core.osc_section import FASTEST_HZ, SLOWEST_HZ, Control, Query, Target
from engine.feed.orders import COMMANDS, IN_BACKGROUND, NEXT_BLOCK, Address, Command
from engine.feed.schema import CHUNK, LARGE, ROOT, Schema
from engine.feed.signals.levels import WINDOW
from engine.feed.signals.template import AGAIN_S
from engine.feed.subscribers import LEASE_S
from engine.net.osc import DATAGRAM

_WINDOW_MS = 1e3 * WINDOW / 48000
PAGE = Path(__file__).resolve().parent.parent / "feed" / "OSC.md"

_INTRO = """# The OSC contract

Every address that Algoritmo sends and understands. This page is made from the code, for the network `{name}`; another
network has other tracks and layers, and `{root}/info` and OSCQuery tell those of the one that plays. To make the page
anew: `python -m engine.control.address_page`.

| what | where | configuration |
|---|---|---|
| the feed | UDP to {target}, one `[[osc.targets]]` for each receiver | `osc.targets` |
| orders and questions | UDP at {control} | `osc.control` |
| OSCQuery | HTTP and WebSocket at {query}, announced as `_oscjson._tcp` and `_osc._udp` | `osc.query` |
| everything at full resolution | the page, WebSocket at {web} | `web` |

Everything is bound to this machine until the configuration says otherwise. A target can also be a multicast group;
`interface` then names the network it goes to.

## How it comes

- Each timestep is sent when it sounds: at the moment its first sample is handed to the sound card. With
  `timetag = "presentation"` every bundle carries the time at which that sample leaves the loudspeaker; without, the
  timetag is "immediately", which every receiver understands.
- A datagram is one bundle of at most {datagram} bytes (a target with `chunk` above {chunk} gets larger ones). It begins
  with `{root}/frame`: a number that is missing there was lost, or `max_rate_hz` did not allow it.
- The neurons of a vector come as the network stores them. `{root}/info` tells, under `order`, for each layer in which order
  those that behave alike lie side by side: value k of the picture is value `order[k]` of the vector.
- On the feed there are only floats and ints, but for the names of chords and the tier `music`: no blobs.
- Vectors come in messages of {chunk} floats (`chunk`); the last part of the address counts the messages. A layer of
  several dimensions is sent row by row; `{root}/info` tells its shape.
- Nothing is queued. A receiver that may not have every step gets the newest one when its time comes.
- Cells (signal `c`) have no bounds: they are sent through tanh. `osc.cells = "raw"` sends them as they are.
- A network with more than {large} floats a step sends the layers' vectors only to targets that name their `signals`,
  rounded to half precision.
- `root`, `tiers` (scalars, vectors, smooth, smooth_vectors, levels, music), `signals`, `layers`, `max_rate_hz`, `smooth_hz`,
  `raw`, `chunk` and `timetag` are each target's own. Notes go with the scalars.
"""

_SMOOTH = """
## The smooth tiers

For pictures and lights: tiers that a target has when it names them in `tiers`. They come `smooth_hz` times a second
({slowest:g} to {fastest:g}; what is asked for beyond is clamped, and told), from a process of its own whose clock waits for no
step, and from a port of its own. What nobody asks for is not computed.

- Every number is what is heard at the moment it is sent: the sound card's latency is counted in.
- Everything is 0 to 1. But for the phases and pulses of beat and bar each number is ranged by itself: what it was in the last
  two minutes, without silence, becomes the whole range, slowly. `raw = true` sends the number as it is as well: the same
  address with `/raw` behind the root, in the unit that the table names.
- A step is known some milliseconds before it sounds. Activations that grow with it grow from then on and are there when it is
  heard, not later; those that shrink fade over the time of a step.
- Level and peak are of {window:.0f} ms around what is heard, bands and brightness too; loudness is that of the last three
  seconds. The levels of tracks are those that the faders leave, before the master and its limiter.
- Datagrams are bundles as above; they begin with `{root}/smooth/tick`. `signals` names the activations of `smooth_vectors`, and
  `trail` for the trails of notes; where it names none, the trails and one signal of each layer come.
- `music` comes when something changes, and all of it every {again:g} seconds. The chords below, as they sound, go with it.

"""

_FUTURES = """
## Imagined futures

Where `{root}/param/futures` is above 0 (at most {most}), the network imagines that many other ways to go on, {steps} timesteps
each, between one step and the next. They go to targets of tier 1 that name no signals, or name `future`. The frame number
that leads them is that of the step they follow. Here are those of future 0; `{root}/future/1/...` and so on are the same.

"""

_ORDERS = """
## Orders and questions

To {control}. Address patterns (`{root}/param/*/mute`) are understood. A bundle is followed at once, whatever its timetag.
Every type tag of OSC 1.0 and 1.1 is read: `i h f d s S c b t r m T F N I [ ]`; strings may be UTF-8. What cannot be read costs
its own message, not the others of its bundle. A value is a number, or a text as a person writes it (`on`, `solo`, `120 bpm`);
a trigger is pulled by any argument or none, but not by 0 and F, which a button sends when it is let go.
What is out of range is set to the nearest that is possible, and the reply says so: the address, the value, `clamped`.
What is not understood changes nothing and is answered with `{root}/fail`. Of more than {work} messages a second the rest
is left undone.

An order that is asynchronous has been taken when `{root}/synced` answers a `{root}/sync` sent after it; what plays follows when
the table says. Answers are sent to where the order came from, before the next one is read: the reply below, `{root}/fail`
with the address and the reason, or nothing, which means that it was followed.

| address | arguments | reply | when | what it does | example |
|---|---|---|---|---|---|
{commands}

A subscription (`{root}/notify`) lasts {lease:g} seconds from the last word of the subscriber; anything it sends counts,
`{root}/sync` for one.
"""


_PATCHES = """
## Patches and their knobs

Each track's sound, and the player's, is a patch. Its knobs are live parameters as long as it is loaded, beside those above.
Which there are now tell `{root}/info`, OSCQuery (which sends PATH_ADDED, PATH_REMOVED and PATH_CHANGED to who is connected) and
`algoritmo patches`.

| address | types | when | what it is | example |
|---|---|---|---|---|
| `{root}/param/<track>/patch` | s | {later} | The patch that plays a track (or its number) | `{root}/param/lead/patch glass` |
| `{root}/param/<track>/<knob>` | f | {block} | A knob of that patch | `{root}/param/lead/cutoff 800.0` |
"""


def page(schema: Schema) -> str:
    """Return the page for a network."""
    addresses = list(schema.addresses())
    words = {
        "name": schema.card.name,
        "root": ROOT,
        "target": f"{Target().host}:{Target().port}",
        "control": f"{Control().host}:{Control().port}",
        "query": f"{Query().host}:{Query().port}",
        "web": f"{Web().host}:{Web().port}",
        "datagram": DATAGRAM,
        "chunk": CHUNK,
        "large": LARGE,
    }
    parts = [_INTRO.format(**words)]
    parts.append("\n## Lead\n\n" + _table(a for a in addresses if a.tier == "lead"))
    parts.append("\n## Tier 0: scalars, 0 to 1\n\n" + _table(a for a in addresses if a.tier == "scalars"))
    parts.append("\n## Notes\n\n" + _table(a for a in addresses if a.tier == "notes"))
    parts.append("\n## Tier 1: vectors\n\n" + _table(a for a in addresses if a.tier == "vectors"))
    parts.append(_SMOOTH.format(**words, slowest=SLOWEST_HZ, fastest=FASTEST_HZ, window=_WINDOW_MS, again=AGAIN_S))
    for tier, title in (
        ("smooth", "Smooth scalars"),
        ("levels", "Sound in numbers"),
        ("music", "Music in words"),
        ("smooth_vectors", "Smooth vectors"),
    ):
        parts.append(f"\n### {title}: `{tier}`\n\n" + _table(a for a in addresses if a.tier == tier))
    parts.append(_FUTURES.format(root=ROOT, most=FUTURES, steps=FUTURE_STEPS))
    parts.append(_table(a for a in addresses if a.tier == "futures"))
    commands = "\n".join(map(_row, COMMANDS))
    parts.append(_ORDERS.format(**words, commands=commands, lease=LEASE_S, work=WORK_HZ))
    parts.append("\n## Live parameters\n\n" + _table(a for a in addresses if a.tier == "control"))
    parts.append(_PATCHES.format(root=ROOT, later=IN_BACKGROUND, block=NEXT_BLOCK))
    parts.append("\n## Replies to any order\n\n" + _table(a for a in addresses if a.tier == "reply"))
    return "".join(parts)


def _row(c: Command) -> str:
    words = (f"`{ROOT}{c.path}`", c.arguments or "none", _coded(c.reply), c.when, c.doc, f"`{ROOT}{c.example}`")
    return f"| {' | '.join(words)} |"


def _coded(reply: str) -> str:
    return f"`{ROOT}{reply}`" if reply.startswith("/") else reply


def _table(addresses: Iterable[Address]) -> str:
    lines = ["| address | types | range | unit | rate | what it is | example |", "|---|---|---|---|---|---|---|"]
    for a in addresses:
        limits = "" if a.minimum is None or a.maximum is None else f"{a.minimum:g} to {a.maximum:g}"
        example = f"`{ROOT}{a.path} {a.example}`" if a.example else ""
        lines.append(f"| `{ROOT}{a.path}` | {a.types} | {limits} | {a.unit} | {a.rate} | {a.doc} | {example} |")
    return "\n".join(lines) + "\n"


def write(network: Path) -> None:
    """Write OSC.md for the network in a file."""
    from engine.core.contract import read_card
    from engine.jam.parameters import registry_of

    card = read_card(network)
    PAGE.write_text(page(Schema(card, registry_of(card))))


if __name__ == "__main__":
    from engine.core.config import Config

    write(Config().network_path())
