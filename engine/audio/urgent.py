"""Real-time scheduling for the threads that sound depends on, where the system allows it.

Runs on: audio process; each urgent thread calls it for itself, once.
"""

from __future__ import annotations

import os
import sys

PRIORITY = 10  # below what JACK gives its own threads


def be_urgent() -> bool:
    """Let the calling thread go before all ordinary ones; return whether the system agreed (as root; or the limit rtprio)."""
    if sys.platform != "linux":
        return False  # the sound systems of macOS and Windows raise their callback threads themselves
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True
