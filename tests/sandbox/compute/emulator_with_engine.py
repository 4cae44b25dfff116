"""An emulated AWS whose ECS runs processes: what the sandbox's server is, in a few lines.

``emulator_with_engine.py STATE_DIR ENDPOINT_URL``; the rest is ministack's own environment.
"""

import sys
from pathlib import Path

from ministack import app
from ministack.services import ecs

from sink_sandbox.containers.process import ProcessEngine

if __name__ == "__main__":
    ecs._docker = ProcessEngine(Path(sys.argv[1]), sys.argv[2])
    sys.argv[1:] = []
    app.main()
