"""`broadcastctl migrate`, `verify` and `export`."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from infra.migration import carry_over, export, postgres, verify
from infra.migration.fates import Fate, Fated, Note, decide
from infra.migration.postgres import SourceError
from infra.operator.csv_table import FileError
from infra.operator.options import Hours, as_json_option
from infra.operator.progress import bar
from infra.operator.rights_check import lacking
from infra.operator.text import as_json as json_text
from infra.operator.text import counted, plain
from infra.operator.workspace_access import Unusable, Workspace, opened

SHOWN = 20
"""Notes of one fate that are printed; the report has all of them."""
DEFAULT_WINDOW = 6.0

source_option = click.option(
    "--from", "source", metavar="URL", envvar="ORIGINAL_DATABASE_URL", help="postgresql://… of the original's database."
)


@click.command("migrate")
@click.option(
    "--from",
    "source",
    metavar="URL",
    required=True,
    envvar="ORIGINAL_DATABASE_URL",
    help="postgresql://… of the original's database; also read from ORIGINAL_DATABASE_URL, which keeps it off the screen.",
)
@click.option("--dry-run/--write", default=True, show_default=True, help="Only say what would be done, or do it.")
@click.option(
    "--spread",
    type=Hours(),
    metavar="HOURS",
    default=DEFAULT_WINDOW,
    show_default=True,
    help="Spread what is overdue evenly over so long, from now.",
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write every row's fate as JSON.")
@as_json_option
@click.pass_context
def migrate_command(
    context: click.Context, source: str, dry_run: bool, spread: float, report: Path | None, as_json: bool
) -> None:
    """Carry the original's pairs over, with ids, schedule, counters and standing messages.

    Reads main_clients_database and broadcast_manager in one snapshot and writes nothing there. Can be repeated: pairs that were not
    sent for here yet follow the original's newer state, the others keep theirs. A run that was cut off is gone on with.

    \b
    Exit code: 0 every row has its place, 1 some rows were rejected, 2 the original's database cannot be read.

    \b
    Examples:
      broadcastctl migrate --from postgresql://reader@db/telepay
      broadcastctl migrate --from postgresql://reader@db/telepay --write --spread 12 --report moved.json
    """
    with opened(context, writes=not dry_run) as workspace:
        now, policy = workspace.clock.now(), workspace.policy
        fated = _read(source, workspace, now)
        work = carry_over.planned(workspace.store, fated.rows, now=now, spread_hours=spread)
        rejected = list(work.rejected)
        if not dry_run:
            with bar("Moving over") as progress:
                rejected += carry_over.write(workspace.store, work, policy=policy, progress=progress)
        where = workspace.describe
    notes = [
        *fated.notes,
        *(Note(f"{d.file}, line {d.line}", Fate.REJECTED, f"{d.field}: {d.reason}") for d in rejected),
    ]
    document = _document(work, notes, dry_run=dry_run, where=where, spread=spread)
    if report is not None:
        report.write_text(json_text(document) + "\n", encoding="utf-8")
    if as_json:
        click.echo(json_text(document))
    else:
        _say(document, notes)
    context.exit(1 if document["fates"].get(Fate.REJECTED.name) else 0)


@click.command("verify")
@source_option
@click.option("--rights", "with_rights", is_flag=True, help="Ask Telegram what the bot may do in every channel.")
@as_json_option
@click.pass_context
def verify_command(context: click.Context, source: str | None, with_rights: bool, as_json: bool) -> None:
    """Look for what is wrong with the pairs, and say what to do.

    With --from they are compared with the original's: every pair is here once, with its id, owner, partner and texts. Without it
    they are compared with themselves alone: channels, times, runs, counters. --rights asks Telegram twice for each channel, at
    the pace of TELEGRAM_RATE, so that it can be done while the service runs at half of it.

    \b
    Exit code: 0 nothing is wrong, 1 something is, 2 the original's database cannot be read.
    """
    with opened(context) as workspace:
        pairs = [stored.record for stored in workspace.store.all_pairs()]
        now, policy = workspace.clock.now(), workspace.policy
        problems = verify.by_itself(pairs, now=now, policy=policy)
        if source is not None:
            fated = _read(source, workspace, now)
            problems += verify.against_source(fated.rows, pairs)
        if with_rights:
            found = lacking(workspace.settings, [p for p in pairs if p.is_active])
            problems += [verify.Problem("rights", channel, sentence) for channel, sentence in found]
    if as_json:
        click.echo(json_text({"pairs": len(pairs), "problems": problems, "kinds": verify.summary(problems)}))
    else:
        for problem in problems:
            click.echo(plain(str(problem)))
        wrong = "nothing is wrong" if not problems else f"{counted(len(problems), 'problem')}"
        click.echo(f"{counted(len(pairs), 'pair')} looked at; {wrong}.")
    context.exit(1 if problems else 0)


@click.command("export")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="FOLDER")
@click.option(
    "--message-columns/--no-message-columns",
    default=True,
    show_default=True,
    help="Whether the original's broadcast_manager has the four columns of standing messages.",
)
@as_json_option
@click.pass_context
def export_command(context: click.Context, folder: Path, message_columns: bool, as_json: bool) -> None:
    """Write the pairs as CSV files with the original's columns, which its tables accept: the way back.

    Ended pairs are left out. docs/moving-over.md has the statements that load the files.
    """
    with opened(context) as workspace:
        pairs = [stored.record for stored in workspace.store.all_pairs() if stored.record.ended_at is None]
        where = workspace.describe
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{postgres.PAIR_TABLE}.csv").write_text(export.pair_table(pairs), encoding="utf-8")
        states = export.state_table(pairs, message_columns=message_columns)
        (folder / f"{postgres.STATE_TABLE}.csv").write_text(states, encoding="utf-8")
    except OSError as error:
        raise Unusable(f"{folder} cannot be written to: {error.strerror}") from None
    running = sum(pair.run is not None for pair in pairs)
    if as_json:
        click.echo(json_text({"pairs": len(pairs), "running": running, "folder": str(folder), "records": where}))
        return
    click.echo(f"{counted(len(pairs), 'pair')} exported to {folder}; {where}.")
    if running:
        click.echo(f"{counted(running, 'broadcast')} was still on its way; stop the service, wait, and export again.")


def _read(source: str, workspace: Workspace, now: datetime) -> Fated:
    """The original's rows as of `now`, the one time by which the whole command decides what is overdue."""
    try:
        tables = postgres.read(source)
        return decide(tables, now=now, interval=workspace.policy.interval)
    except (SourceError, FileError) as error:
        raise Unusable(str(error)) from None


