"""What is kept of a jam: sound, notes, the feed, pictures of it."""
