"""Goes through the phases of one build, as CodeBuild does, and keeps its record and log."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from sink_sandbox.server.clients import Clients
from sink_sandbox.services.codebuild.buildspec import (
    Artifacts,
    Buildspec,
    BuildspecError,
    Phase,
    next_phase,
    parse_buildspec,
    uploads_artifacts,
)
from sink_sandbox.services.codebuild.environment import (
    UnresolvedVariable,
    build_variables,
    codebuild_variables,
    machine_environment,
    sandbox_environment,
)
from sink_sandbox.services.codebuild.job import Job, Output, Record
from sink_sandbox.services.codebuild.log import BuildLog
from sink_sandbox.services.codebuild.packages import PackageError, pack_files, select_files, unpack
from sink_sandbox.services.codebuild.shell import Shell
from sink_sandbox.services.codebuild.unreachable_docker import install_unreachable_docker
from sink_sandbox.services.iam.access import Credentials, RoleRefused, Roles

Result = TypeVar("Result")


_TEMPORARY = "tmp"
"""A link in a build's folder to where its temporary files are."""


@dataclass(frozen=True)
class BuildHost:
    """Where builds happen."""

    state_dir: Path
    clients: Clients
    roles: Roles
    command_folders: Callable[[], list[Path]]
    """What comes first on a build's PATH: our ``docker`` and ``aws``."""

    @property
    def folder(self) -> Path:
        """Has one folder for each build under way, with all that it writes, secrets among it."""
        return self.state_dir / "codebuild"

    def make_temporary(self, folder: Path) -> Path:
        """Make a build's folder for temporary files, which :func:`remove_folder` finds again.

        Not inside the build's own: the path of a socket, which Python's multiprocessing puts there, may have
        about a hundred characters only (https://man7.org/linux/man-pages/man7/unix.7.html).
        """
        temporary = Path(tempfile.mkdtemp(prefix="sink-build-"))
        (folder / _TEMPORARY).symlink_to(temporary)
        return temporary

    def clear(self) -> None:
        """Remove what builds have left that were under way when the sandbox was killed."""
        for folder in self.folder.glob("*"):
            remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a build's folder, and the one with its temporary files."""
    temporary = folder / _TEMPORARY
    if temporary.is_symlink():
        shutil.rmtree(temporary.readlink(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


class BuildFailure(Exception):
    """A phase of the build failed; ``code`` is the phase context's status code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Build:
    """One build; ``run`` blocks until it is complete, ``stop`` ends it from another thread."""

    def __init__(self, job: Job, record: Record, host: BuildHost) -> None:
        self._job = job
        self._record = record
        self._host = host
        self._folder = host.folder / job.uuid
        self._source = self._folder / "src"
        self._credentials: Credentials
        self._clients: Clients
        self._log: BuildLog
        self._shell: Shell | None = None
        self._ending = ""

    def stop(self, status: str = "STOPPED") -> None:
        """End the build with ``status``: STOPPED by request, TIMED_OUT by its timeout."""
        self._ending = self._ending or status
        if self._shell is not None:
            self._shell.kill()

    def run(self) -> None:
        """Run the build to its end; its outcome is in the record."""
        if not self._provision():
            self._record.finish(self._ending or "FAILED", {})
            return
        alarm = threading.Timer(self._job.timeout_s, self.stop, ("TIMED_OUT",))
        alarm.daemon = True
        alarm.start()
        exported: dict[str, str] = {}
        try:
            status, exported = self._go_through()
        except BuildFailure:
            status = "FAILED"
        except Exception as error:
            self._log.say(f"The sandbox could not run this build: {type(error).__name__}: {error}")
            self._record.finish("FAULT", {})
            raise
        finally:
            alarm.cancel()
            if self._shell is not None:
                self._shell.close()
            self._log.close()
            remove_folder(self._folder)
        self._record.finish(self._ending or status, exported)

    def _provision(self) -> bool:
        """Take on the role and open the log; False, as the record tells, where either is refused."""
        for name in ("SUBMITTED", "QUEUED"):
            self._record.begin(name)
            self._record.end(name, "SUCCEEDED")
        job = self._job
        self._record.begin("PROVISIONING")
        try:
            self._credentials = self._host.roles.assume(
                job.role, job.service, job.region, through=job.through
            )
            self._clients = self._host.clients.under(self._credentials)
            self._log = BuildLog(self._clients.get("logs", job.region), job.log_group, job.log_stream)
            self._log.open()
        except RoleRefused as refused:
            self._record.end("PROVISIONING", "FAILED", "ACCESS_DENIED", str(refused))
            return False
        except ClientError as error:
            message = (
                "Service role does not allow the build to create Amazon CloudWatch Logs log streams. Error "
                f"message: {error.response['Error']['Message']}"
            )
            self._record.end("PROVISIONING", "FAILED", "ACCESS_DENIED", message)
            return False
        self._record.end("PROVISIONING", "SUCCEEDED")
        return True

    def _go_through(self) -> tuple[str, dict[str, str]]:
        spec, shell = self._phase("DOWNLOAD_SOURCE", self._download)
        failed = False
        last: Phase | None = None
        for phase in spec.phases:
            if self._ending:
                break
            last = phase
            ended_well = self._run_phase(shell, phase, succeeding=not failed)
            failed = failed or not ended_well
            if next_phase(phase, failed=not ended_well) == "end":
                break
        exported = {} if self._ending else {name: shell.value(name) for name in spec.exported_variables}
        if not self._ending and uploads_artifacts(last, failed=failed):
            self._phase("UPLOAD_ARTIFACTS", lambda: self._upload(spec))
        self._record.begin("FINALIZING")
        self._record.end("FINALIZING", "SUCCEEDED")
        return ("FAILED" if failed else "SUCCEEDED"), exported

    def _phase(self, name: str, work: Callable[[], Result]) -> Result:
        self._record.begin(name)
        try:
            result = work()
        except BuildFailure as failure:
            self._close(name, "FAILED", failure.code, failure.message)
            raise
        self._close(name, "SUCCEEDED")
        return result

    def _close(self, phase: str, status: str, code: str = "", message: str = "") -> None:
        self._log.say(f"Phase complete: {phase} State: {status}")
        self._log.say(f"Phase context status code: {code} Message: {message}")
        self._record.end(phase, status, code, message)

    def _download(self) -> tuple[Buildspec, Shell]:
        secondary = {}
        self._source.mkdir(parents=True)
        for entry in self._job.inputs:
            folder = self._folder / f"src-{entry.identifier}" if entry.identifier else self._source
            try:
                content = self._s3().get_object(Bucket=entry.bucket, Key=entry.key)["Body"].read()
                unpack(content, folder)
            except PackageError as error:
                raise BuildFailure("CLIENT_ERROR", f"{entry.bucket}/{entry.key}: {error}") from error
            except ClientError as error:
                raise BuildFailure("CLIENT_ERROR", str(error)) from error
            if entry.identifier:
                secondary[entry.identifier] = folder
        try:
            spec = parse_buildspec(self._buildspec_text())
        except BuildspecError as error:
            raise BuildFailure("YAML_FILE_ERROR", str(error)) from error
        try:
            variables, hidden = build_variables(self._job, spec, self._clients)
        except (UnresolvedVariable, BuildspecError) as error:
            raise BuildFailure("Decrypted Variables Error", str(error)) from error
        for value in hidden:
            self._log.hide(value)
        for remark in spec.remarks:
            self._log.say(remark)
        home = self._folder / "home"
        home.mkdir()
        shell = self._shell = Shell(
            spec.shell,
            folder=self._source,
            scratch=self._folder / "shell",
            environment={
                **machine_environment(self._command_folders(), home, self._host.make_temporary(self._folder)),
                **sandbox_environment(
                    self._host.state_dir,
                    self._clients.endpoint_url,
                    self._job.region,
                    self._credentials,
                ),
                **variables,
                **codebuild_variables(self._job, self._source, secondary),
            },
            emit=self._log.add,
        )
        if self._ending:
            shell.kill()
        return spec, shell

    def _command_folders(self) -> list[Path]:
        """What comes first on the PATH; a build without a Docker daemon has a ``docker`` that finds none."""
        folders = self._host.command_folders()
        return folders if self._job.is_privileged else [install_unreachable_docker(self._folder), *folders]

    def _buildspec_text(self) -> str:
        given = self._job.buildspec
        if given.startswith("arn:"):
            # https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectSource.html
            bucket, _, key = given.rpartition(":::")[2].partition("/")
            try:
                return str(self._s3().get_object(Bucket=bucket, Key=key)["Body"].read().decode())
            except ClientError as error:
                raise BuildFailure("YAML_FILE_ERROR", f"{given}: {error}") from error
        if "\n" in given or given.lstrip().startswith("{"):
            return given
        path = self._source / (given or "buildspec.yml")
        if not path.is_file():
            raise BuildFailure(
                "YAML_FILE_ERROR", f"stat {path.relative_to(self._source)}: no such file or directory"
            )
        return path.read_text()

    def _run_phase(self, shell: Shell, phase: Phase, *, succeeding: bool) -> bool:
        name = phase.name.upper()
        self._record.begin(name)
        self._log.say(f"Entering phase {name}")
        shell.run(f"export CODEBUILD_BUILD_SUCCEEDING={int(succeeding)}")
        failure = self._run_commands(shell, phase.commands)
        if phase.finally_commands:
            self._log.say(f"Running the finally block of {name}")
            failure = self._run_commands(shell, phase.finally_commands) or failure
        if self._ending:
            self._close(name, "STOPPED" if self._ending == "STOPPED" else "TIMED_OUT")
            return False
        if failure:
            self._close(name, "FAILED", "COMMAND_EXECUTION_ERROR", failure)
        else:
            self._close(name, "SUCCEEDED")
        return not failure

    def _run_commands(self, shell: Shell, commands: tuple[str, ...]) -> str:
        """Run the commands up to the first that fails; returns how that one failed."""
        for command in commands:
            self._log.say(f"Running command {command}")
            status = shell.run(command)
            if status != 0:
                self._log.say(f"Command did not exit successfully {command} exit status {status}")
                return f"Error while executing command: {_first_line(command)}. Reason: exit status {status}"
        return ""

    def _upload(self, spec: Buildspec) -> None:
        for output in self._job.outputs:
            artifacts = (
                spec.secondary_artifacts.get(output.identifier) if output.identifier else spec.artifacts
            )
            if artifacts is None:
                what = f"secondary artifact {output.identifier}" if output.identifier else "artifacts"
                raise BuildFailure("CLIENT_ERROR", f"the buildspec defines no {what}")
            try:
                self._put(output, artifacts)
            except (PackageError, ClientError) as error:
                raise BuildFailure("CLIENT_ERROR", str(error)) from error

    def _put(self, output: Output, artifacts: Artifacts) -> None:
        files = select_files(artifacts, self._source)
        self._log.say(f"Found {len(files)} file(s) for {output.identifier or 'the artifact'}")
        if output.is_zip:
            self._s3().put_object(Bucket=output.bucket, Key=output.key, Body=pack_files(files))
            return
        for name, path in files:
            self._s3().put_object(Bucket=output.bucket, Key=f"{output.key}/{name}", Body=path.read_bytes())

    def _s3(self) -> Any:
        return self._clients.get("s3", self._job.region)


def _first_line(command: str) -> str:
    lines = command.strip().splitlines()
    return lines[0] + (" …" if len(lines) > 1 else "") if lines else ""
