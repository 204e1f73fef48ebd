"""Bugs that are planted on purpose, one line each: whoever judges must find them all."""
