"""The platform engineer's tasks: composition only. ``invoke --list`` is the menu."""

from the_sink.tasks import platform_namespace

namespace = platform_namespace()
