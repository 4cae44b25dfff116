"""Notes, kept in memory: every task has notes of its own, and they are gone when it stops."""

from threading import Lock
from typing import Annotated

from pydantic import BaseModel, Field


class NewNote(BaseModel):
    """A note as a caller sends it."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]


class Note(NewNote):
    """A note as it is kept."""

    id: int


class StoreFullError(Exception):
    """No further note fits."""


class NoteStore:
    """Notes by id, at most `limit` of them; several threads may use it at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._notes: dict[int, Note] = {}
        self._next_id = 1
        self._lock = Lock()

    def add(self, text: str) -> Note:
        """Keep a new note."""
        with self._lock:
            if len(self._notes) >= self.limit:
                raise StoreFullError
            note = Note(id=self._next_id, text=text)
            self._notes[note.id] = note
            self._next_id += 1
            return note

    def all_notes(self) -> list[Note]:
        """Return all notes, oldest first."""
        with self._lock:
            return list(self._notes.values())

    def get(self, note_id: int) -> Note | None:
        """Return one note, None where there is none."""
        return self._notes.get(note_id)

    def remove(self, note_id: int) -> bool:
        """Forget a note; False where there was none."""
        with self._lock:
            return self._notes.pop(note_id, None) is not None
