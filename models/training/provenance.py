"""What the card of a trained network says of how it was made."""

from __future__ import annotations

from typing import Any


def about_run(training: dict[str, Any]) -> dict[str, Any]:
    """Return what a run kept of itself: the command, the runs before it, the seed, the best update, the seconds it took."""
    return {
        "command": training.get("command", ""),
        "before": training.get("before", []),  # the runs whose weights this one began with
        "seed": training.get("seed", 0),
        "updates": training.get("best_update", 0),
        "seconds": round(float(training.get("seconds", 0.0))),
    }


def about_data(training: dict[str, Any]) -> dict[str, Any]:
    """Return what was trained on: the sources, and pieces and steps of each split."""
    facts = training.get("data", {})
    return {"data": facts.get("sources", []), "pieces": facts.get("pieces", {}), "steps": facts.get("steps", {})}
