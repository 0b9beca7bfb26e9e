"""A PostgreSQL server of Debian's package, for the tests of the store and of the booth."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.system.rig import _missing, wait_for

INSTALLED = Path("/usr/lib/postgresql")  # Debian keeps its programs out of the path


def program(name: str) -> str:
    """Return the path of one of its programs; without it the test is skipped, and where CI is set it fails."""
    found = sorted(INSTALLED.glob(f"*/bin/{name}")) or [Path(p) for p in [shutil.which(name)] if p]
    if not found:
        _missing(f"{name} is not here: apt-get install postgresql")
    return str(found[-1])


class Postgres:
    """A server of its own on the loopback; `url(name)` makes a database."""

    def __init__(self, folder: Path, port: int, user: str | None) -> None:
        self.folder, self.port, self.user = folder, port, user

    def run(self, name: str, *arguments: str) -> None:
        """Run one of its programs, as a user that may: PostgreSQL does not run as root."""
        said = subprocess.run(
            [program(name), *arguments], capture_output=True, text=True, user=self.user, cwd="/", timeout=60, check=False
        )
        assert said.returncode == 0, said.stderr + said.stdout

    def start(self) -> None:
        """Begin to serve."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-o", options, "-w", "start")

    def stop(self, how: str = "fast") -> None:
        """End at once, as when the machine goes down; `immediate`: and leave all as it is."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")
        wait_for(lambda: not self._listens(), 10, "the server's end")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, name: str) -> str:
        """Make a database; return its address."""
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "booth", name)
        return f"postgresql://booth@127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Give a server that ends with the block."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="booth-postgres-"))
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = Postgres(folder, port, user)
    try:
        server.run("initdb", "-D", str(folder / "data"), "-U", "booth", "-A", "trust", "--no-sync")
        server.start()
        yield server
        with contextlib.suppress(AssertionError):
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
