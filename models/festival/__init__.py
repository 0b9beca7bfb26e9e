"""festival: six recurrent layers, five tracks, heads that decide a step's notes together."""
