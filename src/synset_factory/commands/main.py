"""The command line `synset-factory`."""

import argparse
from collections.abc import Callable

from synset_factory.commands import diff as revisions
from synset_factory.commands import review as review_page
from synset_factory.commands import validate as validation
from synset_factory.commands.check import check
from synset_factory.commands.diff import diff
from synset_factory.commands.lint import lint
from synset_factory.commands.plan import plan
from synset_factory.commands.review import review
from synset_factory.commands.validate import validate
from synset_factory.errors import run_main

COMMANDS: dict[str, Callable[..., None]] = {
    "check": check,
    "diff": diff,
    "lint": lint,
    "plan": plan,
    "review": review,
    "validate": validate,
}
ARGUMENTS = {
    "diff": revisions.add_arguments,
    "review": review_page.add_arguments,
    "validate": validation.add_arguments,
}


def _run() -> None:
    parser = argparse.ArgumentParser(prog="synset-factory", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in COMMANDS.items():
        text = " ".join((function.__doc__ or "").split())
        command = commands.add_parser(name, help=text, description=text)
        if name in ARGUMENTS:
            ARGUMENTS[name](command)
    options = vars(parser.parse_args())
    COMMANDS[options.pop("command")](**options)


def main() -> None:
    """Run the command named on the command line."""
    run_main(_run)
