"""Receivers that asked for the feed themselves: each has it until it says stop or has been silent for a while.

Runs on: feed process, event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from engine.core.config import Target as TargetConfig
from engine.feed.targets import Endpoint, Target, Targets, subscription_of

LEASE_S = 15.0  # how long a subscriber is sent to without a word of it
MOST = 256
MOST_WISHES = 32  # different ones: each is laid out and filled on its own

_WORDS = ("tiers", "signals", "layers")  # lists, with commas
_OTHERS = {"port": "port", "rate": "max_rate_hz", "root": "root", "chunk": "chunk", "timetag": "timetag"}


@dataclass(slots=True)
class _Subscriber:
    number: int
    target: Target
    until_s: float


class Subscribers:
    """Who has subscribed, by the address it wrote from."""

    def __init__(self, targets: Targets, send: Callable[[memoryview | bytes, Endpoint], object]) -> None:
        """`send` puts a datagram on the wire to an endpoint."""
        self._targets = targets
        self._send = send
        self._by_sender: dict[Endpoint, _Subscriber] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._by_sender)

    def join(self, sender: Endpoint, words: list[Any], now_s: float) -> tuple[int, float]:
        """Subscribe `sender`, or change what it wants; `words` are keys and values in turn.

        Returns the subscription's number and its lease in seconds. Raises ValueError that says what is wrong.
        """
        config = self._wanted(words)
        spec = subscription_of(config)
        before = self._by_sender.get(sender)
        if before is None and len(self._by_sender) >= MOST:
            raise ValueError(f"{MOST} have subscribed already")
        specs = {s.target.template.spec for s in self._by_sender.values()}
        if spec not in specs and len(specs) >= MOST_WISHES:
            raise ValueError(f"subscribers want {MOST_WISHES} different things already; want what another wants")
        receiver = (sender[0], config.port if "port" in config.model_fields_set else sender[1])
        name = f"{receiver[0]}:{receiver[1]}"
        target = self._targets.add(name, spec, config.max_rate_hz, lambda datagram: self._send(datagram, receiver))
        if before is not None:
            self._targets.remove(before.target)
            number = before.number
        else:
            self._count += 1
            number = self._count
        self._by_sender[sender] = _Subscriber(number, target, now_s + LEASE_S)
        return number, LEASE_S

    def _wanted(self, words: list[Any]) -> TargetConfig:
        if len(words) % 2:
            raise ValueError("after the 1 come keys and values in turn")
        settings: dict[str, Any] = {}
        for key, value in zip(words[::2], words[1::2], strict=True):
            if key in _WORDS and isinstance(value, str | int):
                items = [item.strip() for item in str(value).split(",") if item.strip()]
                settings[key] = [int(i) if i.isdecimal() and key == "layers" else i for i in items]
            elif key in _OTHERS:
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

    def leave(self, sender: Endpoint) -> None:
        """End a subscription, if there is one."""
        subscriber = self._by_sender.pop(sender, None)
        if subscriber is not None:
            self._targets.remove(subscriber.target)

    def heard(self, sender: Endpoint, now_s: float) -> None:
        """Something came from `sender`: if it has subscribed, it is still there."""
        subscriber = self._by_sender.get(sender)
        if subscriber is not None:
            subscriber.until_s = now_s + LEASE_S

    def expire(self, now_s: float) -> None:
        """Let go of those that have been silent for too long."""
        for sender in [s for s, subscriber in self._by_sender.items() if subscriber.until_s < now_s]:
            self.leave(sender)
