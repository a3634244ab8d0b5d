"""The local socket, over which the verbs of the command line speak with the daemon."""
