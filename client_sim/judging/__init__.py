"""Judges: each reads a history and says whether one invariant held. They know no server."""
