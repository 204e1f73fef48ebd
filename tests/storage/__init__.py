"""Tests of storage. A package, because another folder has a test_init.py too."""
