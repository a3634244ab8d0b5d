"""One-time codes: who sends the owner's becomes the owner, a stranger's lets the stranger in, one of /link joins two accounts.

A code has 75 random bits, is shown once and stored hashed; it is used up in the transaction that does what it is for. Case,
blanks and dashes do not matter, and letters that look like digits are read as these (Crockford's Base32,
https://www.crockford.com/base32.html).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import Row, delete

from bot.errors import CannotError
from bot.people import identities as accounts
from bot.people import linking
from bot.people.identities import Identity
from bot.people.newest import keep_newest
from bot.people.pace import Pace
from bot.people.people import Person, one
from bot.tables import codes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import ColumnElement, Connection

    from adapters.types import Message
    from bot.people.people import People
    from knowledge.types import Sql

T = TypeVar("T")
Purpose = Literal["owner", "pair", "link"]

VALID_S: dict[Purpose, float] = {"owner": 3600.0, "pair": 86_400.0, "link": 600.0}
GUESSES, GUESSES_S = 5, 3600.0
"""Wrong codes of one account, and in how many seconds."""

MOST_STRANGERS = 1000
"""Codes of strangers that are in force at once; the oldest go first."""

_PAIRS = codes.c.purpose == "pair"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LIKE_DIGITS = str.maketrans("OIL", "011")
_GROUPS, _GROUP = 3, 5
_LONGEST = 64
"""Characters that are looked at."""

_PIECE = f"[A-Z0-9]{{{_GROUP}}}"
_ALONE = re.compile(rf"\s*(?:/start\s+)?({'[^A-Z0-9]{0,3}'.join([_PIECE] * _GROUPS)})\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code did: `person` is who sent it from now on, with all `identities`."""

    purpose: Literal["owner", "link"]
    person: Person
    identities: tuple[Identity, ...]


@dataclass(frozen=True, slots=True)
class Approved:
    """Who was let in."""

    person: Person
    identity: Identity


class Codes:
    """The codes in force. Wrong ones are counted here, for each account that sends them."""

    def __init__(self, sql: Sql, people: People, clock: Callable[[], float] = time.time) -> None:
        self._sql = sql
        self._people = people
        self._clock = clock
        self._guesses = Pace([(GUESSES, GUESSES_S)], clock)

    async def owner(self) -> str:
        """A code that makes whoever sends it in a private chat the owner. One is in force at a time."""
        return await self._sql.write(lambda connection: issue(connection, "owner", self._clock()))

    async def link(self, message: Message, person: Person) -> str:
        """A code that joins the account which sends it with the one that asked for it. Raises `CannotError`."""
        if not message.private:
            raise CannotError("code_private")
        maker = Identity(message.platform, message.sender)
        return await self._sql.write(lambda connection: issue(connection, "link", self._clock(), maker, person.id))

    async def redeem(
        self, text: str, message: Message, person: Person | None, *, of: Collection[Purpose] = ("owner", "link")
    ) -> Redeemed:
        """Do what a code `of` the owner or of /link says; `person` is who sent it, None for a stranger.

        Raises `CannotError`: then the code is still good, but for one that others could read.
        """
        if not message.private:
            raise CannotError("code_shared" if await self.void(text) else "code_private")
        sender, owner, now = Identity(message.platform, message.sender), self._people.owner.id, self._clock()
        digest = digest_of(text)

        def work(connection: Connection) -> Redeemed:
            code = _consume(connection, codes.c.digest == digest, codes.c.purpose.in_(of), now=now)
            joined = _join(connection, code, sender, person, owner)
            return Redeemed(code.purpose, one(connection, joined), accounts.of_person(connection, joined))

        redeemed = await self._guessed(str(sender), work)
        await self._people.changed()
        return redeemed

    async def approve(self, text: str, by: str) -> Approved:
        """Let the stranger in who was given this code. `by` says who guesses, should it be wrong. Raises `CannotError`."""
        digest, now = digest_of(text), self._clock()

        def work(connection: Connection) -> Approved:
            code = _consume(connection, codes.c.digest == digest, codes.c.purpose == "pair", now=now)
            identity = Identity(code.platform, code.user)
            held = accounts.holder(connection, identity)
            if held is not None and held.blocked:
                raise CannotError("approve_blocked", who=str(identity))
            person = accounts.enter(connection, identity, "approved")
            linking.known_now(connection, identity)
            return Approved(one(connection, person), identity)

        return await self._guessed(by, work)

    async def void(self, text: str) -> bool:
        """End a code that others could read. False when it is none."""
        ended = delete(codes).where(codes.c.digest == digest_of(text))
        return bool(await self._sql.write(lambda connection: connection.execute(ended).rowcount))

    async def _guessed(self, who: str, work: Callable[[Connection], T]) -> T:
        """Try a code. It is counted before it is looked at, so that many at once are not more than one after the other."""
        if self._guesses.take(who) is not None:
            raise CannotError("code_tired")
        try:
            done = await self._sql.write(work)
        except CannotError as error:
            if error.key != "code_wrong":
                self._guesses.give_back(who)
            raise
        self._guesses.give_back(who)
        return done


