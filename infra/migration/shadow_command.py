"""`broadcastctl shadow`."""

import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from threading import Event

import click
import msgspec

from infra.migration import postgres
from infra.migration.commands import source_option
from infra.migration.postgres import SourceError
from infra.operator.options import Hours, as_json_option
from infra.operator.text import NOTHING, counted, table
from infra.operator.text import as_json as json_text
from infra.operator.workspace_access import Unusable, opened

SHOWN = 50


@click.command("shadow")
@source_option
@click.option(
    "--for", "hours", type=Hours(), required=True, metavar="HOURS", help="How long to run beside the original."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write every pair's line as JSON.")
@as_json_option
@click.pass_context
def shadow_command(
    context: click.Context, source: str | None, hours: float, report: Path | None, as_json: bool
) -> None:
    """Do everything but call Telegram, and say what would have been sent, and when.

    Works on a copy of the pairs, so that nothing here or in the channels changes. With --from, each pair stands beside what the
    original did meanwhile, its last_sent_time. It ends after the chosen time, with Ctrl-C, or as soon as nothing more falls due
    within that time; in each case with the report.

    \b
    Examples:
      broadcastctl shadow --for 24 --from postgresql://reader@db/telepay --report shadow.json
    """
    from infra.migration import shadow  # late: the whole engine

    with opened(context) as workspace:
        pairs = [stored.record for stored in workspace.store.all_pairs()]
        settings = workspace.settings

    def watch(messages: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{counted(messages, 'message')} would have been sent", nl=False, err=True)

    stop = Event()
    click.echo(f"Running in the shadow for up to {hours:g} h; Ctrl-C ends it with the report.", err=True)
    try:
        if source is not None:
            postgres.last_sent_times(source)  # a slip in the URL should show now, not after the run
        began, ended, noted = shadow.run(pairs, settings, length=timedelta(hours=hours), stop=stop, watch=watch)
        last_sent = {} if source is None else postgres.last_sent_times(source)
    except SourceError as error:
        raise Unusable(str(error)) from None
    lines = shadow.compare(pairs, noted, last_sent, began=began, ended=ended)
    verdicts = Counter(line.verdict.value for line in lines)
    document = {
        "began": began,
        "ended": ended,
        "messages": len(noted),
        "verdicts": dict(verdicts),
        "pairs": [{**msgspec.structs.asdict(line), "verdict": line.verdict.value} for line in lines],
    }
    if report is not None:
        report.write_text(json_text(document) + "\n", encoding="utf-8")
    if as_json:
        click.echo(json_text(document))
        return
    rows = [
        (
            str(line.open_channel_id),
            line.title,
            NOTHING if line.due is None else f"{line.due:%H:%M:%S}",
            " ".join(f"{at:%H:%M:%S}" for at in line.would_send) or NOTHING,
            NOTHING if line.original_sent is None else f"{line.original_sent:%H:%M:%S}",
            line.verdict.value,
        )
        for line in lines[:SHOWN]
    ]
    click.echo(table(("OPEN CHANNEL", "TITLE", "DUE", "WOULD SEND", "ORIGINAL SENT", "WHO"), rows))
    if len(lines) > SHOWN:
        click.echo(f"… and {len(lines) - SHOWN} more; --report has all of them.")
    click.echo(f"{counted(len(noted), 'message')} would have been sent; times are in UTC.")
