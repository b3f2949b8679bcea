"""The page in a real browser, on the real service: what becomes of the pictures that people add."""

import base64
import io
import zipfile
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser import Visit, content, picture
from tests.serving_process import Service
from tests.uploads import RED_BOX, UPRIGHT, encoded, photo

pytest_plugins = ["tests.browser"]

NO_WINDOW = encoded(Image.new("RGB", (30, 20)))
TIFF = encoded(Image.open(io.BytesIO(photo())), "TIFF")


def answer_of(service: Service, picture: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.post(f"{service.url}/predict", files={"image": picture}, timeout=60).json()
    return answer


def mask_of(service: Service, picture: bytes) -> bytes:
    return base64.b64decode(answer_of(service, picture)["mask"])


def test_several_pictures_at_once_each_get_their_verdict_and_a_bad_one_harms_no_other(
    visitor: Visit, service: Service
) -> None:
    visitor.add(
        picture("a.png"),
        picture("broken.jpg", photo(kind="JPEG")[:-40]),
        picture("wall.png", NO_WINDOW),
        picture("notes.txt", b"a text"),
        picture("b.png"),
    )
    assert visitor.verdicts() == [
        "Window found",
        "A part of this picture is missing. Copy it from the camera again.",
        "No window found",
        "This is not a picture we can read. Use JPEG, PNG, WebP, BMP or TIFF.",
        "Window found",
    ]
    expect(visitor.page.locator("#summary")).to_have_text("2 windows found, 1 without a window, 2 failed")
    confidence = answer_of(service, photo())["confidence"]
    expect(visitor.page.locator(".sureness").first).to_have_text(f"Very sure{confidence:.0%}")
    expect(visitor.page.locator("#model")).to_contain_text("version 7")


def test_dropped_pictures_are_looked_at(visitor: Visit) -> None:
    drop = """bytes => {
        const carried = new DataTransfer();
        carried.items.add(new File([Uint8Array.from(bytes)], "dropped.png"));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
    }"""
    visitor.page.evaluate(drop, list(photo()))
    visitor.wait()
    assert visitor.verdicts() == ["Window found"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_phone_photo_stands_upright_under_its_outline(visitor: Visit, orientation: int, kind: str) -> None:
    visitor.add(picture("IMG_0001.jpg", photo(orientation, kind)))
    (left, top, right, bottom), (width, height) = RED_BOX, UPRIGHT
    assert visitor.pixel(".picture", (left + right) / 2 / width, (top + bottom) / 2 / height)[0] > 200
    assert visitor.pixel(".picture", 0.5, 0.75)[0] < 50
    outline = visitor.page.locator(".outline")
    assert outline.get_attribute("viewBox") == f"0 0 {width} {height}"
    points = visitor.page.locator(".outline polygon").last.get_attribute("points") or ""
    rim = [tuple(map(float, point.split(","))) for point in points.split()]
    seen = [min(x for x, _ in rim), min(y for _, y in rim), max(x for x, _ in rim), max(y for _, y in rim)]
    assert seen == pytest.approx(RED_BOX, abs=3)


def test_the_straightened_window_is_shown_and_can_be_turned_over(visitor: Visit) -> None:
    visitor.add(picture())
    assert visitor.pixel(".window", 0.5, 0.5)[0] > 200
    visitor.page.get_by_role("button", name="Turn the window over").click()
    assert visitor.page.locator(".window").evaluate("canvas => getComputedStyle(canvas).transform").startswith("matrix")


def turned_webp() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = Image.open(io.BytesIO(photo())).transpose(Image.Transpose.ROTATE_180)
    return encoded(turned, "WEBP", exif=exif, lossless=True)


@pytest.mark.parametrize("unseen", [TIFF, turned_webp()], ids=["TIFF", "a WebP that the browser would not turn"])
def test_what_the_browser_cannot_show_has_its_window_and_mask_all_the_same(
    visitor: Visit, service: Service, unseen: bytes
) -> None:
    visitor.add(picture("scan", unseen))
    expect(visitor.page.locator(".advice")).to_contain_text("cannot show this kind of file")
    assert visitor.pixel(".window", 0.5, 0.5)[0] > 200
    assert content(visitor.saved_by("Download mask")) == mask_of(service, unseen)


def test_one_mask_is_saved_under_its_pictures_name(visitor: Visit, service: Service) -> None:
    visitor.add(picture("Łazienka 2.jpeg"))
    saved = visitor.saved_by("Download mask: Łazienka 2.jpeg")
    assert saved.suggested_filename == "Łazienka 2-mask.png"
    assert content(saved) == mask_of(service, photo())


def test_the_zip_holds_the_services_masks_under_names_of_their_own(visitor: Visit, service: Service) -> None:
    other = encoded(Image.open(io.BytesIO(photo())).resize((96, 192)))
    visitor.add(
        picture("image.png"),
        picture("IMAGE.jpg", other),
        picture("zdje\u0328cie żółw 水表.png"),  # as macOS spells it
        picture("a:b.png"),
        picture("wall.png", NO_WINDOW),
    )
    saved = visitor.saved_by("Download all (zip)")
    assert saved.suggested_filename == "masks.zip"
    with zipfile.ZipFile(io.BytesIO(content(saved))) as archive:
        assert archive.testzip() is None
        masks = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        assert {entry.date_time[0] >= 2026 for entry in archive.infolist()} == {True}
    usual = mask_of(service, photo())
    assert masks == {
        "image-mask.png": usual,
        "IMAGE-mask-2.png": mask_of(service, other),
        "zdjęcie żółw 水表-mask.png": usual,
        "a_b-mask.png": usual,
    }
