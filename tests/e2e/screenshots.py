"""Pictures of every screen of the kiosk and of the status page, on a staged lot.

    python -m tests.e2e.screenshots FOLDER [PANEL …] [--languages en,de] [--themes light,dark,contrast]

for example `python -m tests.e2e.screenshots /tmp/pictures 800x480 1080x1920`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from prometheus_client import CollectorRegistry

from edge.api.app import make_app
from parking.clock import CivilScale, ScaledClock
from tests.e2e.served import Served, served
from tests.e2e.test_kiosk_pages import CHROMIUM, FLAGS, Stage, dress, opened
from tests.unit.edge.api.scenes import DEVICES, ENTRY, EXIT, NOW, SCREENS, SITE, STATUS, TOKENS
from tests.unit.edge.api.staged_desk import StagedDesk


def take(page: Page, stage: Stage, panel: str, options: argparse.Namespace) -> None:
    """Save NAME-LANGUAGE-PANEL-THEME.png for every screen."""
    width, height = (int(side) for side in panel.split("x"))
    page.set_viewport_size({"width": width, "height": height})
    for name in SCREENS:
        for language in options.languages.split(","):
            opened(page, stage, name, language)
            for theme in options.themes.split(","):
                dress(page, theme)
                page.screenshot(
                    path=options.folder / f"{name}-{language}-{panel}-{theme}.png", animations="disabled"
                )


def take_status(page: Page, server: Served, options: argparse.Namespace) -> None:
    """Save status-THEME.png, as a phone shows it."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url)
    for theme in options.themes.split(","):
        dress(page, theme)
        page.screenshot(path=options.folder / f"status-{theme}.png", full_page=True, animations="disabled")


def main() -> None:
    parser = argparse.ArgumentParser(description="pictures of the kiosk and the status page")
    parser.add_argument("folder", type=Path)
    parser.add_argument("panels", nargs="*", default=["800x480"])
    parser.add_argument("--languages", default="en")
    parser.add_argument("--themes", default="light")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    desk = StagedDesk({"lane-1": ENTRY, "lane-3": EXIT}, STATUS)
    clock = ScaledClock(
        source=lambda: 1000.0, scale=CivilScale(anchor_at=NOW, anchor_monotonic=1000.0, speed=1)
    )
    with (
        served(make_app(desk, DEVICES, clock, SITE, CollectorRegistry())) as server,
        sync_playwright() as chromium,
    ):
        browser = chromium.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(f"{server.url}/?token={TOKENS['staff']}")
        for panel in options.panels:
            take(page, Stage(server=server, desk=desk), panel, options)
        take_status(page, server, options)
        browser.close()


if __name__ == "__main__":
    main()
