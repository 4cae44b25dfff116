"""The live display of a terminal: what has ended stays above, what is under way is redrawn below."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from the_sink.models import ActionChanged, Event, PhaseChanged, ResourceChanged, TasksChanged, Warned
from the_sink.report.terminal import visible
from the_sink.report.wording import format_duration, render_event

_REDRAWS_PER_SECOND = 8


class LiveDisplay:
    """Prints finished work line by line and keeps one line that changes for the work in hand."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._action: ActionChanged | None = None
        self._since = 0.0
        self._detail = ""
        # Last: it draws the line below at once.
        self._live = Live(
            console=self._console, get_renderable=self._footer, refresh_per_second=_REDRAWS_PER_SECOND
        )

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._action, self._detail = None, ""
        self._live.stop()

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case ActionChanged(status="InProgress"):
                if self._action is None or self._action.name != event.name:
                    self._since = self._console.get_time() - event.elapsed_s
                self._action, self._detail = event, event.detail
                return
            case ActionChanged():
                self._action, self._detail = None, ""
            case PhaseChanged(phase=phase, status=status) if not status or status == "IN_PROGRESS":
                self._detail = phase.lower()
                return
            case ResourceChanged(status=status) if status.is_in_progress:
                self._detail = f"{event.logical_id} {status.name.lower().replace('_', ' ')}"
                return
            case TasksChanged():
                self._detail = render_event(event).strip()
                return
            case _:
                pass
        if line := render_event(event):
            # Printing draws the line below again as it was last drawn, which may be an action ago.
            self._live.refresh()
            # The terminal folds what is longer than it is wide: an address or a command stays whole to copy.
            self._console.print(Text(visible(line), style=_style(event)), soft_wrap=True)

    def _footer(self) -> Text:
        if self._action is None:
            return Text(visible(self._detail))
        action = self._action
        elapsed = format_duration(self._console.get_time() - self._since)
        usual = (
            f" of about {format_duration(action.expected_s)}"
            if action.expected_s and action.expected_s >= 1
            else ""
        )
        detail = f": {self._detail}" if self._detail else ""
        return Text(visible(f"  {action.name} {elapsed}{usual}{detail}"), style="bold")


def _style(event: Event) -> str:
    match event:
        case Warned():
            return "yellow"
        case ActionChanged(status="Failed"):
            return "bold red"
        case ActionChanged(status="Succeeded"):
            return "green"
        case ResourceChanged(status=status) if status.is_failure:
            return "red"
    return ""
