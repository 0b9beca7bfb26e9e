"""The chord network: an LSTM over the set of chords as classes, one step a beat."""
