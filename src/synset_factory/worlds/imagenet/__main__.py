"""`python -m synset_factory.worlds.imagenet <part>`: one part of the ImageNet world."""

import importlib
import sys

from synset_factory.errors import run_main

PARTS = ("ingest", "fetch_models", "vocabulary")

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: python -m {__package__} {{{','.join(PARTS)}}}")
    run_main(importlib.import_module(f"{__package__}.{sys.argv[1]}").main)
