"""Stage `generate` with artists that write down what they begin, and can be held in its middle.

    python -m tests.ray_driver

runs it for the set disamb of the current folder. The nodes' environment names the file in which
each image that is begun has a line: node, process, seed. Chunks with seeds from HELD on are not
drawn before there is a file of the same name that ends in .go.
"""

import os
import time
from pathlib import Path

from synset_factory import drawing
from synset_factory.models.text_to_image import Drawn
from synset_factory.stages.generate import generate_set

LOG = "DRAWN_LOG"
HELD = 4


class HeldArtist(drawing.Artist):
    def compute(self, request: drawing.Request) -> tuple[float, bool, Drawn]:
        import ray  # not before a run has set how

        log, node = Path(os.environ[LOG]), ray.get_runtime_context().get_node_id()
        with log.open("a") as stream:
            stream.write("".join(f"{node} {os.getpid()} {seed}\n" for seed in request.seeds))
        while max(request.seeds) >= HELD and not log.with_suffix(".go").exists():
            time.sleep(0.05)
        return super().compute(request)


def main() -> None:
    setattr(drawing, "Artist", HeldArtist)  # noqa: B010
    generate_set("disamb")


if __name__ == "__main__":
    main()
