"""The trigger: the owners' HTTP API."""

import flask
import functions_framework

from functions.trigger.routes import Api
from shared import engine

API = Api(engine.current())


@functions_framework.http
def trigger(request: flask.Request) -> flask.typing.ResponseReturnValue:
    return API.answer(request)
