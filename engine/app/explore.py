"""The explorer's pages as a folder that any file server serves: `algoritmo explore --export DIR`.

Runs on: main process.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.core.errors import AlgoritmoError
from engine.web.files import LIB, NETWORKS, STATIC

PAGE = "explore"
# A folder's own address leads on to the page.
INDEX = f'''<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={PAGE}/">
<a href="{PAGE}/">Algoritmo</a>
'''


class ExportError(AlgoritmoError):
    """The folder cannot be written."""


def export(folder: Path) -> int:
    """Write the explorer with all it needs, the network included, into `folder`; return the bytes. Raises ExportError."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / PAGE).is_dir())):
        raise ExportError(f"--export: {folder} has other things in it; give a new folder, or an empty one")
    try:
        for name in (PAGE, LIB):
            shutil.copytree(STATIC / name, folder / name, dirs_exist_ok=True)
        for address, source in NETWORKS.items():
            target = folder / address.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        (folder / "index.html").write_text(INDEX)
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise ExportError(f"--export: {folder} cannot be written ({error.strerror}); give a folder you may write") from error
