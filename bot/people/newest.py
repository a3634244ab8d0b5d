"""Bounds a table that strangers can fill: who comes last pushes out who came first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, literal_column, select

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table

_ROW: ColumnElement[Any] = literal_column("rowid")


def keep_newest(connection: Connection, table: Table, most: int, *, by: ColumnElement[Any], of: ColumnElement[bool]) -> None:
    """Let the oldest rows `of` a kind go, in the order `by`, until at most `most` are left."""
    extra = connection.execute(select(func.count()).select_from(table).where(of)).scalar_one() - most
    if extra > 0:
        oldest = select(_ROW).select_from(table).where(of).order_by(by).limit(extra)
        connection.execute(delete(table).where(_ROW.in_(oldest)))
