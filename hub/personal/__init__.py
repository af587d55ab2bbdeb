"""Data about people: how long what is kept, what is handed out to whom it concerns, what is erased."""
