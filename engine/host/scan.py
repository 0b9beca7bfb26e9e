"""The scan of one file, in a process of its own: `python -m engine.host.scan FILE` prints what is in it as one line.

Runs on: a process that a crash or a hang may cost.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from engine.core.errors import AlgoritmoError
from engine.host import backends
from engine.host.catalogue import say
from engine.host.display import ignore_errors


def main() -> None:
    """Print what is in the file."""
    path = Path(sys.argv[1])
    ignore_errors()  # a window that a plugin opens by itself as it is loaded says nothing of whether it can be hosted
    try:
        found, fault = backends.scan(path), ""
        if not found:
            fault = "there is no plugin in it"
    except AlgoritmoError as error:
        found, fault = [], str(error).removeprefix(f"{path}: ")
    sys.stdout.write("\n" + say(found, fault) + "\n")
    sys.stdout.flush()
    os._exit(0)  # what a plugin does on the way out is nobody's business


if __name__ == "__main__":
    main()
