"""Elastic Load Balancing: addresses that open, targets that are really looked at."""
