"""Options and arguments that several commands share."""

import math
from typing import Any

import click

from shared import fields
from shared.fields import FieldError

CHANNEL_IDS_ALLOWED = {"ignore_unknown_options": True}
"""Context settings of commands that take a channel's id: it begins with a minus, which is not an option."""

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
pair_argument = click.argument("pair_id", metavar="ID")


class ClientId(click.ParamType[str]):
    """A client's UUID."""

    name = "uuid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return fields.uuid(str(value).strip(), "the client's id")
        except FieldError as error:
            self.fail(str(error), param, ctx)


class Hours(click.ParamType[float]):
    """A length of time above zero, at most a year."""

    name = "hours"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            hours = float(value)
        except ValueError:
            hours = math.nan
        if not 0 < hours <= 24 * 366:
            self.fail(f"{value!r} is not a number of hours above zero and up to a year", param, ctx)
        return hours
