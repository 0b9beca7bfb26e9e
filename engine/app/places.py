"""Where the parameters of a tape lie now, for another version, another network or another mix may have others.

Runs on: main process (`algoritmo render SESSION`).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.core import tape
from engine.core.parameters import Registry
from engine.core.tape import Record

Known = Sequence[tuple[str, tuple[str, ...]]]  # parameters that every run had: id and choices, by their places


class Places:
    """Where the parameters of a tape lie now, and what their numbers mean now."""

    def __init__(self, known: Known, registry: Registry, pinned: frozenset[str] = frozenset()) -> None:
        """`pinned`: parameters that are not moved."""
        self._known, self._registry, self._pinned = known, registry, pinned
        self._names: dict[int, str] = {}
        self._word: str | None = None
        self.unknown: dict[str, tuple[str | None, float]] = {}

    def take(self, record: Record) -> tuple[int, float] | None:
        """Take NAME, WORD or CHANGE; return place and value of what is to be set, where that is known now.

        What nothing is known of yet waits in `unknown`.
        """
        if record.kind == tape.NAME:
            self._names[record.place] = record.text
            return None
        if record.kind == tape.WORD:
            self._word = record.text
            return None
        word, self._word = self._word, None
        at = record.place
        name = self._known[at][0] if at < len(self._known) else self._names.get(at, "")
        if name not in self._registry:
            self.unknown[name] = (word, record.value)
        return self._meaning(name, word, record.value)

    def _meaning(self, name: str, word: str | None, value: float) -> tuple[int, float] | None:
        if name in self._pinned or name not in self._registry:
            return None
        parameter = self._registry[name]
        if word is not None and word in parameter.choices:
            value = float(parameter.choices.index(word))
        return self._registry.place(name), value

    def forget(self) -> None:
        """The last word was of something that is not to be set."""
        self._word = None

    def known_now(self) -> list[tuple[int, float]]:
        """Return what was not known before and is now."""
        here = [name for name in self.unknown if name in self._registry]
        found = [self._meaning(name, *self.unknown.pop(name)) for name in here]
        return [one for one in found if one is not None]
