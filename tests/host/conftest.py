"""The fixtures' plugins, built once a machine from Debian's dpf-source; and others that Debian has."""

from __future__ import annotations

import ctypes.util
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.rig import need

SOURCE = Path(__file__).parent / "fixture"
DPF = Path("/usr/share/dpf/distrho")
FLAGS = ("-O1", "-shared", "-fPIC", "-std=gnu++17", "-fvisibility=hidden", "-w")
LIBRARIES = ("-lm", "-ldl", "-lpthread")


@pytest.fixture(autouse=True)
def arithmetic() -> Iterator[None]:
    """Leave the processor's arithmetic as it was: libraries made for speed let small numbers be zeros as they are loaded."""
    name = ctypes.util.find_library("m")
    if name is None:
        yield
        return
    library, before = ctypes.CDLL(name), ctypes.create_string_buffer(256)
    library.fegetenv(before)
    yield
    library.fesetenv(before)


def missing(text: str) -> None:
    """Skip; where CI is set, fail."""
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


def build(folder: Path) -> None:
    """Compile instrument and effect as CLAP and as VST3 into a folder."""
    compiler = need("g++", "apt install g++")
    if not DPF.is_dir():
        missing("DPF is not here: apt install dpf-source")
    odd = [f"-I{DPF / 'src'}", str(SOURCE / "odd.cpp"), "-o", str(folder / "odd.clap"), *LIBRARIES]
    jobs = [subprocess.Popen([compiler, *FLAGS, *odd])]
    for name, is_synth in (("synth", 1), ("effect", 0)):
        bundle = folder / f"{name}.vst3" / "Contents" / "x86_64-linux"
        bundle.mkdir(parents=True)
        for target, out in (("CLAP", folder / f"{name}.clap"), ("VST3", bundle / f"{name}.so")):
            defines = (f"-DIS_SYNTH={is_synth}", f"-DDISTRHO_PLUGIN_TARGET_{target}")
            places = (f"-I{SOURCE}", f"-I{DPF}", f"-I{DPF / 'src'}")
            files = (str(DPF / "DistrhoPluginMain.cpp"), str(SOURCE / "fixture.cpp"))
            jobs.append(subprocess.Popen([compiler, *FLAGS, *defines, *places, *files, "-o", str(out), *LIBRARIES]))
    assert [job.wait() for job in jobs] == [0] * len(jobs)


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Return the folder with synth.clap, synth.vst3, effect.clap, effect.vst3, and odd.clap, whose plugins behave badly."""
    source = b"".join(path.read_bytes() for path in sorted(SOURCE.iterdir())) + " ".join(FLAGS).encode()
    folder = Path(tempfile.gettempdir()) / f"algoritmo-fixtures-{hashlib.sha256(source).hexdigest()[:12]}"
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the suite runs in several processes
        if not folder.is_dir():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            build(part)
            part.rename(folder)
    return folder


@pytest.fixture
def lv2_bundle() -> Callable[[str], Path]:
    """Return what finds an LV2 bundle of Debian's."""

    def find(name: str) -> Path:
        path = Path("/usr/lib/lv2") / name
        if not path.is_dir():
            missing(f"{path} is not here: apt install mda-lv2 zam-plugins liblilv-0-0")
        return path

    return find
