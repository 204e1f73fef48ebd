"""This service and the servers that people would take instead, side by side on the same work."""

from bench.peers.command import main

__all__ = ["main"]
