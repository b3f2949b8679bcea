"""The page when the service is busy, loading, out of reach or locked, and when there are many pictures."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser import Visit, picture, visit
from tests.serving_process import Service, serving

pytest_plugins = ["tests.browser"]


def refusing(code: str, times: int) -> Any:
    """A service that has no place, or no model yet, for the first `times` requests."""
    asked = []

    def answer(route: Route) -> None:
        asked.append(route)
        if len(asked) > times:
            route.fallback()
        else:
            problem = {"error": code, "message": "later"}
            route.fulfill(status=503, headers={"Retry-After": "0.3"}, json=problem)

    return answer


def test_a_busy_service_is_waited_for(visitor: Visit) -> None:
    visitor.page.route("**/predict*", refusing("overloaded", 2))
    visitor.page.set_input_files("#chooser", [picture()])
    expect(visitor.page.locator(".verdict")).to_have_text("The service is busy. Trying again in a moment…")
    expect(visitor.page.locator(".verdict")).to_have_text("Window found")


def test_a_service_that_stays_busy_is_left_alone_until_somebody_tries_again(visitor: Visit) -> None:
    visitor.page.route("**/predict*", refusing("overloaded", 9))
    visitor.add(picture())
    expect(visitor.page.locator(".verdict")).to_contain_text("Too many pictures are being looked at")
    visitor.page.get_by_role("button", name="Try again: meter.png").click()
    expect(visitor.page.locator(".verdict")).to_have_text("Window found")


def test_a_service_that_still_loads_says_so_and_the_picture_waits(browser: Browser, service: Service) -> None:
    with visit(browser, service.url) as visitor:
        visitor.page.route("**/version", refusing("not-ready", 3))
        visitor.page.route("**/predict*", refusing("not-ready", 3))
        visitor.page.reload()
        expect(visitor.page.locator("#model")).to_have_text("The service is starting: its model is still loading.")
        visitor.page.set_input_files("#chooser", [picture()])
        expect(visitor.page.locator(".verdict")).to_have_text("The service is still starting. This picture waits…")
        expect(visitor.page.locator(".verdict")).to_have_text("Window found")
        expect(visitor.page.locator("#model")).to_contain_text("version 7")


def test_a_lost_connection_is_told_and_can_be_tried_again(visitor: Visit) -> None:
    visitor.page.context.set_offline(True)
    visitor.add(picture("a.png"), picture("b.png"))
    assert set(visitor.verdicts()) == {"The service does not answer. Check the connection, then try again."}
    visitor.page.context.set_offline(False)
    visitor.page.get_by_role("button", name="Try failed ones again").click()
    visitor.wait()
    assert visitor.verdicts() == ["Window found"] * 2


def test_a_hundred_pictures_go_two_at_a_time_in_few_canvases_and_few_spoken_words(visitor: Visit) -> None:
    count_words = """() => {
        window.spoken = 0;
        new MutationObserver(() => { window.spoken += 1; }).observe(
            document.getElementById("announcer"), { childList: true });
    }"""
    visitor.page.evaluate(count_words)
    visitor.add(*[picture("image.png")] * 100)
    expect(visitor.page.locator("#summary")).to_have_text("100 windows found")
    expect(visitor.page.locator("#announcer")).to_have_text("All done: 100 windows found.")
    assert visitor.most_in_flight == 2
    assert visitor.page.evaluate("window.spoken") < 20
    visitor.pixel(".card:first-child .picture", 0.5, 0.5)
    drawn = "() => [...document.querySelectorAll('canvas')].filter((canvas) => canvas.width > 0).length"
    assert 0 < visitor.page.evaluate(drawn) < 60
    visitor.page.locator(".card").last.scroll_into_view_if_needed()
    visitor.pixel(".card:last-child .picture", 0.5, 0.5)
    expect(visitor.page.locator(".card:first-child .picture")).to_have_attribute("width", "0")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that wants a key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WMS_SERVING_API_KEY", "open-sesame")
        with serving(tmp_path_factory.mktemp("locked")) as started:
            yield started


def test_a_key_is_asked_for_once_and_the_pictures_go_on(browser: Browser, locked: Service) -> None:
    with visit(browser, locked.url) as visitor:
        page = visitor.page
        page.set_input_files("#chooser", [picture("a.png"), picture("b.png"), picture("c.png")])
        page.get_by_label("Key", exact=True).fill("a guess")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_hidden()  # keys have no spaces: the browser says so
        page.get_by_label("Key", exact=True).fill("guess")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("This key was not accepted.")
        page.get_by_label("Key", exact=True).fill("open-sesame")
        page.keyboard.press("Enter")
        visitor.wait()
        assert visitor.verdicts() == ["Window found"] * 3
        page.reload()
        visitor.add(picture())
        assert visitor.verdicts() == ["Window found"]


def test_who_has_no_key_leaves_by_escape_and_may_try_again(browser: Browser, locked: Service) -> None:
    with visit(browser, locked.url) as visitor:
        page = visitor.page
        page.set_input_files("#chooser", [picture("a.png"), picture("b.png"), picture("c.png")])
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        visitor.wait()
        assert set(visitor.verdicts()) == {
            "The service wants a key. Get one from whoever runs it, then try again.",
        }
        page.get_by_role("button", name="Try again: b.png").click()
        expect(page.get_by_role("dialog")).to_be_visible()
