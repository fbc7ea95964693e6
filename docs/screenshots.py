"""Take the pictures of the report that the README shows: python docs/screenshots.py

Run by hand at the top of the repository after `make report`; needs Chromium.
"""

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from synset_factory import layout

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = {"width": 1280, "height": 900}
DOCS = Path(__file__).parent
CLASS_SHOWN = "n01847000"  # drake


def take(page: Page, name: str, picture: str, ready: str) -> None:
    """Open a page of the report, wait for what it shows last, and keep its top."""
    page.goto((layout.REPORT / name).resolve().as_uri())
    page.wait_for_selector(ready)
    path = DOCS / picture
    page.screenshot(path=path)
    # 256 colours: the pictures are kept in git.
    with Image.open(path) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)


def main() -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("Chromium is needed to take the pictures; install it.")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root, and the pages are ours.
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport=SIZE, color_scheme="light")
        take(page, "index.html", "report.png", ".chart svg")
        take(page, f"classes/{CLASS_SHOWN}.html", "report_class.png", ".strip img")
        chromium.close()


if __name__ == "__main__":
    main()
