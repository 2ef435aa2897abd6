"""A browser without scripts: signs in, follows forms, and says where its requests come from."""

import re
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.functions.tokens import bearer
from tests.functions.world import World

HERE = {"Sec-Fetch-Site": "same-origin"}
JSON = {"Accept": "application/json"}


class Browser:
    """Somebody who is signed in on the dashboard, or nobody yet."""

    def __init__(self, world: World, client_id: str | None = None) -> None:
        self.client: FlaskClient = world.apps["dashboard"].test_client()
        self.form_token = ""
        if client_id is not None:
            assert self.client.post("/session", headers=bearer(client_id)).status_code == 303
            self.form_token = form_token(self.get("/").text)

    def get(self, path: str, **headers: str) -> TestResponse:
        """A page."""
        return self.client.get(path, headers=headers)

    def submit(self, path: str, *, headers: dict[str, str] | None = None, **values: Any) -> TestResponse:
        """A form of one of our pages."""
        data = {"form_token": self.form_token, **values}
        return self.client.post(path, data=data, headers={**HERE, **(headers or {})})

    def press(self, path: str, **values: Any) -> TestResponse:
        """What the scripts of our pages send."""
        return self.submit(path, headers=JSON, **values)


def form_token(page: str) -> str:
    """The token in the page's forms."""
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found is not None, page
    return found[1]


def words(page: str) -> str:
    """What a reader sees of a page, in one line."""
    shown = re.sub(r"<dialog.*?</dialog>", " ", page, flags=re.DOTALL)
    shown = re.sub(r"<[^>]*>", " ", re.sub(r"</?(b|q|strong|time)\b[^>]*>", "", shown))
    return " ".join(unescape(shown).split())
