"""The audio process: device stream, pyo rack, MIDI ports, the recorder's hand-off."""
