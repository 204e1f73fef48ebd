"""The sans-IO core: the server's session and the client's, each as events in and commands out."""
