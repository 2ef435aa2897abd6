"""`make rehearse`: the deployed functions on Google's emulators, from the first broadcast to the count of what it cost."""

import re
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import click
import jwt
import requests

from infra.rehearsal.emulators import NoEmulator
from infra.rehearsal.processes import NotStarted
from infra.rehearsal.production import SECRET, Production, TooSlow, log_lines
from shared.clock import MachineClock
from shared.pair import Channel, DeliveryState, Pair, replace
from shared.store import PAIRS, AlreadyExists

BUILD = Path(__file__).parents[2] / "build"
NOTHING_DUE = '"event": "tick_done"'
IDLE = (10, 1_000, 10_000)
PATIENCE = 120.0
TIMEOUT = 30.0
MOST_READS, MOST_WRITES = 5, 6
"""The budget of a scheduled broadcast that replaces both messages. What the pace's document costs is shared by all of a second."""


class Unmet(Exception):
    """Raised when the rehearsal found something that should not be; the text says what."""


@click.command()
@click.option("--pairs", type=click.IntRange(1, 100_000), default=17, help="How many pairs take part.")
@click.option(
    "--rate", type=float, default=25.0, help="TELEGRAM_RATE of the functions; the simulated Telegram takes 30 a second."
)
@click.option(
    "--idle/--no-idle", default=True, help="Also count a tick's operations beside 10, 1,000 and 10,000 idle pairs."
)
def main(pairs: int, rate: float, idle: bool) -> None:
    """Run production on this machine and say what came of it. Exit status 1 if a promise is not kept."""
    try:
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
            production = Production(
                BUILD, folder=Path(folder), settings={"TELEGRAM_RATE": f"{rate:g}"}, say=lambda line: click.echo(line)
            )
            with production:
                rehearse(production, pairs, IDLE if idle else ())
    except (NoEmulator, NotStarted) as error:
        raise click.ClickException(str(error)) from None
    except (Unmet, TooSlow) as error:
        click.echo(f"Not as it should be: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        sys.exit(130)


def rehearse(production: Production, pairs: int, idle: tuple[int, ...]) -> None:
    """A first broadcast of every pair, a second that replaces it, Resend in both ways, idle ticks. Raises Unmet, TooSlow."""
    production.import_pairs(pairs)
    patience = PATIENCE + pairs
    click.echo(f"{pairs} pairs are due.")
    _broadcast(production, "First broadcast", pairs, patience)
    production.make_due()
    reads, writes = _broadcast(production, "Second broadcast, replacing the first", pairs, patience)
    if reads > MOST_READS or writes > MOST_WRITES:
        click.echo(
            f"  more than the budget of {MOST_READS} and {MOST_WRITES}: a message was late for its slot or lost a race"
        )
    _resend(production)
    _check(production, pairs)
    for count in idle:
        _idle(production, count)


def _broadcast(production: Production, title: str, pairs: int, patience: float) -> tuple[float, float]:
    """Have every pair sent, and say what it took: reads and writes a broadcast."""
    operations = production.operations
    operations.clear()
    before = production.simulator.summary()
    since = MachineClock().now()
    production.tick()
    production.wait_until_settled(since, patience)
    after = production.simulator.summary()
    moments = sorted(
        delivery.sent_at
        for pair in production.pairs()
        if pair.last_broadcast is not None
        for channel in Channel
        if (delivery := pair.last_broadcast.delivery(channel)).sent_at is not None
    )
    span = (moments[-1] - moments[0]).total_seconds() if len(moments) > 1 else 0.0
    reads = operations.of("get") + operations.of("found")
    writes = operations.of("write")
    click.echo(f"{title}: {after.accepted - before.accepted} messages accepted in {span:.1f} s")
    click.echo(
        f"  documents read {reads} ({operations.of('found')} by {operations.of('query')} queries), written {writes};"
        f" of these the pace's {operations.of('get', 'pace')} and {operations.of('write', 'pace')}; counts {operations.of('count')}"
    )
    own = ((reads - operations.of("get", "pace")) / pairs, (writes - operations.of("write", "pace")) / pairs)
    in_all = f"{reads / pairs:.2f} and {writes / pairs:.2f} in all"
    click.echo(f"  a broadcast: {own[0]:.2f} reads and {own[1]:.2f} writes of its own, {in_all}")
    return own


def _resend(production: Production) -> None:
    """By the API, and of another pair on the dashboard, if there is one."""
    pairs = production.pairs()
    _count_resend(production, pairs[0], "Resend", _press_by_api)
    if len(pairs) > 1:
        _count_resend(production, pairs[1], "Resend on the dashboard", _press_on_dashboard)


def _count_resend(production: Production, pair: Pair, title: str, press: Callable[[Production, Pair], None]) -> None:
    operations = production.operations
    since = MachineClock().now()
    press(production, pair)

    def settled() -> bool:
        stored = production.store.get(PAIRS, pair.id)
        run = None if stored is None or stored.record.run is not None else stored.record.last_broadcast
        return run is not None and run.claimed_at >= since

    production.wait_until(settled, PATIENCE)
    reads, writes = operations.of("get") + operations.of("found"), operations.of("write")
    click.echo(
        f"{title}: sent; {reads} reads, {writes} writes, the pace's {operations.of('get', 'pace')} and"
        f" {operations.of('write', 'pace')} among them"
    )


def _press_by_api(production: Production, pair: Pair) -> None:
    url = production.url("trigger", "api/broadcast/trigger")
    production.operations.clear()
    answer = requests.post(url, json={"broadcast_id": pair.id}, headers=_authorization(pair), timeout=TIMEOUT)
    if answer.status_code != 200:
        raise Unmet(f"Resend was answered {answer.status_code}: {answer.text}")


def _press_on_dashboard(production: Production, pair: Pair) -> None:
    """Sign in, which leads to the list, and submit the form of the pair's button: as a browser does that runs no scripts."""
    browser = requests.Session()
    page = browser.post(production.url("dashboard", "session"), headers=_authorization(pair), timeout=TIMEOUT)
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page.text)
    if page.status_code != 200 or found is None:
        raise Unmet(f"signing in on the dashboard was answered {page.status_code}: {page.text[:500]}")
    production.operations.clear()
    answer = browser.post(
        production.url("dashboard", f"pairs/{pair.id}/resend"),
        data={"form_token": found[1]},
        headers={"Sec-Fetch-Site": "same-origin"},
        timeout=TIMEOUT,
        allow_redirects=False,
    )
    if answer.status_code != 303:
        raise Unmet(f"Resend on the dashboard was answered {answer.status_code}: {answer.text[:500]}")


