"""The explorer's pages without a jam: served here, or as a folder that any file server serves (`algoritmo explore`).

Runs on: main process.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.core.config import Web
from engine.core.errors import AlgoritmoError
from engine.net.guard import Guard, address_of
from engine.net.sockets import listen
from engine.web.files import LIB, NETWORKS, STATIC, Files
from engine.web.pages import Page

PAGE = "explore"
# A folder's own address leads on to the page.
INDEX = f'''<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={PAGE}/">
<a href="{PAGE}/">Algoritmo</a>
'''


class Corner:
    """A server of its own for the explorer: nobody plays there and nothing can be changed, so that it has no messages."""

    def __init__(self, config: Web) -> None:
        self.config = config
        self.guard = Guard(config.host)
        self.pages: Mapping[str, Page] = {}
        self.full = True

    @property
    def address(self) -> str:
        """Where a browser finds it; open to the network: from elsewhere too."""
        return address_of(self.config.host, self.config.port)


def serve(config: Web, opens: bool, tell: Callable[[str], None]) -> None:
    """Serve the explorer until it is ended; `opens`: in a browser here, too. Raises ConfigError for a port that is taken."""
    # The Windows default loop cannot wait for a socket that is read without a transport.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_serve(Corner(config), opens, tell))


async def _serve(corner: Corner, opens: bool, tell: Callable[[str], None]) -> None:
    from engine.web.server import Server

    server = Server(corner, Files(only=PAGE))
    with contextlib.closing(listen("web", corner.config.host, corner.config.port)) as listening:
        await server.start(listening)
        over = asyncio.Event()
        for one in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # on Windows the interpreter raises KeyboardInterrupt by itself
                asyncio.get_running_loop().add_signal_handler(one, over.set)
        tell(f"{corner.address}{PAGE}/ (Ctrl-C ends it)")
        if opens:
            await asyncio.to_thread(webbrowser.open, f"{corner.address}{PAGE}/")
        try:
            await over.wait()
        finally:
            await server.stop()


class ExportError(AlgoritmoError):
    """The folder cannot be written."""


def export(folder: Path) -> int:
    """Write the explorer with all it needs, the network included, into `folder`; return the bytes. Raises ExportError."""
    try:
        if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / PAGE).is_dir())):
            raise ExportError(f"--export: {folder} has other things in it; give a new folder, or an empty one")
        for name in (PAGE, LIB):
            shutil.copytree(STATIC / name, folder / name, dirs_exist_ok=True)
        for address, source in NETWORKS.items():
            target = folder / address.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        (folder / "index.html").write_text(INDEX)
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise ExportError(
            f"--export: {folder} cannot be written ({error.strerror or error}); give a folder you may write"
        ) from error
