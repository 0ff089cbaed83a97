"""The page to draw on, as a person uses it: headless Chromium on the real server.

Needs Debian's `chromium` and playwright (in the extra "test"). Screenshots are kept where the environment variable
SCREENSHOTS says, or in build/screenshots.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from mnist_models.foundation.store import Store
from running.ports import free_port
from tests.drawings import DRAWINGS, Stroke
from tests.running.test_ui import CHROMIUM, SCREENSHOTS, playwright
from tests.serving import FRUIT, draw_fruit, model_server

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: apt install chromium")
LARGE, PHONE = {"width": 1100, "height": 800}, {"width": 390, "height": 844}
SLOW = 30_000  # milliseconds


@pytest.fixture(scope="module")
def url(champion: Store) -> Iterator[str]:
    port = free_port()
    with model_server(port, "--store", str(champion.root)):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    with open_page(browser, url, viewport=LARGE) as tab:
        yield tab


def open_page(browser: Any, url: str, **options: Any) -> Any:
    tab = browser.new_page(**options)
    tab.set_default_timeout(SLOW)
    tab.goto(url)
    tab.locator("#bars li").first.wait_for()
    return tab


def draw(tab: Any, strokes: list[Stroke]) -> None:
    box = tab.locator("#canvas").bounding_box()
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        tab.mouse.move(*points[0])
        tab.mouse.down()
        for point in points[1:]:
            tab.mouse.move(*point, steps=3)
        tab.mouse.up()


def expect_answer(tab: Any, label: str) -> None:
    tab.wait_for_function("label => document.getElementById('answer').textContent === label", arg=label)


def photograph(strokes: list[Stroke]) -> bytes:
    """A digit in blue ink on a sheet in half shadow, as a JPEG of a camera's size."""
    sheet = Image.new("RGB", (1200, 900), (214, 208, 196))
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        pen.line([(500 + 400 * x, 300 + 400 * y) for x, y in stroke], fill=(40, 50, 120), width=16, joint="curve")
    shade = np.linspace(1, 0.6, 1200)[None, :, None]
    noise = np.random.default_rng(1).normal(0, 4, (900, 1200, 1))
    pixels = (np.asarray(sheet.filter(ImageFilter.GaussianBlur(2))) * shade + noise).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def test_ten_drawings_give_the_right_digits_while_they_are_drawn(page: Any, url: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.locator("#bars li").first.wait_for()
    for digit, strokes in DRAWINGS.items():
        draw(page, strokes)
        expect_answer(page, digit)
        assert page.locator("#bars .best .name").text_content() == digit
        page.keyboard.press("Escape")
        expect_answer(page, "?")
    assert asked
    assert not [address for address in asked if not address.startswith((url, "data:"))]


def test_what_the_network_sees_and_what_is_read_out(page: Any) -> None:
    draw(page, DRAWINGS["3"])
    expect_answer(page, "3")
    assert page.locator("#seen").evaluate("img => img.complete && img.naturalWidth") == 28
    page.wait_for_function("() => document.getElementById('spoken').textContent.startsWith('3, ')")
    assert page.locator("#spoken").get_attribute("aria-live") == "polite"
    page.screenshot(path=SCREENSHOTS / "demo_light.png")


def test_undo_takes_back_a_stroke(page: Any) -> None:
    draw(page, [*DRAWINGS["1"], [(0.2, 0.2), (0.9, 0.9)], [(0.1, 0.8), (0.9, 0.1)]])
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Undo").click()
    expect_answer(page, "1")
    page.get_by_role("button", name="Clear").click()
    expect_answer(page, "?")
    assert page.get_by_role("button", name="Undo").is_disabled()


def test_a_photograph_is_dropped_chosen_and_pasted(page: Any) -> None:
    give = """([bytes, way]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "photo.jpg", { type: "image/jpeg" }));
        const event = way === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
          : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
        document.body.dispatchEvent(event);
    }"""
    page.evaluate(give, [list(photograph(DRAWINGS["5"])), "drop"])
    expect_answer(page, "5")
    page.screenshot(path=SCREENSHOTS / "demo_photograph.png")
    page.evaluate(give, [list(photograph(DRAWINGS["3"])), "paste"])
    expect_answer(page, "3")
    photo = {"name": "7.jpg", "mimeType": "image/jpeg", "buffer": photograph(DRAWINGS["7"])}
    page.locator("#file").set_input_files(photo)
    expect_answer(page, "7")


def test_a_picture_in_which_nothing_is_drawn_is_said(page: Any) -> None:
    file = io.BytesIO()
    Image.new("L", (50, 50), 255).save(file, "PNG")
    page.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": file.getvalue()})
    page.get_by_text("nothing is drawn").wait_for()


def test_the_keyboard_alone_draws(page: Any) -> None:
    while page.evaluate("document.activeElement.id") != "canvas":
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    for _ in range(14):
        page.keyboard.press("ArrowDown")
    expect_answer(page, "1")
    page.keyboard.press("Control+z")
    expect_answer(page, "?")


def test_a_phone_has_no_sideways_scrolling_and_a_finger_draws(browser: Any, url: str) -> None:
    with open_page(browser, url, viewport=PHONE, device_scale_factor=2, has_touch=True, is_mobile=True) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        touch = """points => {
            const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
            points.forEach(([x, y], number) => canvas.dispatchEvent(new PointerEvent(
              number === 0 ? "pointerdown" : number === points.length - 1 ? "pointerup" : "pointermove",
              { pointerId: 1, pointerType: "touch", bubbles: true,
                clientX: box.left + x * box.width, clientY: box.top + y * box.height })));
        }"""
        tab.evaluate("HTMLElement.prototype.setPointerCapture = () => {}")  # there is no real finger to capture
        tab.evaluate(touch, DRAWINGS["2"][0])
        expect_answer(tab, "2")
        bottom = tab.locator("#answer").bounding_box()
        assert bottom["y"] + bottom["height"] <= PHONE["height"]
        tab.screenshot(path=SCREENSHOTS / "demo_phone.png")


def test_a_model_of_other_classes_shows_their_names_and_takes_pictures(browser: Any, fruit: Store) -> None:
    port, rng = free_port(), np.random.default_rng(3)
    with (
        model_server(port, "--store", str(fruit.root), "--champion", "fruit"),
        open_page(browser, f"http://127.0.0.1:{port}", viewport=LARGE, bypass_csp=True) as tab,
    ):
        assert tab.locator("h1").text_content() == "What does this picture show?"
        assert tab.locator("#bars .name").all_text_contents() == list(FRUIT)
        draw(tab, DRAWINGS["1"])  # there is no pen
        assert tab.locator("#answer").text_content() == "?"
        for name in FRUIT:
            file = io.BytesIO()
            draw_fruit(name, rng).resize((640, 512)).save(file, "PNG")
            photo = {"name": "photo.png", "mimeType": "image/png", "buffer": file.getvalue()}
            tab.locator("#file").set_input_files(photo)
            expect_answer(tab, name)
        assert tab.locator("#bars .best .name").text_content() == name
        assert tab.locator("#seen").evaluate("img => [img.naturalWidth, img.naturalHeight]") == [40, 32]
        tab.wait_for_timeout(300)  # until the bars have come to rest
        tab.screenshot(path=SCREENSHOTS / "demo_pictures.png")
        assert not serious_problems(tab)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, url: str, scheme: str) -> None:
    with open_page(browser, url, viewport=LARGE, color_scheme=scheme, bypass_csp=True) as tab:
        draw(tab, DRAWINGS["8"])
        expect_answer(tab, "8")
        tab.screenshot(path=SCREENSHOTS / f"demo_{scheme}.png")
        assert not serious_problems(tab)


def serious_problems(tab: Any) -> list[Any]:
    """What axe-core finds on a page that was opened with `bypass_csp`."""
    package = pytest.importorskip("axe_core_python", reason="missing: pip install -e '.[test]'")
    tab.add_script_tag(content=(Path(package.__file__).parent / "axe.min.js").read_text())
    found = tab.evaluate("axe.run()")["violations"]
    return [problem for problem in found if problem["impact"] in ("serious", "critical")]
