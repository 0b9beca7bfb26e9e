"""The explorer as a folder: everything it needs, nothing else, and words where it cannot be written."""

from __future__ import annotations

import re
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
