"""How fast and how large things are on this machine: remembered from one command to the next.

Plans go by these figures; no result does.
"""

import json
from collections.abc import Mapping

from synset_factory import layout
from synset_factory.records import ImageSettings
from synset_factory.whole_files import write_text


def recall(key: str) -> float | None:
    """Return a figure, or None if it was never measured here."""
    return _read().get(key)


def remember(figures: Mapping[str, float]) -> None:
    """Keep figures for later plans, in place of earlier ones of the same keys."""
    rounded = {key: float(f"{figure:.6g}") for key, figure in figures.items()}
    write_text(layout.MACHINE_FIGURES, json.dumps(_read() | rounded, indent=1) + "\n")


def slow_at_first(settings: ImageSettings, device: str) -> bool:
    """Tell whether a model's first batch says nothing of the others: it compiles, or starts up."""
    return settings.compile or device != "cpu"


def processor(device: str, threads: int) -> str:
    """Name what work is done on: a CPU is as fast as the threads that torch may use on it."""
    return f"{device} with {threads} threads" if device == "cpu" else device


class Rates:
    """What drawing took on this machine: by what makes one image slower or larger than another."""

    def __init__(self, settings: ImageSettings, device: str, threads: int) -> None:
        guided = "guided" if settings.guidance_scale > 1 else "unguided"
        size = f"{settings.width}x{settings.height}"
        drawn = f"{settings.generator[:16]} {guided} {settings.scheduler} {settings.steps} {size}"
        drawn += f" {settings.dtype}"
        drawn += " checked" if settings.safety_checker else ""
        drawn += " compiled" if settings.compile else ""
        place = f"x{settings.batch_size} {processor(device, threads)}"
        self.seconds_key = f"seconds an image: {drawn} {place}"
        self.memory_key = f"GiB that drawing takes: {drawn} {place}"
        self.bytes_key = f"bytes a JPEG: {drawn} quality {settings.jpeg_quality}"
        self.half_drawn_key = f"bytes a JPEG, half drawn: {size} quality {settings.jpeg_quality}"

    @property
    def seconds_per_image(self) -> float | None:
        return recall(self.seconds_key)

    def remember(self, seconds_per_image: float) -> None:
        remember({self.seconds_key: seconds_per_image})

    @property
    def memory(self) -> float | None:
        """GiB at the highest: weights and activations, on the device."""
        return recall(self.memory_key)

    @property
    def bytes_per_jpeg(self) -> float | None:
        return recall(self.bytes_key)

    @property
    def bytes_half_drawn(self) -> float | None:
        """Bytes of a JPEG after a few steps: its noise makes it larger than a finished one."""
        return recall(self.half_drawn_key)


def _read() -> dict[str, float]:
    try:
        figures: dict[str, float] = json.loads(layout.MACHINE_FIGURES.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return figures
