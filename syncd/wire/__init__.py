"""What crosses the wire: frames and their encodings."""
