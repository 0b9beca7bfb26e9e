"""Announces the feed by zeroconf, under names that no other machine of the network has.

Runs on: feed process, event loop. zeroconf is imported here, when there is sound already.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from engine.net.guard import is_everywhere, machine_name, own_address

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

NAME = "Algoritmo"


def service_name() -> str:
    """Return what a browser of services shows."""
    return f"{NAME} on {machine_name()}"


def server_name(port: int) -> str:
    """Return the host name that the services point to; whoever asks by it says it in the Host header."""
    return f"{NAME.lower()}-{machine_name()}-{port}.local"


async def announce(host: str, query_port: int, control_port: int) -> AsyncZeroconf | None:
    """Tell the network, or where only this machine can come in (`host`), this machine; None when there is none to tell."""
    from zeroconf import InterfaceChoice, IPVersion, NonUniqueNameException, ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    interfaces: Any = InterfaceChoice.Default if is_everywhere(host) else [host]
    zeroconf: AsyncZeroconf | None = None
    try:
        zeroconf = AsyncZeroconf(interfaces=interfaces, ip_version=IPVersion.V4Only)
        addresses = [socket.inet_aton(own_address() if is_everywhere(host) else host)]
        for kind, port in (("_oscjson._tcp.local.", query_port), ("_osc._udp.local.", control_port)):
            server = f"{server_name(query_port)}."
            info = ServiceInfo(kind, f"{service_name()}.{kind}", port, addresses=addresses, server=server)
            await zeroconf.async_register_service(info, allow_name_change=True)
    except (OSError, NonUniqueNameException):  # it can still be found by its address
        if zeroconf is not None:
            await zeroconf.async_close()
        return None
    return zeroconf
