"""Settings: typed, named when they are wrong, re-read from files, and never shown when they are secret."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared import settings
from shared.settings import (
    ALL,
    BOT_TOKEN,
    BOT_USERNAME,
    BROADCAST_AUTO_INTERVAL,
    BROADCAST_MANUAL_INTERVAL,
    CORS_ORIGINS,
    DATA_DIR,
    JWT_SECRET_KEY,
    LOG_LEVEL,
    PAID_BROADCAST,
    PORT,
    REREAD_SECONDS,
    TELEGRAM_API_URL,
    TELEGRAM_RATE,
    TICK_SECONDS,
    Setting,
    SettingError,
    Settings,
    check_rate,
)

REQUIRED: Setting[str] = Setting("PROJECT", str, None)


class Time:
    """A monotonic clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_what_is_not_set_has_its_default() -> None:
    found = Settings({})

    assert found.get(TELEGRAM_RATE) == 25.0
    assert found.get(BROADCAST_AUTO_INTERVAL) == 24.0
    assert found.get(BROADCAST_MANUAL_INTERVAL) == 0.0833
    assert found.get(TELEGRAM_API_URL) == "https://api.telegram.org"
    assert found.get(DATA_DIR) == Path("./data")


def test_every_default_is_a_value_its_setting_takes() -> None:
    Settings({}).check(ALL)


def test_white_space_around_a_value_is_no_part_of_it() -> None:
    assert Settings({"BOT_TOKEN": " 123:abc\r\n"}).get(BOT_TOKEN) == "123:abc"


def test_a_value_of_white_space_is_not_set() -> None:
    found = Settings({"TELEGRAM_RATE": "  ", "BOT_TOKEN_FILE": " "})

    assert found.get(TELEGRAM_RATE) == 25.0
    assert not found.given(TELEGRAM_RATE)
    assert not found.given(BOT_TOKEN)


