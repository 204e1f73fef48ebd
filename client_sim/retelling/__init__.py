"""From the recording of a server to a play: the same cast, and what happened, in recorded order."""
