"""Work behind the scenes: one port (`port`), and two ways of giving it out (`embedded`, `distributed`)."""
