"""Who may come in and what he may do: host and origin checks, the token, limits on rates.

Runs on: feed process. Nothing here touches a socket.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
import uuid
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def plain(host: str) -> str:
    """Return an IPv4 address that is written as an IPv6 one (::ffff:192.0.2.1, as a socket for both has it) as what it is."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return host if mapped is None else str(mapped)


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` can be reached from this machine alone; of a sender: whether it is on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(plain(host)).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Whether a server bound to `host` listens on every network of this machine."""
    try:
        return ipaddress.ip_address(plain(host)).is_unspecified
    except ValueError:
        return host == ""


def machine_name() -> str:
    """Return this machine's name as a part of a host name, one that no other machine of its network is likely to have."""
    name = re.sub("[^a-z0-9]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")
    return name[:40] if name not in ("", "localhost") else f"{uuid.getnode():012x}"


def own_address() -> str:
    """Return the address this machine has on its network; the loopback's where it is on none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address nobody has: nothing is sent, the system only chooses the way
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def address_of(host: str, port: int) -> str:
    """Return the address of pages that are served at this host and port, as others write it."""
    host = host if host not in ("0.0.0.0", "::") else own_address()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def split_host(header: str) -> str | None:
    """Return the host of a Host header without its port, lower case; None when it is no host."""
    try:
        parts = urlsplit(f"//{header}")
        parts.port  # noqa: B018 (reading it checks it)
        name = parts.hostname
    except ValueError:
        return None
    if not name or parts.username is not None or parts.path or parts.query or parts.fragment:
        return None
    return name


class Guard:
    """Decides for one server.

    A page elsewhere that makes a browser talk to it, by DNS rebinding or a plain link, fails here: its host is a name that is
    not ours, or its origin is not our host.
    """

    def __init__(self, host: str, token: str = "", origins: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        """`origins`: pages of others that may come in as well; `names`: more names that the server is announced under."""
        self._origins = frozenset(origin.lower() for origin in origins)
        self.open_to_all = is_loopback(host)  # nobody outside this machine comes in: no token needed
        self.token = "" if self.open_to_all else token or secrets.token_urlsafe(9)
        machine = socket.gethostname().lower()
        self._names = {*LOOPBACK_NAMES} if self.open_to_all else {*LOOPBACK_NAMES, machine, f"{machine}.local"}
        if not self.open_to_all:
            self._names.add(host.lower())
        self._names |= {name.lower().rstrip(".") for name in names}

    def host_is_ours(self, header: str | None) -> bool:
        """Whether a Host header names this server.

        Where it is open to the network any address in numbers does: a name that was made to point here cannot look like one.
        """
        name = split_host(header) if header else None
        if name is None:
            return False
        if name.rstrip(".") in self._names:
            return True
        try:
            address = ipaddress.ip_address(plain(name))
        except ValueError:
            return False
        return address.is_loopback if self.open_to_all else True

    def origin_is_ours(self, origin: str | None, host: str | None) -> bool:
        """Whether a request comes from our own page or a named one, or from a program that is no browser (no Origin)."""
        if origin is None or origin.lower() in self._origins:
            return True
        if not host:
            return False
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()

    def token_is_right(self, token: object) -> bool:
        """Whether `token` opens what changes something."""
        if self.open_to_all:
            return True
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self.token.encode())


class Bucket:
    """A limit on a rate: `rate` a second in the long run, `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left = burst
        self._at_s: float | None = None

    def take(self, now_s: float, cost: float = 1) -> bool:
        """Take one, or one that counts as `cost`; False when there is not so much left."""
        if self._at_s is not None:
            self._left = min(self._left + (now_s - self._at_s) * self._rate, self._burst)
        self._at_s = now_s
        if self._left < cost:
            return False
        self._left -= cost
        return True
