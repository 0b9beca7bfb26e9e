"""The program: the supervisor and its processes, services, render, replay and the other commands."""
