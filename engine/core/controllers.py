"""What moves a parameter: one control of a MIDI device, as the configuration and the file of learned controllers have it.

Runs on: every process. The file is TOML by port, channel and control, one line each; people write in it by hand:

    ["nanoKONTROL2 28:0".1]
    "cc 20" = {parameter = "lead.level", takeover = true}
    "note 36" = {parameter = "panic"}
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from engine.core.section import Section

KINDS = ("cc", "note", "program", "nrpn", "bend")
MOST = {"cc": 119, "note": 127, "program": 127, "nrpn": 0x3FFF, "bend": 0}
PEDAL = 64  # a controller that has a meaning of its own
CURVES = {"linear": 1.0, "slow": 2.0, "fast": 0.5}  # exponent of the way
CLICK = 1 / 128  # share of the range that one click of an encoder moves
LONGEST = 1_000_000  # bytes of a file of controllers that is read

REMARK = """# Controls that were learned: a table for each port and channel, a line for each control.
# A part of a port's name will do. Beside the parameter: takeover, invert, min, max, curve, relative, step, fine, value.
"""


class Controller(Section):
    """One control, of one channel and one keyboard where they are given, and how it moves its parameter.

    `minimum` and `maximum` are values of the parameter. `takeover`: whether it must first come to where the parameter is;
    None: only where another controller has moved it meanwhile.
    """

    cc: int | None = None
    note: int | None = Field(None, ge=0, le=127)
    program: int | None = Field(None, ge=0, le=127)
    nrpn: int | None = Field(None, ge=0, le=0x3FFF)
    bend: Literal[True] | None = None
    channel: int | None = Field(None, ge=1, le=16)
    port: str = ""
    fine: bool = False  # 14 bits: the controller 32 above, or data entry's, has the lower seven
    relative: Literal["twos", "offset", "sign", "inc"] | None = None
    step: float = Field(CLICK, gt=0, le=1)
    takeover: bool | None = None
    invert: bool = False
    curve: Literal["linear", "slow", "fast"] = "linear"
    value: float | None = None  # what a key or a program sets the parameter to
    minimum: float | None = Field(None, alias="min")
    maximum: float | None = Field(None, alias="max")

    @model_validator(mode="after")
    def _is_one(self) -> Controller:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"give one of {', '.join(KINDS)}")
        if self.fine and not (self.nrpn is not None or (self.cc is not None and self.cc < 32)):
            raise ValueError("fine is for nrpn, and for cc 0 to 31")
        if self.relative and (self.fine or (self.cc is None and self.nrpn is None)):
            raise ValueError("relative is for cc and nrpn that are not fine")
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError("min must be below max; invert turns it round")
        return self

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def number(self) -> int:
        """Of the controller, note, program or NRPN; 0 for the wheel."""
        return int(getattr(self, self.kind)) if self.kind != "bend" else 0

    @property
    def is_usable(self) -> bool:
        """Whether its number is one that has no meaning of its own."""
        return self.cc is None or (0 <= self.cc <= MOST["cc"] and self.cc != PEDAL)


def by_ids(value: object, prefix: str = "") -> object:
    """Let `drums.level = 20` and `{drums = {level = 20}}` mean the same; a table that names a control is a Controller."""
    if not isinstance(value, dict):
        return value
    found: dict[str, object] = {}
    for key, inner in value.items():
        if isinstance(inner, dict) and not set(KINDS) & {k for k, v in inner.items() if not isinstance(v, dict)}:
            deeper = by_ids(inner, f"{prefix}{key}.")
            found |= deeper if isinstance(deeper, dict) else {}
        else:
            found[f"{prefix}{key}"] = inner
    return found


class Place(NamedTuple):
    """A control of a device: where a learned map stands in the file. `channel` 1..16."""

    port: str
    channel: int
    kind: str
    number: int

    @property
    def key(self) -> str:
        """The control's name in the file."""
        return self.kind if self.kind == "bend" else f"{self.kind} {self.number}"

    def __str__(self) -> str:
        return f"{self.key} of {self.port}, channel {self.channel}"


BUNDLED = Path(__file__).resolve().parents[1] / "control" / "maps"  # maps of generic devices


def bundled() -> list[str]:
    """Return the names of the maps that come with the project."""
    return sorted(path.stem for path in BUNDLED.glob("*.toml"))


def map_path(name: str) -> Path:
    """Return the file of a map: one that comes with the project by its name, else a path."""
    return BUNDLED / f"{name}.toml" if name in bundled() else Path(name)


Maps = dict[Place, tuple[str, Controller]]  # the parameter that each learned control moves, and how

Check = Callable[[str], list[str]]


def read(path: Path, check: Check | None = None) -> tuple[Maps, list[str]]:
    """Return what a file of controllers says, without what is wrong in it, and that: all of it, each with its line.

    `check` returns what is wrong with the id of a parameter. A file that is not there says nothing.
    """
    try:
        if path.stat().st_size > LONGEST:
            return {}, [f"{path}: is larger than {LONGEST} bytes"]
        return parse(path.read_text("utf-8-sig"), str(path), check)
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError) as error:
        return {}, [f"{path}: cannot be read ({error})"]


