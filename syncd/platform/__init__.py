"""The embedded platform: people, apps and logins in the wire shape of the big one, offline.

A wing of its own that knows nothing of sync, nor of our accounts; see app.application.
"""
