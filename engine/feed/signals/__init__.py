"""The smooth tier: what moves with the music many times a second, between the steps; loudness; the music in words.

Runs on: signals process, or a thread of the replay. `catalogue.py` declares every number, `signals.py` finds them at a moment,
`template.py` lays them out as datagrams, `sender.py` sends them in time.
"""
