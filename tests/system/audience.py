"""Receivers of the feed and browsers' sockets, in a process of their own that ends with its maker."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


class Audience:
    """So many receivers of the feed, and browsers that look at a page once they are told where."""

    def __init__(self, receivers: int, browsers: int) -> None:
        command = [sys.executable, __file__, str(receivers), str(browsers)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports: list[int] = self._answer()

    def look(self, port: int) -> None:
        """Let the browsers look at the page on this port."""
        self._say({"page": port})

    def come_anew(self) -> None:
        """Let every browser close and open the page again."""
        self._say({"anew": True})

    def received(self) -> tuple[list[int], list[int]]:
        """Return what each receiver and each browser has received so far."""
        self._say({"tell": True})
        feed, page = self._answer()
        return feed, page

    def _say(self, what: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class _Receiver(asyncio.DatagramProtocol):
    received = 0

    def datagram_received(self, _data: bytes, _address: Any) -> None:
        self.received += 1


class _Browser:
    """Opens the page's socket again and again, and takes what comes."""

    def __init__(self, listens: bool) -> None:
        self.received = 0
        self._listens = listens
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def look(self, session: aiohttp.ClientSession, port: int) -> None:
        while True:
            try:
                async with session.ws_connect(f"http://127.0.0.1:{port}/stage/socket?fps=30") as self._socket:
                    if self._listens:
                        await self._socket.send_json({"sound": True})
                    async for _ in self._socket:
                        self.received += 1
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.5)

    async def leave(self) -> None:
        if self._socket is not None:
            await self._socket.close()


async def _run(receivers: int, browsers: int) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    all_receivers = [_Receiver() for _ in range(receivers)]
    ports = []
    for receiver in all_receivers:
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind(("127.0.0.1", 0))
        ports.append(end.getsockname()[1])
        await loop.create_datagram_endpoint(lambda receiver=receiver: receiver, sock=end)  # type: ignore[misc]
    _tell(ports)
    looking = [_Browser(listens=number == 0) for number in range(browsers)]
    tasks = []
    async with aiohttp.ClientSession() as session:
        while line := await told.readline():
            order = json.loads(line)
            if "page" in order:
                tasks += [asyncio.create_task(browser.look(session, order["page"])) for browser in looking]
            elif "anew" in order:
                for browser in looking:
                    await browser.leave()
            else:
                _tell([[r.received for r in all_receivers], [b.received for b in looking]])
        for task in tasks:
            task.cancel()


def _tell(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2])))
