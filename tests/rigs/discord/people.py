"""The people who talk: what one can say, edit, delete, press and ask for, as a Discord client lets them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.rigs.discord import asking, events, payloads
from tests.rigs.discord.world import EPHEMERAL, Interaction, Post, Reaction, Upload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.rigs.discord.house import House
    from tests.rigs.discord.places import Channel


@dataclass(eq=False, slots=True)
class Person:
    """Somebody. Their client is in `locale`; `accepts_dms` False: the bot cannot write to them (50007)."""

    id: str
    name: str
    house: House = field(repr=False)
    locale: str = "en-US"
    bot: bool = False
    accepts_dms: bool = True

    @property
    def dm(self) -> Channel:
        """Their private chat with the bot."""
        return self.house.private(self)

    def say(
        self,
        channel: Channel,
        text: str,
        *,
        mention: bool = False,
        reply_to: Post | None = None,
        ping: bool = True,
        files: Sequence[Upload] = (),
    ) -> Post:
        """Write a message, mentioning the bot first, or as a reply that pings its author."""
        house = self.house
        words = f"<@{house.bot.id}> {text}" if mention else text
        post = Post(house.world.ids.next(), channel, self, words, time.monotonic(), files=list(files), reference=reply_to)
        post.pings = house.named(words) + ([reply_to.author.id] if reply_to is not None and ping else [])
        house.world.add(post)
        events.message(house, "MESSAGE_CREATE", post)
        return post

    def paste(self, channel: Channel, *pieces: str, mention: bool = False) -> list[Post]:
        """What a client makes of a text that is too long for one message: several in a row."""
        return [self.say(channel, piece, mention=mention and n == 0) for n, piece in enumerate(pieces)]

    def edit(self, post: Post, text: str) -> None:
        """Change a message of theirs; a mention of the bot stays."""
        bot = f"<@{self.house.bot.id}> "
        post.content = bot + text if post.content.startswith(bot) and not text.startswith(bot) else text
        replied = [post.reference.author.id] if post.reference is not None and post.reference.author.id in post.pings else []
        post.pings = self.house.named(post.content) + replied
        post.edited = payloads.moment(time.time())
        post.note(time.monotonic())
        events.message(self.house, "MESSAGE_UPDATE", post)

    def delete(self, post: Post) -> None:
        """Delete a message, their own or, as a moderator, somebody else's."""
        post.deleted_at = time.monotonic()
        events.message_deleted(self.house, post)

    def purge(self, channel: Channel, posts: Sequence[Post]) -> None:
        """Delete many messages at once, as a moderator."""
        for post in posts:
            post.deleted_at = time.monotonic()
        events.messages_deleted(self.house, channel, posts)

    def react(self, post: Post, emoji: str) -> None:
        """Put a reaction under a message."""
        post.reactions.append(Reaction(emoji, self, time.monotonic()))
        events.reaction(self.house, "MESSAGE_REACTION_ADD", post, self, emoji)

    def type(self, channel: Channel) -> None:
        """Be seen typing."""
        events.typing(self.house, channel, self)

    def slash(
        self, name: str, options: Mapping[str, Any] | None = None, *, where: Channel, user_install: bool = False
    ) -> Interaction:
        """Send a command, by its name or the one in their language. An option of `Upload` is an attachment.

        Raises `LookupError` when their client would not offer it there, `ValueError` when it would not send it so.
        """
        command = asking.find(self.house, self, 1, name, where, user_install=user_install)
        return self._interact(2, where, asking.filled(self.house, command, options or {}), user_install=user_install)

    def context_menu(self, name: str, post: Post, *, user_install: bool = False) -> Interaction:
        """Choose an app's entry in the menu of a message."""
        command = asking.find(self.house, self, 3, name, post.channel, user_install=user_install)
        return self._interact(2, post.channel, asking.targeted(command, post), user_install=user_install)

    def press(self, post: Post, label: str | None = None, *, custom_id: str | None = None) -> Interaction:
        """Press a button, found by a part of its label (or its emoji) or by its id. Raises `LookupError` when it is not there."""
        if post.deleted_at is not None or (post.flags & EPHEMERAL and post.only_for is not self):
            raise LookupError(f"{self.name} cannot see that message")
        for button in post.buttons:
            shown = f"{(button.get('emoji') or {}).get('name') or ''} {button.get('label') or ''}"
            if custom_id in {None, button.get("custom_id")} and (label or "") in shown and not button.get("disabled"):
                return self.press_id(post, button["custom_id"])
        raise LookupError(f"no button {label or custom_id!r} to press; there are {[each.get('label') for each in post.buttons]}")

    def press_id(self, post: Post, custom_id: str) -> Interaction:
        """What a modified client could send: a press of any button id on any message."""
        data = {"custom_id": custom_id, "component_type": 2, "id": 1}
        used = post.interaction is not None and post.interaction.user_install
        return self._interact(3, post.channel, data, user_install=used, on=post)

    def _interact(
        self, kind: int, where: Channel, data: dict[str, Any], *, user_install: bool, on: Post | None = None
    ) -> Interaction:
        world = self.house.world
        item = Interaction(world.ids.next(), world.token(), kind, self, where, data, time.monotonic(), user_install, on)
        world.interactions[item.id] = world.tokens[item.token] = item
        events.interaction(self.house, item)
        return item


def mentioned(text: str) -> list[str]:
    """The ids of the users that a text mentions, each once."""
    return list(dict.fromkeys(re.findall(r"<@!?(\d+)>", text)))
