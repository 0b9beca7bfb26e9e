"""The ear: a small recurrent network that hears which chord a player is at, whatever he plays."""
