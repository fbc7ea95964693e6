"""`python -m synset_factory.worlds.miniature <part>`: one part of the miniature world."""

import importlib
import sys

from synset_factory.errors import run_main

PARTS = ("web", "natural", "clip", "text_to_image", "known_causes", "known_diagnoses")

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: python -m {__package__} {{{','.join(PARTS)}}}")
    run_main(importlib.import_module(f"{__package__}.{sys.argv[1]}").main)
