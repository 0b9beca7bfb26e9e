"""The booth: visitors vote, draw and compose on their phones, and a wall shows what became of it.

Runs on: booth process, beside a jam or by itself. What it keeps lies in the store (engine/store/).
"""
