"""The explorer as a folder: everything it needs, nothing else, and words where it cannot be written."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from engine.app.explore import ExportError, export
from engine.cli import main


def test_the_folder_has_all_that_its_files_ask_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    assert main(["explore", "--export", str(folder)]) == 0
    assert "http.server" in capsys.readouterr().out
    assert (folder / "lib" / "networks" / "festival.onnx").stat().st_size > 1_000_000
    for file in folder.rglob("*"):
        if file.suffix in (".js", ".html") and file.parent.name != "stage":
            for address in re.findall(r'(?:from|src=|href=|new URL\() ?"([^"#?]+\.\w+)"', file.read_text()):
                assert (file.parent / address).exists(), f"{file}: {address}"
                assert not address.startswith("/"), f"{file}: {address} works at the top of a server only"


def test_again_into_the_same_folder_but_never_over_other_things(tmp_path: Path) -> None:
    export(tmp_path / "out")
    export(tmp_path / "out")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(ExportError, match="has other things in it"):
        export(tmp_path / "photos")
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ExportError, match="give a"):
            export(place)


def test_where_nothing_may_be_read_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()

    def refused(_self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(ExportError, match=r"locked cannot be written \(Permission denied\)"):
        export(tmp_path / "locked")


def test_it_is_served_without_a_jam_until_it_is_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "engine.cli", "explore", "--port", str(port)]
        busy = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert busy.returncode == 2
        assert "cannot be opened" in busy.stderr
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == f"http://127.0.0.1:{port}/explore/ (Ctrl-C ends it)\n"

        def got(path: str, **headers: str) -> tuple[int, bytes]:
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read()

        for path in ("/", "/explore/"):
            assert b"main.js" in got(path)[1]
        assert json.loads(got("/lib/served.json")[1]) == {"jam": False, "address": None}
        assert len(got("/lib/networks/festival.onnx")[1]) > 1_000_000
        assert got("/stage/")[0] == got("/socket")[0] == got("/explore/../../engine/cli.py")[0] == 404
        assert got("/", Host="elsewhere.example")[0] == 403
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
