"""The ports that a run needs, looked at before it begins: all that are taken are named at once.

Runs on: main process.
"""

from __future__ import annotations

import errno
import socket

from engine.core import segment
from engine.core.config import Config


def taken_ports(config: Config) -> str:
    """Return what is to be said of the ports that another program has; empty where all are free."""
    osc = config.osc
    wanted = (
        ("osc.control", osc.control.enabled, osc.control.host, osc.control.port, socket.SOCK_DGRAM),
        ("osc.query", osc.query.enabled, osc.query.host, osc.query.port, socket.SOCK_STREAM),
        ("web", config.web.enabled, config.web.host, config.web.port, socket.SOCK_STREAM),
    )
    taken = [(key, host, port) for key, enabled, host, port, kind in wanted if enabled and _is_taken(host, port, kind)]
    if not taken:
        return ""
    others = segment.others()
    by = f", presumably by the jam that runs already (process {others[0]})" if others else ""
    what = ", ".join(f"{key}.port ({host}:{port})" for key, host, port in taken)
    # ":" ends what is the matter; behind it stands what to do.
    remedy = " ".join(f"--set {key}.port={min(port + 100, 65535)}" for key, _, port in taken)
    end = "end that one, or give this one other ports" if others else "end that program, or take other ports"
    return f"taken{by}: {what}; {end}: {remedy}, or set {taken[0][0]}.enabled to false"


def _is_taken(host: str, port: int, kind: socket.SocketKind) -> bool:
    """Whether another program has the port; what else may be wrong is told where it is opened."""
    try:
        family, _, protocol, _, address = socket.getaddrinfo(host, port, type=kind)[0]
        with socket.socket(family, kind, protocol) as probe:
            if kind == socket.SOCK_STREAM and hasattr(socket, "SO_REUSEPORT"):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as it is opened later
            probe.bind(address)
            if kind == socket.SOCK_STREAM:
                probe.listen(1)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False
