"""What is cared for while it plays: how a process is, and what is done without where the machine is short of time.

Runs on: supervisor (who cares), every process (who asks).
"""

from __future__ import annotations

ABSENT, WELL, SLOW, STOPPED, HUNG, ANEW = range(6)
STATES = ("absent", "well", "slow", "stopped", "hung", "begun anew")

# What music can do without, in the order in which it goes: pictures for who looks, the booth's extra work, the feed's steps
# (its notes go on), what might be played instead.
SPARED = ("page", "booth", "feed", "continuations")
EVERY = 4  # of the steps that are shown, so many in one are left while they are spared
