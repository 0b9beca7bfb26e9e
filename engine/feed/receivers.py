"""The receivers of the configuration: opened at once where they are addresses; names are looked for until they are found.

Runs on: feed process and replay, event loop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from engine.core.errors import ConfigError
from engine.core.messages import INFO, WARNING
from engine.core.osc_section import Target as TargetConfig
from engine.feed.targets import Targets, open_udp, subscription_of
from engine.net.names import is_address

FIRST_S, LONGEST_S = 1.0, 60.0  # pauses between two tries to find a name: each is twice the one before


class Receivers:
    """Opens `osc.targets` among the feed's targets."""

    def __init__(self, targets: Targets, network: str, tell: Callable[[int, str], None]) -> None:
        """`network`: its name, for errors; `tell` takes a level and a line for the person at the terminal."""
        self._targets = targets
        self._network = network
        self._tell = tell
        self._searches: set[asyncio.Task[None]] = set()

    def open(self, configured: Sequence[TargetConfig]) -> None:
        """Open every target; those given by name are looked for meanwhile. Raises ConfigError for what cannot be right."""
        for number, target in enumerate(configured):
            unknown = self._targets.unknown_signals(target.signals)
            if unknown:
                raise ConfigError(
                    f"osc.targets.{number}.signals: {self._network} has no signal {', '.join(unknown)}; "
                    f"it has: {', '.join(self._targets.signals)}"
                )
            if is_address(target.host):
                self._add(number, target)
            else:  # a name server may take seconds, or know it only later
                search = asyncio.get_running_loop().create_task(self._find(number, target))
                self._searches.add(search)
                search.add_done_callback(self._searches.discard)

    def close(self) -> None:
        """Look for nobody any more."""
        for search in self._searches:
            search.cancel()

    def _add(self, number: int, target: TargetConfig) -> None:
        where = f"{target.host}:{target.port}"
        try:
            out = open_udp(target.host, target.port, target.interface)
            self._targets.add(where, subscription_of(target), target.max_rate_hz, out.send)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"osc.targets.{number}: {where} cannot be sent to ({_reason(error)}); correct it or take it out"
            ) from error

    async def _find(self, number: int, target: TargetConfig) -> None:
        """Find a target that is given by name, however long it takes; the jam goes on without it meanwhile."""
        pause_s, told = FIRST_S, False
        while True:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
                self._add(number, target.model_copy(update={"host": str(found[0][4][0])}))
            except (OSError, ConfigError, UnicodeError) as error:  # UnicodeError: of a name that cannot be one
                if not told:
                    text = f"osc.targets.{number}: {target.host} is not reached ({_reason(error)}); it is tried again"
                    self._tell(WARNING, text)
                    told = True
            else:
                if told:
                    self._tell(INFO, f"osc.targets.{number}: {target.host} is reached now")
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_S)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
