"""`grillon status`: what the daemon is doing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from bot.cli.reach import daemon
from bot.cli.told import Told, Verb


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def verb(told: Told, as_json: bool) -> None:
    """Show what the running daemon does: its model, its platforms, its collections, the last run of each job."""
    with daemon(told) as client:
        status = client.call("status")
    if as_json:
        import orjson

        click.echo(orjson.dumps(status, option=orjson.OPT_INDENT_2))
        return
    click.echo(f"running  process {status['pid']}, for {timedelta(seconds=round(status['uptime_s']))}")
    click.echo(f"waiting  {status['waiting']} questions")
    click.echo(f"ready    {', '.join(f'{part}: {_yes(ready)}' for part, ready in status['ready'].items())}")
    click.echo(f"model    {_model(status['model'])}")
    for name, platform in status.get("platforms", {}).items():
        click.echo(f"{name:8} {_platform(platform)}")
    for collection in status["collections"]:
        click.echo(f"folder   {_collection(collection)}")
    for job in status.get("jobs", ()):
        click.echo(f"job      {_job(job)}")


def _yes(ready: bool) -> str:
    return "yes" if ready else "not yet"


def _model(model: dict[str, Any]) -> str:
    share = model.get("vram_share")
    place = "" if share is None else f", {share:.0%} on the GPU"
    detail = f": {model['detail']}" if model.get("detail") else ""
    return f"{model['name']} is {model['state']}{place}{detail}"


def _platform(platform: dict[str, Any]) -> str:
    heard = "" if platform["good_at"] is None else f", last heard of {_moment(platform['good_at'])}"
    return f"{platform['state']}{heard}" + (f": {platform['detail']}" if platform["detail"] else "")


def _collection(collection: dict[str, Any]) -> str:
    missing = f"; {collection['missing']}, so its index was kept" if collection["missing"] else ""
    pending = f", {collection['pending']} vectors to make" if collection["pending"] else ""
    return f"{collection['name']}: {collection['documents']} documents, {collection['chunks']} chunks{pending}{missing}"


def _job(job: dict[str, Any]) -> str:
    ended = "still runs" if job["outcome"] is None else f"{job['outcome']}: {job['detail'] or ''}"
    following = f", next {_moment(job['next_at'])}" if job.get("next_at") else ""
    return f"{job['name']} {_moment(job['started_at'])} {ended}{following}"


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
