"""The pages of ``docs/reference/``, each put together from the files and the tasks that it describes."""

from __future__ import annotations

from pathlib import Path

from the_sink.report import reference as pages
from the_sink.report.task_pages import render_tasks
from the_sink.tasks import app_namespace
from the_sink.tasks.menu import load_menu, read_menu


def render_pages(root: Path) -> dict[str, str]:
    """Return every page of a checkout's ``docs/reference/`` by its file's name.

    Args:
        root: The checkout; tasks, settings and names are those of the package that runs.
    """
    files = {
        "An app": "stacks/python/cfn-template.yml",
        "Its pipeline": "stacks/python/pipeline.yml",
        "The platform": "stacks/platform/cfn-template.yml",
    }
    stacks = {title: (file, (root / file).read_text(encoding="utf-8")) for title, file in files.items()}
    app, platform = read_menu(app_namespace()), load_menu(root)
    return {
        "questions.md": pages.render_page(
            "Questions",
            "copier.yml",
            "What `copier copy` asks. Each answer can be given on the command line, as "
            "`--data name=value`; `--defaults` takes the rest as it is. The answers stay in the app's "
            "`.copier-answers.yml`.",
            pages.render_questions((root / "copier.yml").read_text(encoding="utf-8")),
        ),
        "parameters.md": pages.render_page(
            "Parameters",
            "the templates in stacks/",
            "Of the stacks. An app sets its own in `aws/cfn-template-configuration-<env>.json`, every value "
            "in quotes; those of its pipeline follow from `sink.toml` and the same file. The platform's are "
            "given to `invoke platform.bootstrap --parameter Name=value`, and keep their value afterwards.",
            "\n\n".join(
                pages.render_parameters(f"{title}: {file}", text) for title, (file, text) in stacks.items()
            ),
        ),
        "outputs.md": pages.render_page(
            "Outputs",
            "the templates in stacks/",
            "Of the stacks. An app's own template reads those of the first as "
            "`!GetAtt StackPython.Outputs.<name>`; what is exported, every stack of the account and region "
            "can import (`Fn::ImportValue`).",
            "\n\n".join(
                pages.render_outputs(f"{title}: {file}", text) for title, (file, text) in stacks.items()
            ),
        ),
        "settings.md": pages.render_page(
            "Settings",
            "src/the_sink/config/settings.py",
            "Of an app, in its `sink.toml`. A key that is not below is refused.",
            pages.render_settings(),
        ),
        "names.md": pages.render_page(
            "Names",
            "src/the_sink/naming.py",
            "What things are called in AWS and under which keys they lie in the platform's bucket. Most "
            "begin with the app's name, which therefore has 5 to 24 lowercase letters, digits and hyphens, "
            "begins with a letter and not with `internal-`, does not end with a hyphen, and is not `stacks`. "
            "A new app's hyphens are single: RDS takes no two in a row, so an app of the legacy "
            "platform that has them does without a database. `copier copy` refuses Python modules too.",
            pages.render_names(),
        ),
        "app-tasks.md": pages.render_page(
            "Tasks of an app",
            "the tasks themselves",
            "In an app's folder, as `.venv/bin/invoke <task>`. Every task has `--help`.",
            render_tasks(app.values()),
        ),
        "platform-tasks.md": pages.render_page(
            "Tasks of the platform",
            "the tasks themselves",
            "In the platform's repository, as `.venv/bin/invoke <task>`. Every task has `--help`.",
            render_tasks(platform.values()),
        ),
    }
