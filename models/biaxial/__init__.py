"""The biaxial network: one LSTM along time shared by all notes, one along the notes."""
