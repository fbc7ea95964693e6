"""Where a training stands, kept so that a killed one goes on where it was, with the same result.

A checkpoint is one safetensors file, so that none is ever half of one; what is no tensor is JSON
in its header. It says what determined it, and is taken for nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from synset_factory.whole_files import whole_file

LENGTH = 8  # bytes of a safetensors file that say how long its header is


@dataclass(frozen=True)
class Checkpoint:
    """All that a training has changed by the end of an epoch."""

    epochs: int  # finished
    tensors: dict[str, Tensor]  # on the CPU
    facts: dict[str, Any]  # what JSON can hold


class Store(Protocol):
    """Keeps the latest of what it is given: in a file, or on another machine."""

    def read(self) -> bytes | None: ...

    def write(self, content: bytes) -> None: ...


@dataclass(frozen=True)
class FileStore:
    """A file that is replaced whole."""

    path: Path

    def read(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None

    def write(self, content: bytes) -> None:
        with whole_file(self.path) as partial:
            partial.write_bytes(content)


@dataclass(frozen=True)
class Checkpoints:
    """The latest checkpoint of one training, which `determined_by` (as JSON has it) determines."""

    store: Store
    determined_by: Mapping[str, Any]
    seconds: float  # of training that are not kept one by one, beside the epoch under way

    def read(self) -> Checkpoint | None:
        """Return the checkpoint, or None if there is none of this training that is whole."""
        content = self.store.read()
        if content is None:
            return None
        try:
            metadata = _metadata(content)
            tensors = safetensors.torch.load(content)
            if metadata["sha256"] != _digest(metadata["told"], tensors):
                raise ValueError("not what was written")
            told = json.loads(metadata["told"])
        except (ValueError, KeyError, SafetensorError):
            print("The checkpoint of an interrupted training is damaged: training starts anew.")
            return None
        if told["determined_by"] != json.loads(json.dumps(dict(self.determined_by))):
            print("There is a checkpoint of another training here: training starts anew.")
            return None
        return Checkpoint(told["epochs"], tensors, told["facts"])

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint in place of the one before."""
        told = {
            "determined_by": dict(self.determined_by),
            "epochs": checkpoint.epochs,
            "facts": checkpoint.facts,
        }
        text = json.dumps(told, sort_keys=True)
        metadata = {"told": text, "sha256": _digest(text, checkpoint.tensors)}
        self.store.write(safetensors.torch.save(checkpoint.tensors, metadata))


def _metadata(content: bytes) -> dict[str, str]:
    """Return what the header of a safetensors file holds besides; its length comes first."""
    end = LENGTH + int.from_bytes(content[:LENGTH], "little")
    found: dict[str, str] = json.loads(content[LENGTH:end])["__metadata__"]
    return found


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """Return a digest of everything: safetensors looks at sizes, not at what it reads."""
    digest = sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
