"""`synset-factory review`: a page on which prompts are looked at, tried and kept."""

import argparse
import socket
import tempfile
import threading
import webbrowser
from pathlib import Path

from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import InputError
from synset_factory.prompts.files import check_recipes, read_modifiers

LOOPBACK = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command line."""
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="port on this machine's loopback, for example to reach it through a tunnel "
        "(default: any that is free)",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address, open no browser"
    )


def review(*, port: int, no_browser: bool) -> None:
    """Open a page with the worst classes: look, try another prompt, keep it."""
    # Imported here: these libraries take seconds, and --help needs none of them.
    print("Reading the list for review and the image sets ...", flush=True)
    try:
        import uvicorn

        from synset_factory.review.app import Desk, Keys, build_app
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed: `pip install -e '.[review]'` brings it."
        ) from None
    from synset_factory.review.trials import Trials
    from synset_factory.review_list import ReviewListConfig, read_ambiguity, review_list

    common = load_common()
    claim_world(common.world)
    check_recipes(common, read_modifiers())
    outcomes = read_ambiguity()
    entries = review_list(outcomes, load_section(ReviewListConfig, "review_list").share)
    desk = Desk(common, entries, Trials(common, outcomes))
    listener = _listen(port)
    keys = Keys(port=listener.getsockname()[1])
    address = f"http://{LOOPBACK}:{keys.port}/?token={keys.entry}"
    print(f"{len(entries)} classes for review at\n  {address}\nCtrl-C ends it.", flush=True)
    server = uvicorn.Server(uvicorn.Config(build_app(desk, keys), log_level="warning"))
    with tempfile.TemporaryDirectory() as folder:
        if not no_browser:
            threading.Timer(0.5, _open_browser, [address, Path(folder)]).start()
        server.run(sockets=[listener])


def _open_browser(address: str, folder: Path) -> None:
    """Open the address by way of a file that nobody else can read.

    The address lets in whoever has it, and a browser's command line is there for all to see.
    """
    page = folder / "review.html"
    page.touch(mode=0o600)
    page.write_text(f'<meta http-equiv="refresh" content="0; url={address}">', encoding="utf-8")
    webbrowser.open(page.as_uri())


def _listen(port: int) -> socket.socket:
    """Return a socket on loopback, and on nothing else. Raises InputError if the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        raise InputError(f"--port {port} cannot be used ({error}): choose another.") from None
    return listener
