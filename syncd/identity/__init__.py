"""Accounts, logins, devices, API keys over the storage door. Knows nothing of frames or of sync."""
