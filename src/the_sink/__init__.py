"""The package behind the platform's task files: bootstrap, deploy, and the sandbox that stands in for AWS.

Layers, top to bottom (``docs/architecture.md`` draws them, import-linter keeps them): ``tasks`` reads
arguments and calls; ``report`` turns models and events into text; ``sandbox`` is the embedded AWS;
``deploy`` holds the verbs; ``aws`` and ``local`` are the edge; ``plan`` decides; the rest are values
and rules that know nothing of AWS, files or clocks.
"""
