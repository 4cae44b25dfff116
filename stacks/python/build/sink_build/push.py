"""``sink-build push``: what was built, into the registry, and its name for the pipeline's next stage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sink_build import state
from sink_build.build import read_build
from sink_build.docker import Docker
from sink_build.image import Built


def run(environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Push, and write ``imagedefinitions.json``.

    Raises:
        CommandFailed: a push is refused.
    """
    build = read_build(environ, "push", arguments)
    built = state.load(build.folder, "image", Built)
    docker = Docker(environ)
    moving = build.address(f"{build.repository}:{build.moving_tag}")
    if built.adds_settings_to_moving_tag:
        docker.do("push", moving)
    if built.is_new:
        docker.do("push", built.image)
    # Another build may have written it meanwhile, and the tag never moves: no reason to fail.
    if built.cache and docker.attempt("push", built.cache) != 0:
        print(f"{built.cache} was not written; a build that finds none installs the dependencies itself.")

    # The moving tag means the last release that deployed well, and the pipeline's last action moves it. Only
    # builds before the first of those set it, because the stack's task definition names it.
    if built.sets_moving_tag:
        docker.do("tag", built.image, moving)
        docker.do("push", moving)

    # https://docs.aws.amazon.com/codepipeline/latest/userguide/file-reference.html#pipelines-create-image-definitions
    definitions = [{"name": f"{build.app}-{build.env}-app", "imageUri": built.image}]
    Path("imagedefinitions.json").write_text(json.dumps(definitions, separators=(",", ":")), encoding="utf-8")
