"""Measurements of syncd: one question per module, on real processes. `python -m bench` lists them.

A number stands in README.md only if it was measured, with its commit, machine and date.
"""
