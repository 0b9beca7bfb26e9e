"""What the system gives to a program in a hurry, where it allows it: real-time scheduling, and a processor that stays awake.

Runs on: audio, network, signals (each urgent thread calls `be_urgent` for itself, once); main process (`keep_awake`).
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import BinaryIO

SOUND = 5  # what JACK gives its clients
BEAT = 3  # the network's: it never keeps the sound waiting
SEEN = 1  # of what moves lights and pictures with the music: it keeps neither waiting, nor is it late for what others compute
CPU_DMA_LATENCY = Path("/dev/cpu_dma_latency")
AWAKE_REMEDY = (  # the rule that Ardour installs for the same purpose
    """echo 'KERNEL=="cpu_dma_latency", GROUP="audio", MODE="0660"' | sudo tee /etc/udev/rules.d/99-cpu-dma-latency.rules && """
    "sudo udevadm control --reload && sudo udevadm trigger --name-match=cpu_dma_latency; "
    "be in the group audio: sudo usermod -aG audio $USER, then log in again"
)


def be_urgent(priority: int) -> bool:
    """Let the calling thread go before all ordinary ones; return whether the system agreed (as root; or the limit rtprio).

    The threads it starts are ordinary ones again.
    """
    if sys.platform != "linux":
        return False  # the sound systems of macOS and Windows raise their callback threads themselves
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return True  # JACK has seen to it
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError:
        return False
    return True


def keep_awake(latency_us: int, device: Path = CPU_DMA_LATENCY) -> BinaryIO:
    """Let no processor of this machine sleep so deep that waking takes it more than `latency_us` microseconds; 0: not at all.

    It holds until the file that is returned is closed, or this process ends. Raises OSError where the system does not allow it,
    FileNotFoundError where there is no such thing.
    """
    held = device.open("r+b", buffering=0)
    held.write(struct.pack("=i", latency_us))
    return held