@pytest.mark.parametrize("name", ["BOT_TOKEN", "BOT_TOKEN_FILE"])
def test_a_setting_is_given_by_value_or_by_file(name: str) -> None:
    assert Settings({name: "x"}).given(BOT_TOKEN)
    assert not Settings({name: "x"}).given(BOT_USERNAME)


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (TELEGRAM_RATE, "0.5", 0.5),
        (BROADCAST_AUTO_INTERVAL, "87600", 87600.0),
        (TICK_SECONDS, "3600", 3600.0),
        (PORT, "1", 1),
        (CORS_ORIGINS, "https://a.example, ,https://b.example,", ("https://a.example", "https://b.example")),
        (BOT_USERNAME, "@my_shop_bot", "my_shop_bot"),
        (TELEGRAM_API_URL, "http://127.0.0.1:8081/", "http://127.0.0.1:8081"),
        (LOG_LEVEL, "DEBUG", "DEBUG"),
        (PAID_BROADCAST, "true", True),
        (PAID_BROADCAST, "false", False),
    ],
)
def test_a_value_is_read_as_what_it_stands_for(setting: Setting[Any], text: str, value: object) -> None:
    assert Settings({setting.name: text}).get(setting) == value


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (PAID_BROADCAST, "yes"),
        (TELEGRAM_RATE, "fast"),
        (TELEGRAM_RATE, "0"),
        (TELEGRAM_RATE, "-1"),
        (TELEGRAM_RATE, "nan"),
        (TELEGRAM_RATE, "inf"),
        (BROADCAST_AUTO_INTERVAL, "87601"),
        (BROADCAST_MANUAL_INTERVAL, "1e9"),
        (TICK_SECONDS, "3601"),
        (PORT, "65536"),
        (PORT, "0"),
        (PORT, "80.5"),
        (BOT_USERNAME, "my shop"),
        (BOT_USERNAME, "a?start=x"),
        (TELEGRAM_API_URL, "api.telegram.org"),
        (LOG_LEVEL, "LOUD"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_shown(setting: Setting[Any], text: str) -> None:
    with pytest.raises(SettingError) as error:
        Settings({setting.name: text}).get(setting)

    assert str(error.value).startswith(f"{setting.name}: {text!r} is wrong: ")


def test_a_setting_that_must_be_given_says_how() -> None:
    with pytest.raises(SettingError, match="PROJECT is not set; set it or PROJECT_FILE"):
        Settings({}).get(REQUIRED)


def test_every_fault_is_named_at_once() -> None:
    found = Settings({"TELEGRAM_RATE": "fast", "PORT": "http", "LOG_LEVEL": "INFO"})

    with pytest.raises(SettingError) as error:
        found.check([*ALL, REQUIRED])

    lines = str(error.value).splitlines()
    assert [line.split(":")[0].split(" ")[0] for line in lines] == ["TELEGRAM_RATE", "PORT", "PROJECT"]


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "value"


def from_file(setting: Setting[Any], file: Path, time: Callable[[], float]) -> Settings:
    return Settings({f"{setting.name}_FILE": str(file)}, monotonic=time)


def test_a_value_can_stand_in_a_file(file: Path, time: Time) -> None:
    file.write_text("\n 30 \n", encoding="utf-8")

    assert from_file(TELEGRAM_RATE, file, time).get(TELEGRAM_RATE) == 30.0


def test_a_secret_in_a_file_ends_before_its_last_line_does(file: Path, time: Time) -> None:
    file.write_text(" 123:abc\r\n", encoding="utf-8")

    assert from_file(BOT_TOKEN, file, time).get(BOT_TOKEN) == "123:abc"


def test_a_changed_file_is_read_again_after_a_minute_and_not_before(file: Path, time: Time) -> None:
    file.write_text("30", encoding="utf-8")
    found = from_file(TELEGRAM_RATE, file, time)
    assert found.get(TELEGRAM_RATE) == 30.0

    file.write_text("20", encoding="utf-8")
    time.now += REREAD_SECONDS - 0.1
    before = found.get(TELEGRAM_RATE)
    time.now += 0.1

    assert (before, found.get(TELEGRAM_RATE)) == (30.0, 20.0)


@pytest.mark.parametrize("slip", [b"fast", b"\xff\xfe", None], ids=["wrong", "not text", "gone"])
def test_a_slip_in_a_file_leaves_the_value_before_in_force_and_is_said(
    file: Path, time: Time, caplog: pytest.LogCaptureFixture, slip: bytes | None
) -> None:
    file.write_text("30", encoding="utf-8")
    found = from_file(TELEGRAM_RATE, file, time)
    found.get(TELEGRAM_RATE)
    file.unlink() if slip is None else file.write_bytes(slip)
    time.now += REREAD_SECONDS

    with caplog.at_level(logging.ERROR):
        values = [found.get(TELEGRAM_RATE), found.get(TELEGRAM_RATE)]

    assert values == [30.0, 30.0]
    assert [line.split(":")[0] for line in caplog.messages] == ["TELEGRAM_RATE_FILE"]


def test_a_mended_file_is_in_force_again(file: Path, time: Time) -> None:
    file.write_text("30", encoding="utf-8")
    found = from_file(TELEGRAM_RATE, file, time)
    for text in ("30", "fast", "20"):
        file.write_text(text, encoding="utf-8")
        time.now += REREAD_SECONDS
        found.get(TELEGRAM_RATE)

    assert found.get(TELEGRAM_RATE) == 20.0


def test_a_file_that_was_never_good_is_an_error_every_time(file: Path, time: Time) -> None:
    found = from_file(TELEGRAM_RATE, file, time)

    for _ in range(2):
        with pytest.raises(SettingError, match=f"TELEGRAM_RATE_FILE: cannot read {file}: No such file"):
            found.get(TELEGRAM_RATE)

    file.write_text("20", encoding="utf-8")
    assert found.get(TELEGRAM_RATE) == 20.0


def test_a_value_and_a_file_together_are_refused(file: Path, time: Time) -> None:
    found = Settings({"TELEGRAM_RATE": "25", "TELEGRAM_RATE_FILE": str(file)}, monotonic=time)

    with pytest.raises(SettingError, match="TELEGRAM_RATE and TELEGRAM_RATE_FILE are both set"):
        found.get(TELEGRAM_RATE)


def test_a_value_that_is_made_is_added_to_those_given(file: Path, time: Time) -> None:
    file.write_text("30", encoding="utf-8")
    found = from_file(TELEGRAM_RATE, file, time).having(JWT_SECRET_KEY, "made")

    assert (found.get(JWT_SECRET_KEY), found.get(TELEGRAM_RATE)) == ("made", 30.0)


# --- secrets ----------------------------------------------------------------------------------------------------------


def _refuse(_: str) -> str:
    raise ValueError("it is too short")


def test_a_wrong_secret_is_named_but_not_shown() -> None:
    secret = Setting("DATABASE_PASSWORD", _refuse, None, secret=True)

    with pytest.raises(SettingError) as error:
        Settings({"DATABASE_PASSWORD": "hunter2"}).get(secret)

    assert str(error.value) == "DATABASE_PASSWORD: it is too short."
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_what_is_secret_is_marked_so() -> None:
    secret = {setting.name for setting in ALL if setting.secret}

    assert secret == {"BOT_TOKEN", "JWT_SECRET_KEY", "JWT_SECRET_KEY_PREVIOUS"}


def test_all_settings_are_listed() -> None:
    made = {name for name, value in vars(settings).items() if isinstance(value, Setting)}

    assert made == {setting.name for setting in ALL}


# --- the rate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "paid", "warned"), [("30", "false", 0), ("30.5", "false", 1), ("1000", "true", 0)])
def test_a_rate_above_the_free_one_is_said_at_the_start(
    rate: str, paid: str, warned: int, caplog: pytest.LogCaptureFixture
) -> None:
    check_rate(Settings({"TELEGRAM_RATE": rate, "PAID_BROADCAST": paid}))

    assert caplog.text.count("Telegram takes about 30 from a bot") == warned


def test_a_rate_above_what_anybody_can_pay_for_is_refused() -> None:
    with pytest.raises(SettingError, match="TELEGRAM_RATE: with PAID_BROADCAST Telegram takes at most 1000"):
        check_rate(Settings({"TELEGRAM_RATE": "1001", "PAID_BROADCAST": "true"}))


def test_a_simulated_telegram_may_be_sent_to_at_any_rate() -> None:
    check_rate(Settings({"TELEGRAM_RATE": "5000"}))
