"""The gateway's session, kept for the next process: resumed, it tells again what was told meanwhile, and uses up no start."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from adapters.discord.gateway import Session

if TYPE_CHECKING:
    from adapters.types import Ledger

_KEY = "session"


class Sessions:
    """Keeps the session. `wanted` are the settings that it depends on: with others a new one is begun."""

    def __init__(self, ledger: Ledger, wanted: object) -> None:
        self._ledger = ledger
        self._wanted = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:16]
        self._kept: Session | None = None

    async def former(self, user: str) -> Session | None:
        """The session of a former process, if it was that bot's and asked for the same."""
        told = json.loads(await self._ledger.get(_KEY) or "[]")
        if len(told) != 5 or told[:2] != [user, self._wanted]:
            return None
        return Session(told[2], told[3], told[4])

    async def keep(self, user: str, session: Session) -> None:
        """Write down how far it is. Everything that was told so far is stored."""
        if session != self._kept:
            await self._ledger.put(_KEY, json.dumps([user, self._wanted, session.id, session.sequence, session.address]))
            self._kept = session
