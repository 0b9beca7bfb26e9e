"""The feed process: OSC out, control socket, session recording."""
