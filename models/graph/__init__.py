"""Step graphs: building, saving and playing them. Runs without torch."""
