"""Notes, kept in PostgreSQL. The table is made by a migration: see migrations/."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, Engine, Identity, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from .database import Base

_LARGEST_ID = 2**63 - 1


class NewNote(BaseModel):
    """A note as a caller sends it."""

    # PostgreSQL's text holds every character but NUL.
    text: Annotated[str, Field(min_length=1, max_length=2000, pattern="^[^\x00]*$")]


class Note(BaseModel):
    """A note as a caller sees it."""

    model_config = ConfigDict(from_attributes=True)

    text: str
    id: int


class NoteRow(Base):
    """A note as it is kept."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class StoreFullError(Exception):
    """No further note fits."""


class NoteStore:
    """Notes by id, at most `limit` of them: a list of them all stays of a size that can be answered."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self.limit = limit
        self._session: sessionmaker[Session] = sessionmaker(engine)

    def add(self, text: str) -> Note:
        """Keep a new note. Two at the same moment may go one over the limit."""
        with self._session.begin() as session:
            if session.scalars(select(func.count()).select_from(NoteRow)).one() >= self.limit:
                raise StoreFullError
            row = NoteRow(text=text)
            session.add(row)
            session.flush()
            return Note.model_validate(row)

    def all_notes(self) -> list[Note]:
        """Return all notes, oldest first."""
        with self._session() as session:
            return [Note.model_validate(row) for row in session.scalars(select(NoteRow).order_by(NoteRow.id))]

    def get(self, note_id: int) -> Note | None:
        """Return one note, None where there is none."""
        if abs(note_id) > _LARGEST_ID:
            return None
        with self._session() as session:
            row = session.get(NoteRow, note_id)
            return None if row is None else Note.model_validate(row)

    def remove(self, note_id: int) -> bool:
        """Forget a note; False where there was none."""
        if abs(note_id) > _LARGEST_ID:
            return False
        with self._session.begin() as session:
            removed = delete(NoteRow).where(NoteRow.id == note_id).returning(NoteRow.id)
            return session.scalars(removed).one_or_none() is not None
