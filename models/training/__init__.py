"""Training a network: runs, checkpoints, averages."""
