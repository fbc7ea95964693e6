"""The review page, served for real over the small pipeline: what people do, and nobody may.

A browser drives it with the keyboard; the requests that no browser of ours would send are sent by
hand. Every test finds the file of clarified prompts as it was.
"""

import csv
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pandas as pd
import pytest
from playwright.sync_api import Dialog, Page, sync_playwright

from synset_factory import layout
from tests.external import require
from tests.small_pipeline import environment

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


# What stands for a person's browser when the command opens one: it notes what it was to open.
BROWSER = """
import os, shutil, sys, urllib.parse
path = urllib.parse.urlsplit(sys.argv[1]).path
shutil.copy2(path, "opened.tmp")
os.replace("opened.tmp", "opened.html")
"""


@dataclass(frozen=True)
class Server:
    """The page of one run of `synset-factory review`."""

    folder: Path
    address: str  # with the token

    @property
    def root(self) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def opened(self) -> Path:
        """The file that the browser was told to open."""
        return self.folder / "opened.html"

    def rows(self) -> dict[str, dict[str, str]]:
        with (self.folder / layout.DISAMBIGUATIONS).open(newline="") as stream:
            return {row["wnid"]: row for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def server(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("review") / "clone"
    shutil.copytree(pipeline, folder, ignore=shutil.ignore_patterns("cache", "tmp", ".git"))
    (folder / "browser.py").write_text(BROWSER)
    process = subprocess.Popen(
        ["synset-factory", "review"],
        cwd=folder,
        env=environment(folder) | {"BROWSER": f"{sys.executable} browser.py %s"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = next(
            (found.group() for line in process.stdout if (found := re.search(r"http://\S+", line))),
            None,
        )
        assert address, process.communicate()[1]
        while not (folder / "opened.html").exists():  # half a second after the server started
            time.sleep(0.1)
        yield Server(folder, address)
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def csv_text(server: Server) -> Iterator[str]:
    """The file of clarified prompts, put back afterwards."""
    path = server.folder / layout.DISAMBIGUATIONS
    text = path.read_text()
    yield text
    path.write_text(text)


@pytest.fixture
def wnid(server: Server) -> str:
    """The worst class."""
    listed = (server.folder / layout.REVIEW_LIST).read_text()
    return re.findall(r"\bn\d{8}\b", listed)[0]


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client that was let in, as the browser is: by the address with the token."""
    with httpx.Client(base_url=server.root, follow_redirects=True, timeout=120) as client:
        assert client.get(server.address).status_code == 200
        yield client


def form_of(client: httpx.Client, wnid: str) -> dict[str, str]:
    """What the form of a class holds: the hidden fields with which it is sent."""
    text = client.get(f"/class/{wnid}").text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))
    assert set(hidden) == {"token", "shown"}
    return {**hidden, "reason": "homonym", "note": ""}


def post(client: httpx.Client, server: Server, path: str, form: dict[str, str]) -> httpx.Response:
    """Send a form as the browser does."""
    return client.post(path, data=form, headers={"Origin": server.root})


def faults(response: httpx.Response) -> list[str]:
    return re.findall(r'<p class="fault" role="alert">(.*?)</p>', response.text)


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    """A headless Chromium on the page: skipped without one, but failed where CI=true."""
    browser = require(*BROWSERS)
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root, and the page is ours.
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(120_000)
        page.goto(server.opened.as_uri())  # as a person's browser comes there
        page.wait_for_url(lambda url: url.startswith(f"{server.root}/class/"))
        yield page
        chromium.close()


def test_a_person_tries_a_prompt_and_keeps_it_with_the_keyboard_alone(
    page: Page, server: Server, csv_text: str, wnid: str
) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    assert "token" not in page.url  # a screenshot of the page lets nobody in
    assert stat.S_IMODE(server.opened.stat().st_mode) == 0o600
    page.goto(f"{server.root}/class/{wnid}")
    stored = page.eval_on_selector_all(".strip img", "all => all.map(each => each.naturalWidth)")
    assert stored and all(width == 32 for width in stored)  # every picture of the page is there
    page.keyboard.press("e")
    page.keyboard.type("a singer, in red")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trial")
    page.wait_for_load_state("load")  # the keys are listened to from here on
    sources = page.eval_on_selector_all("#trial img", "all => all.map(each => each.src)")
    drawn = {b64decode(source.partition(",")[2]) for source in sources}
    assert len(sources) == len(drawn) == 3
    assert page.input_value("#prompt") == "a singer, in red"
    assert server.rows().get(wnid, {}).get("prompt") != "a singer, in red"  # tried, not kept
    page.keyboard.press("k")
    page.wait_for_selector(".message")
    page.wait_for_load_state("load")
    assert server.rows()[wnid]["prompt"] == "a singer, in red"
    # 4 + 2 images in each of the four sets that are drawn from clarified prompts.
    assert "24 images (1 class of disamb, disamb10, disamb25, promptaug)" in page.inner_text(
        "#pending"
    )
    page.keyboard.press("n")
    page.wait_for_url(lambda url: wnid not in url)
    page.keyboard.press("p")
    page.wait_for_url(lambda url: url.endswith(wnid))
    assert errors == []


def test_suggestions_are_taken_with_a_number(page: Page, server: Server, wnid: str) -> None:
    page.goto(f"{server.root}/class/{wnid}")
    first = page.get_attribute(".suggestion", "data-prompt")
    page.keyboard.press("1")
    assert page.input_value("#prompt") == first


def test_a_prompt_that_holds_html_is_shown_as_text(
    page: Page, server: Server, csv_text: str, wnid: str
) -> None:
    hostile = "\"'><script>document.title=1</script>"
    page.goto(f"{server.root}/class/{wnid}")
    page.fill("#prompt", hostile)
    page.press("#prompt", "Control+Enter")
    page.wait_for_selector(".message")
    assert server.rows()[wnid]["prompt"] == hostile
    assert page.input_value("#prompt") == hostile
    assert "script>" in page.inner_text(".strips")  # in the caption of its set, as text
    assert page.locator("script").count() == 1  # page.js and no other
    assert page.title() != "1"


def test_what_was_typed_is_not_left_behind_without_a_question(
    page: Page, server: Server, wnid: str
) -> None:
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.goto(f"{server.root}/class/{wnid}")
    page.click("#prompt")
    page.keyboard.type("half a thou")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_url(lambda url: wnid not in url)
    assert asked == ["beforeunload"]


def test_trying_the_prompt_of_the_set_draws_its_stored_images_to_the_byte(
    client: httpx.Client, server: Server, wnid: str
) -> None:
    prompts = pd.read_parquet(server.folder / layout.prompts("synset"))
    prompt = prompts.loc[prompts["wnid"] == wnid, "prompt"].iloc[0]
    tried = post(client, server, f"/class/{wnid}/try", {**form_of(client, wnid), "prompt": prompt})
    drawn = [b64decode(each) for each in re.findall(r"data:image/jpeg;base64,([^\"]+)", tried.text)]
    stored = [client.get(f"/picture/synset/{wnid}/{n}.jpg").content for n in range(3)]
    assert drawn == stored
    scores = re.search(r"(\d+\.\d)%</strong> are recognised;.*?(\d+\.\d)%", tried.text, re.S)
    assert scores and scores[1] == scores[2]


@pytest.mark.parametrize("prompt", ['a "quoted", drake', "<b>drake</b> & duck", "=drake(1)"])
def test_a_prompt_with_quotes_or_html_is_kept_as_it_is(
    client: httpx.Client, server: Server, csv_text: str, wnid: str, prompt: str
) -> None:
    others = {key: row for key, row in server.rows().items() if key != wnid}
    form = {**form_of(client, wnid), "prompt": prompt}
    kept = post(client, server, f"/class/{wnid}/keep", form)
    assert kept.status_code == 200 and "<b>" not in kept.text
    assert server.rows()[wnid]["prompt"] == prompt
    assert {key: row for key, row in server.rows().items() if key != wnid} == others


@pytest.mark.parametrize("action", ["try", "keep"])
@pytest.mark.parametrize(
    ("prompt", "fault"),
    [
        ("duck " * 2_000, "tokens, of which the text encoder reads 36"),
        ("\u9d28" * 10_000, "has the character U+9D28"),
        ("", "has no prompt"),
    ],
)
def test_ten_thousand_characters_or_none_are_one_clear_message(
    client: httpx.Client,
    server: Server,
    csv_text: str,
    wnid: str,
    prompt: str,
    fault: str,
    action: str,
) -> None:
    form = {**form_of(client, wnid), "prompt": prompt}
    answer = post(client, server, f"/class/{wnid}/{action}", form)
    assert answer.status_code == 422
    (said,) = faults(answer)
    assert fault in said and len(said) < 600
    assert prompt.strip() in answer.text  # what was typed is not lost
    assert (server.folder / layout.DISAMBIGUATIONS).read_text() == csv_text


def test_more_than_any_form_holds_is_refused_unread(
    client: httpx.Client, server: Server, wnid: str
) -> None:
    form = {**form_of(client, wnid), "prompt": "d" * 300_000}
    answer = post(client, server, f"/class/{wnid}/try", form)
    assert answer.status_code == 413 and "far longer than any prompt" in faults(answer)[0]


@pytest.mark.parametrize("path", ["/class/n99999999", "/params.yaml", "/picture/web/x/0.jpg"])
def test_what_is_not_there_is_said_in_a_sentence(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and "There is nothing at" in faults(answer)[0]


def test_an_unknown_class_is_not_written(
    client: httpx.Client, server: Server, csv_text: str, wnid: str
) -> None:
    form = {**form_of(client, wnid), "prompt": "a thing"}
    assert post(client, server, "/class/n99999999/keep", form).status_code == 404
    assert (server.folder / layout.DISAMBIGUATIONS).read_text() == csv_text


@pytest.mark.parametrize("tries_first", [False, True])
def test_a_second_tab_that_saved_first_is_not_overwritten(
    client: httpx.Client, server: Server, csv_text: str, wnid: str, tries_first: bool
) -> None:
    ours, theirs, path = form_of(client, wnid), form_of(client, wnid), f"/class/{wnid}/keep"
    first = post(client, server, path, {**theirs, "prompt": "first of all"})
    assert first.status_code == 200
    ours["prompt"] = "second thought"
    if tries_first:  # a trial in between does not make the page forget what it had shown
        tried = post(client, server, f"/class/{wnid}/try", ours)
        assert tried.status_code == 200 and f'name="shown" value="{ours["shown"]}"' in tried.text
        assert "the prompt that is kept now" in tried.text
    late = post(client, server, path, ours)
    assert late.status_code == 409 and "first of all" in faults(late)[0]
    assert server.rows()[wnid]["prompt"] == "first of all"
    assert 'value="second thought"' in late.text  # what was typed is not lost
    again = post(client, server, path, {**form_of(client, wnid), "prompt": "second thought"})
    assert again.status_code == 200 and server.rows()[wnid]["prompt"] == "second thought"


def test_a_broken_file_is_told_and_left_alone(
    client: httpx.Client, server: Server, csv_text: str, wnid: str
) -> None:
    form = {**form_of(client, wnid), "prompt": "a thing"}
    broken = csv_text + "n01847000,one field too few\n"
    (server.folder / layout.DISAMBIGUATIONS).write_text(broken)
    for answer in (
        client.get(f"/class/{wnid}"),
        post(client, server, f"/class/{wnid}/try", form),
        post(client, server, f"/class/{wnid}/keep", form),
    ):
        assert "disambiguations.csv, row" in faults(answer)[0] and "2 fields" in faults(answer)[0]
        assert "</form>" in answer.text
    assert 'value="a thing"' in answer.text
    assert (server.folder / layout.DISAMBIGUATIONS).read_text() == broken


def test_a_fault_in_another_row_is_told_and_keeps_nobody_from_working(
    client: httpx.Client, server: Server, csv_text: str, wnid: str
) -> None:
    path = server.folder / layout.DISAMBIGUATIONS
    path.write_text(csv_text + "n99999999,a thing,homonym,,paper\n")
    form = {**form_of(client, wnid), "prompt": "another thing"}
    kept = post(client, server, f"/class/{wnid}/keep", form)
    assert kept.status_code == 200 and "n99999999" in faults(kept)[0]
    assert server.rows()[wnid]["prompt"] == "another thing"


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"Origin": "https://example.org"}, {}),  # another site's form
        ({}, {}),  # something that tells not where it comes from
        ({"Origin": "null"}, {}),
        ({"Origin": "ROOT"}, {"token": "guessed"}),
        ({"Origin": "ROOT"}, {"token": ""}),
        ({"Origin": "ROOT", "Host": "attacker.example"}, {}),  # a name that leads here
        ({"Origin": "ROOT", "Cookie": "none=none"}, {}),  # the form's token alone
    ],
)
def test_nobody_else_writes(
    client: httpx.Client,
    server: Server,
    csv_text: str,
    wnid: str,
    headers: dict[str, str],
    fields: dict[str, str],
) -> None:
    sent = {name: server.root if value == "ROOT" else value for name, value in headers.items()}
    form = {**form_of(client, wnid), "prompt": "a thing"} | fields
    if "Cookie" in headers:
        client.cookies.clear()
    answer = client.post(f"/class/{wnid}/keep", data=form, headers=sent)
    assert answer.status_code == 403 and len(faults(answer)) == 1
    assert (server.folder / layout.DISAMBIGUATIONS).read_text() == csv_text


@pytest.mark.parametrize("path", ["/", "/?token=guessed", "/class/n01847000", "/page/style.css"])
def test_nobody_else_reads(server: Server, path: str) -> None:
    assert httpx.get(server.root + path).status_code == 403


def test_another_name_for_this_machine_lets_nobody_in(server: Server) -> None:
    answer = httpx.get(server.address, headers={"Host": "attacker.example"})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


def test_other_machines_cannot_even_connect(server: Server) -> None:
    port = urlsplit(server.root).port
    addresses = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), port)}
    for address in addresses | {"127.0.0.2"}:  # of this machine too, but not the one it listens at
        if address not in ("127.0.0.1", "::1"):
            with pytest.raises(OSError), socket.create_connection((address, port), timeout=5):
                pass


def test_the_page_may_load_nothing_from_elsewhere(client: httpx.Client, wnid: str) -> None:
    answer = client.get(f"/class/{wnid}")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    links = re.findall(r'(?:src|href|action)="([^"]+)"', answer.text)
    assert links and all(link.startswith(("/", "#")) for link in links)
