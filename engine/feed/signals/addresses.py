"""The addresses of the smooth tiers, for the contract.

Runs on: feed process; whoever describes the feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from engine.feed.orders import Address
from engine.feed.signals.catalogue import Catalogue
from engine.feed.signals.words import WORDS

if TYPE_CHECKING:
    from engine.feed.schema import Vector

TICK = "/smooth/tick"


def smooth_addresses(catalogue: Catalogue, vectors: Iterable[Vector], chunk: int) -> Iterator[Address]:
    """Yield what the smooth tiers send; what is sent raw besides has /raw in front of its path."""
    rate = "smooth_hz"
    doc = "Number of the moment, counted from the first that this receiver had"
    yield Address(TICK, "i", None, None, "", rate, "smooth", doc, "128")
    for message in catalogue.messages:
        unit = catalogue.signals[message.first].unit
        types = "f" if message.count == 1 else f"f x {message.count}"
        said = f"{message.doc} (raw: {unit})" if unit else message.doc
        yield Address(message.path, types, 0.0, 1.0, "", rate, message.tier, said, "0.62")
    for trail in catalogue.trails:
        for number, first in enumerate(range(0, trail.count, chunk)):
            types = f"f x {min(chunk, trail.count - first)}"
            yield Address(f"{trail.path}/{number:03}", types, 0.0, 1.0, "", rate, "smooth_vectors", trail.doc, "0 0.8 0.31 ...")
    for vector in vectors:
        if vector.layer is not None:
            for path, first, end in vector.chunks(chunk):
                doc = f"{vector.doc}, moving between the steps"
                types, low, high = f"f x {end - first}", vector.minimum, vector.maximum
                yield Address(f"/smooth{path}", types, low, high, "", rate, "smooth_vectors", doc, "0.13 -0.72 ...")
    for word in WORDS:
        yield Address(word.path, word.types, None, None, "", "when it changes", "music", word.doc, word.example)