def code_in(text: str) -> str | None:
    """The code that is all of a text, None when it is anything else."""
    found = _ALONE.fullmatch(unicodedata.normalize("NFKC", text)) if len(text) <= _LONGEST else None
    if found is None or not any(character.isdigit() for character in found[1]):
        return None
    return normalised(found[1])


def normalised(text: str) -> str:
    """A code as it is hashed, however it was typed."""
    plain = unicodedata.normalize("NFKC", text[:_LONGEST]).upper().translate(_LIKE_DIGITS)
    return "".join(character for character in plain if character in _ALPHABET)


def digest_of(text: str) -> bytes:
    """What a code is stored as. A fast hash is enough for 75 random bits."""
    return hashlib.sha256(normalised(text).encode()).digest()


def issue(
    connection: Connection, purpose: Purpose, now: float, identity: Identity | None = None, person: int | None = None
) -> str:
    """A new code, this once. The one that was made before for the same is void."""
    connection.execute(delete(codes).where((codes.c.expires_at <= now) | _same(purpose, identity)))
    code = _new()
    platform, user = identity or (None, None)
    values = {"digest": digest_of(code), "purpose": purpose, "platform": platform, "user": user, "person_id": person}
    connection.execute(codes.insert().values(**values, expires_at=now + VALID_S[purpose]))
    if purpose == "pair":
        keep_newest(connection, codes, MOST_STRANGERS, by=codes.c.expires_at, of=_PAIRS)
    return code


def _new() -> str:
    """A digit is always there: no word of a language is taken for a code."""
    while True:
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(_GROUPS * _GROUP))
        if not letters.isalpha():
            return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def _same(purpose: Purpose, identity: Identity | None) -> ColumnElement[bool]:
    """The codes that a new one replaces."""
    same = codes.c.purpose == purpose
    return same if identity is None else same & (codes.c.platform == identity.platform) & (codes.c.user == identity.user)


def _consume(connection: Connection, *which: ColumnElement[bool], now: float) -> Row[Any]:
    """Use a code up. An error after that brings it back, with all else that its transaction did."""
    row = connection.execute(delete(codes).where(*which, codes.c.expires_at > now).returning(*codes.c)).first()
    if row is None:
        raise CannotError("code_wrong")
    return row


def _join(connection: Connection, code: Row[Any], sender: Identity, person: Person | None, owner: int) -> int:
    """Do what a code says. Returns who the sender is from now on. Raises `CannotError`."""
    former = linking.sender_of(connection, sender, person)
    if code.purpose == "owner":
        return linking.join(connection, sender, former, linking.Party(owner, settled=True, stored=False))
    maker = linking.maker_of(connection, code)
    if former is not None and former.person == maker.person:
        raise CannotError("link_same")
    return linking.join(connection, sender, former, maker)
