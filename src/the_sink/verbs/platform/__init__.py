"""The platform engineer's verbs: what all apps share, and the templates that apps deploy from."""
