"""The API's documentation in a real browser: it shows the API, and asks nobody but this service."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import sync_playwright

from serving.docs_page import add_docs
from tests.live_app import live


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    app = FastAPI(title="Reading windows", docs_url=None, redoc_url=None)

    @app.post("/predict", summary="Find the window")
    async def predict() -> dict[str, bool]:
        return {"found": True}

    add_docs(app)
    with live(app) as client:
        yield client


def test_an_app_with_documentation_from_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="docs_url=None"):
        add_docs(FastAPI())


def test_scripts_that_are_not_the_pages_own_may_not_run(http: httpx.Client) -> None:
    policy = http.get("/docs").headers["content-security-policy"]
    (scripts,) = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert "'sha256-" in scripts
    assert "unsafe" not in scripts


def test_a_browser_shows_the_api_tries_it_and_asks_nobody_else(http: httpx.Client) -> None:
    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{http.base_url}/docs")
        page.get_by_text("Find the window").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table").get_by_text('"found": true').wait_for()
        browser.close()
    assert said == []
    assert {httpx.URL(url).netloc for url in asked if not url.startswith("data:")} == {http.base_url.netloc}
