"""Servers that are not ours, played through an adapter: a child process that speaks JSON lines."""