def parse(text: str, where: str, check: Check | None = None) -> tuple[Maps, list[str]]:
    """Return the same of a text; `where` begins each fault."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return {}, [f"{where}: is not TOML: {error}"]
    lines = {path: number for number, path, _ in _lines(text)}
    found: Maps = {}
    faults: list[str] = []
    for port, channels in data.items():
        for channel, controls in channels.items() if isinstance(channels, dict) else [("", None)]:
            for key, entry in controls.items() if isinstance(controls, dict) else [("", None)]:
                path = (port, *filter(None, (channel, key)))
                try:
                    place = _place(port, channel, key)
                    bound = _entry(place, entry)
                    if wrong := check(bound[0]) if check else []:
                        raise ValueError("; ".join(wrong))
                    found[place] = bound
                except ValueError as error:
                    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)
                    faults.append(f"{where}: line {line}: {'.'.join(path)}: {error}")
    return found, faults


def _place(port: str, channel: str, key: str) -> Place:
    kind, _, number = key.partition(" ")
    if not (channel.isascii() and channel.isdigit() and 1 <= int(channel) <= 16):
        raise ValueError('write ["PORT".CHANNEL], the channel from 1 to 16, and below it for example "cc 20" = {...}')
    if kind == "bend" and not number:
        return Place(port, int(channel), kind, 0)
    if kind not in KINDS or not (number.isascii() and number.isdigit()) or int(number) > MOST[kind]:
        known = ", ".join(f"{k} 0 to {MOST[k]}" for k in KINDS[:-1])
        raise ValueError(f"there is no such control; there are: {known}, bend")
    return Place(port, int(channel), kind, int(number))


def _entry(place: Place, entry: object) -> tuple[str, Controller]:
    if not isinstance(entry, dict) or not isinstance(entry.get("parameter"), str):
        raise ValueError('give its parameter: {parameter = "lead.level"}')
    rest = {key: value for key, value in entry.items() if key != "parameter"}
    if twice := {"port", "channel", *KINDS} & rest.keys():
        raise ValueError(f"{', '.join(sorted(twice))}: the key says it already")
    control: Any = True if place.kind == "bend" else place.number
    try:
        controller = Controller.model_validate(rest | {place.kind: control, "channel": place.channel, "port": place.port})
    except ValidationError as error:
        wrong = [(".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        raise ValueError("; ".join(f"{key}: {what}" if key else what for key, what in wrong)) from None
    if not controller.is_usable:
        raise ValueError(f"controller {place.number} cannot be used; {PEDAL} is the sustain pedal")
    return entry["parameter"], controller


def _lines(text: str) -> Iterator[tuple[int, tuple[str, ...], bool]]:
    """Yield the number of each line that begins a table or a key, its path, and whether it is a table's."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        try:
            path, end = _path(tomllib.loads(line))
        except (tomllib.TOMLDecodeError, RecursionError):
            continue  # a part of something longer
        if not path:
            continue
        if line.lstrip().startswith("["):
            table = path
            yield number, path, True
        else:
            yield number, (table + path)[:3], False
            if len(table + path) < 3 and isinstance(end, dict):
                yield from ((number, (*table, *path, key), False) for key in end)


def _path(data: Any) -> tuple[tuple[str, ...], Any]:
    path: tuple[str, ...] = ()
    while isinstance(data, dict) and len(data) == 1 and len(path) < 3:
        ((key, data),) = data.items()
        path += (key,)
    return path, data


def with_learned(text: str, place: Place, parameter: str, takeover: bool) -> str:
    """Return the text of a file with one control learned: what else people wrote in it stays, remarks and all.

    Raises ValueError when the text cannot be written to.
    """
    table = (place.port, str(place.channel))
    entry = f"{_quoted(place.key)} = {{parameter = {_quoted(parameter)}{', takeover = true' if takeover else ''}}}"
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    known = list(_lines(text))
    at = [number for number, path, is_table in known if path == (*table, place.key) and not is_table]
    head = [number for number, path, is_table in known if path == table and is_table]
    if at:
        lines[at[0] - 1] = entry
    elif head:
        lines.insert(head[0], entry)
    else:
        lines += [*([""] if lines else []), f"[{_quoted(place.port)}.{place.channel}]", entry]
    out = "\n".join(lines) + "\n"
    before, _ = parse(text, "")
    after, faults = parse(out, "")
    if [f for f in faults if "TOML" in f] or {**before, place: after.get(place)} != after or after[place][0] != parameter:
        raise ValueError(f"{place} stands in it in a way that cannot be written over: change it by hand")
    return out


def keep(path: Path, place: Place, parameter: str, takeover: bool) -> None:
    """Write one learned control into the file, at once or not at all. Raises OSError and ValueError."""
    text = path.read_text("utf-8-sig") if path.exists() else REMARK
    written = with_learned(text, place, parameter, takeover)
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(written, "utf-8")
    beside.replace(path)


def _quoted(text: str) -> str:
    """Return a string as TOML has it."""
    return re.sub("\x7f", r"\\u007f", json.dumps(text, ensure_ascii=False))
