"""Stems for as long as asked, then kill -9 of everything: no block dropped, and how much of the end each file lacks.

    python tests/system/jack_stems.py --minutes 60

Every file is read by `soxi`; the stems, summed, are held against the sound of the whole.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import soundfile

from engine.app.running import attach, running
from engine.transport.sample_clock import SampleClock
from tests.system.rig import RATE, JackServer, Jam, free_port, jack_settings, need

LOST = "not recorded in time"
# What comes back of a send is the eighth stem, beside five tracks, the player and the metronome.
SENDS = ('rack.sends=[["delay"]]', "parameters.lead.send1=0.3")


def main() -> None:
    """Record, kill, and look at what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--folder", type=Path, help="record below this folder, and leave what was recorded there")
    asked = parser.parse_args()
    soxi = need("soxi", "apt install sox")
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        server = JackServer(folder / "jackd.log", urgent=True)
        try:
            server.wait_ready()
            settings = (*jack_settings(), "jam.mode=solo", "session.stems=true", f"osc.control.port={free_port()}", *SENDS)
            jam = Jam(folder, *settings, env=server.env)
            try:
                jam.wait_playing(4, 90)
                _say(_record(jam, asked.minutes, soxi, folder))
            finally:
                jam.close()
        finally:
            server.close()


def _record(jam: Jam, minutes: float, soxi: str, folder: Path) -> dict[str, object]:
    time.sleep(60 * minutes)
    of = next(of for of in running() if of.pid == jam.process.pid)
    link, _ = attach(of)
    clock = link["clock"].latest()
    assert clock is not None
    xruns = int(clock["xruns"])
    killed_ns = time.perf_counter_ns()
    frame = SampleClock.of(clock).frame_at(killed_ns)
    output, session = jam.output, jam.session
    jam.end(signal.SIGKILL)
    files = [session / "session.wav", *sorted((session / "stems").glob("*.wav"))]
    lacks, read = {}, 0
    for path in files:
        lacks[path.stem] = round((frame - soundfile.info(str(path)).frames) / RATE, 3)
        read += subprocess.run([soxi, str(path)], capture_output=True, check=False).returncode == 0
    free = shutil.disk_usage(folder).free
    return {
        "minutes": minutes,
        "files": len(files),
        "read_by_soxi": read,
        "seconds_lost_by_kill": lacks,
        "worst": max(lacks.values()),
        "blocks_not_recorded_in_time": output.count(LOST),
        "xruns_of_the_server": xruns,
        "bytes": sum(path.stat().st_size for path in files),
        "free_bytes": free,
    }


def _say(found: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
