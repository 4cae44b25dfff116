"""The start of the program, in the zip and beside the package: ``python3 -I <zip> <command>``."""

import sys

from sink_build.cli import main

sys.exit(main(sys.argv[1:]))
