"""The server's shell: sockets, HTTP, the admin socket, and the assembly of all parts."""
