"""The bot's own messages, as they come back: one that this process did not send is of another daemon with the same token."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from adapters.discord.payloads import time_of

if TYPE_CHECKING:
    from adapters.discord.payloads import Json

_MOST = 5000
_GRACE_S = 3.0
"""Messages so soon after the start may be a former process's."""

_log = logging.getLogger(__name__)


class Own:
    """Knows the nonces of what was sent. `foreign` is true once a message came that is not ours."""

    def __init__(self) -> None:
        self.foreign = False
        self._nonces: OrderedDict[str, None] = OrderedDict()
        self._since = time.time() + _GRACE_S

    def note(self, nonce: str) -> None:
        """A message goes out with it."""
        self._nonces[nonce] = None
        while len(self._nonces) > _MOST:
            self._nonces.popitem(last=False)

    def came_back(self, data: Json) -> None:
        """A message of the bot came. The first one that is not ours brings a warning."""
        by_interaction = data.get("webhook_id") or data.get("interaction_metadata") or data.get("interaction")
        early = time_of(int(data["id"])) < self._since
        if self.foreign or early or by_interaction or str(data.get("nonce")) in self._nonces:
            return
        self.foreign = True
        _log.warning("discord: another daemon answers with the same token: stop one of them, or make a second bot")
