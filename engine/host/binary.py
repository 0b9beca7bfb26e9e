"""What a plugin's file is made for, read from its first bytes: told before anything of it is loaded.

Runs on: host process, whoever scans.
"""

from __future__ import annotations

import platform
import struct
import sys
from pathlib import Path

_MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}  # of ELF files
_NAMES = {"amd64": "x86_64", "arm64": "aarch64", "armv7l": "arm", "armv6l": "arm", "i686": "i386"}
_MACH = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_FOLDERS = {"linux": "-linux", "win32": "-win", "darwin": "MacOS"}  # of a VST3 bundle, what its machine's folder ends with


def machine() -> str:
    """Return what this machine is called here."""
    found = platform.machine().lower()
    return _NAMES.get(found, found)


def fault_before(path: Path) -> str:
    """Return why a plugin's file or bundle is none for this machine, as far as can be told without opening it; else empty."""
    kind = path.suffix.lower()
    fault = fault_of(path) if kind == ".clap" and path.is_file() else bundle_fault(path) if kind == ".vst3" else ""
    return f"{fault}; it is no {kind[1:].upper()} plugin for this machine" if fault else ""


def fault_of(file: Path) -> str:
    """Return why a library cannot be loaded here, as far as its first bytes tell; empty where they do not."""
    try:
        with file.open("rb") as opened:
            head = opened.read(20)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    kind = "linux" if head.startswith(b"\x7fELF") else "win32" if head.startswith(b"MZ") else ""
    kind = "darwin" if head[:4] in _MACH else kind
    if not kind or (kind == "linux" and len(head) < 20):
        return "is no library"
    if kind != ("linux" if sys.platform.startswith("linux") else sys.platform):
        return f"was made for { {'linux': 'Linux', 'win32': 'Windows', 'darwin': 'macOS'}[kind] }"
    if kind == "linux":
        (number,) = struct.unpack_from(">H" if head[5] == 2 else "<H", head, 18)
        made_for = _MACHINES.get(number, f"machine {number}")
        if made_for != machine():
            return f"was made for {made_for}, and this is {machine()}"
    return ""


def bundle_fault(bundle: Path) -> str:
    """Return why nothing in a VST3 bundle can be loaded here; empty where something may be."""
    if not bundle.is_dir():
        return "" if not sys.platform.startswith("linux") else "is no VST3 bundle"
    folders = sorted(found.name for found in (bundle / "Contents").glob("*") if found.is_dir() and found.name != "Resources")
    system = _FOLDERS.get("linux" if sys.platform.startswith("linux") else sys.platform, "")
    own = system if system == "MacOS" else f"{machine()}{system}"
    if own in folders:
        libraries = [file for file in (bundle / "Contents" / own).iterdir() if file.suffix == ".so"]
        return fault_of(libraries[0]) if libraries and system == "-linux" else ""
    if system == "-linux" or not folders:
        return f"was made for {', '.join(folders)}, and this is {own}" if folders else "is no VST3 bundle"
    return ""
