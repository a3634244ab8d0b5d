"""What systemd is told: ready, alive, what we do, leaving. The protocol of sd_notify(3), without its library."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable


class Notifier:
    """The way to systemd; without `$NOTIFY_SOCKET` every call does nothing.

    The variables are taken out of the environment, so that no child process speaks in our name.
    """

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        timeout_us = os.environ.pop("WATCHDOG_USEC", "")
        watched_pid = os.environ.pop("WATCHDOG_PID", "")
        # "@name" stands for an abstract socket, whose address begins with NUL.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        ours = watched_pid in {"", str(os.getpid())}
        self.watchdog_s = int(timeout_us) / 1e6 if timeout_us.isdecimal() and ours and self._address else None

    def ready(self, status: str = "") -> None:
        """We can receive."""
        self._send("READY=1", status)

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._send(status=status)

    def stopping(self, status: str = "") -> None:
        """We are on our way out."""
        self._send("STOPPING=1", status)

    async def watch(self, alive: Callable[[], bool]) -> None:
        """Tell the watchdog, twice in its time, that the loop turns and `alive()` is true; systemd restarts us once that stops.

        Returns at once where there is no watchdog; runs until cancelled else.
        """
        while self.watchdog_s is not None:
            if alive():
                self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)

    def _send(self, message: str = "", status: str = "") -> None:
        if not self._address:
            return
        lines = [line for line in (message, f"STATUS={status.splitlines()[0]}" if status else "") if line]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            # A full queue must not stop the loop; a service manager that is gone cannot be told anything.
            connection.setblocking(False)
            try:
                connection.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return
