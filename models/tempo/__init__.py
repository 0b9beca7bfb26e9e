"""Finding the beat of what is played: performances to learn from and test on, the rhythms learned, and how well it follows."""
