"""`broadcastctl pairs list|show|pause|resume`."""

from datetime import datetime
from typing import Any

import click

from infra.operator.import_command import import_command
from infra.operator.lookup import SHOWN_PREFIX, find_pair
from infra.operator.options import CHANNEL_IDS_ALLOWED, ClientId, as_json_option, pair_argument
from infra.operator.pair_view import describe_pair
from infra.operator.text import NOTHING, counted, plain, relative, table, when
from infra.operator.text import as_json as json_text
from infra.operator.workspace_access import Failed, opened
from shared import owner
from shared.decision import Decision
from shared.pair import Pair, PairState
from shared.presentation import channel, status
from shared.runs import Policy
from shared.store import PAIRS, update

DUE = "due"
STATES = (*(state.value.replace(" ", "-") for state in PairState), DUE)


@click.group()
def pairs() -> None:
    """Import pairs, look at them, pause and resume them.

    ID is a pair's id, at least its first 6 characters, or its open channel's id.
    """


pairs.add_command(import_command)


@pairs.command("list")
@click.option("--client", type=ClientId(), metavar="UUID", help="Only the pairs of this client.")
@click.option("--state", type=click.Choice(STATES), help="Only pairs in this state.")
@as_json_option
@click.pass_context
def list_command(context: click.Context, client: str | None, state: str | None, as_json: bool) -> None:
    """List pairs: state, next and last broadcast.

    \b
    Examples:
      broadcastctl pairs list
      broadcastctl pairs list --state paused
      broadcastctl pairs list --client 8dcdf36a-dbde-52a4-a034-ed11820e0506 --json
    """
    with opened(context) as workspace:
        now, policy = workspace.clock.now(), workspace.policy
        stored = workspace.store.all_pairs() if client is None else workspace.store.pairs_of_client(client)
        found = [s.record for s in stored if state is None or _is_in(s.record, state, now)]
    if as_json:
        click.echo(json_text({"pairs": [document(p, now=now, policy=policy) for p in found], "count": len(found)}))
        return
    if not found:
        click.echo(
            "No such pairs." if client or state else "No pairs yet; add some with: broadcastctl pairs import FILE.csv"
        )
        return
    click.echo(
        table(("ID", "OPEN CHANNEL", "TITLE", "STATE", "NEXT", "LAST SENT"), [_row(pair, now) for pair in found])
    )
    click.echo(counted(len(found), "pair") + ".")


@pairs.command("show", context_settings=CHANNEL_IDS_ALLOWED)
@pair_argument
@as_json_option
@click.pass_context
def show_command(context: click.Context, pair_id: str, as_json: bool) -> None:
    """Show one pair: texts, tiers, schedule, counters, its last broadcast.

    \b
    Examples:
      broadcastctl pairs show 384f41
      broadcastctl pairs show -1002187725686 --json
    """
    with opened(context) as workspace:
        pair = find_pair(workspace.store, pair_id)
        now, policy = workspace.clock.now(), workspace.policy
    click.echo(
        json_text(document(pair, now=now, policy=policy)) if as_json else describe_pair(pair, now=now, policy=policy)
    )


@pairs.command("pause", context_settings=CHANNEL_IDS_ALLOWED)
@pair_argument
@click.option("--reason", default="paused by the operator", show_default=True, help="Shown to the pair's owner.")
@as_json_option
@click.pass_context
def pause_command(context: click.Context, pair_id: str, reason: str, as_json: bool) -> None:
    """Pause a pair: nothing more is sent for it until it is resumed.

    What is queued is called off; a message that is just being sent is still looked after.
    """
    with opened(context, writes=True) as workspace:
        pair = find_pair(workspace.store, pair_id)
        was_active = pair.is_active
        pair = update(
            workspace.store, PAIRS, pair.id, lambda record, now: owner.pause(record, now=now, reason=plain(reason))
        )[0]
        now, policy = workspace.clock.now(), workspace.policy
    if as_json:
        click.echo(json_text(document(pair, now=now, policy=policy)))
    elif was_active:
        click.echo(f"{_name(pair)} is paused.")
    else:
        click.echo(f"{_name(pair)} was {pair.state.value} already: {plain(pair.pause_reason or 'no reason given')}.")


@pairs.command("resume", context_settings=CHANNEL_IDS_ALLOWED)
@pair_argument
@as_json_option
@click.pass_context
def resume_command(context: click.Context, pair_id: str, as_json: bool) -> None:
    """Resume a paused pair, with no failures counted; it is due at once if its time has passed."""
    with opened(context, writes=True) as workspace:
        pair = find_pair(workspace.store, pair_id)
        was_active, policy = pair.is_active, workspace.policy

        def resume(record: Pair, now: datetime) -> Decision[Pair, None]:
            return owner.resume(record, now=now, policy=policy)

        pair = update(workspace.store, PAIRS, pair.id, resume)[0]
        now = workspace.clock.now()
    if pair.ended_at is not None:
        raise Failed(f"{_name(pair)} was ended {when(pair.ended_at, now)} and cannot be resumed")
    if as_json:
        click.echo(json_text(document(pair, now=now, policy=policy)))
        return
    click.echo(
        f"{_name(pair)} {'was active already' if was_active else 'is active again'}; next: {when(pair.wake_at, now)}."
    )


def document(pair: Pair, *, now: datetime, policy: Policy) -> dict[str, Any]:
    """The pair as the API shows it, with the owner's id and when it is looked at next."""
    shown = {**channel(pair, now=now, policy=policy), **status(pair, now=now, policy=policy)}
    del shown["success"]
    return {**shown, "client_id": pair.client_id, "wake_at": pair.wake_at}


def _is_in(pair: Pair, state: str, now: datetime) -> bool:
    if state == DUE:
        return pair.wake_at is not None and pair.wake_at <= now
    return pair.state.value.replace(" ", "-") == state


def _row(pair: Pair, now: datetime) -> tuple[str, ...]:
    due = NOTHING if pair.wake_at is None else relative(pair.wake_at, now)
    if pair.wake_at is not None and pair.wake_at <= now:
        due = "due now"
    sent = NOTHING if pair.last_sent_time is None else relative(pair.last_sent_time, now)
    return pair.id[:SHOWN_PREFIX], str(pair.open_channel_id), pair.open_channel_title, pair.state.value, due, sent


def _name(pair: Pair) -> str:
    return f"{plain(pair.open_channel_title)} ({pair.id[:SHOWN_PREFIX]})"
