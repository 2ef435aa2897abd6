"""`broadcastctl settle`: what somebody saw in the channel, for a message of which nobody knows whether it was posted."""

from datetime import datetime

import click

from infra.operator.lookup import find_pair
from infra.operator.options import CHANNEL_IDS_ALLOWED, pair_argument
from infra.operator.text import plain
from infra.operator.workspace_access import Failed, Unusable, opened
from shared.decision import Decision, unchanged
from shared.deliveries import GivenBack, Posted, settle
from shared.pair import Channel, Delivery, DeliveryState, Pair
from shared.store import PAIRS, update


@click.command("settle", short_help="Say what became of an unconfirmed message.", context_settings=CHANNEL_IDS_ALLOWED)
@pair_argument
@click.argument("channel", type=click.Choice([channel.value for channel in Channel]))
@click.option("--message-id", type=click.IntRange(1), help="It stands in the channel, and this is its id.")
@click.option("--missing", is_flag=True, help="It does not stand in the channel.")
@click.pass_context
def settle_command(context: click.Context, pair_id: str, channel: str, message_id: int | None, missing: bool) -> None:
    """Say what became of an unconfirmed message, after a look into the channel.

    With its id it counts as sent, and the next broadcast replaces it. Missing, it is called off; while its broadcast is still on,
    it is sent again. The id is the last number of the message's link.

    \b
    Examples:
      broadcastctl settle 384f41 open --message-id 1207
      broadcastctl settle 384f41 closed --missing
    """
    if (message_id is None) is not missing:
        raise Unusable("say either --message-id or --missing")
    which = Channel(channel)
    with opened(context, writes=True) as workspace:
        pair = find_pair(workspace.store, pair_id)

        def enter(record: Pair, now: datetime) -> Decision[Pair, bool]:
            delivery = _unconfirmed(record, which)
            if delivery is None or delivery.attempt_id is None:
                return unchanged(False)
            outcome = (
                GivenBack(until=now, why="the operator found no such message")
                if message_id is None
                else Posted(message_id, delivery.started_at or now)
            )
            decision = settle(record, channel=which, attempt_id=delivery.attempt_id, outcome=outcome, now=now)
            return Decision(decision.record, True, decision.archive)

        pair, entered = update(workspace.store, PAIRS, pair.id, enter)
    if not entered:
        raise Failed(f"no message to {plain(pair.title(which))} is unconfirmed")
    stands = "is missing" if message_id is None else f"stands as {message_id}"
    click.echo(f"The message to {plain(pair.title(which))} {stands}; the pair is {pair.state.value} now.")


def _unconfirmed(pair: Pair, channel: Channel) -> Delivery | None:
    for run in (pair.run, pair.last_broadcast):
        if run is not None and run.delivery(channel).state is DeliveryState.UNCONFIRMED:
            return run.delivery(channel)
    return None
