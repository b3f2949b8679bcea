"""A real browser on the page that a service shows, and what a person does there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Download, FilePayload, Page, Request, expect, sync_playwright

from tests.serving_process import Service, serving
from tests.uploads import photo

_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
PATIENCE: Final = 30_000
"""Milliseconds until something that should appear counts as missing, on a busy machine."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser on this machine; without one the tests are skipped, and say so."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip(f"NO BROWSER: none of {', '.join(_PROGRAMS)} is installed, so nobody tried the page")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visit:
    """Somebody on the page, and what the page asked of the network or complained of meanwhile."""

    page: Page
    origin: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    in_flight: set[Request] = field(default_factory=set)
    most_in_flight: int = 0

    def watch(self) -> None:
        self.page.on("request", self._starts)
        for event in ("requestfinished", "requestfailed"):
            self.page.on(event, lambda request: self.in_flight.discard(request))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hears)

    def _starts(self, request: Request) -> None:
        self.asked.append(request.url)
        if "/predict" in request.url:
            self.in_flight.add(request)
            self.most_in_flight = max(self.most_in_flight, len(self.in_flight))

    def _hears(self, message: Any) -> None:
        refused_by_service = message.text.startswith("Failed to load resource")
        if message.type == "error" and not refused_by_service:
            self.complaints.append(message.text)

    def add(self, *files: FilePayload) -> None:
        """Choose pictures and wait until each has been looked at."""
        self.page.set_input_files("#chooser", files)
        self.wait()

    def wait(self) -> None:
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def verdicts(self) -> list[str]:
        return self.page.locator(".verdict").all_inner_texts()

    def pixel(self, selector: str, x: float, y: float) -> tuple[int, int, int]:
        """Red, green, blue of a canvas at a share of its width and height, once it is drawn."""
        expect(self.page.locator(selector)).not_to_have_attribute("width", "0")
        script = """(canvas, [x, y]) => Array.from(
            canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data.slice(0, 3))"""
        red, green, blue = self.page.locator(selector).evaluate(script, [x, y])
        return red, green, blue

    def saved_by(self, button: str) -> Download:
        """What clicking the button of this name saves."""
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=button).click()
        return download.value


@contextmanager
def visit(browser: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """The page at `url` in a fresh window; it may ask nobody but its own service, and may not fail."""
    context = browser.new_context(**{"locale": "en-GB", **options})
    visitor = Visit(context.new_page(), url)
    visitor.watch()
    visitor.page.goto(url)
    yield visitor
    context.close()
    assert [address for address in visitor.asked if not address.removeprefix("blob:").startswith(f"{url}/")] == []
    assert visitor.complaints == []


def picture(name: str = "meter.png", content: bytes | None = None) -> FilePayload:
    """A file to choose: a picture with a window, unless told otherwise."""
    return {"name": name, "mimeType": "", "buffer": photo() if content is None else content}


def content(download: Download) -> bytes:
    return Path(download.path()).read_bytes()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("page")) as started:
        yield started


@pytest.fixture
def visitor(browser: Browser, service: Service) -> Iterator[Visit]:
    with visit(browser, service.url) as somebody:
        yield somebody
