"""The review page, served for real over the small pipeline: what people do, and nobody may.

A browser drives it with the keyboard; the requests that no browser of ours would send are sent by
hand. Every test finds the file of clarified prompts as it was.
"""

import csv
import os
import re
import shutil
import socket
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pandas as pd
import pytest
from playwright.sync_api import Page, sync_playwright

from synset_factory import layout
from tests.small_pipeline import environment

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


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
    def token(self) -> str:
        return self.address.partition("token=")[2]

    def rows(self) -> dict[str, dict[str, str]]:
        with (self.folder / layout.DISAMBIGUATIONS).open(newline="") as stream:
            return {row["wnid"]: row for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def server(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("review") / "clone"
    shutil.copytree(pipeline, folder, ignore=shutil.ignore_patterns("cache", "tmp", ".git"))
    process = subprocess.Popen(
        ["synset-factory", "review", "--no-browser"],
        cwd=folder,
        env=environment(folder),
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


def post(client: httpx.Client, server: Server, path: str, **fields: str) -> httpx.Response:
    """Send a form as the page does."""
    form = {"token": server.token, "reason": "homonym", **fields}
    return client.post(path, data=form, headers={"Origin": server.root})


def faults(response: httpx.Response) -> list[str]:
    return re.findall(r'<p class="fault" role="alert">(.*?)</p>', response.text)


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    """A headless Chromium on the page: skipped without one, but failed where CI=true."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        message = f"none of {', '.join(BROWSERS)} is installed"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root, and the page is ours.
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(120_000)
        page.goto(server.address)
        yield page
        chromium.close()


def test_a_person_tries_a_prompt_and_keeps_it_with_the_keyboard_alone(
    page: Page, server: Server, csv_text: str, wnid: str
) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    assert server.token not in page.url  # a screenshot of the page lets nobody in
    page.goto(f"{server.root}/class/{wnid}")
    stored = page.eval_on_selector_all(".strip img", "all => all.map(each => each.naturalWidth)")
    assert stored and all(width == 32 for width in stored)  # every picture of the page is there
    page.keyboard.press("e")
    page.keyboard.type("a singer, in red")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trial")
    sources = page.eval_on_selector_all("#trial img", "all => all.map(each => each.src)")
    drawn = {b64decode(source.partition(",")[2]) for source in sources}
    assert len(sources) == len(drawn) == 3
    assert page.input_value("#prompt") == "a singer, in red"
    assert server.rows().get(wnid, {}).get("prompt") != "a singer, in red"  # tried, not kept
    page.keyboard.press("k")
    page.wait_for_selector(".message")
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
    hostile = '<img src=x onerror="document.title=1">\'"</p><script>document.title=1</script>'
    page.goto(f"{server.root}/class/{wnid}")
    page.fill("#prompt", hostile)
    page.press("#prompt", "Control+Enter")
    page.wait_for_selector(".message, .fault")
    assert page.input_value("#prompt") == hostile
    page.goto(f"{server.root}/class/{wnid}")
    assert page.title() != "1"
    assert page.locator("script").count() == 1  # page.js and no other


def test_trying_the_prompt_of_the_set_draws_its_stored_images_to_the_byte(
    client: httpx.Client, server: Server, wnid: str
) -> None:
    prompts = pd.read_parquet(server.folder / layout.prompts("synset"))
    prompt = prompts.loc[prompts["wnid"] == wnid, "prompt"].iloc[0]
    tried = post(client, server, f"/class/{wnid}/try", prompt=prompt)
    drawn = [b64decode(each) for each in re.findall(r"data:image/jpeg;base64,([^\"]+)", tried.text)]
    stored = [client.get(f"/picture/synset/{wnid}/{n}.jpg").content for n in range(3)]
    assert drawn == stored
    scores = re.search(r"(\d+\.\d)%</strong> are recognised;.*?(\d+\.\d)%", tried.text, re.S)
    assert scores and scores[1] == scores[2]


@pytest.mark.parametrize("prompt", ['a "quoted", drake', "<b>drake</b> & duck", "=drake(1)"])
def test_a_prompt_with_quotes_or_html_is_kept_as_it_is(
    client: httpx.Client, server: Server, csv_text: str, wnid: str, prompt: str
) -> None:
    shown = server.rows().get(wnid, {}).get("prompt", "")
    others = {key: row for key, row in server.rows().items() if key != wnid}
    kept = post(client, server, f"/class/{wnid}/keep", prompt=prompt, shown=shown)
    assert kept.status_code == 200 and "<b>" not in kept.text
    assert server.rows().pop(wnid)["prompt"] == prompt
    assert {key: row for key, row in server.rows().items() if key != wnid} == others


@pytest.mark.parametrize("action", ["try", "keep"])
def test_ten_thousand_characters_are_one_clear_message(
    client: httpx.Client, server: Server, csv_text: str, wnid: str, action: str
) -> None:
    shown = server.rows().get(wnid, {}).get("prompt", "")
    answer = post(client, server, f"/class/{wnid}/{action}", prompt="duck " * 2_000, shown=shown)
    assert answer.status_code == 422
    assert re.search(r"has 2,?\d{3} tokens, of which the text encoder reads 36", faults(answer)[0])
    assert (server.folder / layout.DISAMBIGUATIONS).read_text() == csv_text


def test_more_than_any_form_holds_is_refused_unread(
    client: httpx.Client, server: Server, wnid: str
) -> None:
    answer = post(client, server, f"/class/{wnid}/try", prompt="d" * 100_000)
    assert answer.status_code == 403 and "no prompt is as long" in faults(answer)[0]


@pytest.mark.parametrize("path", ["/class/n99999999", "/params.yaml", "/picture/web/x/0.jpg"])
def test_what_is_not_there_is_said_in_a_sentence(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and "There is nothing at" in faults(answer)[0]


def test_an_unknown_class_is_not_written(
    client: httpx.Client, server: Server, csv_text: str
) -> None:
    answer = post(client, server, "/class/n99999999/keep", prompt="a thing")
    assert answer.status_code == 404
    assert (server.folder / layout.DISAMBIGUATIONS).read_text() == csv_text


def test_a_second_tab_that_saved_first_is_not_overwritten(
    client: httpx.Client, server: Server, csv_text: str, wnid: str
) -> None:
    shown = server.rows().get(wnid, {}).get("prompt", "")
    path = f"/class/{wnid}/keep"
    assert post(client, server, path, prompt="first of all", shown=shown).status_code == 200
    late = post(client, server, path, prompt="second thought", shown=shown)
    assert late.status_code == 409 and "first of all" in faults(late)[0]
    assert server.rows()[wnid]["prompt"] == "first of all"
    assert 'value="second thought"' in late.text  # what was typed is not lost
    again = post(client, server, path, prompt="second thought", shown="first of all")
    assert again.status_code == 200 and server.rows()[wnid]["prompt"] == "second thought"


def test_a_broken_file_is_told_and_left_alone(
    client: httpx.Client, server: Server, csv_text: str, wnid: str
) -> None:
    path = server.folder / layout.DISAMBIGUATIONS
    path.write_text(csv_text + "n01847000,one field too few\n")
    answer = client.get(f"/class/{wnid}")
    assert answer.status_code == 400
    assert "disambiguations.csv, row" in faults(answer)[0] and "2 fields" in faults(answer)[0]


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"Origin": "https://example.org"}, {}),  # another site's form
        ({}, {}),  # something that tells not where it comes from
        ({"Origin": "null"}, {}),
        ({"Origin": "ROOT"}, {"token": "guessed"}),
        ({"Origin": "ROOT"}, {"token": ""}),
        ({"Origin": "ROOT", "Host": "attacker.example"}, {}),  # a name that leads here
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
    form = {"token": server.token, "prompt": "a thing", "reason": "homonym"} | fields
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
    assert links and all(link.startswith("/") for link in links)
