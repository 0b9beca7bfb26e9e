"""Sockets, guards and OSC packets."""
