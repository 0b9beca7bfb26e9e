"""The network: the runner of its step graph and the noise it draws from."""
