"""Algoritmo's live engine: audio, network and feed processes around one sample clock."""

__version__ = "0.1.0"
