"""How well a network knows music, and what its own is like."""
