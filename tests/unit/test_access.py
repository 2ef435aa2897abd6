"""Who is asking: which of the website's tokens are accepted. They are made here as the website makes them."""

import subprocess
import sys
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha384, sha512
from hmac import new as hmac
from typing import Any

import flask_jwt_extended
import msgspec
import pytest
from flask import Flask

from shared.access import NotSignedIn, Verifier
from tests.pairs import OWNER

SECRET = "a secret of the website, long enough for HS256"
OTHER = "another secret of the website, long enough too"
NOT_VALID = "The access token is not valid."
EXPIRED = "The session has expired; sign in again."


def website_token(*, secret: str = SECRET, refresh: bool = False, identity: str = OWNER, **claims: Any) -> str:
    """A token as the website's flask-jwt-extended issues it on signing in."""
    app = Flask("website")
    app.config["JWT_SECRET_KEY"] = secret
    flask_jwt_extended.JWTManager(app)
    with app.app_context():
        if refresh:
            return str(flask_jwt_extended.create_refresh_token(identity))
        return str(flask_jwt_extended.create_access_token(identity, additional_claims={"username": "ann", **claims}))


def token(claims: dict[str, Any] | None = None, *, secret: str = SECRET, alg: str = "HS256", **changes: Any) -> str:
    """A token made by hand, signed properly whatever stands in it; a claim changed to None is left out."""
    now = int(datetime.now(UTC).timestamp())
    whole = {"sub": OWNER, "type": "access", "iat": now, "exp": now + 900, **(claims or {}), **changes}
    kept = {name: value for name, value in whole.items() if value is not None}
    signed = f"{_base64(msgspec.json.encode({'alg': alg, 'typ': 'JWT'}))}.{_base64(msgspec.json.encode(kept))}"
    digests = {"HS384": sha384, "HS512": sha512}
    mac = b"" if alg == "none" else hmac(secret.encode(), signed.encode(), digests.get(alg, sha256)).digest()
    return f"{signed}.{_base64(mac)}"


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def seconds_from_now(seconds: float) -> int:
    return int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp())


def client(made: str, verifier: Verifier | None = None) -> str:
    return (verifier or Verifier([SECRET])).client_of({"Authorization": f"Bearer {made}"})


def refusal(made: str, verifier: Verifier | None = None) -> str:
    with pytest.raises(NotSignedIn) as error:
        client(made, verifier)
    return str(error.value)


# --- whose token ------------------------------------------------------------------------------------------------------


def test_the_websites_access_token_names_its_client() -> None:
    assert client(website_token()) == OWNER


def test_the_websites_refresh_token_is_refused() -> None:
    assert refusal(website_token(refresh=True)) == "This is not an access token."


def test_a_token_made_by_hand_is_accepted_so_each_refusal_below_has_its_own_reason() -> None:
    assert client(token()) == OWNER


def test_a_client_id_is_known_by_its_usual_spelling() -> None:
    assert client(token(sub=OWNER.upper())) == OWNER


@pytest.mark.parametrize("kind", [None, "refresh", "Access", 1, True])
def test_a_token_of_another_type_or_none_is_refused(kind: object) -> None:
    assert refusal(token(type=kind)) == "This is not an access token."


@pytest.mark.parametrize("subject", ["ann", "", "1", OWNER[:-1]])
def test_a_subject_that_is_no_client_id_is_refused(subject: str) -> None:
    assert refusal(token(sub=subject)) == "The access token names no client."


@pytest.mark.parametrize("claim", ["sub", "exp"])
def test_a_token_without_subject_or_expiry_is_refused(claim: str) -> None:
    assert refusal(token({claim: None})) == NOT_VALID


@pytest.mark.parametrize("subject", [7, ["x"], {"id": OWNER}])
def test_a_subject_of_another_type_is_refused(subject: object) -> None:
    assert refusal(token(sub=subject)) == NOT_VALID


@pytest.mark.parametrize("expiry", ["soon", [], {}, True])
def test_an_expiry_that_is_no_time_does_not_bring_the_service_down(expiry: object) -> None:
    assert refusal(token(exp=expiry)) in {NOT_VALID, EXPIRED}


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [900, 2, -8])
def test_a_token_is_good_until_ten_seconds_after_its_expiry(seconds: int) -> None:
    assert client(token(exp=seconds_from_now(seconds))) == OWNER


@pytest.mark.parametrize("seconds", [-12, -3600])
def test_a_token_is_refused_later_than_ten_seconds_after_its_expiry(seconds: int) -> None:
    assert refusal(token(exp=seconds_from_now(seconds))) == EXPIRED


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_website_whose_clock_is_ten_seconds_ahead_is_borne(claim: str) -> None:
    assert client(token({claim: seconds_from_now(8)})) == OWNER


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_from_further_ahead_is_refused(claim: str) -> None:
    assert refusal(token({claim: seconds_from_now(60)})) == NOT_VALID


