"""Models and events turned into text and JSON; the one layer that prints."""
