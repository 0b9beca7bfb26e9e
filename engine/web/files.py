"""The files of the pages: read once, sent as they are or compressed; no request ever names a path to the disk.

Runs on: feed process, event loop.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cached_property
from pathlib import Path

STATIC = Path(__file__).parent / "static"
LIB = "lib"  # folder that every page shares; it is no page
ELSEWHERE = frozenset({"booth"})  # pages that a server of their own serves
HOME = "stage"  # page that an address without a name shows
INDEX = "index.html"
# Networks that pages play by themselves: they lie elsewhere and are served as if they were shared.
NETWORKS = {f"/{LIB}/networks/festival.onnx": Path(__file__).resolve().parents[2] / "models" / "festival" / "festival.onnx"}
SERVED = f"/{LIB}/served.json"  # tells a page what serves it; the file of that name is what a plain file server says
ORT = f"/{LIB}/ort/ort.wasm.bundle.min.mjs"  # onnxruntime-web, where somebody put it: it is not shipped
# Of our own, for a system's table of types may be missing or wrong.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".mid": "audio/midi",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
PACKED = frozenset({".css", ".html", ".js", ".json", ".mjs", ".svg", ".txt", ".wasm"})  # those that compression makes smaller


class File:
    """One file, as it is sent."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.type = TYPES[path.suffix]
        self.packs = path.suffix in PACKED

    @cached_property
    def body(self) -> bytes:
        """The file; read when it is first asked for."""
        return self._path.read_bytes()

    @cached_property
    def tag(self) -> str:
        """What tells a browser whether it has this very file already."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    @property
    def packed_tag(self) -> str:
        """The tag of the compressed form: other bytes, another tag."""
        return f'{self.tag[:-1]}-gz"'

    @cached_property
    def packed(self) -> bytes:
        """The file in gzip's format; made when it is first asked for."""
        return gzip.compress(self.body, mtime=0)


class Files:
    """Everything that is served, by the path of its address."""

    def __init__(self, folder: Path = STATIC, only: str | None = None, networks: bool = True) -> None:
        """`only`: the one page that is served, an address without a name shows it; `networks`: those that pages play, too."""
        self.home = only or HOME
        rooms = {LIB, only} if only else {path.name for path in folder.iterdir()} - ELSEWHERE
        self._files = {
            f"/{name.as_posix()}": File(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in TYPES and (name := path.relative_to(folder)).parts[0] in rooms
        }
        if networks:
            self._files |= {address: File(path) for address, path in NETWORKS.items()}
        self.pages = sorted(path.parent.name for path in folder.glob(f"*/{INDEX}") if path.parent.name in rooms - {LIB})

    def at(self, path: str) -> File | None:
        """Return the file at an address; a page's own address is that of its index."""
        return self._files.get(path + INDEX if path.endswith("/") else path)

    def page_without_slash(self, path: str) -> str | None:
        """Return the page whose address this is but for the slash at its end: relative addresses in it would go astray."""
        return path[1:] if path[1:] in self.pages else None
