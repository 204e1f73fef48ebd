"""What a server does, told line by line to a file, for `client-sim from-journal` and its judges."""