# --- signatures -------------------------------------------------------------------------------------------------------


def test_a_token_signed_with_another_secret_is_refused() -> None:
    assert refusal(website_token(secret=OTHER)) == NOT_VALID


def test_an_unsigned_token_is_refused() -> None:
    made = token(alg="none")

    assert refusal(made) == NOT_VALID
    assert refusal(made.rstrip(".")) == NOT_VALID


@pytest.mark.parametrize("alg", ["HS512", "HS384", "RS256", "ES256", "hs256", "None", "NONE"])
def test_a_token_that_names_another_algorithm_is_refused_though_the_secret_signed_it(alg: str) -> None:
    assert refusal(token(alg=alg)) == NOT_VALID


def test_a_token_changed_after_signing_is_refused() -> None:
    head, _, signature = token().split(".")
    _, forged, _ = token(sub="00000000-0000-0000-0000-000000000000").split(".")

    assert refusal(f"{head}.{forged}.{signature}") == NOT_VALID


def test_both_secrets_are_accepted_while_one_is_being_rotated() -> None:
    rotating = Verifier([SECRET, OTHER])

    assert client(website_token(secret=SECRET), rotating) == OWNER
    assert client(website_token(secret=OTHER), rotating) == OWNER
    assert refusal(website_token(secret=SECRET + "!"), rotating) == NOT_VALID


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_an_expired_token_is_called_expired_whichever_secret_signed_it(secret: str) -> None:
    made = token(secret=secret, exp=seconds_from_now(-60))

    assert refusal(made, Verifier([SECRET, OTHER])) == EXPIRED


@pytest.mark.parametrize("configured", [f"{SECRET}\n", f"  {SECRET} ", f"{SECRET}\r\n"])
def test_white_space_around_a_secret_is_no_part_of_it(configured: str) -> None:
    assert client(website_token(), Verifier([configured])) == OWNER


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_a_secret_that_is_empty_signs_nothing(empty: str) -> None:
    assert refusal(token(secret=""), Verifier([SECRET, empty])) == NOT_VALID
    assert refusal(token(secret=""), Verifier([empty])) == NOT_VALID


def test_without_a_secret_nobody_is_signed_in() -> None:
    assert refusal(token(), Verifier([])) == NOT_VALID


# --- audience and issuer ----------------------------------------------------------------------------------------------


def test_audience_and_issuer_are_not_looked_at_unless_configured() -> None:
    assert client(token()) == OWNER
    assert client(token(aud="elsewhere", iss="somebody")) == OWNER


@pytest.mark.parametrize("verifier", [Verifier([SECRET], audience="shop"), Verifier([SECRET], issuer="shop")])
def test_audience_and_issuer_are_demanded_where_configured(verifier: Verifier) -> None:
    assert client(token(aud="shop", iss="shop"), verifier) == OWNER
    assert refusal(token(aud="elsewhere", iss="elsewhere"), verifier) == NOT_VALID
    assert refusal(token(), verifier) == NOT_VALID


# --- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_the_schemes_spelling_does_not_matter(scheme: str) -> None:
    assert Verifier([SECRET]).client_of({"Authorization": f"{scheme}{token()}"}) == OWNER


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x"])
def test_a_request_without_a_token_is_told_to_sign_in(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    with pytest.raises(NotSignedIn, match="Sign in first"):
        Verifier([SECRET]).client_of(headers)


@pytest.mark.parametrize(
    "made", ["x", "a.b.c", "...", "港.港.港", f"{token()}.more", f"{token()} {token()}", "e30.e30."]
)
def test_what_is_no_token_is_refused(made: str) -> None:
    assert refusal(made) == NOT_VALID


def test_no_refusal_repeats_the_token_or_the_secret() -> None:
    made = website_token(secret=OTHER)

    with pytest.raises(NotSignedIn) as error:
        client(made)

    assert made not in repr(error.value)
    assert SECRET not in repr(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


# --- warnings ---------------------------------------------------------------------------------------------------------

SHORT = """
import warnings
warnings.simplefilter("always")
from shared.access import Verifier
for _ in range(2):
    print(Verifier(["short"]).client_of({"Authorization": "Bearer TOKEN"}))
"""


def test_a_short_secret_works_without_a_warning_at_each_request() -> None:
    made = token(secret="short")

    ran = subprocess.run(
        [sys.executable, "-c", SHORT.replace("TOKEN", made)], capture_output=True, text=True, timeout=30, check=True
    )

    assert ran.stdout.split() == [OWNER, OWNER]
    assert ran.stderr == ""
