"""OSC orders and questions from outside, taken with suspicion.

Runs on: feed process, event loop. What an order changes goes through `Commands`. Whatever is refused changes nothing, costs a
bounded time and is answered at a bounded rate.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pythonosc.dispatcher import Dispatcher

from engine import __version__
from engine.control.commands import Commands, Outcome
from engine.control.scene_view import scene_view
from engine.core.errors import nearest
from engine.core.link import Link
from engine.core.parameters import SCENE_WORDS, TRANSPORT, Live, Parameter
from engine.feed.orders import COMMANDS
from engine.feed.schema import ROOT, Schema
from engine.feed.subscribers import Subscribers
from engine.feed.targets import Endpoint
from engine.net import osc
from engine.net.guard import Bucket, Guard, is_loopback
from engine.net.packets import Malformed, read

MOST_WILDCARDS = 4  # in an address pattern: matching is then quick whatever it says
WILDCARDS = "*?[]{}"
SET = ("mode", "tempo")  # parameters with a command of their own
PULLED = ("panic", "reset")  # triggers with one
SCENE_ORDERS = {f"scene_{word}": word for word in SCENE_WORDS}
LONGEST_REPLY = 8192  # characters of a set that are told
INFO_PART = 1024  # bytes of JSON in one reply
WORK_HZ, WORK_BURST = 2000, 1000  # messages that are followed ...
DEAR = 20  # ... of which those count for more that cost more: patterns, subscriptions
FAIL_HZ, FAIL_BURST = 20, 20  # complaints that are sent
ECHO_HZ, ECHO_BURST = 10, 10  # lines that dumpOSC shows
REPORT_HZ, REPORT_BURST = 20, 40  # long answers (/info, /status) that are sent
TOKENS_HZ, TOKENS_BURST = 0.2, 5.0  # tokens that are tried, by all together
TRUST_S = 600.0  # how long a machine that had the token may change things without a word of it
MOST_TRUSTED = 64

_ASK = object()  # no argument: a question


class RefusedError(Exception):
    """An order that was understood and cannot be followed."""


class _UnknownError(RefusedError):
    """There is no such address."""


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
        link: Link | None = None,
    ) -> None:
        """`status` gives what /status answers, `show` tells the person at the terminal a line. Charts go over the `link`.

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
        self._link = link
        self._commands = Commands(live, link)
        self._learn()

    def adopt(self, schema: Schema) -> None:
        """Tell of another network from here on."""
        self._schema = schema

    def _learn(self) -> None:
        """Know every address: those of the parameters that there are now, and of the commands."""
        self._generation = self._live.generation
        self._dispatcher = Dispatcher(strict_timing=False)
        self._known: dict[str, _Known] = {}
        self._by_handler: dict[int, _Known] = {}
        for parameter in self._live.registry:
            self._map(parameter.address, self._parameter_handler(parameter))
        for command in COMMANDS:
            if "<" not in command.path:
                self._map(command.path, self._command_handler(command.path[1:].lower().replace("/", "_")))

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
        self._live.refresh()
        if self._live.generation != self._generation:
            self._learn()
        for found in read(data):
            if isinstance(found, Malformed):
                self._fail(found.address, f"not understood: {found.reason}")
                continue
            if self._echo and self._echoes.take(now_s):
                self._show(_line(sender, found.address, found.arguments))
            self._follow(found.address, found.arguments)
        return self._replies

    def _follow(self, address: str, arguments: Sequence[Any]) -> None:
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
            raise _UnknownError
        return found

    def _fail(self, address: str, reason: str) -> None:
        self.ignored += 1
        if self._fails.take(self._now_s):
            if not reason:  # only now: to find what is like it takes its time
                known = {_short(a): a for a in self._known}
                like = nearest(_short(address), known)
                meant = f"did you mean {known[like]}? " if like else ""
                reason = f"there is no such address; {meant}{ROOT}/info tells which there are"
            self._reply("/fail", address, reason)

    def _reply(self, path: str, *arguments: osc.Argument) -> None:
        self._replies.append(osc.message(ROOT + path, *arguments))

    def _parameter_handler(self, parameter: Parameter) -> Callable[..., None]:
        def pull(_address: str, *value: Any) -> None:
            self._order("trigger", parameter.id, value[0] if value else None)

        def handler(address: str, value: Any = _ASK) -> None:
            if value is _ASK:
                self._replies.append(osc.message(address, shown(parameter, self._live.get(parameter.id))))
            else:
                self._order("set", parameter.id, value)

        return pull if parameter.kind == "trigger" else handler

    def _order(self, kind: str, name: str, value: Any) -> None:
        """Follow an order, and say so when the value had to be changed. Raises RefusedError."""
        self._check_trust()
        outcome: Outcome = self._commands.do(kind, name, value)
        if not outcome.is_done:
            raise RefusedError(self._commands.explain(outcome))
        if outcome.status == "clamped":
            parameter = self._live.registry[outcome.id]
            self._reply(parameter.address, shown(parameter, outcome.value), "clamped")

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

    def _command_handler(self, name: str) -> Callable[..., None]:
        """Return what follows a command: a short way to a parameter, or a method of its own."""
        if name in SET:
            return lambda _address, value: self._order("set", name, value)
        if name in PULLED:
            return lambda _address, *value: self._order("trigger", name, value[0] if value else None)
        if (word := SCENE_ORDERS.get(name)) is not None:
            return lambda _address, *value: self._order("scene", word, value[0] if value else None)
        if name in TRANSPORT:
            return lambda _address, *value: self._order("transport", name, value[0] if value else None)
        handler: Callable[..., None] = getattr(self, "_do_" + name)
        return handler

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

    def _do_chart(self, address: str, text: Any = _ASK) -> None:
        if text is not _ASK:
            self._order("chart", "chart", text)
            return
        record = None if self._link is None else self._link["chart"].latest()
        self._replies.append(osc.message(address, "" if record is None else record["text"].decode()[:INFO_PART]))

    def _do_scene_go(self, _address: str, which: Any) -> None:
        self._order("scene", "go", which)

    def _do_scene_list(self, _address: str) -> None:
        if self._link is not None and self._reports.take(self._now_s):
            told = json.dumps(scene_view(self._link).told(), separators=(",", ":"))
            self._reply("/scene/list.reply", told[:LONGEST_REPLY])

    def _do_scene_keep(self, _address: str, number: Any) -> None:
        self._order("scene", "keep", number)

    def _do_learn(self, _address: str, parameter: Any) -> None:
        if not isinstance(parameter, str):
            raise RefusedError("takes the name of a parameter, for example lead.level; an empty one: none")
        self._order("learn", parameter, None)

    def _do_sync(self, _address: str, number: int) -> None:
        if not isinstance(number, int) or isinstance(number, bool):
            raise RefusedError("takes a whole number")
        self._reply("/synced", number)

    def _do_dumposc(self, _address: str, on: Any) -> None:
        self._check_trust()
        self._echo = bool(on)

    def _do_notify(self, _address: str, on: Any, *spec: Any) -> None:
        if not on:
            self._subscribers.leave(self._sender, list(spec))
            return
        try:
            number, lease_s = self._subscribers.join(self._sender, list(spec), self._now_s)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        self._reply("/done", ROOT + "/notify", number, lease_s)
        if (paced_hz := self._subscribers.clamped_hz) is not None:
            self._reply("/notify", "smooth", paced_hz, "clamped")


def shown(parameter: Parameter, value: float) -> osc.Argument:
    """Return a value with the type that the contract gives it."""
    if parameter.choices:
        return parameter.text(value)
    return int(value) if parameter.whole else value


def _short(address: str) -> str:
    """Return an address without what nearly all have in common, which would make them all alike."""
    return address.removeprefix(ROOT).removeprefix("/param")


def _line(sender: Endpoint, address: str, arguments: Sequence[Any]) -> str:
    """Return what the person at the terminal is shown of a message: whatever it holds, one line and no control characters."""
    words = " ".join(str(argument) for argument in arguments)
    text = f"OSC in from {sender[0]}:{sender[1]}: {address} {words}"[:200]
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
