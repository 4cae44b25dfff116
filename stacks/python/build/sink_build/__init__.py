"""``sink-build``: the commands of the platform's in a pipeline.

One zip of Python's standard library alone, which ``platform.publish`` puts into the platform's bucket as
``stacks/python/build/sink-build-v<major>.<minor>.<patch>.pyz`` and as the channel of each environment,
``sink-build-v<major>-<env>.pyz``. A buildspec fetches the channel and puts it on its PATH. A Commands action,
which acts as the pipeline's role, runs it as ``python3 -I <zip> <command>`` in an empty folder: nothing of an
app's artifact may be code there.

It runs on the Pythons of CodeBuild's images, so its syntax is that of 3.9. It asks AWS by the ``aws`` command
line and Docker by ``docker``: both are on those images, with the credentials of the build or the action.

A new command is a module with ``run(environ, arguments)`` that raises
:class:`~sink_build.errors.CommandFailed`, and a line in :data:`sink_build.cli.COMMANDS`.
"""
