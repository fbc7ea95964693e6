"""Stage `generate` with artists that write down what they draw, and take their time.

    python -m tests.ray_driver

runs it for the set disamb of the current folder. The nodes' environment names the file in which
each image that is begun has a line: node, process, seed.
"""

import os
import time
from pathlib import Path

import ray

from synset_factory import drawing
from synset_factory.models.text_to_image import Drawn
from synset_factory.stages.generate import generate_set

LOG = "DRAWN_LOG"  # environment variable of the nodes
SECONDS = 0.5  # of a chunk, so that there is a middle in which to stop it


class LoggingArtist(drawing.Artist):
    def compute(self, request: drawing.Request) -> tuple[float, Drawn]:
        with Path(os.environ[LOG]).open("a") as stream:
            at = f"{ray.get_runtime_context().get_node_id()} {os.getpid()}"
            stream.write("".join(f"{at} {seed}\n" for seed in request.seeds))
        time.sleep(SECONDS)
        return super().compute(request)


def main() -> None:
    setattr(drawing, "Artist", LoggingArtist)  # noqa: B010
    generate_set("disamb")


if __name__ == "__main__":
    main()
