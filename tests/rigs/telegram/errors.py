"""How the Bot API refuses a call: its HTTP status, its sentence, its parameters."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal as it goes over the wire: `{"ok": false, "error_code": …, "description": …, "parameters": …}`."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        """What is sent as JSON."""
        body: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        return body | ({"parameters": self.parameters} if self.parameters else {})


def bad(text: str, **parameters: Any) -> ApiError:
    """400."""
    return ApiError(400, f"Bad Request: {text}", **parameters)


def too_many(retry_after: float) -> ApiError:
    """429. `retry_after` is in seconds; the real server sends whole ones."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after:g}", retry_after=retry_after)


def migrated(to: int) -> ApiError:
    """A group lives on under another id."""
    return bad("group chat was upgraded to a supergroup chat", migrate_to_chat_id=to)


def blocked() -> ApiError:
    return ApiError(403, "Forbidden: bot was blocked by the user")


def kicked() -> ApiError:
    return ApiError(403, "Forbidden: bot was kicked from the supergroup chat")


def no_right() -> ApiError:
    return bad("not enough rights to send text messages to the chat")


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized")


def other_poller() -> ApiError:
    return ApiError(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")


def webhook_active() -> ApiError:
    return ApiError(
        409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    )
