"""Time: the sample clock and the beat."""
