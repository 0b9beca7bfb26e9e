"""The stage page: what the network thinks, in a browser, and a keyboard that plays back into the music."""
