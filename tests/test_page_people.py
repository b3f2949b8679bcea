"""The page for everybody: in Polish, by keyboard, with a screen reader, on a small phone, without motion."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Visit, picture, visit
from tests.serving_process import Service

pytest_plugins = ["tests.browser"]

PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1 zdjęcie"), (2, "2 zdjęcia"), (5, "5 zdjęć"), (12, "12 zdjęć"), (22, "22 zdjęcia")]
)
def test_polish_counts_as_poles_do(browser: Browser, service: Service, number: int, said: str) -> None:
    with visit(browser, service.url, locale="pl-PL") as visitor:
        visitor.add(*[picture("x.txt", b"x")] * number)
        expect(visitor.page.locator("#count")).to_have_text(said)


def test_polish_is_for_browsers_that_ask_for_it_and_a_choice_is_remembered(browser: Browser, service: Service) -> None:
    with visit(browser, service.url, locale="pl-PL") as visitor:
        page = visitor.page
        assert page.locator("html").get_attribute("lang") == "pl"
        visitor.add(picture())
        assert visitor.verdicts() == ["Znaleziono okienko"]
        expect(page.locator("#model")).to_contain_text("Dice 0,910")
        page.get_by_role("button", name="English").click()
        assert visitor.verdicts() == ["Window found"]
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Find the reading window")
        assert page.locator("html").get_attribute("lang") == "en"


def test_both_languages_say_the_same_things(visitor: Visit) -> None:
    script = """async () => {
        const { english } = await import("/page/english.js");
        const { polish } = await import("/page/polish.js");
        return [english, polish];
    }"""
    english, polish = visitor.page.evaluate(script)
    assert blanks(english) == blanks(polish)


def blanks(entry: Any) -> Any:
    """What an entry leaves to be filled in; entries of plural forms are one entry."""
    if isinstance(entry, str):
        return sorted(part.split("}")[0] for part in entry.split("{")[1:])
    if "other" in entry:
        forms = [blanks(form) for form in entry.values()]
        assert all(form == forms[0] for form in forms)
        return forms[0]
    return {name: blanks(part) for name, part in entry.items()}


def test_everything_goes_by_keyboard_and_the_focus_is_seen(visitor: Visit) -> None:
    page = visitor.page
    page.on("filechooser", lambda _: None)  # from now on: told only when the key is pressed, Chromium may be too late
    focused = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"

    def tab() -> str:
        page.keyboard.press("Tab")
        ring = "() => getComputedStyle(document.activeElement.closest('label') ?? document.activeElement).outlineStyle"
        assert page.evaluate(ring) == "solid"
        return str(page.evaluate(focused))

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert tab() == "Choose pictures"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([picture("a.png"), picture("b.png")])
    visitor.wait()
    assert [tab() for _ in range(4)] == [
        "Clear",
        "Download all (zip)",
        "Download mask: a.png",
        "Turn the window over: a.png",
    ]
    page.keyboard.press("Shift+Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "a-mask.png"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(0)
    assert page.evaluate(focused) == "Choose pictures"


def test_a_screen_reader_finds_landmarks_headings_pictures_and_named_buttons(visitor: Visit) -> None:
    visitor.add(picture("a.png"))
    visitor.pixel(".window", 0.5, 0.5)
    expect(visitor.page.locator("body")).to_match_aria_snapshot("""
        - banner:
          - heading "Find the reading window" [level=1]
          - group "Language":
            - button "English" [pressed]
            - button "Polski"
        - main:
          - region "Add pictures":
            - button "Choose pictures"
          - region "Results":
            - heading "1 picture" [level=2]
            - button "Clear"
            - list:
              - listitem:
                - img "a.png, with the reading window outlined"
                - heading "a.png" [level=3]
                - img "The reading window of a.png, straightened"
                - meter "Confidence"
                - 'button "Download mask: a.png"'
          - status: "a.png: Window found"
        - contentinfo:
          - paragraph:
            - link "API for programs"
    """)


@pytest.mark.parametrize("locale", ["en-GB", "pl-PL"])
def test_a_small_phone_scrolls_downwards_only_and_has_buttons_for_thumbs(
    browser: Browser, service: Service, locale: str
) -> None:
    with visit(browser, service.url, locale=locale, **PHONE) as visitor:
        expect(visitor.page.locator("#with-camera")).to_be_visible()
        assert visitor.page.locator("#camera").get_attribute("capture") == "environment"
        visitor.add(picture("a_very_long_name_of_a_picture_without_any_space_in_it.png"), picture("x.txt", b"x"))
        assert visitor.page.evaluate("document.documentElement.scrollWidth") == 320
        small = [
            button.inner_text()
            for button in visitor.page.locator(".button:visible").all()
            if min((button.bounding_box() or {}).get(side, 0) for side in ("width", "height")) < 44
        ]
        assert small == []


def test_who_wants_less_motion_gets_none(browser: Browser, service: Service) -> None:
    with visit(browser, service.url, reduced_motion="reduce") as visitor:
        visitor.page.route("**/predict*", lambda route: None)
        visitor.page.set_input_files("#chooser", [picture()])
        expect(visitor.page.locator(".verdict")).to_have_text("Looking for the window…")
        motion = "view => getComputedStyle(view, '::after').animationName"
        assert visitor.page.locator(".view").evaluate(motion) == "none"
        visitor.page.unroute_all(behavior="ignoreErrors")
