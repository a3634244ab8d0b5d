"""Nobody's words reach another: a crowd in private and shared chats, with roles that come and go, forged ids, links and blocks.

What may be remembered and read is said by a small model of the rules, which knows nothing of the database.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.types import Message, Reply
from bot.errors import CannotError
from bot.live import NewTurn
from bot.memory import Memory
from bot.people.identities import Identity
from bot.people.people import Person
from bot.settings.fields import PersonConfig
from knowledge.scope import scope_of
from tests.bot.doorstep import ANNA, Doorstep, message, opened, person_of

CHATS = {"telegram": [f"-{n}" for n in range(10)], "discord": [f"3{n}" for n in range(10)]}
ALLOWED: dict[str, Any] = {"allow_chats": ["-1", "-2", "31"], "allow_roles": ["71"], "allow_guilds": ["22"]}
READERS = ["everyone", "owner", "p0", "p1", "discord-role:71", "discord-role:72", "chat:telegram:-1", "chat:discord:31"]


@dataclass(eq=False)
class Human:
    """A person of the model: accounts with whether somebody vouched for each, and what was said where."""

    accounts: dict[Identity, bool] = field(default_factory=dict)
    said: set[tuple[str, str]] = field(default_factory=set)
    name: str | None = None
    blocked: bool = False

    @property
    def vouched(self) -> bool:
        return self.name is not None or any(self.accounts.values())


class Crowd:
    """The people of the model, and the house that is compared with it."""

    def __init__(self, door: Doorstep, size: int, seed: int) -> None:
        self.door, self.random, self.memory = door, random.Random(seed), Memory(door.database)
        self.names = [Identity(platform, str(n)) for n in range(size // 2) for platform in CHATS]
        self.humans = {identity: human for identity in self.names if (human := self._declared(identity))}
        self.codes: list[tuple[str, Human]] = []
        self.let_in = self.remembered = self.turned_away = 0
        readers = [door.people.resolve_readers([one]) for one in READERS]
        self.collections = dict(zip(READERS, readers, strict=True))

    def _declared(self, identity: Identity) -> Human | None:
        named = identity.platform == "telegram" and int(identity.user) < 2
        return Human({identity: True}, name=f"p{identity.user}") if named else None

    def message(self, identity: Identity, text: str) -> Message:
        """A message of this account, somewhere."""
        pick = self.random
        more: dict[str, Any] = {"platform": identity.platform, "private": pick.random() < 0.5}
        if not more["private"]:
            more["chat"] = pick.choice(CHATS[identity.platform])
        if identity.platform == "discord":
            roles = tuple(pick.sample(["70", "71", "72", "73"], pick.randrange(3)))
            more |= {"roles": roles, "guild": None if more["private"] else pick.choice(["21", "22", "23"])}
        return message(identity.user, text, **more)

    def may_talk(self, human: Human | None, identity: Identity, sent: Message) -> bool:
        if human is not None and (human.blocked or human.accounts[identity]):
            return not human.blocked
        discord = sent.platform == "discord" and (sent.guild == "22" or "71" in sent.roles)
        return discord or sent.chat in ALLOWED["allow_chats"]

    def readable(self, human: Human, sent: Message) -> set[str]:
        if not sent.private:
            return {"everyone", f"chat:{sent.platform}:{sent.chat}"} & set(READERS)
        roles = {f"discord-role:{role}" for role in sent.roles}
        return ({"everyone", human.name or ""} | roles) & set(READERS)

    async def talk(self, number: int) -> None:
        identity = self.random.choice(self.names)
        sent = self.message(identity, f"canary {number}")
        human, admitted = self.humans.get(identity), await self.door.gate.admit(sent)
        allowed = self.may_talk(human, identity, sent)
        assert isinstance(admitted, Person) == allowed == (await self.door.gate.known(sent) is not None)
        if not isinstance(admitted, Person):
            self.turned_away += 1
            return
        human = self.humans.setdefault(identity, human or Human({identity: False}))
        place = "private" if sent.private else f"{sent.platform}:{sent.chat}"
        scope = scope_of(self.collections, self.door.people.audience(admitted, sent))
        assert scope.collections == self.readable(human, sent)
        arrived = await self.door.inbox.receive(sent, admitted, self.door.clock() + 60)
        turns = await self.memory.turns(
            admitted.id, arrived.conversation_id, budget_tokens=10**6, count=len, readable=lambda _, documents: documents
        )
        remembered = {turn.question for turn in turns}
        assert remembered == {words for where, words in human.said if where == place}
        await self.door.inbox.close(arrived.id, "answered", Reply("ok"), [], NewTurn(sent.text, "ok"))
        human.said.add((place, sent.text))
        self.let_in += 1
        self.remembered += bool(remembered)

    async def forge(self) -> None:
        """Somebody who writes like somebody else is nobody."""
        identity = self.random.choice(self.names)
        for user in (
            f"{identity.user} ",
            f"0{identity.user}",
            f"{identity.platform}:{identity.user}",
            f"{identity.user}%",
            "p0",
            "",
        ):
            forged = message(user, "give me what is mine", platform=identity.platform)
            assert not isinstance(await self.door.gate.admit(forged), Person)

    async def approve(self) -> None:
        identity = self.random.choice(self.names)
        human = self.humans.get(identity)
        if human is not None and human.blocked:
            return
        await self.door.people.enter(identity, "approved")
        human = self.humans.setdefault(identity, Human())
        human.accounts = dict.fromkeys([*human.accounts, identity], True)

    async def block(self) -> None:
        human = self.random.choice(list(self.humans.values()))
        (who, *_) = human.accounts
        await (self.door.people.unblock if human.blocked else self.door.people.block)(str(who))
        human.blocked = not human.blocked
        if human.blocked:
            self.codes = [one for one in self.codes if one[1] is not human]

    async def link(self) -> None:
        """A code of one, sent by another: known, stranger, blocked or the wrong one."""
        identity = self.random.choice(list(self.humans))
        maker = self.humans[identity]
        known = await self.door.people.known(identity)
        assert known is not None
        if maker.blocked:
            return
        sent = message(identity.user, platform=identity.platform)
        code = await self.door.codes.link(sent, known.person)
        other = self.random.choice(self.names)
        person = await person_of(self.door.people, *other)
        by = message(other.user, platform=other.platform)
        try:
            await self.door.codes.redeem(code, by, person)
        except CannotError:
            assert not self._joins(identity, other)
        else:
            assert self._joins(identity, other)
            self._join(identity, other)
        self.door.clock.now += 3600  # wrong codes are forgiven

    def _joins(self, made: Identity, sender: Identity) -> bool:
        maker, human = self.humans[made], self.humans.get(sender)
        if human is None:
            return maker.vouched
        return not human.blocked and human is not maker and not human.name

    def _join(self, made: Identity, sender: Identity) -> None:
        into = self.humans[made]
        former = self.humans.get(sender)
        vouched = former.accounts.pop(sender) if former is not None else True
        if former is not None and not former.accounts:
            into.said |= former.said
        into.accounts[sender] = vouched
        self.humans[sender] = into
        if into.vouched:
            into.accounts = dict.fromkeys(into.accounts, True)

    async def unlink(self) -> None:
        identity = self.random.choice(list(self.humans))
        human = self.humans[identity]
        if human.blocked:
            return
        try:
            await self.door.people.unlink(identity)
        except CannotError:
            assert len(human.accounts) == 1 or self._declared(identity)
        else:
            self.humans[identity] = Human({identity: human.accounts.pop(identity)})


@pytest.mark.parametrize(
    ("size", "steps"), [(20, 400), pytest.param(200, 8000, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
async def test_a_crowd_is_kept_apart(tmp_path: Path, size: int, steps: int) -> None:
    declared = [ANNA, *(PersonConfig(name=f"p{n}", identities=[f"telegram:{n}"]) for n in (0, 1))]
    async with opened(tmp_path, declared, **ALLOWED) as door:
        crowd = Crowd(door, size, random.randrange(10**6))
        for number in range(steps):
            await crowd.talk(number)
            if number % 4 == 0:
                await crowd.random.choice((crowd.forge, crowd.approve, crowd.block, crowd.link, crowd.link, crowd.unlink))()
        assert min(crowd.let_in, crowd.turned_away) > steps / 20
        assert crowd.remembered > steps / 50
