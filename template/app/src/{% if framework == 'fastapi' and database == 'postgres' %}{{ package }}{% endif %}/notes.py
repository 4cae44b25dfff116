"""The resource of this service: notes. Replace it with what the service is for."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request

from .store import NewNote, Note, NoteStore, StoreFullError

router = APIRouter(prefix="/notes", tags=["notes"])


def get_store(request: Request) -> NoteStore:
    """Return the store of the running service."""
    return request.app.state.notes


Store = Annotated[NoteStore, Depends(get_store)]


@router.post("", status_code=201)
def add_note(new: NewNote, store: Store) -> Note:
    """Keep a note."""
    try:
        return store.add(new.text)
    except StoreFullError:
        raise HTTPException(507, f"There is room for {store.limit} notes only.") from None


@router.get("")
def list_notes(store: Store) -> list[Note]:
    """Return all notes."""
    return store.all_notes()


@router.get("/{note_id}")
def get_note(note_id: int, store: Store) -> Note:
    """Return one note."""
    note = store.get(note_id)
    if note is None:
        raise HTTPException(404, f"There is no note {note_id}.")
    return note


@router.delete("/{note_id}", status_code=204)
def remove_note(note_id: int, store: Store) -> None:
    """Forget a note."""
    if not store.remove(note_id):
        raise HTTPException(404, f"There is no note {note_id}.")
