"""When the next broadcast begins: intervals that do not drift, and cron on the wall clock of its zone."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.pair import Schedule
from shared.schedule import ScheduleError, check, next_time
from tests.clocks import NOON
from tests.runs import at

DAY = timedelta(hours=24)
BERLIN, NEW_YORK, KATHMANDU = "Europe/Berlin", "America/New_York", "Asia/Kathmandu"


def after(schedule: Schedule, *, due: datetime, now: datetime) -> datetime:
    return next_time(schedule, due=due, now=now, default_interval=DAY)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron_after(expression: str, zone: str, now: str, *, due: str | None = None) -> str:
    found = after(Schedule(cron=expression, time_zone=zone), due=utc(due or now), now=utc(now))
    assert found.tzinfo is UTC
    return found.strftime("%Y-%m-%d %H:%M")


# --- intervals --------------------------------------------------------------------------------------------------------


def test_a_pair_with_no_schedule_of_its_own_follows_the_default() -> None:
    assert after(Schedule(), due=NOON, now=NOON) == at(hours=24)
    assert after(Schedule(interval_hours=1.5), due=NOON, now=NOON) == at(hours=1.5)


def test_an_interval_counts_from_the_time_due_so_it_does_not_drift() -> None:
    due = NOON

    for _ in range(30):
        due = after(Schedule(), due=due, now=due + timedelta(seconds=47))

    assert due == at(days=30)


def test_what_was_missed_is_skipped() -> None:
    assert after(Schedule(), due=NOON, now=at(days=29, hours=5)) == at(days=30)


@pytest.mark.parametrize(("late", "next_due"), [(timedelta(hours=24), 48), (timedelta(hours=24, microseconds=-1), 24)])
def test_a_time_that_is_this_very_moment_is_skipped_too(late: timedelta, next_due: int) -> None:
    assert after(Schedule(), due=NOON, now=NOON + late) == at(hours=next_due)


def test_a_manual_broadcast_restarts_the_interval() -> None:
    pressed = at(hours=5, minutes=1)

    assert after(Schedule(), due=pressed, now=pressed) == at(hours=29, minutes=1)


def test_the_next_time_is_in_utc_whatever_zone_the_last_was_in() -> None:
    tokyo = timezone(timedelta(hours=9))

    found = after(Schedule(), due=NOON.astimezone(tokyo), now=NOON.astimezone(tokyo))

    assert (found, found.tzinfo) == (at(hours=24), UTC)


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis wants them so
INTERVALS = st.floats(0.001, 24 * 400)


@given(due=MOMENTS, late=st.timedeltas(timedelta(0), timedelta(days=400)), hours=INTERVALS)
def test_an_interval_ends_after_now_within_one_interval_and_a_whole_number_of_them_after_due(
    due: datetime, late: timedelta, hours: float
) -> None:
    now, interval = due + late, timedelta(hours=hours)

    found = after(Schedule(interval_hours=hours), due=due, now=now)

    assert now < found <= now + interval
    assert (found - due) % interval == timedelta(0)


@pytest.mark.parametrize("hours", [0.0, -1.0, 1e-12])
def test_an_interval_that_is_none_is_refused(hours: float) -> None:
    with pytest.raises(ScheduleError, match="the interval must be longer than zero hours"):
        after(Schedule(interval_hours=hours), due=NOON, now=NOON)


@pytest.mark.parametrize("hours", [1e9, 1e300, float("inf"), float("nan")])
def test_an_interval_that_never_ends_is_refused(hours: float) -> None:
    with pytest.raises(ScheduleError, match="hours never comes due"):
        after(Schedule(interval_hours=hours), due=NOON, now=NOON)


# --- cron -------------------------------------------------------------------------------------------------------------


def test_cron_follows_the_wall_clock_of_its_zone() -> None:
    assert cron_after("0 18 * * *", BERLIN, "2026-06-01 12:00") == "2026-06-01 16:00"
    assert cron_after("0 18 * * *", BERLIN, "2026-12-01 12:00") == "2026-12-01 17:00"
    assert cron_after("0 18 * * *", NEW_YORK, "2026-06-01 12:00") == "2026-06-01 22:00"
    assert cron_after("0 6 * * *", KATHMANDU, "2026-06-01 12:00") == "2026-06-02 00:15"
    assert cron_after("0 18 * * *", "UTC", "2026-06-01 12:00") == "2026-06-01 18:00"


def test_cron_looks_at_now_alone_and_skips_what_was_missed() -> None:
    assert cron_after("0 18 * * *", "UTC", "2026-06-30 12:00", due="2026-06-01 18:00") == "2026-06-30 18:00"
    assert cron_after("0 18 * * *", "UTC", "2026-06-30 18:00", due="2026-06-30 18:00") == "2026-07-01 18:00"


def test_cron_knows_days_of_the_week_and_months() -> None:
    assert cron_after("30 9 * * MON", "UTC", "2026-06-01 10:00") == "2026-06-08 09:30"
    assert cron_after("0 0 29 2 *", "UTC", "2026-06-01 10:00") == "2028-02-29 00:00"


@pytest.mark.parametrize(
    ("zone", "expression", "before", "at_the_gap", "day_after"),
    [
        (BERLIN, "30 2 * * *", "2026-03-28 12:00", "2026-03-29 01:00", "2026-03-30 00:30"),
        (NEW_YORK, "30 2 * * *", "2026-03-07 12:00", "2026-03-08 07:00", "2026-03-09 06:30"),
    ],
)
def test_a_time_that_daylight_saving_skips_comes_right_after_the_gap(
    zone: str, expression: str, before: str, at_the_gap: str, day_after: str
) -> None:
    assert cron_after(expression, zone, before) == at_the_gap
    assert cron_after(expression, zone, at_the_gap) == day_after


@pytest.mark.parametrize(
    ("zone", "expression", "before", "first_pass", "day_after"),
    [
        (BERLIN, "30 2 * * *", "2026-10-24 12:00", "2026-10-25 00:30", "2026-10-26 01:30"),
        (NEW_YORK, "30 1 * * *", "2026-10-31 12:00", "2026-11-01 05:30", "2026-11-02 06:30"),
    ],
)
def test_a_time_that_comes_twice_is_used_once(
    zone: str, expression: str, before: str, first_pass: str, day_after: str
) -> None:
    assert cron_after(expression, zone, before) == first_pass
    assert cron_after(expression, zone, first_pass) == day_after


@pytest.mark.parametrize(
    ("zone", "expression", "second_pass", "day_after"),
    [
        (BERLIN, "30 2 * * *", "2026-10-25 01:10", "2026-10-26 01:30"),
        (NEW_YORK, "30 1 * * *", "2026-11-01 06:10", "2026-11-02 06:30"),
    ],
)
def test_a_broadcast_late_into_the_second_pass_of_an_hour_is_not_due_again_in_the_first(
    zone: str, expression: str, second_pass: str, day_after: str
) -> None:
    assert cron_after(expression, zone, second_pass) == day_after


def test_an_hourly_schedule_runs_through_both_changes() -> None:
    assert cron_after("0 * * * *", BERLIN, "2026-03-29 00:30") == "2026-03-29 01:00"
    assert cron_after("0 * * * *", BERLIN, "2026-10-25 00:00") == "2026-10-25 01:00"


@given(
    now=MOMENTS,
    expression=st.sampled_from(["30 2 * * *", "30 1 * * *", "*/7 * * * *", "0 3 * * SUN", "59 23 31 * *", "15 1,2,3 * * *"]),
    zone=st.sampled_from([BERLIN, NEW_YORK, KATHMANDU, "Australia/Lord_Howe", "America/St_Johns", "UTC"]),
)  # fmt: skip
def test_a_cron_time_is_always_after_now(now: datetime, expression: str, zone: str) -> None:
    found = after(Schedule(cron=expression, time_zone=zone), due=now, now=now)

    assert found > now
    assert found - now < timedelta(days=70)


CHANGES = st.sampled_from(
    [utc("2026-10-25 00:00"), utc("2026-11-01 05:00"), utc("2026-03-29 00:00"), utc("2026-03-08 06:00")]
)


@given(
    change=CHANGES,
    minutes=st.integers(0, 180),
    expression=st.sampled_from(["30 2 * * *", "30 1 * * *", "0 2 * * *", "*/20 1,2 * * *"]),
    zone=st.sampled_from([BERLIN, NEW_YORK]),
)
def test_a_cron_time_is_always_after_now_around_the_changes(
    change: datetime, minutes: int, expression: str, zone: str
) -> None:
    now = change + timedelta(minutes=minutes)

    assert after(Schedule(cron=expression, time_zone=zone), due=now, now=now) > now


# --- what cannot be followed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    ["", "x", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * * * MOON", "@daily", "*/0 * * * *"],
)
def test_what_is_no_cron_expression_of_five_fields_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError, match="is not a cron expression of five fields"):
        check(Schedule(cron=expression), now=NOON)


@pytest.mark.parametrize("zone", ["", "Berlin", "Europe/Nowhere", "Europe", "../etc/passwd", "/etc/localtime", "a\0b"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ScheduleError, match="is not an IANA time zone, such as Europe/Berlin"):
        check(Schedule(cron="0 18 * * *", time_zone=zone), now=NOON)


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_a_day_that_never_comes_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        check(Schedule(cron=expression), now=NOON)


def test_a_schedule_that_can_be_followed_passes_the_check() -> None:
    check(Schedule(), now=NOON)
    check(Schedule(interval_hours=0.5), now=NOON)
    check(Schedule(cron="0 18 * * *", time_zone=KATHMANDU), now=NOON)


@pytest.mark.parametrize("schedule", [Schedule(), Schedule(cron="0 18 * * *")], ids=["interval", "cron"])
@pytest.mark.parametrize("naive", ["due", "now"])
def test_a_time_without_a_zone_is_an_error(schedule: Schedule, naive: str) -> None:
    times = {"due": NOON, "now": NOON, naive: NOON.replace(tzinfo=None)}

    with pytest.raises(ValueError, match="has no time zone") as error:
        after(schedule, **times)

    assert not isinstance(error.value, ScheduleError)


@given(
    expression=st.text(alphabet="0123456789*/,-#LMON ", max_size=20) | st.text(max_size=20), zone=st.text(max_size=20)
)
def test_no_text_does_anything_else_than_be_refused_or_come_due(expression: str, zone: str) -> None:
    for schedule in (Schedule(cron=expression), Schedule(cron="0 18 * * *", time_zone=zone)):
        with suppress(ScheduleError):
            assert after(schedule, due=NOON, now=NOON) > NOON
