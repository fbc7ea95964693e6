"""`synset-factory review`: a page on which prompts are looked at, tried and kept."""

import argparse
import secrets
import socket
import threading
import webbrowser

from synset_factory import layout
from synset_factory.config import claim_world, load_common, load_section
from synset_factory.errors import InputError

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

        from synset_factory.review.app import Desk, build_app
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed: `pip install 'synset-factory[review]'` brings it."
        ) from None
    from synset_factory.review.trials import Trials
    from synset_factory.review_list import ReviewListConfig, read_ambiguity, review_list

    common = load_common()
    claim_world(common.world)
    outcomes = read_ambiguity()
    entries = review_list(outcomes, load_section(ReviewListConfig, "review_list").share)
    if not entries:
        raise InputError(f"{layout.PARAMS}: review_list.share lists no class; raise it.")
    desk = Desk(common, entries, Trials(common, outcomes))
    listener = _listen(port)
    port, token = listener.getsockname()[1], secrets.token_urlsafe(24)
    address = f"http://{LOOPBACK}:{port}/?token={token}"
    print(f"{len(entries)} classes for review at\n  {address}\nCtrl-C ends it.", flush=True)
    if not no_browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    app = build_app(desk, token, port)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    """Return a socket on loopback, and on nothing else. Raises InputError if the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        raise InputError(f"--port {port} cannot be used ({error}): choose another.") from None
    return listener
