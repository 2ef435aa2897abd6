"""`broadcastctl restored`: what it means for each pair that the records come from a backup."""

from datetime import datetime
from uuid import uuid4

import click

from infra.operator.text import counted
from infra.operator.workspace_access import Failed, Workspace, opened
from shared.decision import Decision, unchanged
from shared.pair import Cause, DeliveryState, Pair, replace
from shared.runs import Policy, begin, settled, with_run
from shared.store import PAIRS, read_pace, update

WHY = "the records were restored from a backup, so nobody knows whether the message was posted since"


def outcome_unknown(pair: Pair, *, now: datetime, run_id: str, policy: Policy) -> Decision[Pair, bool]:
    """What was on its way or fell due since the backup may have been sent, so it is unconfirmed. True if that holds of the pair.

    A run that fell due is begun under `run_id`, so that the next one comes when the schedule says.
    """
    if pair.run is not None:
        return Decision(_unconfirmed(pair, now=now), True)
    if not pair.is_active or pair.wake_at is None or pair.wake_at > now:
        return unchanged(False)
    scheduled = pair.last_broadcast is None or (pair.next_send_time is not None and pair.next_send_time <= now)
    cause = Cause.SCHEDULE if scheduled else Cause.RETRY
    begun = begin(pair, cause=cause, now=now, run_id=run_id, by=None, policy=policy)
    if begun.record is None or begun.record.run is None:
        return Decision(begun.record, False, begun.archive)
    return Decision(_unconfirmed(begun.record, now=now), True, begun.archive)


def _unconfirmed(pair: Pair, *, now: datetime) -> Pair:
    assert pair.run is not None
    run_id = pair.run.run_id
    run = pair.run.evolve(
        lambda _, d: (
            # An attempt has an id, or nobody could say later what became of it.
            replace(settled(d, DeliveryState.UNCONFIRMED, error=WHY), attempt_id=d.attempt_id or run_id)
            if d.unsettled
            else d
        )
    )
    return with_run(pair, run, now=now)


@click.command("restored", short_help="Say that the records come from a backup, before anything is sent from them.")
@click.pass_context
def restored_command(context: click.Context) -> None:
    """Say that the records come from a backup, before anything is sent from them.

    What was on its way then, and what fell due since, may have been sent: it becomes unconfirmed and is not sent again. Each
    pair goes on with its next scheduled broadcast. Everything must stand still meanwhile: the service stopped, or pause-all.
    """
    with opened(context, writes=True) as workspace:
        if workspace.service_running and read_pace(workspace.store).record.paused_all is None:
            raise Failed("messages are being sent from these records; stop the service or broadcastctl pause-all first")
        unknown = sum(_enter(workspace, stored.id) for stored in workspace.store.all_pairs())
    click.echo(f"{counted(unknown, 'pair')} may have been sent since the backup; broadcastctl status lists them.")


def _enter(workspace: Workspace, pair_id: str) -> bool:
    run_id, policy = str(uuid4()), workspace.policy
    _, unknown = update(
        workspace.store,
        PAIRS,
        pair_id,
        lambda pair, now: outcome_unknown(pair, now=now, run_id=run_id, policy=policy),
    )
    return unknown
