"""What the bot lacks in a chat."""

import pytest

from shared.rights import missing
from shared.telegram import Membership


def a_member(kind: str, status: str, *, can_post: bool | None = None, can_send: bool | None = None) -> Membership:
    return Membership(kind=kind, title="Harbor", status=status, can_post=can_post, can_send=can_send)


@pytest.mark.parametrize(
    "membership",
    [
        a_member("channel", "administrator", can_post=True),
        a_member("supergroup", "administrator"),
        a_member("supergroup", "member"),
        a_member("group", "restricted", can_send=True),
    ],
)
def test_nothing_is_missing(membership: Membership) -> None:
    assert missing(membership) is None


@pytest.mark.parametrize(
    ("membership", "words"),
    [
        (a_member("channel", "administrator", can_post=False), "may not post"),
        (a_member("channel", "administrator"), "may not post"),
        (a_member("channel", "member"), "no administrator"),
        (a_member("channel", "left"), "not in it"),
        (a_member("supergroup", "kicked"), "not in it"),
        (a_member("supergroup", "restricted", can_send=False), "may not write"),
    ],
)
def test_what_is_missing_is_said(membership: Membership, words: str) -> None:
    assert words in (missing(membership) or "")
