"""pyo's server: boots it with as many channels as the buses have, and reads what it puts out.

Runs on: audio process.
"""

from __future__ import annotations

import ctypes

import numpy as np
from pyo import Server

from engine.core.messages import BLOCK


def boot(rate_hz: float, channels: int, seed: int) -> Server:
    """Return a running pyo server that renders a block when told to."""
    server = Server(sr=rate_hz, nchnls=channels, buffersize=BLOCK, duplex=0, audio="manual")
    server.setVerbosity(1)
    server.deactivateMidi()
    server.setGlobalSeed(1 + seed % (2**31 - 2))  # 0 would mean the time of day
    server.boot()
    return server.start()


def output_of(server: Server) -> np.ndarray:
    """Return the server's output buffer as float32 (BLOCK, channels), to be read after each `process()`."""
    address = ctypes.cast(int(server.getOutputAddr(), 16), ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(address, (BLOCK, server.getNchnls()))
