"""What the daemon does for a chat platform: every message goes through the gate, then into the line."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.types import Message, Press, Pressed, Said
from bot.attachments import quoted, refused
from bot.commands import typed
from bot.errors import DatabaseError, RejectedError
from bot.inbox import space_of
from bot.people.people import Person
from bot.speech.chosen_language import language_for
from bot.speech.sentences import keys, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.dispatch import Dispatcher
    from bot.ledger import Ledger
    from bot.people.gate import Gate
    from bot.people.people import People
    from bot.presses import Presses
    from bot.speech.sentences import Language


class PlatformHost:
    """`adapters.types.Host` for one platform."""

    def __init__(
        self,
        gate: Gate,
        people: People,
        dispatcher: Dispatcher,
        presses: Presses,
        ledger: Ledger,
        *,
        language: Language,
        most_mb: float,
        count: Callable[[str, str], None] = lambda _platform, _outcome: None,
    ) -> None:
        self._gate = gate
        self._people = people
        self._dispatcher = dispatcher
        self._presses = presses
        self._ledger = ledger
        self._language: Language = language
        self._most_mb = most_mb
        self._count = count
        self._leaving = False

    def stop_receiving(self) -> None:
        """Take nothing more: who calls waits, and the platform keeps what it has."""
        self._leaving = True

    async def receive(self, message: Message, mark: tuple[str, str] | None = None) -> int | Said | None:
        """Take a message; see `adapters.types.Host`. Raises `DatabaseError` when it cannot be stored."""
        await self._open()
        try:
            taken = await self._received(message, mark)
        except DatabaseError:
            self._count(message.platform, "failed")
            raise
        self._count(message.platform, "stored" if isinstance(taken, int) else "said" if taken else "ignored")
        return taken

    async def _received(self, message: Message, mark: tuple[str, str] | None) -> int | Said | None:
        admitted = await self._gate.admit(message)
        if isinstance(admitted, Person):
            taken = await self._take(message, admitted, mark)
            if not isinstance(taken, Said):
                return taken
            admitted = taken
        if mark is not None:
            await self._ledger.put(*mark)
        return admitted

    async def edited(self, message: Message) -> None:
        """A message says something else now."""
        if await self._gate.known(message) is not None and message.text.strip():
            await self._dispatcher.edit(message)

    async def deleted(self, platform: str, account: str, ids: Sequence[str]) -> None:
        """Messages were deleted."""
        for id_ in ids:
            await self._dispatcher.withdraw(platform, account, id_)

    async def press(self, press: Press) -> Pressed:
        """Do what a button says."""
        await self._open()
        person = await self._gate.known(press.message)
        if person is None:
            return Pressed(say("button_not_yours", language_for(press.message, None, self._language)))
        try:
            return await self._presses.carry_out(press, person)
        except RejectedError as error:
            return Pressed(self._refusal(press.message, person, error).text)

    async def moved(self, platform: str, chat: str, to: str) -> None:
        """A chat got a new id."""
        await self._people.moved(platform, chat, to)

    async def _take(self, message: Message, person: Person, mark: tuple[str, str] | None) -> int | Said | None:
        language = language_for(message, person, self._language)
        command = typed(message.text)
        if command is not None and command.name == "stop":
            stopped = await self._dispatcher.stop(person, space_of(message))
            return Said(say("stopping" if stopped else "nothing_to_stop", language))
        if command is not None and command.name == "start" and command.argument and message.private:
            pressed = await self.press(Press(command.argument, message))
            return Said(pressed.text) if pressed.text else None
        unwanted = refused(message.attachments, self._most_mb)
        if unwanted is not None:
            return Said(say(unwanted.sentence, language, name=quoted(unwanted.name), most=f"{self._most_mb:g}"))
        if message.attachments and not message.text.strip():
            message = replace(message, text=say("attachment_question", language))
        try:
            return await self._dispatcher.receive(message, person, mark)
        except RejectedError as error:
            return self._refusal(message, person, error)

    async def _open(self) -> None:
        if self._leaving:
            await asyncio.Event().wait()

    def _refusal(self, message: Message, person: Person, error: RejectedError) -> Said:
        key = f"rejected_{error.code}"
        return Said(say(key, language_for(message, person, self._language)) if key in keys() else str(error))
