"""A history as a picture: lanes, messages, cursors, cuts, and the steps that matter."""
