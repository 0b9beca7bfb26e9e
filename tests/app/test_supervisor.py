"""What a jam needs before it starts: where it is recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.app.supervisor import Supervisor
from engine.core import segment
from engine.core.errors import SessionError
from engine.jam.settings import load
from tests.system.rig import null_settings


def begun(*settings: str) -> Path | None:
    """Return the folder that a jam with these settings is recorded in; nothing is started."""
    supervisor = Supervisor(load(None, [*null_settings(), *settings]), lambda _level, _text: None)
    supervisor.close()
    return supervisor.session


@pytest.mark.parametrize("below", ["", "/sessions/of/today"])
def test_a_folder_that_cannot_be_made_is_told_with_remedies_that_work(tmp_path: Path, below: str):
    (tmp_path / "file").write_text("in the place of a folder")
    with pytest.raises(SessionError) as told:
        begun(f"session.dir={tmp_path}/file{below}")
    assert not list(segment.SHOWN.glob(f"{segment._NAME}{os.getpid()}-*"))  # nothing is left behind
    assert "set session.dir to a folder you may write, or session.record to false" in str(told.value)
    assert f"{tmp_path}/file{below}" in str(told.value)
    session = begun(f"session.dir={tmp_path}/other")
    assert session is not None
    assert session.is_dir()
    assert begun(f"session.dir={tmp_path}/file{below}", "session.record=false") is None


def test_two_jams_that_begin_at_once_have_a_folder_each(tmp_path: Path):
    folders = [begun(f"session.dir={tmp_path}/made") for _ in range(3)]
    assert len(set(folders)) == 3
