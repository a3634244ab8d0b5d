"""What the verbs of the command line do in the daemon. Those of `PAPERS` need its database alone, those of `HOUSE` all of it."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from adapters.types import Message
from bot.database.backup import back_up, verify
from bot.errors import GrillonError, RejectedError
from bot.local.house import House, Papers, Request, Values, required, text_of
from bot.local.people_verbs import approve, block, list_people, owner_code, unblock
from bot.local.wire import event_values

if TYPE_CHECKING:
    from bot.people.people import Person
    from knowledge.library import IndexReport, Progress

_PROGRESS_S = 0.05
"""Seconds between two lines of progress: a terminal shows no more."""


async def create_token(papers: Papers, params: Values) -> Values:
    """`token create NAME`: the secret, this once."""
    named = text_of(params, "person")
    person = _person(papers, named) if named else papers.people.owner
    return {"secret": await papers.tokens.create(required(params, "name"), person), "person": person.name}


async def list_tokens(papers: Papers, _: Values) -> list[Values]:
    """`token list`: all but the secrets."""
    return [
        {"name": token.name, "person": token.person and token.person.name, "in_force": bool(token.person), "at": token.created_at}
        for token in await papers.tokens.list()
    ]


async def revoke_token(papers: Papers, params: Values) -> Values:
    """`token revoke NAME`."""
    name = required(params, "name")
    if not await papers.tokens.revoke(name):
        raise GrillonError(f"there is no token called {name}; `grillon token list` shows them")
    return {}


async def backup(papers: Papers, _: Values) -> Values:
    """`db backup`."""
    kept = papers.settings.schedule.backups_kept
    return {"path": str(await asyncio.to_thread(back_up, papers.state.database, papers.state.backups, keep=kept))}


async def ask(house: House, request: Request) -> AsyncGenerator[Values]:
    """`ask`, `chat`, `search` and the commands: a message like any other. Who leaves before the end cancels it.

    Ends without a result when the daemon stops: the question stays, and the same key finds it after the restart.
    """
    inbox_id = await _received(house, request)
    try:
        async with aclosing(house.dispatcher.follow(inbox_id)) as events:
            async for event in events:
                yield event_values(event)
    except (asyncio.CancelledError, GeneratorExit):
        if not request.keep:
            await house.dispatcher.cancel(inbox_id)
        raise


async def _received(house: House, request: Request) -> int:
    """Commit the question. Who leaves meanwhile cannot call the transaction back: it is awaited, then cancelled."""
    receiving = asyncio.ensure_future(house.dispatcher.receive(_message(request), request.peer.person))
    try:
        return await asyncio.shield(receiving)
    except asyncio.CancelledError:
        with suppress(GrillonError):  # nobody is left to be told
            inbox_id = await receiving
            if not request.keep:
                await house.dispatcher.cancel(inbox_id)
        raise


async def index(house: House, request: Request) -> AsyncGenerator[Values]:
    """`index`: each collection in turn, its progress, then the reports."""
    known = [one.name for one in house.settings.collections]
    named = text_of(request.params, "collection")
    if named is not None and named not in known:
        raise GrillonError(f"there is no collection {named!r}; known are {', '.join(known) or 'none'}")
    reports: list[IndexReport] = []
    for name in [named] if named else known:
        async with aclosing(_reindexed(house, name, prune=bool(request.params.get("prune")), reports=reports)) as lines:
            async for values in lines:
                yield values
    yield {"result": reports}


async def status(house: House, request: Request) -> AsyncGenerator[Values]:
    """`status`."""
    yield {"result": {"pid": os.getpid(), **await house.status(request.peer.person)}}


async def check(house: House, _: Request) -> AsyncGenerator[Values]:
    """`db check`: sentences of what is wrong."""
    await asyncio.to_thread(verify, house.state.database)
    yield {"result": await (await house.loaded()).library.check()}


async def examine(house: House, _: Request) -> AsyncGenerator[Values]:
    """`doctor`: what the daemon finds wrong with itself."""
    from bot.doctor.examination import of_house  # needed by this verb alone

    yield {"result": await of_house(house)}


async def _reindexed(house: House, name: str, *, prune: bool, reports: list[IndexReport]) -> AsyncGenerator[Values]:
    """The progress of one collection, whose report is added to `reports`. Leaving early stops it; the next run goes on."""
    lines: asyncio.Queue[Values | None] = asyncio.Queue()
    clock = asyncio.get_running_loop().time
    shown_at = -_PROGRESS_S

    def show(progress: Progress) -> None:
        nonlocal shown_at
        if clock() - shown_at >= _PROGRESS_S or progress.done == progress.total:
            shown_at = clock()
            counts = {"collection": progress.collection, "done": progress.done, "total": progress.total}
            lines.put_nowait({"event": "progress", **counts, "document": progress.document})

    task = asyncio.create_task(house.reindex(name, prune=prune, progress=show), name=f"index {name}")
    task.add_done_callback(lambda _: lines.put_nowait(None))
    try:
        while (values := await lines.get()) is not None:
            yield values
    finally:
        task.cancel()
        await asyncio.wait({task})
    reports.append(task.result())


def _message(request: Request) -> Message:
    params, uid = request.params, str(request.peer.uid)
    names = params.get("collections") or []
    if (
        not isinstance(params.get("question"), str)
        or not isinstance(names, list)
        or not all(isinstance(name, str) for name in names)
    ):
        raise RejectedError("invalid", "a question is a text, and its collections a list of names")
    return Message(
        platform="terminal",
        account="local",
        id=f"{uid}:{text_of(params, 'key') or uuid.uuid4()}",  # nobody joins the question of another account by guessing its key
        chat=uid,
        sender=uid,
        text=params["question"],
        private=True,
        thread=text_of(params, "conversation"),
        locale=text_of(params, "locale"),
        options={"collections": names} if names else {},
    )


def _person(papers: Papers, name: str) -> Person:
    person = papers.people.named(name)
    if person is None:
        known = ", ".join(config.name for config in papers.settings.people) or "nobody is declared under [[people]]"
        raise GrillonError(f"there is no person called {name!r} in the settings; known are {known}")
    return person


PAPERS: dict[str, Callable[[Papers, Values], Awaitable[Any]]] = {
    "create_token": create_token,
    "list_tokens": list_tokens,
    "revoke_token": revoke_token,
    "list_people": list_people,
    "owner_code": owner_code,
    "approve": approve,
    "block": block,
    "unblock": unblock,
    "backup": backup,
}
HOUSE: dict[str, Callable[[House, Request], AsyncGenerator[Values]]] = {
    "ask": ask,
    "index": index,
    "status": status,
    "check": check,
    "examine": examine,
}
FOR_ALL = frozenset({"ask", "status"})
"""The verbs that are not the owner's alone."""
