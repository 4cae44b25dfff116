"""The platform behind its task files: bootstrap, deploy, and what a team does with a service afterwards.

Layers, top to bottom (``docs/architecture.md`` draws them, import-linter keeps them): ``tasks`` reads
arguments and calls; ``report`` turns models and events into text; ``verbs`` plan, apply and watch, and
``diagnosis`` says why something failed; ``aws`` and ``local`` are the edge; ``plan`` decides; ``checks``
judges what ``config`` has read; the rest are values and rules that know nothing of AWS, files or clocks.
"""
