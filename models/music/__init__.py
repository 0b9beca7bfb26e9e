"""Music as the networks read it: rolls, lead sheets, chord symbols, collections. Runs without torch."""
