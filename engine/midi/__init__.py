"""MIDI: messages, parser, ports, files, output."""
