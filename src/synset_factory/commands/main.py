"""The command line `synset-factory`."""

import argparse
from collections.abc import Callable

from synset_factory.commands import cross_evaluation as pairing
from synset_factory.commands import export as exporting
from synset_factory.commands import review as review_page
from synset_factory.commands import validate as validation
from synset_factory.commands.check import check
from synset_factory.commands.cross_evaluation import cross_evaluation
from synset_factory.commands.export import export
from synset_factory.commands.lint import lint
from synset_factory.commands.plan import plan
from synset_factory.commands.review import review
from synset_factory.commands.validate import validate
from synset_factory.errors import run_main

COMMANDS: dict[str, Callable[..., None]] = {
    "check": check,
    "cross-evaluation": cross_evaluation,
    "export": export,
    "lint": lint,
    "plan": plan,
    "review": review,
    "validate": validate,
}
ARGUMENTS = {
    "cross-evaluation": pairing.add_arguments,
    "export": exporting.add_arguments,
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
