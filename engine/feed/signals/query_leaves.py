"""The smooth tiers as OSCQuery tells of them.

Runs on: feed process and replay, event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.feed.query_leaf import READ, Leaf
from engine.feed.schema import CHUNK, ROOT, Schema
from engine.feed.signals.addresses import TICK
from engine.feed.signals.audience import Audience
from engine.feed.signals.template import RAW
from engine.feed.signals.words import WORDS
from engine.net import osc


def smooth_leaves(schema: Schema, audience: Audience) -> Iterator[Leaf]:
    """Yield every address of the smooth tiers; activations, which only UDP carries, without a value."""
    catalogue = schema.catalogue
    yield Leaf(ROOT + TICK, "i", READ, "Number of the moment; over UDP alone")
    for message in catalogue.messages:
        signal, end = catalogue.signals[message.first], message.first + message.count
        doc = f"{message.doc} (raw: {signal.unit})" if signal.unit else message.doc
        yield _numbers(audience, "values", ROOT + message.path, message.first, end, doc, (0.0, 1.0))
        if signal.ranged:
            yield _numbers(audience, "raw", ROOT + RAW + message.path, message.first, end, message.doc, None, signal.unit)
    for trail in catalogue.trails:
        for number, at in enumerate(range(0, trail.count, CHUNK)):
            first, end = trail.first + at, trail.first + min(at + CHUNK, trail.count)
            yield _numbers(audience, "trails", f"{ROOT}{trail.path}/{number:03}", first, end, trail.doc, (0.0, 1.0))
    for vector in schema.vectors:
        if vector.layer is not None:
            for path, first, end in vector.chunks(CHUNK):
                doc = f"{vector.doc}, moving between the steps; over UDP alone"
                yield Leaf(f"{ROOT}/smooth{path}", "f" * (end - first), READ, doc, limits=(vector.minimum, vector.maximum))
    for word in WORDS:
        yield _word(audience, word.path, word.types, word.doc)


def _numbers(
    audience: Audience,
    field: str,
    path: str,
    first: int,
    end: int,
    doc: str,
    limits: tuple[float, float] | None,
    unit: str = "",
) -> Leaf:
    head = osc.head(path, "f" * (end - first))

    def now() -> np.ndarray:
        record = audience.numbers()
        return np.zeros(end - first, np.float32) if record is None else record[field][first:end]

    return Leaf(
        path,
        "f" * (end - first),
        READ,
        doc,
        unit,
        limits,
        value=lambda: now().tolist(),
        message=lambda: head + now().astype(">f4").tobytes(),
        smooth=True,
    )


def _word(audience: Audience, path: str, types: str, doc: str) -> Leaf:
    nothing: list[Any] = [{"s": "", "i": 0, "f": 0.0}[tag] for tag in types]

    def now() -> list[Any]:
        return audience.words().get(path, nothing)

    return Leaf(ROOT + path, types, READ, doc, value=now, message=lambda: osc.message(ROOT + path, *now()), smooth=True)
