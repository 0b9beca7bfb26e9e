"""Receivers that asked for the feed themselves: each has it until it says stop or has been silent for a while.

Runs on: feed process, event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from engine.core.osc_section import SMOOTH_TIERS
from engine.core.osc_section import Target as TargetConfig
from engine.feed.signals.audience import Audience
from engine.feed.targets import Endpoint, Target, Targets, subscription_of

LEASE_S = 15.0  # how long a subscriber is sent to without a word of it
MOST = 256
MOST_SPECS = 32  # different ones: each is laid out and filled on its own

_WORDS = ("tiers", "signals", "layers")  # lists, with commas
_OTHERS = {"port": "port", "rate": "max_rate_hz", "root": "root", "chunk": "chunk", "timetag": "timetag"}
_OTHERS |= {"smooth": "smooth_hz", "raw": "raw"}


@dataclass(slots=True)
class _Subscriber:
    number: int
    sender: Endpoint  # who asked last
    target: Target
    until_s: float


class Subscribers:
    """Who has subscribed, by the endpoint that the feed goes to, whichever endpoint asked for it."""

    def __init__(
        self,
        targets: Targets,
        send: Callable[[memoryview | bytes, Endpoint], object],
        audience: Audience | None = None,
    ) -> None:
        """`send` puts a datagram on the wire to an endpoint; the `audience` is told who wants the smooth tiers."""
        self.clamped_hz: float | None = None  # rate of the smooth tiers of who joined last, where another was asked for
        self._targets = targets
        self._audience = audience
        self._send = send
        self._by_receiver: dict[Endpoint, _Subscriber] = {}
        self._asked: dict[Endpoint, set[Endpoint]] = {}  # for which receivers each endpoint asked
        self._count = 0

    def __len__(self) -> int:
        return len(self._by_receiver)

    def join(self, sender: Endpoint, words: list[Any], now_s: float) -> tuple[int, float]:
        """Subscribe `sender`, or the port of it that `words` (keys and values in turn) name; or change what is sent there.

        Returns the subscription's number and its lease in seconds. Raises ValueError that says what is wrong.
        """
        config = self._wanted(words)
        spec = subscription_of(config)
        receiver = (sender[0], config.port if "port" in config.model_fields_set else sender[1])
        before = self._by_receiver.get(receiver)
        if before is None and len(self._by_receiver) >= MOST:
            raise ValueError(f"{MOST} have subscribed already")
        specs = {s.target.template.spec for s in self._by_receiver.values()}
        if spec not in specs and len(specs) >= MOST_SPECS:
            raise ValueError(f"subscribers want {MOST_SPECS} different things already; want what another wants")
        smooth = config.model_copy(update={"host": receiver[0], "port": receiver[1]})
        self._ask(receiver, smooth)
        name = f"{receiver[0]}:{receiver[1]}"
        target = self._targets.add(name, spec, config.max_rate_hz, lambda datagram: self._send(datagram, receiver))
        if before is not None:
            self._end(receiver, goes_on=True)
            number = before.number
        else:
            self._count += 1
            number = self._count
        self._by_receiver[receiver] = _Subscriber(number, sender, target, now_s + LEASE_S)
        self._asked.setdefault(sender, set()).add(receiver)
        return number, LEASE_S

    def _ask(self, receiver: Endpoint, config: TargetConfig) -> None:
        """Have the smooth tiers sent, where they are asked for."""
        self.clamped_hz = None
        if self._audience is None:
            return
        if not set(config.tiers) & set(SMOOTH_TIERS):
            self._audience.forget(receiver)
            return
        self._audience.ask(receiver, config)
        if config.paced_hz != config.smooth_hz:
            self.clamped_hz = config.paced_hz

    def _wanted(self, words: list[Any]) -> TargetConfig:
        if len(words) % 2:
            raise ValueError("after the 1 come keys and values in turn")
        settings: dict[str, Any] = {}
        for key, value in zip(words[::2], words[1::2], strict=True):
            if key in _WORDS and isinstance(value, str | int):
                items = [item.strip() for item in str(value).split(",") if item.strip()]
                settings[key] = [int(i) if i.isdecimal() and key == "layers" else i for i in items]
            elif isinstance(key, str) and key in _OTHERS:
                settings[_OTHERS[key]] = value
            else:
                raise ValueError(f"{key} is not one of {', '.join((*_WORDS, *_OTHERS))}")
        try:
            config = TargetConfig.model_validate(settings)
        except ValidationError as error:
            raise ValueError("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors(include_url=False))) from error
        unknown = self._targets.unknown_signals(config.signals)
        if unknown:
            raise ValueError(f"there is no signal {', '.join(unknown)}; there are {', '.join(self._targets.signals)}")
        return config

    def leave(self, sender: Endpoint, words: list[Any] | None = None) -> None:
        """End what is sent to the port that `words` name, else what goes to `sender` or what it asked for.

        Where that is nothing, all that was asked for under a port's number and goes to the sender's machine: a program that
        asks from a new port each time cannot know what it asked from before.
        """
        port = _port(words or [])
        if port is not None:
            self._end((sender[0], port))
            return
        receivers = {sender, *self._asked.get(sender, ())} & self._by_receiver.keys()
        for receiver in receivers or self._named(sender[0]):
            self._end(receiver)

    def _named(self, host: str) -> list[Endpoint]:
        """Return the receivers of a machine that another endpoint of it asked for."""
        return [receiver for receiver, s in self._by_receiver.items() if receiver[0] == host and s.sender != receiver]

    def _end(self, receiver: Endpoint, goes_on: bool = False) -> None:
        subscriber = self._by_receiver.pop(receiver, None)
        if subscriber is None:
            return
        self._targets.remove(subscriber.target)
        if self._audience is not None and not goes_on:
            self._audience.forget(receiver)
        asked = self._asked[subscriber.sender]
        asked.discard(receiver)
        if not asked:
            del self._asked[subscriber.sender]

    def heard(self, sender: Endpoint, now_s: float) -> None:
        """Something came from `sender`: what goes to it, and what it asked for, is still wanted."""
        for receiver in (sender, *self._asked.get(sender, ())):
            subscriber = self._by_receiver.get(receiver)
            if subscriber is not None:
                subscriber.until_s = now_s + LEASE_S

    def expire(self, now_s: float) -> None:
        """Let go of those that have been silent for too long."""
        for receiver in [r for r, subscriber in self._by_receiver.items() if subscriber.until_s < now_s]:
            self._end(receiver)


def _port(words: list[Any]) -> int | None:
    """Return the port that a goodbye names, if it does; nothing else of it matters."""
    for key, value in pairwise(words):
        if key == "port" and isinstance(value, int | float | str):
            try:
                return int(value)
            except (ValueError, OverflowError):
                return None
    return None
