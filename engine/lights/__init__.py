"""Lights and machines: any number of the smooth tiers to DMX over Art-Net and sACN, and to MIDI.

Runs on: signals process, or a thread of the replay. `plan.py` reads the file that says what goes where.
"""
