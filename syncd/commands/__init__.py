"""The commands of an operator: what they ask, where they ask it, and what they print."""
