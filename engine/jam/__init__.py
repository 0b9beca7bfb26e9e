"""Playing together: what the network is told, what it may choose, which notes go out."""
