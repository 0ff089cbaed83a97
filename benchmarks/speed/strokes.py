"""How long after the pen moved the bars of the page move: headless Chromium on the real server.

`python -m benchmarks.speed.strokes MODEL` takes a model's file, and needs Debian's chromium. A point of a stroke is
drawn, and the next once the answer to it is on the page. Takes half a minute.
"""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.comparison import Figure, arguments, at_most, report
from benchmarks.speed.serving import SERVE, run_server
from tests.drawings import DRAWINGS

WATCH = """() => {
    window.waits = [];
    let moved = null;
    document.getElementById("canvas").addEventListener("pointermove", (event) => { moved ??= event.timeStamp; });
    new MutationObserver(() => {
      if (moved !== null) window.waits.push(performance.now() - moved);
      moved = null;
    }).observe(document.getElementById("sure"), { childList: true, characterData: true, subtree: true });
}"""


def main() -> None:
    """Draws ten digits, point by point."""
    parser = arguments(__doc__)
    parser.add_argument("model", type=Path, help="a .tflite, .onnx or .keras file")
    options = parser.parse_args()
    digits = list(DRAWINGS.values())[: 1 if options.quick else None]
    with run_server([*SERVE, "--model", str(options.model)]) as (port, _), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.goto(f"http://127.0.0.1:{port}")
        page.locator("#bars li").first.wait_for()
        page.evaluate(WATCH)
        box = page.locator("#canvas").bounding_box()
        assert box
        for stroke in (stroke for strokes in digits for stroke in strokes):
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                seen = page.evaluate("window.waits.length")
                page.mouse.move(*point)
                page.wait_for_function("seen => window.waits.length > seen", arg=seen)
            page.mouse.up()
            page.keyboard.press("Escape")
            page.wait_for_timeout(100)
        waits = page.evaluate("window.waits")
        browser.close()
    ratios = [
        at_most("from stroke to bars: median, ms", statistics.median(waits), 50),
        at_most("from stroke to bars: 99th percentile, ms", float(np.percentile(waits, 99)), 50),
    ]
    report("From stroke to bars", [Figure("from stroke to bars", "ms", waits)], ratios, options)


if __name__ == "__main__":
    main()
