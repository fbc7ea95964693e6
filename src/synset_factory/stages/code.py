"""Stage `code`: a fingerprint of the code that each stage runs.

Stages depend on their fingerprint instead of on source files: an edit of a comment or a
docstring reruns nothing, a change of what a stage uses reruns that stage.
"""

from synset_factory import layout
from synset_factory.config import load_common, stage_modules
from synset_factory.errors import run_main
from synset_factory.fingerprint import fingerprint
from synset_factory.whole_files import write_text

WORLDS = "synset_factory.worlds"


def main() -> None:
    world = load_common().world
    for stage, module in stage_modules(world).items():
        # The parts of a world are run by its __main__.
        runners = [f"{WORLDS}.{world}.__main__"] if module.startswith(f"{WORLDS}.") else []
        write_text(layout.code(stage), fingerprint(module, *runners) + "\n")


if __name__ == "__main__":
    run_main(main)