def _document(
    work: carry_over.Planned, notes: list[Note], *, dry_run: bool, where: str, spread: float
) -> dict[str, Any]:
    fates = Counter(note.fate.name for note in notes)
    return {
        "written": not dry_run,
        "new": len(work.create),
        "refreshed": len(work.refresh),
        "updated": len(work.edit),
        "unchanged": work.unchanged,
        "spread_hours": spread,
        "records": where,
        "fates": dict(fates),
        "rows": [
            {"open_channel_id": n.channel, "fate": n.fate.name, "meaning": n.fate.value, "detail": n.detail}
            for n in notes
        ],
    }


def _say(document: dict[str, Any], notes: list[Note]) -> None:
    for fate in Fate:
        mine = [note for note in notes if note.fate is fate]
        if not mine:
            continue
        click.echo(f"{len(mine):6}  {fate.value}")
        if fate not in {Fate.KEPT, Fate.OVERDUE, Fate.NEW}:
            for note in mine[:SHOWN]:
                click.echo(f"          {plain(note.channel)}{f': {plain(note.detail)}' if note.detail else ''}")
            if len(mine) > SHOWN:
                click.echo(f"          … and {len(mine) - SHOWN} more; --report has all of them")
    done = "" if document["written"] else "Nothing was written; --write does it. It would be: "
    click.echo(
        f"{done}{document['new']} new, {document['refreshed']} brought up to the original's state, {document['updated']} with new "
        f"texts, {document['unchanged']} unchanged; {document['records']}."
    )
