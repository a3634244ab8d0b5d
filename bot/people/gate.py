"""Who is let in from a chat platform, before anything of a message is stored: of a stranger only the id is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sqlalchemy import bindparam, select

from adapters.types import Said
from bot.commands import typed
from bot.errors import CannotError
from bot.people.codes import code_in
from bot.people.identities import Identity
from bot.people.pace import Over, Pace
from bot.people.strangers import Strangers
from bot.speech.sentences import Language, as_language, say
from bot.tables import inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.config import PlatformConfig
    from adapters.types import Message
    from bot.people.codes import Codes, Purpose, Redeemed
    from bot.people.people import Known, People, Person
    from bot.settings.fields import LimitsConfig
    from knowledge.types import Sql

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_RECEIVED = (
    select(inbox.c.received_at)
    .where(inbox.c.person_id == bindparam("person"), inbox.c.platform.in_(bindparam("platforms", expanding=True)))
    .order_by(inbox.c.id.desc())
    .limit(bindparam("most"))
)


@runtime_checkable
class _Guilds(Protocol):
    """The settings of a platform that has guilds and roles."""

    allow_guilds: list[str]
    allow_roles: list[str]


@dataclass(frozen=True, slots=True)
class _Allowed:
    """Whom the settings of a platform let in without asking the owner."""

    users: frozenset[str]
    chats: frozenset[str]
    guilds: frozenset[str]
    roles: frozenset[str]
    pairing: bool

    def has(self, message: Message, chats: frozenset[str]) -> bool:
        """Whether this message is from one of them. `chats` are all ids of its chat."""
        inside = message.guild in self.guilds or not self.roles.isdisjoint(message.roles)
        return message.sender in self.users or not self.chats.isdisjoint(chats) or inside


_NOBODY = _Allowed(frozenset(), frozenset(), frozenset(), frozenset(), pairing=False)


class Gate:
    """Decides of every message of a chat platform, by its name in `platforms`, who may talk. `language` where none is known."""

    def __init__(
        self,
        sql: Sql,
        people: People,
        codes: Codes,
        platforms: Mapping[str, PlatformConfig],
        limits: LimitsConfig,
        *,
        language: Language = "en",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sql = sql
        self._people = people
        self._codes = codes
        self._allowed = {name: _allowed(config) for name, config in platforms.items()}
        self._day = limits.person_day
        self._language = language
        self._strangers = Strangers(sql, clock)
        self._pace = Pace([(limits.person_minute, _MINUTE_S), (limits.person_day, _DAY_S)], clock)

    async def admit(self, message: Message) -> Person | Said | None:
        """Who may be answered; a sentence to be said at once; or None when nothing is to be said.

        Costs one read for who is known. Raises `DatabaseError`.
        """
        known = await self._people.known(Identity(message.platform, message.sender))
        if known is not None and known.blocked:
            return None
        person = await self._entered(known, message)
        said = await self._redeemed(message, person)
        if said is not None:
            return said
        if person is None:
            return await self._turned_away(message)
        return await self.paced(person, message)

    async def known(self, message: Message) -> Person | None:
        """Who may press a button, or edit what was sent: as `admit`, but nothing is counted, told or made."""
        known = await self._people.known(Identity(message.platform, message.sender))
        return known.person if known is not None and not known.blocked and self._holds(known, message) else None

    async def paced(self, person: Person, message: Message) -> Person | Said | None:
        """Who may be answered, unless they write too much: then what to say, the first time. /stop is always heard."""
        command = typed(message.text)
        if command is not None and command.name == "stop":
            return person
        key = str(person.id)
        if key not in self._pace:
            self._pace.seed(key, await self._received(person))
        over = self._pace.take(key)
        if over is None:
            return person
        return None if over.said else Said(_too_much(over, self._language_of(message, person)))

    def _holds(self, known: Known, message: Message) -> bool:
        """Whether somebody known still may talk: an allow-list is looked up again each time."""
        return known.active and (known.way != "allowed" or self._is_allowed(message))

    async def _entered(self, known: Known | None, message: Message) -> Person | None:
        if known is not None and self._holds(known, message):
            return known.person
        if self._is_allowed(message):
            return await self._people.enter(Identity(message.platform, message.sender), "allowed")
        return None

    def _is_allowed(self, message: Message) -> bool:
        allowed = self._allowed.get(message.platform, _NOBODY)
        chats = frozenset({message.chat}) if message.private else self._people.chats.names(message.platform, message.chat)
        return allowed.has(message, chats)

    async def _redeemed(self, message: Message, person: Person | None) -> Said | None:
        """Do what a code says, where the message is one. /link with a code is a command like any other for who is known.

        A code alone, or one that an address brings with /start, is the owner's or nothing: nobody becomes one person with
        somebody else by pressing what that one sent.
        """
        alone = code_in(message.text)
        code = alone or (_linking(message.text) if person is None or not message.private else None)
        if code is None:
            return None
        of: tuple[Purpose, ...] = ("owner",) if alone else ("owner", "link")
        language = self._language_of(message, person)
        try:
            return Said(_joined(await self._codes.redeem(code, message, person, of=of), language))
        except CannotError as error:
            if person is not None and error.key in {"code_wrong", "code_tired", "code_private"}:
                return None  # it may be a question that looks like a code
            if person is None and error.key in {"code_tired", "code_private"}:
                return None
            return Said(say(error.key, language, **error.values))

    async def _turned_away(self, message: Message) -> Said | None:
        pairing = self._allowed.get(message.platform, _NOBODY).pairing
        met = await self._strangers.meet(Identity(message.platform, message.sender), code=pairing and message.private)
        if met is None:
            return None
        language = self._language_of(message, None)
        if met.code is not None:
            return Said(say("stranger_code", language, code=met.code))
        return Said(say("stranger_shared" if pairing else "stranger", language))

    async def _received(self, person: Person) -> list[float]:
        """When a person's latest messages came, oldest first: a restart begins no new day."""
        key = {"person": person.id, "platforms": list(self._allowed), "most": self._day}
        times = await self._sql.read(lambda connection: connection.scalars(_RECEIVED, key).all())
        return list(reversed(times))

    def _language_of(self, message: Message, person: Person | None) -> Language:
        return (person.language if person else None) or as_language(message.locale) or self._language


def _allowed(config: PlatformConfig) -> _Allowed:
    guilds, roles = (config.allow_guilds, config.allow_roles) if isinstance(config, _Guilds) else ([], [])
    users, chats = frozenset(config.allow_users), frozenset(config.allow_chats)
    return _Allowed(users, chats, frozenset(guilds), frozenset(roles), config.pairing)


def _linking(text: str) -> str | None:
    """What follows /link."""
    command = typed(text)
    return command.argument if command is not None and command.name == "link" and command.argument else None


def _joined(redeemed: Redeemed, language: Language) -> str:
    if redeemed.purpose == "owner":
        return say("owner_now", language)
    return say("linked", language, accounts=", ".join(map(str, redeemed.identities)))


def _too_much(over: Over, language: Language) -> str:
    span = say("a_minute" if over.seconds == _MINUTE_S else "a_day", language)
    unit, seconds = next(
        one for one in (("hours", _HOUR_S), ("minutes", _MINUTE_S), ("seconds", 1)) if over.wait_s >= one[1] or one[1] == 1
    )
    wait = say(unit, language, n=max(1, round(over.wait_s / seconds)))
    return say("pace", language, most=over.most, span=span, wait=wait)
