"""kill -9 under load: what was acknowledged is there, once, and the phones come back by themselves."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.store import schema
from engine.store.store import Generation, Store
from tests.booth.load import Figures, Phone
from tests.booth.stand import free_port
from tests.store.made_up import clips
from tests.store.servers import Postgres


def begin(port: int, store: str, network: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start a booth as a program of its own, which finds no jam: there may be one of another test."""
    command = [sys.executable, "-m", "engine.cli", "booth", "--port", str(port), "--store", store]
    environment = os.environ | {"XDG_RUNTIME_DIR": str(folder)}
    return subprocess.Popen([*command, "--set", f"network.name={network}"], env=environment, stdout=subprocess.DEVNULL)


async def killed(
    store: str, network: Path, folder: Path, times: int, phones: int, hz: float, up_s: float
) -> tuple[Figures, list[float]]:
    """Have phones vote while the booth is killed again and again; return what they found, and how long until all were back."""
    port = free_port()
    figures = Figures()
    back = []
    process = begin(port, store, network, folder)
    try:
        everybody = [Phone(n, port, figures, phones / hz) for n in range(phones)]
        tasks = [asyncio.create_task(phone.run()) for phone in everybody]
        while figures.here < phones:
            await asyncio.sleep(0.05)
        for _ in range(times):
            await asyncio.sleep(up_s)
            process.kill()
            process.wait()
            process = begin(port, store, network, folder)
            while not await listens(port):
                await asyncio.sleep(0.02)
            since = time.monotonic()
            while figures.here < phones:
                await asyncio.sleep(0.02)
            back.append(time.monotonic() - since)
        await asyncio.sleep(up_s)
        for phone in everybody:
            phone.end()
        await asyncio.wait(tasks, timeout=5)
    finally:
        process.kill()
        process.wait()
    return figures, back


async def listens(port: int) -> bool:
    """Whether something serves there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def held_against(figures: Figures, store: str) -> tuple[int, int, int]:
    """Acknowledged votes, those of them that are missing or are not what was said, and votes of a ballot beyond the first."""
    with Store(store) as kept, kept.reading() as connection:
        rows = connection.execute(sa.select(schema.votes.c.ballot, schema.votes.c.choice)).all()
    there = {row.ballot: row.choice for row in rows}
    missing = sum(there.get(key) != choice for key, choice in figures.counted.items())
    return len(figures.counted), missing, len(rows) - len(there)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_or_doubled(
    kind: str, tiny_onnx: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        store = str(tmp_path / "booth.db")
    else:
        server: Postgres = request.getfixturevalue("server")
        store = server.url("killed")
    with Store(store) as made:
        made.open_generation(made.add_generation(Generation("first", "tiny.onnx"), clips(12)))
    figures, back = asyncio.run(killed(store, tiny_onnx, tmp_path, times=2, phones=20, hz=60, up_s=0.6))
    acknowledged, missing, doubled = held_against(figures, store)
    assert acknowledged > 30
    assert (missing, doubled) == (0, 0)
    assert len(back) == 2


def main() -> None:
    """For measuring: python -m tests.booth.test_killed STORE TIMES."""
    store, times = sys.argv[1], int(sys.argv[2])
    from engine.core.config import Config

    with Store(store) as made:
        if made.current() is None:
            made.open_generation(made.add_generation(Generation("first", "festival.onnx"), clips(64)))
    with tempfile.TemporaryDirectory() as folder:
        figures, back = asyncio.run(killed(store, Config().network_path(), Path(folder), times, 200, 200.0, 1.0))
    acknowledged, missing, doubled = held_against(figures, store)
    out: dict[str, float] = {"kills": times, "acknowledged": acknowledged, "missing": missing, "doubled": doubled}
    away = sorted(figures.away_s)  # of each phone, from its broken connection on
    out |= {"away_s_p99": round(away[int(0.99 * len(away))], 2), "away_s_max": round(away[-1], 2)}
    out |= {"back_s_max": round(max(back), 2), "back_s_mean": round(sum(back) / len(back), 2)}
    sys.stdout.write(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
