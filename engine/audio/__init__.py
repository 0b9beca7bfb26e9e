"""The audio process: device stream, pyo rack, MIDI ports, the recorder's hand-off."""

import os

os.environ.setdefault("PYO_GUI_WX", "0")  # or importing pyo prints a page about wxPython
