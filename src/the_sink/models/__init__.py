"""What AWS holds and what a deploy reports, as frozen values (no I/O, no boto3).

The edge (``aws/``) turns answers of AWS into these, the verbs (``deploy/``) decide on them and yield
events made of them, ``report/`` turns them into text and JSON. A status is a type that answers
questions, so that no caller compares AWS's words.
"""

from __future__ import annotations

from the_sink.models.clock import Clock
from the_sink.models.events import (
    ActionChanged,
    Event,
    Evidence,
    PhaseChanged,
    ResourceChanged,
    Said,
    TasksChanged,
    Warned,
)
from the_sink.models.explanations import Explanation
from the_sink.models.history import HistoryEntry
from the_sink.models.ledger import UNKNOWN_COMMIT, ReleaseRecord
from the_sink.models.logs import LogEvent
from the_sink.models.pipelines import (
    ActionRun,
    Build,
    BuildPhase,
    Execution,
    Gate,
    OpenApproval,
    Pipeline,
    WaitingRelease,
)
from the_sink.models.releases import Aborted, Deployed, EnvironmentStatus, Release, Serving
from the_sink.models.services import Service, ServiceDeployment, TargetsHealth, Task, UnhealthyTarget
from the_sink.models.stacks import ChangeSet, ResourceChange, Stack, StackApplied, StackEvent, StackStatus
from the_sink.models.storage import Image, Secret, SecretValue, StoredObject
from the_sink.models.versions import Version, parse_version

__all__ = [
    "UNKNOWN_COMMIT",
    "Aborted",
    "ActionChanged",
    "ActionRun",
    "Build",
    "BuildPhase",
    "ChangeSet",
    "Clock",
    "Deployed",
    "EnvironmentStatus",
    "Event",
    "Evidence",
    "Execution",
    "Explanation",
    "Gate",
    "HistoryEntry",
    "Image",
    "LogEvent",
    "OpenApproval",
    "PhaseChanged",
    "Pipeline",
    "Release",
    "ReleaseRecord",
    "ResourceChange",
    "ResourceChanged",
    "Said",
    "Secret",
    "SecretValue",
    "Service",
    "ServiceDeployment",
    "Serving",
    "Stack",
    "StackApplied",
    "StackEvent",
    "StackStatus",
    "StoredObject",
    "TargetsHealth",
    "Task",
    "TasksChanged",
    "UnhealthyTarget",
    "Version",
    "WaitingRelease",
    "Warned",
    "parse_version",
]
