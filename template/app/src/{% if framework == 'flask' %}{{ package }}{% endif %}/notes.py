"""The resource of this service: notes. Replace it with what the service is for."""

from typing import Any

from flask import Blueprint, current_app, request

from .errors import ApiError, checked
from .store import NewNote, NoteStore, StoreFullError

blueprint = Blueprint("notes", __name__, url_prefix="/notes")


def get_store() -> NoteStore:
    """Return the store of the running service."""
    return current_app.extensions["notes"]


@blueprint.post("")
def add_note() -> tuple[dict[str, Any], int]:
    """Keep a note."""
    new = checked(NewNote, request.get_json(silent=True), "body")
    store = get_store()
    try:
        return store.add(new.text).model_dump(), 201
    except StoreFullError:
        raise ApiError(507, f"There is room for {store.limit} notes only.") from None


@blueprint.get("")
def list_notes() -> list[dict[str, Any]]:
    """Return all notes."""
    return [note.model_dump() for note in get_store().all_notes()]


# A text in the route and a number in the function: an id that is no number is refused with a reason,
# where Flask's own converter would say that there is no such page.
@blueprint.get("/<note_id>")
def get_note(note_id: str) -> dict[str, Any]:
    """Return one note."""
    number = checked(int, note_id, "path", "note_id")
    note = get_store().get(number)
    if note is None:
        raise ApiError(404, f"There is no note {number}.")
    return note.model_dump()


@blueprint.delete("/<note_id>")
def remove_note(note_id: str) -> tuple[str, int]:
    """Forget a note."""
    number = checked(int, note_id, "path", "note_id")
    if not get_store().remove(number):
        raise ApiError(404, f"There is no note {number}.")
    return "", 204
