"""The control socket: OSC orders and questions from outside, taken with suspicion.

Runs on: feed process, event loop. python-osc reads the arguments; because it trusts its input, what it is given was checked to
the last byte before. Whatever is refused changes nothing, costs a bounded time and is answered at a bounded rate.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import math
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message import ParseError as OscError

from engine import __version__
from engine.core.config import Control as ControlConfig
from engine.core.errors import ConfigError
from engine.core.parameters import Live, Parameter
from engine.feed.schema import COMMANDS, ROOT, Schema
from engine.feed.subscribers import Subscribers
from engine.feed.targets import Endpoint
from engine.net import osc
from engine.net.guard import Bucket, Guard, is_loopback

LARGEST = 4096  # bytes of a datagram that is looked at
DEEPEST = 4  # bundles within bundles
MOST_MESSAGES = 256  # in one datagram
LONGEST_ADDRESS = 128
MOST_WILDCARDS = 4  # in an address pattern: matching is then quick whatever it says
WILDCARDS = "*?[]{}"
INFO_PART = 1024  # bytes of JSON in one reply
DATAGRAMS_HZ, DATAGRAMS_BURST = 2000, 500  # that are read; what is beyond it the system throws away
WORK_HZ, WORK_BURST = 2000, 1000  # messages that are followed ...
DEAR = 20  # ... of which those count for more that cost more: patterns, subscriptions
PAUSE_S = 0.02  # for which nothing is read when more came than that
FAIL_HZ, FAIL_BURST = 20, 20  # complaints that are sent
ECHO_HZ, ECHO_BURST = 10, 10  # lines that dumpOSC shows
REPORT_HZ, REPORT_BURST = 20, 40  # long answers (/info, /status) that are sent
TOKENS_HZ, TOKENS_BURST = 0.2, 5.0  # tokens that are tried, by all together
TRUST_S = 600.0  # how long a machine that had the token may change things without a word of it
MOST_TRUSTED = 64

Message = tuple[str, list[Any]]
_ASK = object()  # no argument: a question
_TAGS = re.compile(r",[ifshdTFN]*\Z")
_FIXED = {"i": 4, "f": 4, "h": 8, "d": 8, "T": 0, "F": 0, "N": 0}


class MalformedError(Exception):
    """A datagram that is no OSC, or more than is taken."""


def messages(data: bytes) -> list[Message]:
    """Return (address, arguments) of every message in a datagram. Raises MalformedError, whatever the bytes are."""
    if len(data) > LARGEST:
        raise MalformedError(f"longer than {LARGEST} bytes")
    found: list[Message] = []
    for part in _parts(data, 0):
        if len(found) == MOST_MESSAGES:
            raise MalformedError(f"more than {MOST_MESSAGES} messages")
        found.append(_message(part))
    return found


def _parts(data: bytes, depth: int) -> Iterator[bytes]:
    """Yield the messages in a packet."""
    if not data.startswith(osc.BUNDLE):
        yield data
        return
    if depth == DEEPEST:
        raise MalformedError(f"more than {DEEPEST} bundles within one another")
    at = len(osc.BUNDLE) + 8
    if len(data) < at:
        raise MalformedError("a bundle without a timetag")
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if size == 0 or size % 4 or at + size > len(data):
            raise MalformedError("a bundle whose sizes do not fit")
        yield from _parts(data[at : at + size], depth + 1)
        at += size


def _message(data: bytes) -> Message:
    address, at = _string(data, 0)
    if not address.startswith("/") or len(address) > LONGEST_ADDRESS:
        raise MalformedError(f"no address of at most {LONGEST_ADDRESS} characters")
    if at < len(data):  # a message may leave out the type tags when it has no arguments
        tags, end = _string(data, at)
        if not _TAGS.match(tags):
            raise MalformedError("type tags other than i f s h d T F N")
        for tag in tags[1:]:
            end = _string(data, end)[1] if tag == "s" else end + _FIXED[tag]
        if end != len(data):
            raise MalformedError("arguments that do not fit the type tags")
    try:
        return address, list(OscMessage(data).params)
    except (OscError, ValueError, struct.error) as error:
        raise MalformedError(str(error)) from error


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(0, at)
    after = end + 4 - (end - at) % 4
    if end < 0 or after > len(data) or any(data[end:after]):
        raise MalformedError("a string that does not end")
    try:
        text = data[at:end].decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedError("a string that is not ASCII") from error
    if not text.isprintable():
        raise MalformedError("a string with control characters")
    return text, after


class RefusedError(Exception):
    """An order that was understood and cannot be followed."""


@dataclass(frozen=True, slots=True)
class _Known:
    address: str
    handler: Callable[..., None]
    signature: inspect.Signature

    @property
    def dear(self) -> bool:
        return self.address == ROOT + "/notify"


class Control:
    """Follows orders and answers questions: `handle` takes a datagram and returns the datagrams to send back."""

    def __init__(
        self,
        schema: Schema,
        live: Live,
        subscribers: Subscribers,
        status: Callable[[], dict[str, Any]],
        show: Callable[[str], None],
        guard: Guard | None = None,
    ) -> None:
        """`status` gives what /status answers, `show` tells the person at the terminal a line.

        With a `guard` of a socket that is open to the network, only who has the token may change things.
        """
        self.received = 0
        self.ignored = 0
        self._schema = schema
        self._live = live
        self._subscribers = subscribers
        self._status = status
        self._show = show
        self._echo = False
        self._guard = guard or Guard("127.0.0.1")
        self._trusted: dict[str, float] = {}  # machine -> until when
        self._tries = Bucket(TOKENS_HZ, TOKENS_BURST)
        self._fails = Bucket(FAIL_HZ, FAIL_BURST)
        self._echoes = Bucket(ECHO_HZ, ECHO_BURST)
        self._reports = Bucket(REPORT_HZ, REPORT_BURST)
        self._replies: list[bytes] = []
        self._sender: Endpoint = ("", 0)
        self._now_s = 0.0
        self._work = Bucket(WORK_HZ, WORK_BURST)
        self._dispatcher = Dispatcher(strict_timing=False)
        self._known: dict[str, _Known] = {}
        self._by_handler: dict[int, _Known] = {}
        for parameter in schema.registry:
            self._map(parameter.address, self._parameter_handler(parameter))
        for command in COMMANDS:
            if "<" not in command.path:
                self._map(command.path, getattr(self, "_do_" + command.path[1:].lower()))

    def _map(self, path: str, handler: Callable[..., None]) -> None:
        known = _Known(ROOT + path, handler, inspect.signature(handler))
        self._known[known.address] = known
        self._by_handler[id(self._dispatcher.map(known.address, handler))] = known

    def handle(self, data: bytes, sender: Endpoint, now_s: float) -> list[bytes]:
        """Take one datagram; return the replies to its sender. Never raises, whatever the bytes are."""
        self.received += 1
        self._replies, self._sender, self._now_s = [], sender, now_s
        self._subscribers.heard(sender, now_s)
        if sender[0] in self._trusted:
            self._renew(sender[0])
        try:
            found = messages(data)
        except MalformedError as error:
            self._fail("", f"not understood: {error}")
            return self._replies
        for address, arguments in found:
            if self._echo and self._echoes.take(now_s):
                self._show(f"OSC in from {sender[0]}:{sender[1]}: {address} {' '.join(map(str, arguments))}"[:200])
            self._follow(address, arguments)
        return self._replies

    def _follow(self, address: str, arguments: list[Any]) -> None:
        try:
            for known in self._meant(address):
                try:
                    known.signature.bind(known.address, *arguments)
                except TypeError:
                    raise RefusedError("takes other arguments; see OSC.md") from None
                known.handler(known.address, *arguments)
        except RefusedError as error:
            self._fail(address, str(error))

    def _meant(self, address: str) -> list[_Known]:
        """Return all that an address or an address pattern means. Raises RefusedError."""
        known = self._known.get(address)
        wildcards = sum(address.count(c) for c in WILDCARDS)
        dear = wildcards or (known is not None and known.dear)
        if not self._work.take(self._now_s, DEAR if dear else 1):
            raise RefusedError("too much at once")
        if known is not None:
            return [known]
        if wildcards > MOST_WILDCARDS:
            raise RefusedError(f"at most {MOST_WILDCARDS} of {WILDCARDS} in a pattern")
        found = [self._by_handler[id(h)] for h in self._dispatcher.handlers_for_address(address)] if wildcards else []
        if not found:
            raise RefusedError(f"there is no such address; {ROOT}/info tells which there are")
        return found

    def _fail(self, address: str, reason: str) -> None:
        self.ignored += 1
        if self._fails.take(self._now_s):
            self._reply("/fail", address, reason)

    def _reply(self, path: str, *arguments: osc.Argument) -> None:
        self._replies.append(osc.message(ROOT + path, *arguments))

    def _parameter_handler(self, parameter: Parameter) -> Callable[..., None]:
        def handler(address: str, value: Any = _ASK) -> None:
            if value is _ASK:
                self._replies.append(osc.message(address, _shown(parameter, self._live.get(parameter.id))))
            else:
                self._set(parameter, value)

        return handler

    def _set(self, parameter: Parameter, value: Any) -> None:
        """Set a parameter, and say so when the value had to be changed."""
        self._check_trust()
        number = _number(parameter, value)
        if parameter.kind == "trigger":
            if number:
                self._live.fire(parameter.id)
            return
        legal, clamped = self._live.set(parameter.id, number)
        if clamped:
            self._reply(parameter.address, _shown(parameter, legal), "clamped")

    def _check_trust(self) -> None:
        """Let only those go on who may change things. Raises RefusedError."""
        host = self._sender[0]
        if self._guard.open_to_all or is_loopback(host) or self._trusted.get(host, -math.inf) >= self._now_s:
            return
        raise RefusedError(f"send {ROOT}/token first, with the token that was shown at the start")

    def _renew(self, host: str) -> None:
        if self._trusted[host] >= self._now_s:
            self._trusted[host] = self._now_s + TRUST_S
        else:
            del self._trusted[host]

    def _do_token(self, _address: str, token: Any) -> None:
        if not self._tries.take(self._now_s) or not self._guard.token_is_right(token):
            raise RefusedError("is not the token, or too many were tried")
        if len(self._trusted) < MOST_TRUSTED:
            self._trusted[self._sender[0]] = self._now_s + TRUST_S
            self._reply("/done", ROOT + "/token")

    def _do_mode(self, _address: str, value: Any) -> None:
        self._set(self._live.registry["mode"], value)

    def _do_tempo(self, _address: str, value: Any) -> None:
        self._set(self._live.registry["tempo"], value)

    def _do_panic(self, _address: str, value: Any = 1) -> None:
        self._set(self._live.registry["panic"], value)

    def _do_reset(self, _address: str, value: Any = 1) -> None:
        self._set(self._live.registry["reset"], value)

    def _do_status(self, _address: str) -> None:
        if self._reports.take(self._now_s):
            self._reply("/status.reply", json.dumps(self._status(), separators=(",", ":")))

    def _do_version(self, _address: str) -> None:
        card = self._schema.card
        self._reply("/version.reply", __version__, card.name, card.contract)

    def _do_info(self, _address: str) -> None:
        if not self._reports.take(self._now_s):
            return
        text = json.dumps(self._schema.info(), separators=(",", ":"))
        parts = [text[at : at + INFO_PART] for at in range(0, len(text), INFO_PART)]
        for number, part in enumerate(parts):
            self._reply("/info.reply", number, len(parts), part)

    def _do_sync(self, _address: str, number: int) -> None:
        if not isinstance(number, int) or isinstance(number, bool):
            raise RefusedError("takes a whole number")
        self._reply("/synced", number)

    def _do_dumposc(self, _address: str, on: Any) -> None:
        self._check_trust()
        self._echo = bool(on)

    def _do_notify(self, _address: str, on: Any, *spec: Any) -> None:
        if not on:
            self._subscribers.leave(self._sender)
            return
        try:
            number, lease_s = self._subscribers.join(self._sender, list(spec), self._now_s)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        self._reply("/done", ROOT + "/notify", number, lease_s)


def _number(parameter: Parameter, value: Any) -> float:
    """Return what an argument says as a number. Raises RefusedError."""
    if isinstance(value, str):
        try:
            number = parameter.parse(value)
        except ValueError as error:
            raise RefusedError(str(error)) from error
    elif isinstance(value, bool | int | float):
        number = float(value)
    else:
        raise RefusedError("takes a number or a word")
    if math.isnan(number):
        raise RefusedError("is not a number")
    return number


def _shown(parameter: Parameter, value: float) -> osc.Argument:
    """Return a value with the type that the contract gives it."""
    if parameter.choices:
        return parameter.text(value)
    return int(value) if parameter.kind in ("switch", "integer", "trigger") else value


class ControlSocket:
    """The control's socket on an event loop. No more than a bounded number of datagrams a second is read from it."""

    def __init__(self, config: ControlConfig) -> None:
        """Open the socket. Raises ConfigError when it cannot be had."""
        where = f"{config.host}:{config.port}"
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_DGRAM)[0]
            self.socket = socket.socket(family, kind, protocol)
            self.socket.setblocking(False)
            self.socket.bind(address)
        except OSError as error:
            raise ConfigError(
                f"osc.control: {where} cannot be opened ({error.strerror or error}); set osc.control.port to another number, "
                "or osc.control.enabled to false"
            ) from error
        self._budget = Bucket(DATAGRAMS_HZ, DATAGRAMS_BURST)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._control: Control | None = None

    def start(self, control: Control) -> None:
        """Read from now on, on the running loop."""
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket, self._read)

    def _read(self) -> None:
        assert self._loop is not None
        assert self._control is not None
        now_s = time.monotonic()
        if not self._budget.take(now_s):
            self._loop.remove_reader(self.socket)
            self._pause = self._loop.call_later(PAUSE_S, self._loop.add_reader, self.socket, self._read)
            return
        try:
            data, sender = self.socket.recvfrom(LARGEST + 1)
        except OSError:  # nothing there after all, or (Windows) an answer before went to nobody
            return
        for reply in self._control.handle(data, sender[:2], now_s):
            with contextlib.suppress(OSError):  # who asks and does not wait for the answer
                self.socket.sendto(reply, sender)

    def close(self) -> None:
        """Stop reading and let go of the port."""
        if self._pause is not None:
            self._pause.cancel()
        if self._loop is not None:
            self._loop.remove_reader(self.socket)
        self.socket.close()
