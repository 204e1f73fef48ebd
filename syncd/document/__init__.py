"""PROTOCOL.md, made from the code: whatever a table can say about the wire is never typed twice."""
