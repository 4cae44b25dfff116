"""The walk that ``invoke demo`` shows; only the repository has it, no package carries it."""
