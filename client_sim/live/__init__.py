"""The real world: a real server process, real sockets, a real disk, and what may befall them."""
