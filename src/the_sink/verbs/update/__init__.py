"""The platform's changes come into an app: a target is chosen, merged beside the app, checked, and applied.

``target`` decides from where to where; ``merge`` is the engine, copier's own update today, and the one
module to replace with another; ``update`` is the verb.
"""
