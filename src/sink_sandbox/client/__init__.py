"""What a command uses: choose the compute, start a sandbox, find it, stop it."""
