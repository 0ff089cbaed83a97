"""What a person sees in Prefect's UI after a run: headless Chromium on the real server.

Needs Debian's `chromium` (apt install chromium) and playwright (in the extra "test"). Screenshots are kept where the
environment variable SCREENSHOTS says, or in build/screenshots.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install -e '.[test]'")
CHROMIUM = shutil.which("chromium")
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", ROOT / "build" / "screenshots"))
SHOWN = "img => img.complete && img.naturalWidth > 100 && img.getBoundingClientRect().height > 50"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: apt install chromium")


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 860})
        tab.set_default_timeout(60_000)
        yield tab
        browser.close()


@pytest.fixture(scope="module")
def site(server: str) -> str:
    return server.removesuffix("/api")


@pytest.fixture(scope="module")
def run(server: str, first: tuple[Path, subprocess.CompletedProcess[str]]) -> dict[str, Any]:
    """The pipeline's run of the fixture `first`: the earliest."""
    chosen = {"flows": {"name": {"any_": ["full_pipeline"]}}, "sort": "START_TIME_ASC", "limit": 1}
    [found] = httpx.post(f"{server}/flow_runs/filter", json=chosen).json()
    content: dict[str, Any] = found
    return content


@pytest.fixture(scope="module")
def artifacts(server: str, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    chosen = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}}
    return {found["key"]: found for found in httpx.post(f"{server}/artifacts/filter", json=chosen).json()}


def shot(page: Any, name: str) -> None:
    page.wait_for_timeout(1500)  # graphs and fonts
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_run_page(page: Any, site: str, run: dict[str, Any]) -> None:
    page.goto(f"{site}/runs/flow-run/{run['id']}")
    page.get_by_text(run["name"]).first.wait_for()
    for tag in ("pipeline", "quick"):
        page.get_by_text(tag, exact=True).first.wait_for()
    page.get_by_text("model: val_loss").first.wait_for()  # the stages' lines are on this page
    shot(page, "run")
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("cnn-learning-rate-trials").first.wait_for()
    shot(page, "run_artifacts")


def test_trials_carry_their_scores(page: Any, site: str, server: str, run: dict[str, Any]) -> None:
    chosen = {"flows": {"name": {"any_": ["cnn_learning_rate"]}}, "sort": "START_TIME_ASC", "limit": 1}
    [study] = httpx.post(f"{server}/flow_runs/filter", json=chosen).json()
    page.goto(f"{site}/runs/flow-run/{study['id']}")
    page.get_by_text("Task Runs", exact=True).first.click()
    page.get_by_text("cnn_learning_rate trial 11 of 11 · val_loss").first.wait_for()
    shot(page, "study")


def test_leaderboard(page: Any, site: str, artifacts: dict[str, dict[str, Any]]) -> None:
    page.goto(f"{site}/artifacts/artifact/{artifacts['cnn-learning-rate-trials']['id']}")
    page.get_by_text("CNN learning rate: 11 trials").wait_for()
    for column in ("rank", "val_loss", "learning_rate"):
        page.get_by_text(column, exact=True).first.wait_for()
    shot(page, "leaderboard")


def test_progress(page: Any, site: str, artifacts: dict[str, dict[str, Any]]) -> None:
    page.goto(f"{site}/artifacts/artifact/{artifacts['cnn-learning-rate-progress']['id']}")
    page.get_by_text("trial 11 of 11, best val_loss").wait_for()
    page.get_by_text("100%").wait_for()
    shot(page, "progress")


def test_report_with_pictures(page: Any, site: str, artifacts: dict[str, dict[str, Any]]) -> None:
    page.goto(f"{site}/artifacts/artifact/{artifacts['report']['id']}")
    page.get_by_role("heading", name="Test accuracy").wait_for()
    names = re.findall(r"!\[(\w+)\]\(", artifacts["report"]["data"])  # with a gallery of mistakes, if any was made
    assert {"comparison", "confusion_matrix", "study_cnn_bayesian"} <= set(names)
    for name in names:
        picture = page.locator(f"img[alt='{name}']")
        picture.scroll_into_view_if_needed()
        assert picture.evaluate(SHOWN), name
    page.locator("img[alt='confusion_matrix']").scroll_into_view_if_needed()
    shot(page, "report_pictures")
    page.get_by_role("heading", name="Test accuracy").scroll_into_view_if_needed()
    shot(page, "report")


def test_the_form_leaves_budgets_to_the_profile(page: Any, site: str, server: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PREFECT_API_URL": server, "PREFECT_HOME": str(tmp_path)}
    for command in (
        ["work-pool", "create", "mnist", "--type", "process", "--overwrite"],
        ["--no-prompt", "deploy", "--name", "nightly", "--prefect-file", "deployments/prefect.yaml"],
    ):
        subprocess.run(
            [sys.executable, "-m", "prefect", *command], env=environment, cwd=ROOT, check=True, capture_output=True
        )
    deployment = httpx.get(f"{server}/deployments/name/full_pipeline/nightly").json()["id"]
    page.goto(f"{site}/deployments/deployment/{deployment}/run")
    page.get_by_text("Set of budgets: quick").wait_for()
    shot(page, "form")
    page.get_by_role("button", name="Submit").last.click()
    page.wait_for_url("**/deployments/deployment/*")
    chosen = {"deployments": {"id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_DESC"}
    page.wait_for_timeout(1000)
    runs = httpx.post(f"{server}/flow_runs/filter", json=chosen).json()
    switches = dict.fromkeys(("refresh", "drop_leaks", "transposed"), False)  # a form sends them as they stand
    assert runs[0]["parameters"]["settings"] == {"profile": "quick", "reserve": 0.5, **switches}
    for each in runs:
        httpx.delete(f"{server}/flow_runs/{each['id']}")
