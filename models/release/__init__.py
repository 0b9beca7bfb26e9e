"""Putting a trained network in its place: card, picture, shipped file."""
