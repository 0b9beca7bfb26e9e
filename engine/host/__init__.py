"""Plugins: what hosts them, the process that they run in, and how the sound reaches it and comes back."""