def _authorization(pair: Pair) -> dict[str, str]:
    expires = MachineClock().now() + timedelta(minutes=5)
    token = jwt.encode({"sub": pair.client_id, "type": "access", "exp": expires}, SECRET, algorithm="HS256")
    return {"Authorization": f"Bearer {token}"}


def _check(production: Production, pairs: int) -> None:
    """Every record against what the simulated Telegram has."""
    stored = production.pairs()
    for pair in stored:
        for channel in Channel:
            _check_channel(production, pair, channel)
    summary = production.simulator.summary()
    if summary.too_many_requests:
        raise Unmet(f"Telegram answered 429 {summary.too_many_requests} times")
    loud = [
        line for process in production.processes.values() for line in log_lines(process) if line["severity"] == "ERROR"
    ]
    if loud:
        raise Unmet(f"the functions logged {len(loud)} errors, the first: {loud[0]['message']}")
    click.echo(
        f"{2 * pairs} messages stand in {2 * pairs} channels, each as recorded; none doubled, no 429, no error logged."
    )


def _check_channel(production: Production, pair: Pair, channel: Channel) -> None:
    run = pair.last_broadcast
    if run is None:
        raise Unmet(f"{pair.title(channel)} was forgotten")
    delivery = run.delivery(channel)
    standing = production.visible(pair, channel)
    if delivery.state is not DeliveryState.SENT or standing != [delivery.message_id]:
        raise Unmet(f"{pair.title(channel)}: recorded {delivery.state} {delivery.message_id}, standing {standing}")


def _idle(production: Production, count: int) -> None:
    """A tick beside so many pairs of which none is due."""
    pair = production.pairs()[0]
    later = MachineClock().now() + timedelta(days=1)

    def add(number: int) -> None:
        idle = replace(pair, id=f"idle-{number}", next_send_time=later)
        with suppress(AlreadyExists):
            production.store.create(PAIRS, idle.id, idle)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(add, range(count)))
    production.operations.clear()
    tick = production.processes["tick"]
    before = tick.said.count(NOTHING_DUE)
    production.tick()
    production.wait_until(lambda: tick.said.count(NOTHING_DUE) > before, PATIENCE)
    queries, found, read = (production.operations.of(kind) for kind in ("query", "found", "get"))
    click.echo(f"{count} idle pairs, a tick: {queries} query that found {found}, {read} read of the pace")
    if (queries, found, read) != (1, 0, 1):
        raise Unmet("a tick with nothing due is more than one query and one read")


if __name__ == "__main__":
    main()
