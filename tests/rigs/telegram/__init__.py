"""A stand-in for the Telegram Bot API: the server, its people and its ledger of what they see."""

from tests.rigs.telegram.faults import Fault
from tests.rigs.telegram.limits import Limits
from tests.rigs.telegram.server import Telegram

__all__ = ["Fault", "Limits", "Telegram"]
