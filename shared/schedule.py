"""When the next broadcast of a schedule begins."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from shared.clock import aware
from shared.pair import Schedule


class ScheduleError(ValueError):
    """Raised when a schedule cannot be followed; the text says which part and why."""


def next_time(schedule: Schedule, *, due: datetime, now: datetime, default_interval: timedelta) -> datetime:
    """The first time after `now` at which the schedule begins a broadcast, in UTC.

    An interval counts on from `due`, so it does not drift, and what was missed is skipped: after an outage there is one
    broadcast, not thirty. A manual broadcast passes `due=now`, which restarts the interval. A cron expression follows the wall
    clock of its zone: an hour that daylight saving skips is sent right after the gap, one that comes twice is sent once
    (cronsim follows Debian's cron). Raises ScheduleError, and ValueError for a time without a zone.
    """
    due, now = aware(due), aware(now)
    if schedule.cron is not None:
        return _next_cron(schedule.cron, schedule.time_zone, now)
    interval = default_interval if schedule.interval_hours is None else _hours(schedule.interval_hours)
    if interval <= timedelta(0):
        raise ScheduleError(f"the interval must be longer than zero hours, not {interval}")
    missed = max(0, (now - due) // interval)
    try:
        return (due + (missed + 1) * interval).astimezone(UTC)
    except OverflowError as error:
        raise ScheduleError(f"an interval of {schedule.interval_hours} hours never comes due") from error


def check(schedule: Schedule, *, now: datetime) -> None:
    """Raises ScheduleError unless the schedule has a next time."""
    next_time(schedule, due=now, now=now, default_interval=timedelta(days=1))


def _hours(hours: float) -> timedelta:
    try:
        return timedelta(hours=hours)
    except (OverflowError, ValueError) as error:
        raise ScheduleError(f"an interval of {hours} hours never comes due") from error


def _next_cron(expression: str, zone_name: str, now: datetime) -> datetime:
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleError(f"{zone_name!r} is not an IANA time zone, such as Europe/Berlin") from error
    if len(expression.split()) != 5:
        raise ScheduleError(f"{expression!r} is not a cron expression of five fields")
    try:
        # In the second pass of an hour that comes twice cronsim names times of the first: they are past.
        times = (time.astimezone(UTC) for time in CronSim(expression, now.astimezone(zone)))
        return next(time for time in times if time > now)
    except (CronSimError, ValueError) as error:
        raise ScheduleError(f"{expression!r} is not a cron expression of five fields: {error}") from error
    except StopIteration as error:
        raise ScheduleError(f"the cron expression {expression!r} never comes due") from error
