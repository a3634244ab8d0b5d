"""Every call that counts for a channel, within the budget of that channel and of all together."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from adapters.calls import to_its_end
from adapters.discord.errors import NO_REPLIES, AnsweredError, PausedError
from adapters.limits import Budgets, Priority, Rate, Rule

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping

    from adapters.discord.config import DiscordBudgets
    from adapters.discord.payloads import Json
    from adapters.discord.rest import Rest
    from adapters.types import File

_KIND = "channel"
_WINDOW_S = 5.0
_MOST = 5000


class Calls:
    """The calls of one `run`. `place` is a channel, or the id of an interaction."""

    def __init__(self, rest: Rest, budgets: DiscordBudgets) -> None:
        self.rest = rest
        self._budgets = _budgets(budgets)
        self._edited: OrderedDict[str, None] = OrderedDict()

    async def call(self, place: str, method: str, path: str, body: Json | None = None, *, files: tuple[File, ...] = ()) -> Json:
        """One call, one at a time in each place, after any pause there. Raises `RestError`.

        Cancelling it waits for a call that was begun: it cannot come after the next one.
        """
        return await self._made(place, method, path, lambda: body or {}, files, Priority.FINAL) or {}

    async def view(
        self, place: str, method: str, path: str, body: Callable[[], Json | None], seen: Callable[[Json], None]
    ) -> Json | None:
        """A view of an answer that is being written, which gives way to all else. Raises `RestError`.

        `body` is made when there is room for the call; when it is None there is no call, and None is returned. `seen` is told
        what the call brought, also when who called was cancelled meanwhile.
        """
        return await self._made(place, method, path, body, (), Priority.LIVE, seen)

    async def listing(self, path: str, query: Mapping[str, str]) -> list[Json]:
        """What is listed there, within the budget of all calls; reading does not count for the channel. Raises `RestError`."""
        async with self._turn(f"read {path}", Priority.ACTION):
            return await self.rest.listing(path, query)

    async def look(self, path: str) -> Json:
        """What is there, as `listing` does."""
        async with self._turn(f"read {path}", Priority.ACTION):
            return await self.rest.call("GET", path)

    async def settle(self, place: str, path: str, body: Json) -> None:
        """Let an interaction's own reply say something, unless it does: the first further message would take its place.

        Raises `RestError`.
        """
        await self._made(place, "PATCH", path, lambda: None if place in self._edited else body, (), Priority.FINAL)

    async def urgent(self, method: str, path: str, body: Json) -> None:
        """A first response to an interaction: it has a limit of its own, and cannot wait. Raises `RestError`."""
        await self.rest.call(method, path, body, known=False)

    async def _made(
        self,
        place: str,
        method: str,
        path: str,
        body: Callable[[], Json | None],
        files: tuple[File, ...],
        priority: Priority,
        seen: Callable[[Json], None] = lambda _: None,
    ) -> Json | None:
        async with self._turn(place, priority):
            made = body()
            if made is None:
                return None
            told = await to_its_end(_told(self._sent(method, path, made or None, files), seen))
            if method == "PATCH":
                self._note_edited(place)
            return told

    async def _sent(self, method: str, path: str, body: Json | None, files: tuple[File, ...]) -> Json:
        """Where the bot may write and not read, it may not reply: then the message comes without saying to which."""
        known = not path.startswith("/webhooks/")
        try:
            return await self.rest.call(method, path, body, files=files, known=known)
        except AnsweredError as error:
            if error.code != NO_REPLIES or not body or "message_reference" not in body:
                raise
            alone = {key: value for key, value in body.items() if key != "message_reference"}
            return await self.rest.call(method, path, alone, files=files, known=known)

    @property
    def limited(self) -> int:
        """How many calls were answered 429."""
        return self._budgets.pauses

    @asynccontextmanager
    async def _turn(self, place: str, priority: Priority) -> AsyncGenerator[None]:
        """A turn for one call. What Discord says about pauses holds for that place, or for all."""
        async with self._budgets.turn(place, _KIND, priority):
            try:
                yield
            except PausedError as error:
                if error.everywhere:
                    self._budgets.pause_all(error.retry_after)
                self._budgets.pause(place, error.retry_after)
                raise

    def _note_edited(self, place: str) -> None:
        self._edited[place] = None
        while len(self._edited) > _MOST:
            self._edited.popitem(last=False)


def _budgets(config: DiscordBudgets) -> Budgets:
    calls = (Rate(config.channel_per_5_s, _WINDOW_S),) if config.channel_per_5_s else ()
    live = (Rate(1, config.edit_every_s),) if config.edit_every_s else ()
    whole = (Rate(config.global_per_s, 1.0),) if config.global_per_s else ()
    return Budgets({_KIND: Rule(calls, live)}, whole)


async def _told(work: Coroutine[object, object, Json], seen: Callable[[Json], None]) -> Json:
    told = await work
    seen(told)
    return told
