"""What app-init and container-init do, with nothing but Python's own library (3.10 and later)."""
