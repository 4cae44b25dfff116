"""The embedded AWS: one process on loopback that runs the real templates and the real buildspec."""
