"""Shares what the tests of the sound share."""

from tests.audio.conftest import bench, tone

__all__ = ["bench", "tone"]
