"""Storms: plays drawn from a seed, many of them, and a failing one made small."""
