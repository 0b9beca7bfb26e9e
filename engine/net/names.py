"""Names of hosts: found beside whoever must not wait, for a name server may take seconds.

Runs on: any one thread; each question is asked by a thread of its own.
"""

from __future__ import annotations

import ipaddress
import socket
import threading

from engine.net.guard import plain


def is_address(host: str) -> bool:
    """Whether a host is given by its address: to open a way to it asks nobody."""
    try:
        ipaddress.ip_address(plain(host).partition("%")[0])
    except ValueError:
        return host == "localhost"
    return True


class Names:
    """Looks names up: `look` until there is an answer."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._answers: dict[str, str | OSError] = {}  # written by the threads that ask

    def look(self, host: str) -> str | None:
        """Return the address of a host, None while it is looked for. Raises OSError when nobody knows it; asks anew then."""
        if is_address(host):
            return host
        answer = self._answers.pop(host, None)
        if answer is None:
            if host not in self._asked:
                self._asked.add(host)
                threading.Thread(target=self._ask, args=(host,), name=f"name {host}"[:15], daemon=True).start()
            return None
        self._asked.discard(host)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _ask(self, host: str) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
            self._answers[host] = str(found[0][4][0])
        except OSError as error:
            self._answers[host] = error
        except UnicodeError:  # of a name that cannot be one
            self._answers[host] = OSError(f"{host} cannot be a name")
