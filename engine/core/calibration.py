"""What was measured of the way out: how long after it is sent something is heard, for each device and port by its name.

Runs on: every process. It lies in calibration.toml beside the configuration, under whose own values it is laid:

    [audio.latencies]
    "system" = 5.33    # ms
    [midi.latencies]
    "TR-8" = 1.2
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "calibration.toml"
SECTIONS = ("audio", "midi")
LONGEST_MS = 2000.0


def latency_of(latencies: Mapping[str, float], name: str) -> float | None:
    """Return the ms that stand for a name, or for one of which it is a part or that is a part of it; None: not measured."""
    if name in latencies:
        return latencies[name]
    name = name.casefold()
    alike = ((known.casefold(), ms) for known, ms in latencies.items())
    return next((ms for known, ms in alike if known in name or name in known), None)


def laid_under(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a configuration with what was measured, where it says nothing itself. What cannot be read says nothing."""
    try:
        measured = tomllib.loads((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return data
    for section in SECTIONS:
        found = measured.get(section, {})
        latencies = found.get("latencies", {}) if isinstance(found, dict) else {}
        given = data.setdefault(section, {})
        if latencies and isinstance(given, dict):
            own = given.get("latencies", {})
            data[section] = given | {"latencies": latencies | own if isinstance(own, dict) else own}
    return data


def keep(folder: Path, section: str, name: str, ms: float) -> Path:
    """Write what was measured of a device (audio) or port (midi); what else was stays. Raises OSError."""
    path = folder / FILE
    try:
        known = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    lines = ["# Measured by algoritmo calibrate: ms from sending to hearing."]
    for of in SECTIONS:
        entries = known.get(of, {}).get("latencies", {}) | ({name: round(ms, 3)} if of == section else {})
        lines += [
            "",
            f"[{of}.latencies]",
            *(f"{json.dumps(key, ensure_ascii=False)} = {value}" for key, value in entries.items()),
        ]
    beside = path.with_name(f"{FILE}.new")
    beside.write_text("\n".join(lines) + "\n", "utf-8")
    beside.replace(path)
    return path
