"""Pictures of the staff console on a staged centre.

python -m tests.e2e.console_screenshots FOLDER [--themes light,dark,contrast]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from cloud.migrating import migrate
from simulators.database import DatabaseCluster
from tests.e2e.staged_cloud import ServedCloud, served_cloud
from tests.e2e.test_console_pages import CHROMIUM, FLAGS, PATHS, SIZES, signed_in


def take(browser: Browser, served: ServedCloud, folder: Path, themes: list[str]) -> None:
    """Save console-PAGE-SIZE-THEME.png for every page."""
    for size in SIZES:
        context = signed_in(browser, served, size)
        page = context.new_page()
        for name, path in PATHS.items():
            page.goto(served.url + path)
            for theme in themes:
                page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
                page.screenshot(
                    path=folder / f"console-{name}-{size}-{theme}.png", full_page=True, animations="disabled"
                )
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--themes", default="light")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    cluster = DatabaseCluster()
    cluster.start()
    try:
        url = cluster.create_database("console")
        migrate(url)
        with (
            tempfile.TemporaryDirectory() as folder,
            served_cloud(url, Path(folder)) as served,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            take(browser, served, options.folder, options.themes.split(","))
            browser.close()
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
