"""A stand-in for a text-to-image model, for tests of what becomes of pictures."""

from hashlib import sha256

from PIL import Image

from synset_factory.shards.writer import encode_jpeg


class Painter:
    """Stands in for a text-to-image model: a picture of one colour, by prompt and seed."""

    def __init__(self, *_: object) -> None:
        pass

    def draw_jpegs(self, prompts: list[str], seeds: list[int]) -> list[bytes]:
        return self.encode(self.draw(prompts, seeds))

    def draw(self, prompts: list[str], seeds: list[int]) -> list[bytes]:
        return [sha256(f"{p}{s}".encode()).digest() for p, s in zip(prompts, seeds, strict=True)]

    def encode(self, drawn: list[bytes]) -> list[bytes]:
        return [encode_jpeg(Image.new("RGB", (8, 8), tuple(each[:3])), 90) for each in drawn]
