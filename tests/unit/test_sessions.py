"""Sessions of the dashboard: read by us alone, for their time, under either secret of a rotation."""

from datetime import timedelta

import jwt
import pytest
from flask import Flask
from flask_jwt_extended import JWTManager, decode_token

from shared.access import NotSignedIn, Verifier
from shared.sessions import Session, Sessions
from tests.clocks import NOON
from tests.functions.tokens import token
from tests.pairs import OUTSIDER, OWNER

SECRET, OTHER = "the-websites-secret-that-is-long-enough", "another-secret-that-is-long-enough-too"
OURS = Sessions([SECRET])
SESSION = Session(id="a", client_id=OWNER, operator=False, expires_at=NOON + timedelta(hours=1))


@pytest.mark.parametrize("client_id", [OWNER, None])
@pytest.mark.parametrize("operator", [False, True])
def test_what_was_signed_is_read(client_id: str | None, operator: bool) -> None:
    session = Session(id="b", client_id=client_id, operator=operator, expires_at=NOON + timedelta(hours=1))

    assert OURS.read(OURS.sign(session), now=NOON) == session


def test_a_session_ends_with_its_time() -> None:
    value = OURS.sign(SESSION)

    assert OURS.read(value, now=NOON + timedelta(minutes=59))
    with pytest.raises(NotSignedIn):
        OURS.read(value, now=NOON + timedelta(hours=1))


def test_a_session_is_no_access_token_here_and_at_the_website() -> None:
    value = OURS.sign(SESSION)

    with pytest.raises(NotSignedIn):
        Verifier([SECRET]).client_in(value)
    website = Flask("website")
    website.config["JWT_SECRET_KEY"] = SECRET
    JWTManager(website)
    with website.app_context(), pytest.raises(jwt.InvalidSignatureError):
        decode_token(value)


def test_an_access_token_is_no_session() -> None:
    with pytest.raises(NotSignedIn):
        OURS.read(token(OWNER, secret=SECRET, jti="x", operator=True), now=NOON)


@pytest.mark.parametrize("value", ["", "nonsense", "a.b.c", jwt.encode({"sub": OWNER}, "", algorithm="none")])
def test_anything_else_is_none_either(value: str) -> None:
    with pytest.raises(NotSignedIn):
        OURS.read(value, now=NOON)


def test_in_a_rotation_both_secrets_are_read_and_the_new_one_signs() -> None:
    rotating = Sessions([OTHER, SECRET])

    assert rotating.read(OURS.sign(SESSION), now=NOON) == SESSION
    assert Sessions([OTHER]).read(rotating.sign(SESSION), now=NOON) == SESSION
    with pytest.raises(NotSignedIn):
        Sessions([OTHER]).read(OURS.sign(SESSION), now=NOON)


def test_a_form_token_is_good_for_its_session_alone() -> None:
    other = Session(id="b", client_id=OUTSIDER, operator=False, expires_at=SESSION.expires_at)
    form = OURS.form_token(SESSION)

    assert OURS.is_form_token(form, SESSION)
    assert Sessions([OTHER, SECRET]).is_form_token(form, SESSION)
    assert not OURS.is_form_token(form, other)
    assert not OURS.is_form_token("", SESSION)
    assert not OURS.is_form_token("é", SESSION)
    assert not Sessions([OTHER]).is_form_token(form, SESSION)
