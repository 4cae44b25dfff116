"""Secrets Manager: secrets of stacks."""
