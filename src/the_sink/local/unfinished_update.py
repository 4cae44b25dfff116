"""An update that was written into the working tree, and neither committed nor dropped.

It is known by the app's answers: only an update moves the version of the template in them. Its files look
like anybody's edits otherwise, and committing them as they are may commit what is in conflict.
"""

from __future__ import annotations

from pathlib import Path

from the_sink.config import answers
from the_sink.errors import InputError
from the_sink.local import git


def require_none(root: Path) -> None:
    """See that no update of the app is unfinished.

    Args:
        root: The app's folder, in a repository.

    Raises:
        InputError: one is; the message says what is left of it, the hint what finishes and what drops it.
    """
    path = root / answers.FILE
    committed = git.call(root, "show", f"HEAD:./{answers.FILE}")
    if committed.code or not path.is_file():
        return
    before = answers.parse_answers(committed.text)
    now = answers.parse_answers(path.read_text(encoding="utf-8", errors="replace"))
    # Answers that are in conflict themselves are no YAML any more, and still nobody's edit.
    if before is None or (now is not None and before.commit == now.commit):
        return
    changed = git.changed_files(root)
    unmerged = git.checked(root, "diff", "--name-only", "--relative", "--diff-filter=U", "-z")
    conflicts = sorted(filter(None, unmerged.output.decode("utf-8", "replace").split("\0")))
    if now is None and answers.FILE not in conflicts:
        return
    to = f" to {now.commit}" if now else ""
    count = "1 file is" if len(changed) == 1 else f"{len(changed)} files are"
    left = f", and in conflict: {', '.join(conflicts)}" if conflicts else ""
    mend = "mend what is in conflict (between <<<<<<< and >>>>>>>), then " if conflicts else ""
    raise InputError(
        f"The update{to} is unfinished: {count} not committed{left}.",
        f"Finish it: {mend}git add --all && .venv/bin/invoke validate && git commit. Or drop it, with "
        "everything else that is not committed: git reset --hard",
    )
