"""The resource of this service: notes, kept in memory. Replace it with what the service is for.

Every task has notes of its own, and they are gone when it stops.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, Field

router = APIRouter(prefix="/notes", tags=["notes"])


class NewNote(BaseModel):
    """A note as a caller sends it."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]


class Note(NewNote):
    """A note as it is kept."""

    id: int


class StoreFullError(Exception):
    """No further note fits."""


class NoteStore:
    """Notes by id, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._notes: dict[int, Note] = {}
        self._next_id = 1

    def add(self, text: str) -> Note:
        """Keep a new note."""
        if len(self._notes) >= self.limit:
            raise StoreFullError
        note = Note(id=self._next_id, text=text)
        self._notes[note.id] = note
        self._next_id += 1
        return note

    def all_notes(self) -> list[Note]:
        """Return all notes, oldest first."""
        return list(self._notes.values())

    def get(self, note_id: int) -> Note | None:
        """Return one note, None where there is none."""
        return self._notes.get(note_id)

    def remove(self, note_id: int) -> bool:
        """Forget a note; False where there was none."""
        return self._notes.pop(note_id, None) is not None


def get_store(request: Request) -> NoteStore:
    """Return the store of the running service."""
    return request.app.state.notes


Store = Annotated[NoteStore, Depends(get_store)]


@router.post("", status_code=201)
async def add_note(new: NewNote, store: Store) -> Note:
    """Keep a note."""
    try:
        return store.add(new.text)
    except StoreFullError:
        raise HTTPException(507, f"There is room for {store.limit} notes only.") from None


@router.get("")
async def list_notes(store: Store) -> list[Note]:
    """Return all notes."""
    return store.all_notes()


@router.get("/{note_id}")
async def get_note(note_id: int, store: Store) -> Note:
    """Return one note."""
    note = store.get(note_id)
    if note is None:
        raise HTTPException(404, f"There is no note {note_id}.")
    return note


@router.delete("/{note_id}", status_code=204)
async def remove_note(note_id: int, store: Store) -> None:
    """Forget a note."""
    if not store.remove(note_id):
        raise HTTPException(404, f"There is no note {note_id}.")
