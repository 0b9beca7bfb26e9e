"""Real-time scheduling for the threads that sound depends on, where the system allows it.

Runs on: audio process; each urgent thread calls it for itself, once.
"""

from __future__ import annotations

import os
import sys

PRIORITY = 5  # what JACK gives its clients


def be_urgent() -> bool:
    """Let the calling thread go before all ordinary ones; return whether the system agreed (as root; or the limit rtprio)."""
    if sys.platform != "linux":
        return False  # the sound systems of macOS and Windows raise their callback threads themselves
    try:
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return True  # JACK has seen to it
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True
