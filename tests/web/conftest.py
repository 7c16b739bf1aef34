"""The app on a counter that shows what it is told to."""

from __future__ import annotations

from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.fake import FakeCounter
from tests.web.samples import AT
from web import WebSettings, create_app

HOST = "localhost"
OURS = {"Origin": f"http://{HOST}"}


@pytest.fixture
def counter() -> FakeCounter:
    return FakeCounter()


@pytest.fixture
def app(counter: FakeCounter) -> Flask:
    return create_app(counter, WebSettings(hosts=(HOST,)), now=lambda: datetime.fromisoformat(AT))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
