"""Where the files of a model come from: a repository of the Hugging Face hub, or a folder here."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub import errors as hub_errors
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm import tqdm

from synset_factory import layout
from synset_factory.errors import InputError

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")
# Of whichever HTTP library the client uses: its versions differ in that.
HTTP_ERROR: type[Exception] = hub_errors.HTTPError  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a model comes from."""

    source: str  # repository of the hub, organisation/name; or the absolute path of a folder
    revision: str  # commit of the repository, 40 hex digits, or a branch; empty for a folder


class Origin(Protocol):
    """Files of a model, where they are now."""

    name: str  # as messages call it
    commit: str  # of a repository; empty for a folder

    @property
    def sizes(self) -> dict[str, int]:
        """The size in bytes of every file, by its name: its path, with slashes."""
        ...

    def read(self, name: str) -> bytes:
        """Return a small file. Raises InputError if it cannot be had."""
        ...

    def copy(self, names: Sequence[str], folder: Path) -> None:
        """Bring files into a folder; what is whole there is left. Raises InputError."""
        ...


def open_source(source: Source) -> Origin:
    """Return what a source has. Raises InputError if it is none, or cannot be reached."""
    if Path(source.source).is_absolute():
        if source.revision:
            raise InputError(
                f"{layout.PARAMS}: fetch_models: the folder {source.source} has no revision; "
                "leave its revision empty."
            )
        return Folder(Path(source.source))
    if not REPOSITORY.fullmatch(source.source) or not source.revision:
        raise InputError(
            f"{layout.PARAMS}: fetch_models: '{source.source}' at revision '{source.revision}' is "
            "neither a repository, organisation/name, with a revision nor the absolute path of a "
            "folder; correct it."
        )
    return Repository(source)


class Folder:
    """A folder of this machine, such as a mirror of a repository."""

    commit = ""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)
        with self._told():
            is_there = folder.is_dir()
        if not is_there:
            raise InputError(f"{layout.PARAMS}: fetch_models: there is no folder {folder}.")

    @cached_property
    def sizes(self) -> dict[str, int]:
        with self._told():
            files = [path for path in self.folder.rglob("*") if path.is_file()]
            return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in files}

    def read(self, name: str) -> bytes:
        with self._told():
            return (self.folder / name).read_bytes()

    def copy(self, names: Sequence[str], folder: Path) -> None:
        with self._told():
            for name in tqdm(names, desc=folder.stem, unit="file"):
                source, target = self.folder / name, folder / name
                if not _same(source, target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, layout.partial(target))
                    layout.partial(target).replace(target)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the disk gives rise to into one sentence."""
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.name} cannot be copied ({error}): mend that, and run `dvc repro "
                "fetch_models` again, which goes on from here."
            ) from None


class Repository:
    """A repository of the hub at one commit. HF_ENDPOINT, HF_TOKEN and the like are heeded."""

    def __init__(self, source: Source) -> None:
        """Ask what files there are. Raises InputError if the hub does not tell."""
        self.repository = source.source
        self.name = f"{source.source} at {source.revision}"
        with self._told():
            info = HfApi().model_info(source.source, revision=source.revision, files_metadata=True)
        self.commit = info.sha or ""
        # The hub takes the first digits of a commit for one, too.
        if not COMMIT.fullmatch(self.commit):
            raise InputError(f"{self.name}: the hub names no commit of it; try again later.")
        files = info.siblings or []
        self.sizes = {file.rfilename: file.size or 0 for file in files}
        self.digests = {file.rfilename: file.lfs.sha256 for file in files if file.lfs}

    def read(self, name: str) -> bytes:
        with self._told():
            found = hf_hub_download(self.repository, name, revision=self.commit)
        return Path(found).read_bytes()

    def copy(self, names: Sequence[str], folder: Path) -> None:
        # Its own notes below .cache tell which files are whole, and where to go on within one.
        with self._told():
            snapshot_download(
                self.repository, revision=self.commit, local_dir=folder, allow_patterns=list(names)
            )
        for name in names:
            path = folder / name
            known = self.digests.get(name)
            if not path.exists() or (known and file_digest(path) != known):
                path.unlink(missing_ok=True)
                raise InputError(
                    f"{self.name}: {name} did not arrive as the hub has it; run `dvc repro "
                    "fetch_models` again: only what is missing is fetched."
                )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the hub's client raises into one sentence."""
        try:
            yield
        except GatedRepoError:
            raise InputError(
                f"{self.name} is given only to those who agree to its terms: agree on its page, "
                "then log in here with `hf auth login`."
            ) from None
        except RepositoryNotFoundError:
            raise InputError(
                f"{layout.PARAMS}: fetch_models: the hub has no repository '{self.repository}', or "
                "a private one; correct the name, or log in with `hf auth login`."
            ) from None
        except RevisionNotFoundError:
            raise InputError(
                f"{layout.PARAMS}: fetch_models: the hub has no {self.name}; correct the revision."
            ) from None
        except (HTTP_ERROR, HFValidationError, OSError) as error:
            raise InputError(
                f"{self.name} cannot be fetched ({error}): run `dvc repro fetch_models` again, "
                f"which goes on from here, or name a folder in {layout.PARAMS}."
            ) from None


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    digest = sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _same(source: Path, target: Path) -> bool:
    """Tell whether a copy is whole, by its bytes: another source's may have its size and time."""
    return (
        target.exists()
        and source.stat().st_size == target.stat().st_size
        and file_digest(source) == file_digest(target)
    )
