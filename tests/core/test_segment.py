import os
import subprocess
import sys

import pytest

from engine.core import segment
from engine.core.errors import SharedMemoryError


def test_a_lack_of_shared_memory_is_told_at_the_start_with_both_figures_and_what_to_do():
    def refuse(file: int, begin: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    before = set(segment.SHOWN.glob("*"))
    with pytest.raises(SharedMemoryError, match=r"3\.0 MB are needed.* MB are free.*--shm-size.*remount"):
        segment.make(3_000_000, refuse)
    assert set(segment.SHOWN.glob("*")) <= before


TINY = """
import os, sys
from engine.core import segment
from engine.core.errors import SharedMemoryError
try:
    segment.make(3_000_000)
except SharedMemoryError as error:
    print(error)
"""


def test_a_small_container_is_refused_and_not_killed_later():
    inside = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=1M none /dev/shm && exec "$0" -c "$1"', sys.executable, TINY]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("needs root and a mount namespace of its own")
    done = subprocess.run(inside, capture_output=True, text=True, check=True)
    assert "3.0 MB are needed, 1.0 MB are free" in done.stdout
