"""The command line `synset-factory`."""

import argparse

from synset_factory.commands.check import check
from synset_factory.commands.lint import lint
from synset_factory.errors import run_main

COMMANDS = {"check": check, "lint": lint}


def _run() -> None:
    parser = argparse.ArgumentParser(prog="synset-factory", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        text = " ".join((function.__doc__ or "").split())
        commands.add_parser(name, help=text, description=text)
    COMMANDS[parser.parse_args().command]()


def main() -> None:
    """Run the command named on the command line."""
    run_main(_run)
