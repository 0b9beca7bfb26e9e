"""Real-time scheduling for the threads that sound and beat depend on, where the system allows it.

Runs on: audio and network process; each urgent thread calls it for itself, once.
"""

from __future__ import annotations

import os
import sys

SOUND = 5  # what JACK gives its clients
BEAT = 3  # the network's: it never keeps the sound waiting


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
