"""An update as text: what became of each file, what to do next, what to do about conflicts (pure)."""

from __future__ import annotations

from the_sink.verbs.update.outcome import Kind, Outcome


def render_outcome(outcome: Outcome) -> str:
    """Return what a reader came for: from where to where, each file, the new questions, the problems."""
    target = outcome.target
    if target.is_reached:
        newest = ", the newest released version" if target.is_newest else ""
        return f"The app is at {target.from_name} already{newest}; there is nothing to update."
    way = f"from {target.from_name} to {target.to_name}"
    lines = [
        f"Updated {way}."
        if outcome.is_applied
        else f"Nothing was changed. This is what the update {way} would do:"
    ]
    lines += [f"  {line}" for line in _file_lines(outcome)]
    if outcome.new_answers:
        taken = ", ".join(f"{name}={_value(value)}" for name, value in outcome.new_answers.items())
        lines.append(f"New questions took their defaults: {taken}.")
    lines += [f"{problem}{problem.hint and f' {problem.hint}'}" for problem in outcome.problems]
    return "\n".join(lines)


def render_next_steps(outcome: Outcome) -> str:
    """Return what to do after an update that went well."""
    steps = [
        ("git diff --staged", "read what changed"),
        (".venv/bin/pip install --requirement requirements-platform.txt", "the platform's package follows"),
    ]
    if outcome.locks_are_behind:
        steps.append((".venv/bin/invoke lock", "app/pyproject.toml changed: resolve the locks again"))
    steps += [
        (".venv/bin/invoke validate && .venv/bin/invoke test", "the app still works"),
        (f'git commit --all --message "Update the platform to {outcome.target.to_name}"', ""),
    ]
    if outcome.new_answers:
        name = next(iter(outcome.new_answers))
        steps.append((f".venv/bin/copier update --data {name}=…", "another answer, once this is committed"))
    width = max(len(command) for command, _ in steps)
    return "\n".join(["What next:", *(f"  {command.ljust(width)}  {why}".rstrip() for command, why in steps)])


def describe_trouble(outcome: Outcome) -> tuple[str, str] | None:
    """Return the sentence and the hint for an update that needs a person, None for one that went well."""
    conflicts = outcome.paths(Kind.CONFLICT)
    if conflicts:
        count = "1 file is" if len(conflicts) == 1 else f"{len(conflicts)} files are"
        return (
            f"{count} in conflict: {', '.join(conflicts)}.",
            "This is what the update would leave behind."
            if not outcome.is_applied
            else "Mend them (conflicts stand between <<<<<<< and >>>>>>>), then: git add --all && "
            ".venv/bin/invoke validate && git commit. Or go back to before the update, which loses nothing "
            "else: git reset --hard",
        )
    if outcome.problems:
        count = "1 problem" if len(outcome.problems) == 1 else f"{len(outcome.problems)} problems"
        return (
            f"The updated app has {count}.",
            "Mend them, or go back to before the update, which loses nothing else: git reset --hard"
            if outcome.is_applied
            else "",
        )
    return None


def _file_lines(outcome: Outcome) -> list[str]:
    if not outcome.files:
        return ["No file of the app changes."]
    rows = [(file.kind.value, file.path, file.note) for file in outcome.files]
    width = max(len(kind) for kind, _, _ in rows)
    return [f"{kind.ljust(width)}  {path}{note and f' ({note})'}" for kind, path, note in rows]


def _value(value: object) -> str:
    return '""' if value == "" else str(value)
