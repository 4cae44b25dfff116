"""The Invoke surface: read arguments, call a verb, hand its events to ``report``."""
