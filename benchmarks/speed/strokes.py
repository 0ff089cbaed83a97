"""How long after the pen moved the bars of the page move: headless Chromium on the real server.

`python -m benchmarks.speed.strokes MODEL` takes a model's file, and needs Debian's chromium. A point of a stroke is
drawn, and the next once the answer to it is on the page. The bars have moved once the page has changed; people see it
with the frame after that, which is painted without a graphics card here. Takes half a minute.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.comparison import Figure, arguments, at_most, report
from benchmarks.speed.serving import SERVE, run_server
from tests.drawings import DRAWINGS

WATCH = """() => {
    window.waits = [];
    let moved = null;
    for (const kind of ["pointerrawupdate", "pointermove"])
      document.getElementById("canvas").addEventListener(kind, (event) => { moved ??= event.timeStamp; }, true);
    new MutationObserver(() => {
      if (moved === null) return;
      const since = moved, changed = performance.now() - since, { port1, port2 } = new MessageChannel();
      moved = null;
      port1.onmessage = () => window.waits.push([changed, performance.now() - since]);
      requestAnimationFrame(() => port2.postMessage(0)); // which comes once the frame is painted
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
        changed, painted = zip(*page.evaluate("window.waits"), strict=True)
        browser.close()
    figures = [Figure("from stroke to bars", "ms", changed), Figure("until their frame is painted", "ms", painted)]
    ratios = [
        at_most(f"{figure.name}: {kind}, ms", float(np.percentile(figure.values, share)), 50)
        for figure in figures
        for kind, share in (("median", 50), ("90th percentile", 90), ("99th percentile", 99))
    ]
    report("From stroke to bars", figures, ratios, options)


if __name__ == "__main__":
    main()
