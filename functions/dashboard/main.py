"""The dashboard: the owners' pages, and the operator's."""

import flask
import functions_framework

from functions.dashboard.routes import Dashboard
from shared import engine

DASHBOARD = Dashboard(engine.current())


@functions_framework.http
def dashboard(request: flask.Request) -> flask.typing.ResponseReturnValue:
    return DASHBOARD.answer(request)
