"""Simulated devices for everybody: real clients over real sockets, against the real server."""
