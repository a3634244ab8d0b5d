"""What people saw, and when: loss and doubling are judged from here alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rigs.discord.world import Interaction, Post

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.rigs.discord.house import House
    from tests.rigs.discord.people import Person
    from tests.rigs.discord.places import Channel


class Ledger:
    """Questions about the past. Times are of `time.monotonic`, delays in seconds."""

    def __init__(self, house: House) -> None:
        self._house = house

    def visible(self, channel: Channel, person: Person | None = None) -> list[Post]:
        """What is in a channel now, in order; with `person` also what only they see."""
        return [post for post in channel.posts if post.deleted_at is None and post.only_for in {None, person}]

    def by_bot(self, channel: Channel | None = None, *, deleted: bool = False) -> list[Post]:
        """What the bot wrote, ephemeral messages included, and deleted ones when asked."""
        posts: Iterable[Post] = self._house.world.posts.values() if channel is None else channel.posts
        return [post for post in posts if post.author is self._house.bot and (deleted or post.deleted_at is None)]

    def answers_to(self, asked: Post | Interaction, *, following: bool = True, deleted: bool = False) -> list[Post]:
        """What the bot answered to a message (by its reference) or an interaction (by its token).

        `following`: further parts too, the bot's messages that come right after in that channel without a reference of their own
        (after a message in a private chat: those that come before the next message of the person). What is still loading counts.
        """
        direct = [post for post in self.by_bot(asked.channel, deleted=deleted) if self._answers(post, asked)]
        if not following:
            return direct
        return direct + [post for post in self._further(asked, direct) if deleted or post.deleted_at is None]

    def _answers(self, post: Post, asked: Post | Interaction) -> bool:
        return post.interaction is asked if isinstance(asked, Interaction) else post.reference is asked

    def _further(self, asked: Post | Interaction, direct: list[Post]) -> list[Post]:
        start = direct[0] if direct else asked
        if not direct and not (isinstance(start, Post) and asked.channel.private):
            return []
        found: list[Post] = []
        for post in asked.channel.posts:
            if int(post.id) > int(start.id) and post not in direct:
                if post.reference is not None or post.interaction is not None:
                    break
                if post.author is self._house.bot:
                    found.append(post)
                elif not direct:
                    break
        return found

    def after(self, asked: Post | Interaction, channel: Channel | None = None) -> list[Post]:
        """Everything of the bot's that came into the channel after something was asked and is still there."""
        return [post for post in self.by_bot(channel or asked.channel) if int(post.id) > int(asked.id)]

    def containing(self, text: str, channel: Channel | None = None) -> list[Post]:
        """The bot's messages whose text, now, contains something."""
        return [post for post in self.by_bot(channel) if text in post.content]

    def typing(self, channel: Channel) -> list[float]:
        """When the bot was seen typing there."""
        return [at for place, at in self._house.world.typing if place == channel.id]

    def first_sign_of_life(self, asked: Post | Interaction) -> float | None:
        """Seconds until the first of: acknowledged, typing, a reaction, a message. None when there was nothing."""
        signs = [at for at in self.typing(asked.channel) if at >= asked.at]
        signs += [post.at for post in self.by_bot(asked.channel, deleted=True) if post.at >= asked.at]
        if isinstance(asked, Interaction):
            signs += [] if asked.acked_at is None else [asked.acked_at]
        else:
            signs += [each.at for each in asked.reactions if each.person is self._house.bot]
        return min(signs) - asked.at if signs else None

    def first_shown(self, asked: Post | Interaction, text: str) -> float | None:
        """Seconds until an answer first showed a text, in any of its versions."""
        shown = [each.at for post in self.answers_to(asked, deleted=True) for each in post.history if text in each.content]
        return min(shown) - asked.at if shown else None

    def acks(self) -> list[tuple[Interaction, float | None]]:
        """Every interaction with the seconds to its first response, None while there is none."""
        return [(item, item.ack_s) for item in self._house.world.interactions.values()]
