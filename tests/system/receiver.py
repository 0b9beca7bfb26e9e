"""A UDP receiver in a process of its own that tells when the kernel had each datagram, and how many it threw away.

Shared by the scripts that measure the feed; Linux only, for the kernel's own time of arrival.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

SO_TIMESTAMPNS, SO_RXQ_OVFL = 35, 40  # Linux; Python's socket module does not name them
FRAME_AT = 44  # of the frame counter in a bundle that /algoritmo/frame leads
NTP_EPOCH_S = 2_208_988_800
QUIET_S = 0.3  # of nothing more coming, after which all that was sent has come

DATAGRAM = np.dtype(
    [
        ("arrived_unix_s", "<f8"),  # by the kernel's clock
        ("timetag_unix_s", "<f8"),
        ("frame", "<i8"),  # number of the timestep; -1: notes and futures
        ("size", "<i4"),
    ]
)


@dataclass
class Heard:
    """What a receiver was sent."""

    datagrams: np.ndarray  # DATAGRAM records
    lost: int  # by the kernel: its buffer was full
    behind_ms: float  # the longest that a datagram lay in the kernel before it was read
    bodies: list[bytes]  # where they were kept

    def steps(self) -> np.ndarray:
        """The datagrams of steps, without those of notes."""
        return self.datagrams[self.datagrams["frame"] >= 0]

    def per_step(self) -> dict[int, int]:
        """How many datagrams came of each timestep."""
        numbers, counts = np.unique(self.steps()["frame"], return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


class Receiver:
    """Listens from its making until `stop`."""

    def __init__(self, buffer: int = 0, every_s: float = 0.0, keep: bool = False) -> None:
        """`buffer`: bytes asked for SO_RCVBUF (0: as the system has it); `every_s`: looks only so often; `keep`: bytes too."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_listen, args=(theirs, buffer, every_s, keep), daemon=True)
        self._process.start()
        self.port: int = self._pipe.recv()

    def stop(self) -> Heard:
        """Return all that came, once nothing more does."""
        self._pipe.send("stop")
        data, lost, behind_s, bodies = self._pipe.recv()
        self._process.join()
        return Heard(np.frombuffer(data, DATAGRAM), lost, round(1e3 * behind_s, 1), bodies)


def _listen(pipe: Connection, buffer: int, every_s: float, keep: bool) -> None:
    gc.disable()  # it would walk all that came, for longer than the kernel's buffer lasts
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    pipe.send(sock.getsockname()[1])
    found: list[tuple[float, float, int, int]] = []
    bodies: list[bytes] = []
    lost, behind_s = 0, 0.0
    told_s = 0.0  # when it was told to stop
    newest_s = time.monotonic()
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.register(pipe.fileno(), select.POLLIN)
    while not told_s or time.monotonic() - newest_s < QUIET_S:
        if every_s:
            time.sleep(every_s)
        else:
            poll.poll(100)
        if not told_s and pipe.poll():
            pipe.recv()
            told_s = newest_s = time.monotonic()
        while True:
            try:
                data, ancillary, _, _ = sock.recvmsg(65536, 128)
            except BlockingIOError:
                break
            newest_s = time.monotonic()
            arrived_s, lost = _told(ancillary, lost)
            behind_s = max(behind_s, time.time() - arrived_s)
            found.append((arrived_s, _timetag_s(data), _frame(data), len(data)))
            if keep:
                bodies.append(data)
    pipe.send((np.array(found, DATAGRAM).tobytes(), lost, behind_s, bodies))
    os._exit(0)


def _told(ancillary: list[tuple[int, int, bytes]], lost: int) -> tuple[float, int]:
    """What the kernel says of a datagram: when it came, and how many were thrown away before it."""
    arrived_s = time.time()
    for _, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            arrived_s = seconds + nanoseconds * 1e-9
        elif kind == SO_RXQ_OVFL:
            (lost,) = struct.unpack("I", data[:4])
    return arrived_s, lost


def _timetag_s(data: bytes) -> float:
    seconds, fraction = struct.unpack(">II", data[8:16])
    return seconds - NTP_EPOCH_S + fraction / 2**32


def _frame(data: bytes) -> int:
    if data[20:36] != b"/algoritmo/frame" or data[FRAME_AT + 8 :].startswith(b"/algoritmo/future/"):
        return -1
    return int.from_bytes(data[FRAME_AT : FRAME_AT + 4], "big", signed=True)


def late_ms(heard: Heard, last: bool = False) -> np.ndarray:
    """How long after its timetag each step's first datagram came (or its last), in milliseconds, by number of the step."""
    steps = heard.steps()
    late = (steps["arrived_unix_s"] - steps["timetag_unix_s"]) * 1e3
    order = np.argsort(steps["frame"], kind="stable")
    numbers, begins = np.unique(steps["frame"][order], return_index=True)
    reduce: Any = np.maximum if last else np.minimum
    return np.asarray(reduce.reduceat(late[order], begins)) if len(numbers) else np.zeros(0)
