"""What an LV2 plugin is given by its host: numbers for URIs, options, and a worker for what must not be done with the sound.

Runs on: host process. `order` and `answer` belong to the audio thread, `work` to the main one.
"""

from __future__ import annotations

import ctypes as c
from collections import deque
from typing import Any

from engine.host import lilv as abi
from engine.host.lilv import ATOM, BUF, LV2, URID, Urids
from engine.host.lv2_events import EVENTS_BYTES

MOST_WAITING = 64  # orders to the worker that are not done yet
KNOWN = {  # what a plugin may need of us
    URID + "map",
    URID + "unmap",
    abi.OPTIONS,
    BUF + "boundedBlockLength",
    BUF + "fixedBlockLength",
    BUF + "powerOf2BlockLength",
    abi.WORKER + "schedule",
    abi.STATE + "loadDefaultState",
    LV2 + "isLive",
    LV2 + "hardRTCapable",
    LV2 + "inPlaceBroken",
}


class Worker:
    """Does what a plugin orders while it is processed, and brings it the answers with the next block."""

    def __init__(self) -> None:
        self._work: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._answers: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._interface: abi.WorkerInterface | None = None
        self._handle = 0
        self._order_call = abi.ScheduleCall(self._order)
        self._respond_call = abi.ScheduleCall(self._respond)
        self.schedule = abi.Callback(None, c.cast(self._order_call, c.c_void_p))

    def serve(self, calls: abi.Descriptor, handle: int) -> None:
        """Work for this instance from here on, if it wants that."""
        self._handle = handle
        found = calls.extension_data(f"{abi.WORKER}interface".encode()) if calls.extension_data else None
        self._interface = c.cast(found, c.POINTER(abi.WorkerInterface)).contents if found else None

    def _order(self, _handle: int, size: int, data: int) -> int:
        if len(self._work) == MOST_WAITING:
            return 2  # LV2_WORKER_ERR_NO_SPACE
        self._work.append(c.string_at(data, size) if size else b"")
        return 0

    def _respond(self, _handle: int, size: int, data: int) -> int:
        self._answers.append(c.string_at(data, size) if size else b"")
        return 0

    def work(self) -> None:
        """Do what was ordered."""
        while self._work and self._interface is not None:
            order = self._work.popleft()
            data = c.cast(c.c_char_p(order), c.c_void_p)
            self._interface.work(self._handle, self._respond_call, None, len(order), data)

    def answer(self) -> None:
        """Bring the answers; before a block."""
        while self._answers and self._interface is not None:
            answer = self._answers.popleft()
            self._interface.work_response(self._handle, len(answer), c.cast(c.c_char_p(answer), c.c_void_p))

    def end_block(self) -> None:
        """Say that the block is over."""
        if self._interface is not None and self._interface.end_run:
            self._interface.end_run(self._handle)


class Features:
    """`list` is what a plugin is given at its start; `tell` changes rate and block in it."""

    def __init__(self, urids: Urids, worker: Worker) -> None:
        self._rate, self._most = c.c_float(48000.0), c.c_int32(64)
        options: list[tuple[str, str, Any]] = [
            (BUF + "minBlockLength", ATOM + "Int", c.c_int32(1)),
            (BUF + "maxBlockLength", ATOM + "Int", self._most),
            (BUF + "sequenceSize", ATOM + "Int", c.c_int32(EVENTS_BYTES)),
            (abi.PARAMETERS + "sampleRate", ATOM + "Float", self._rate),
        ]
        self._values = [value for _, _, value in options]  # whose addresses the options hold
        self._options = (abi.Option * (len(options) + 1))(
            *(abi.Option(0, 0, urids.number(key), 4, urids.number(kind), c.addressof(value)) for key, kind, value in options)
        )
        data: dict[str, int | None] = {
            URID + "map": c.addressof(urids.map),
            URID + "unmap": c.addressof(urids.unmap),
            abi.OPTIONS: c.addressof(self._options),
            abi.WORKER + "schedule": c.addressof(worker.schedule),
            BUF + "boundedBlockLength": None,
            BUF + "fixedBlockLength": None,
            BUF + "powerOf2BlockLength": None,
            abi.STATE + "loadDefaultState": None,
        }
        self._features = [abi.Feature(uri.encode(), where) for uri, where in data.items()]
        self._list = (c.c_void_p * (len(self._features) + 1))(*(c.addressof(f) for f in self._features), None)
        self.list = c.cast(self._list, c.c_void_p)

    def tell(self, rate_hz: float, frames: int) -> None:
        """Say at which rate and in what blocks it will run."""
        self._rate.value, self._most.value = rate_hz, frames
