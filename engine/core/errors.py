"""The errors a user can meet, one class per boundary; each message says what happened and what to change.

Runs on: every process.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be; None when none is like it."""
    like = difflib.get_close_matches(word, list(known), 1, 0.75)
    return like[0] if like else None


class AlgoritmoError(Exception):
    """Base of every error that is reported to the user without a traceback."""


class ConfigError(AlgoritmoError):
    """The configuration file or a --set option is wrong."""

    @classmethod
    def of(cls, faults: Sequence[str], where: str = "") -> ConfigError:
        """One error of all that is wrong, a line each; `where`: the file."""
        count = f"{len(faults)} fault{'s' * (len(faults) > 1)} in the configuration"
        return cls("\n  ".join([f"{where}: {count}" if where else count, *faults]))


class DeviceError(AlgoritmoError):
    """An audio device or a MIDI port cannot be had."""


class SharedMemoryError(AlgoritmoError):
    """The memory that connects the processes cannot be had."""


class NetworkError(AlgoritmoError):
    """A network file is missing, unreadable, or does not keep the step graph contract."""


class PatchError(AlgoritmoError):
    """A patch cannot be loaded or has failed while playing."""


class PluginError(AlgoritmoError):
    """A plugin cannot be found, loaded or run."""


class MidiFileError(AlgoritmoError):
    """A MIDI file cannot be read or written."""


class SessionError(AlgoritmoError):
    """A session folder cannot be written or read."""
