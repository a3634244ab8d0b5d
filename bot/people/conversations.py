"""What becomes of conversations when a person or a chat gets another id: they move whole, and two in one place become one.

And how many of them a person may name.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, func, select, update

from bot.tables import attached, conversations, inbox, turns

_HELD = (turns, inbox, attached)

NAMED = 1000
"""Private conversations with a name of their own that one person has at most."""
_NAMED_ONES = conversations.c.space.startswith("private:")
_SPOKEN = select(func.coalesce(func.max(turns.c.id), 0)).where(turns.c.conversation_id == conversations.c.id).scalar_subquery()
_OPEN = exists().where(inbox.c.conversation_id == conversations.c.id, inbox.c.state != "sent")


def make_room(connection: Connection, person: int, space: str) -> None:
    """Before a person begins another named conversation, let those go that were silent for longest, with all that was said."""
    if not space.startswith("private:"):
        return
    theirs = conversations.c.person_id == person, _NAMED_ONES
    extra = connection.execute(select(func.count()).select_from(conversations).where(*theirs)).scalar_one() - NAMED + 1
    if extra > 0:
        silent = select(conversations.c.id).where(*theirs, ~_OPEN).order_by(_SPOKEN, conversations.c.id).limit(extra)
        gone = connection.scalars(silent).all()
        connection.execute(update(inbox).where(inbox.c.conversation_id.in_(gone)).values(conversation_id=None))
        connection.execute(delete(conversations).where(conversations.c.id.in_(gone)))


def give(connection: Connection, conversation: int, person: int, space: str) -> None:
    """Let a conversation be this person's, in this space. Where they have one already, the two become one.

    What one of the two left out of prompts stays out of them, and so may something of the other: never too much is remembered.
    """
    there = conversations.c.person_id == person, conversations.c.space == space
    other = connection.execute(select(conversations.c.id).where(*there)).scalar()
    ours = conversations.c.id == conversation
    if other is None:
        connection.execute(update(conversations).where(ours).values(person_id=person, space=space))
    elif other != conversation:
        for table in _HELD:
            moved = update(table).where(table.c.conversation_id == conversation).values(conversation_id=other)
            connection.execute(moved)
        first = connection.execute(select(conversations.c.first_turn).where(ours)).scalar_one()
        later = func.max(conversations.c.first_turn, first)
        connection.execute(update(conversations).where(conversations.c.id == other).values(first_turn=later))
        connection.execute(delete(conversations).where(ours))


def give_all(connection: Connection, former: int, person: int) -> None:
    """Let all conversations and messages of one person be another's."""
    theirs = select(conversations.c.id, conversations.c.space).where(conversations.c.person_id == former)
    for row in connection.execute(theirs).all():
        give(connection, row.id, person, row.space)
    connection.execute(update(inbox).where(inbox.c.person_id == former).values(person_id=person))


def rename(connection: Connection, space: str, to: str) -> None:
    """Let the conversations of a shared chat, with those of its threads, be in another space."""
    inside = (conversations.c.space == space) | conversations.c.space.startswith(f"{space}:", autoescape=True)
    columns = conversations.c.id, conversations.c.person_id, conversations.c.space
    for row in connection.execute(select(*columns).where(inside)).all():
        give(connection, row.id, row.person_id, to + row.space.removeprefix(space))
