"""`broadcastctl pairs import`."""

import sys
from pathlib import Path

import click

from infra.operator.csv_table import Defect, FileError
from infra.operator.import_pairs import Summary, import_pairs
from infra.operator.new_pair import id_of
from infra.operator.options import Hours, as_json_option
from infra.operator.pairs_csv import File, Parsed, parse
from infra.operator.progress import bar
from infra.operator.rights_check import lacking
from infra.operator.text import as_json, counted, plain
from infra.operator.workspace_access import Unusable, opened
from shared.pair import Pair
from shared.store import PAIRS, Store

file_type = click.Path(exists=True, dir_okay=False, allow_dash=True)


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=file_type)
@click.option("--state", type=file_type, help="The export of broadcast_manager: ids, schedule and counters are kept.")
@click.option(
    "--spread", type=Hours(), metavar="HOURS", help="Spread the first broadcasts of new, due pairs over this time."
)
@click.option(
    "--check", is_flag=True, help="Then ask Telegram what the bot may do in each channel of the file, with BOT_TOKEN."
)
@as_json_option
@click.pass_context
def import_command(
    context: click.Context,
    files: tuple[str, ...],
    state: str | None,
    spread: float | None,
    check: bool,
    as_json: bool,
) -> None:
    """Import pairs from CSV, as psql's \\copy … CSV HEADER writes it.

    FILE is an export of main_clients_database; more files, and an export of broadcast_manager, can follow. "-" reads from
    standard input. Importing again is harmless: edited rows update the texts, and the state stays as it is.

    Rows that cannot be used are reported as FILE:LINE: FIELD: REASON, and the others are imported.

    \b
    Exit code: 0 all rows are in, 1 some were rejected, 2 a file cannot be used at all.

    \b
    Examples:
      broadcastctl pairs import main_clients_database.csv
      broadcastctl pairs import main_clients_database.csv --state broadcast_manager.csv
      broadcastctl pairs import main_clients_database.csv --spread 24
      psql -c "\\copy main_clients_database TO STDOUT CSV HEADER" | broadcastctl pairs import -
    """
    try:
        parsed = parse([_read(name) for name in files], None if state is None else _read(state))
    except FileError as error:
        raise Unusable(str(error)) from None
    with opened(context, writes=True) as workspace:
        with bar("Importing") as progress:
            summary = import_pairs(
                workspace.store,
                parsed.rows,
                now=workspace.clock.now(),
                policy=workspace.policy,
                spread_hours=spread,
                progress=progress,
            )
        where = workspace.describe
        missing = lacking(workspace.settings, _imported(workspace.store, parsed)) if check else []
    defects = (*parsed.defects, *summary.rejected)
    rejected = len({(defect.file, defect.line) for defect in defects})
    if as_json:
        click.echo(_document(summary, defects, rejected, where, missing if check else None))
    else:
        for defect in defects:
            click.echo(plain(str(defect)), err=True)
        click.echo(_sentence(parsed, summary, rejected, where, spread))
        for channel, sentence in missing:
            click.echo(plain(f"{channel}: {sentence}"))
        if check and not missing:
            click.echo("The bot may do what it needs in every channel.")
    context.exit(1 if rejected or missing else 0)


def _imported(store: Store, parsed: Parsed) -> list[Pair]:
    """The active pairs of the file as they are stored now."""
    stored = (store.get(PAIRS, id_of(row)) for row in parsed.rows)
    return [one.record for one in stored if one is not None and one.record.is_active]


def _read(name: str) -> File:
    if name == "-":
        return "standard input", sys.stdin.buffer.read()
    try:
        return name, Path(name).read_bytes()
    except OSError as error:
        raise FileError(f"{name} cannot be read: {error.strerror}") from None


def _document(
    summary: Summary, defects: tuple[Defect, ...], rejected: int, where: str, missing: list[tuple[int, str]] | None
) -> str:
    rights = {} if missing is None else {"rights": [{"channel": c, "sentence": s} for c, s in missing]}
    return as_json(
        {
            "new": summary.new,
            "updated": summary.updated,
            "unchanged": summary.unchanged,
            "rejected": rejected,
            "due_now": summary.due_now,
            "records": where,
            "defects": defects,
            **rights,
        }
    )


def _sentence(parsed: Parsed, summary: Summary, rejected: int, where: str, spread: float | None) -> str:
    counts = (
        f"{summary.new} new, {summary.updated} updated, {summary.unchanged} unchanged, "
        f"{counted(rejected, 'row')} rejected; {where}."
    )
    if not parsed.rows and not rejected:
        return f"No rows under the header. {counts}"
    if spread is not None and summary.new:
        return f"{counts}\nThe first broadcasts of the new pairs are spread over {spread:g} h."
    if summary.due_now:
        return f"{counts}\nDue now: {summary.due_now} of the new pairs."
    return counts
