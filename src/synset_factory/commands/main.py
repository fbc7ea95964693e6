"""Check, try, compare and hand on the prompts and image sets of which `dvc repro` makes tables."""

import argparse
from importlib import import_module

from synset_factory.errors import run_main

# Each is a module with a function of its own name, and `add_arguments` if that takes any.
COMMANDS = (
    "check",
    "cross_evaluation",
    "diff",
    "export",
    "lint",
    "mend_remote",
    "plan",
    "review",
    "seeds",
    "validate",
)


def _run() -> None:
    parser = argparse.ArgumentParser(prog="synset-factory", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"synset_factory.commands.{name}")
        function = getattr(module, name)
        text = " ".join((function.__doc__ or "").split())
        command = commands.add_parser(name.replace("_", "-"), help=text, description=text)
        command.set_defaults(run=function)
        if hasattr(module, "add_arguments"):
            module.add_arguments(command)
    options = vars(parser.parse_args())
    options.pop("run")(**options)


def main() -> None:
    """Run the command named on the command line."""
    run_main(_run)
