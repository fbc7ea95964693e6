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
from torch import Tensor

from synset_factory.whole_files import whole_file

LENGTH = 8  # bytes of a safetensors file that say how long its header is
METADATA = "__metadata__"  # safetensors' name for what the header holds besides


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

    def read(self) -> Checkpoint | None:
        """Return the checkpoint, or None if there is none of this training that is whole."""
        content = self.store.read()
        if content is None:
            return None
        try:
            told = _told(content)
        except (ValueError, KeyError):
            print("The checkpoint of an interrupted training is damaged: training starts anew.")
            return None
        if told["determined_by"] != json.loads(json.dumps(dict(self.determined_by))):
            print("There is a checkpoint of another training here: training starts anew.")
            return None
        return Checkpoint(told["epochs"], safetensors.torch.load(content), told["facts"])

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint in place of the one before."""
        told = {
            "determined_by": dict(self.determined_by),
            "epochs": checkpoint.epochs,
            "facts": checkpoint.facts,
        }
        text = json.dumps(told, sort_keys=True)
        content = safetensors.torch.save(checkpoint.tensors, {"told": text})
        self.store.write(_sealed(content))


def _sealed(content: bytes) -> bytes:
    """Put a digest of all the rest into the header."""
    header, body = _split(content)
    header[METADATA]["sha256"] = _digest(header, body)
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % LENGTH)  # tensors must begin at a multiple of eight
    return len(encoded).to_bytes(LENGTH, "little") + encoded + body


def _told(content: bytes) -> dict[str, Any]:
    """Return what a checkpoint says beside its tensors. Raises ValueError, KeyError if damaged."""
    header, body = _split(content)
    if header[METADATA].pop("sha256") != _digest(header, body):
        raise ValueError("not what was written")
    told: dict[str, Any] = json.loads(header[METADATA]["told"])
    return told


def _split(content: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return header and body of a safetensors file."""
    end = LENGTH + int.from_bytes(content[:LENGTH], "little")
    header: dict[str, Any] = json.loads(content[LENGTH:end])
    return header, memoryview(content)[end:]


def _digest(header: dict[str, Any], body: memoryview) -> str:
    digest = sha256(json.dumps(header, sort_keys=True).encode())
    digest.update(body)
    return digest.hexdigest()
