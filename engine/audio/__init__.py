"""Sound: the block loop, the instruments, the device."""

import os

os.environ.setdefault("PYO_GUI_WX", "0")  # or importing pyo prints a page about wxPython
