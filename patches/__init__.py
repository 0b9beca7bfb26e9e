"""The instruments: one file and one class each, written in pyo."""
