"""Image sets as a revision of this repository has them, or as they lie on disk.

What a revision had is read through DVC: from its cache, else from its remote. Nothing is checked
out or pulled: of a set the index is read, and single images by the place that the index gives.
"""

import json
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

import pandas as pd
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError
from PIL import Image

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.prebuilt import LOCK
from synset_factory.revisions.diff import (
    AFTER,
    BEFORE,
    CHANGED,
    SAME,
    SetDiff,
    class_diffs,
    compare_indexes,
    differing_settings,
    places,
)
from synset_factory.whole_files import whole_folder

T = TypeVar("T")

INDEX_COLUMNS = ["key", "split", "wnid", "tar", "offset", "size", "digest"]
PROMPT_COLUMNS = ["wnid", "split", "number", "prompt"]
INDEX_PAGE = "index.html"  # of a report


class Revision(ABC):
    """One state of the repository's image sets."""

    name: str  # for people

    @abstractmethod
    def image_sets(self) -> dict[str, str | None]:
        """Return the digest of each set's folder by the set's name, None where it is not known.

        A set counts if params.yaml names it (or it is the natural one) and it has been made.
        Raises InputError if params.yaml or dvc.lock cannot be read.
        """

    @property
    @abstractmethod
    def has_report(self) -> bool:
        """Tell whether the revision has a report."""

    @abstractmethod
    def report(self) -> Path:
        """Return a folder that holds the revision's report, index.html first.

        Raises InputError if there is none, or if it cannot be had.
        """

    @abstractmethod
    def _text(self, path: Path) -> str:
        """Return a text of git's. Raises FileNotFoundError."""

    @abstractmethod
    def _read(self, image_set: str, path: Path, read: Callable[[BinaryIO], T]) -> T:
        """Let `read` read a file of DVC's. Raises InputError if it cannot be had."""

    def index(self, image_set: str) -> pd.DataFrame:
        """Return the set's index: key, split, wnid, tar, offset, size and digest.

        Raises InputError if it cannot be had or read.
        """
        return self._table(image_set, layout.index(image_set), INDEX_COLUMNS)

    def prompts(self, image_set: str) -> pd.DataFrame:
        """Return wnid, split, number and prompt of the set's images; no rows for natural ones.

        Raises InputError if they cannot be had or read.
        """
        if image_set == NATURAL:
            return pd.DataFrame(columns=PROMPT_COLUMNS)
        return self._table(image_set, layout.prompts(image_set), PROMPT_COLUMNS)

    def pictures(self, image_set: str, places: pd.DataFrame) -> dict[Any, Image.Image]:
        """Return the images at some places of a set's tars (tar, offset, size), in RGB, by row.

        Raises InputError if they cannot be had, or lie elsewhere.
        """
        found: dict[Any, Image.Image] = {}
        for tar, rows in places.groupby("tar"):
            path = layout.shards(image_set) / str(tar)
            read = partial(_ranges, ranges=list(zip(rows["offset"], rows["size"], strict=True)))
            jpegs = self._read(image_set, path, read)
            try:
                pictures = [Image.open(BytesIO(jpeg)).convert("RGB") for jpeg in jpegs]
            except OSError:
                self._fail_out_of_step(path)
            found |= dict(zip(rows.index, pictures, strict=True))
        return found

    def settings(self, image_set: str, tar: str, offset: int, size: int) -> dict[str, Any]:
        """Return what determined the image at a place of a tar: the `.json` that follows it.

        Raises InputError if it cannot be had, or lies elsewhere.
        """
        path = layout.shards(image_set) / tar
        text = self._read(image_set, path, partial(_next_json, end=offset + size))
        if text is None:
            self._fail_out_of_step(path)
        try:
            settings: dict[str, Any] = json.loads(text)
        except ValueError:
            self._fail_out_of_step(path)
        return settings

    def _table(self, image_set: str, path: Path, columns: list[str]) -> pd.DataFrame:
        content = self._read(image_set, path, lambda stream: stream.read())
        try:
            return pd.read_parquet(BytesIO(content), columns=columns)
        except (OSError, ValueError):
            raise InputError(
                f"{self.name}: {path} is damaged, or has no columns {', '.join(columns)}; delete "
                "it and get it anew with `dvc pull`, or make it with `dvc repro`."
            ) from None

    def _fail_out_of_step(self, path: Path) -> NoReturn:
        raise InputError(
            f"{self.name}: {path} is not what the set's index says: let `dvc repro` finish the "
            "set, or delete that file and get it anew with `dvc pull`."
        )

    def _set_names(self) -> list[str]:
        """Return the natural set and those that params.yaml names."""
        sets = self._mapping(layout.PARAMS).get("sets") or {}
        if not isinstance(sets, dict):
            raise InputError(f"{self.name}: {layout.PARAMS}: 'sets' must be a mapping of names.")
        return [NATURAL, *map(str, sets)]

    def _locked(self) -> dict[str, str]:
        """Return the digest of each set's folder in dvc.lock, also of sets of former times."""
        stages = self._mapping(LOCK).get("stages") or {}
        try:
            return {
                Path(out["path"]).name: out["md5"]
                for stage in stages.values()
                for out in stage.get("outs", [])
                if Path(out["path"]).parent == layout.SHARDS
            }
        except (AttributeError, KeyError, TypeError):
            raise InputError(
                f"{self.name}: {LOCK} is damaged: take it from git, `git checkout -- {LOCK}`."
            ) from None

    def _mapping(self, path: Path) -> dict[str, Any]:
        try:
            mapping = yaml.safe_load(self._text(path))
        except FileNotFoundError:
            return {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{self.name}: {path} cannot be read as YAML: {error}.") from None
        return mapping if isinstance(mapping, dict) else {}


class WorkingTree(Revision):
    """What lies on disk, committed or not."""

    name = "working tree"

    def image_sets(self) -> dict[str, str | None]:
        """Return the sets. Of those on disk the digest is not known: dvc.lock may be behind."""
        locked, names = self._locked(), self._set_names()
        on_disk = {name: None for name in names if layout.index(name).exists()}
        return {name: locked[name] for name in names if name in locked} | on_disk

    @property
    def has_report(self) -> bool:
        return (layout.REPORT / INDEX_PAGE).exists()

    def report(self) -> Path:
        if not self.has_report:
            raise InputError("There is no report on disk: make it with `make report`.")
        return layout.REPORT

    def _text(self, path: Path) -> str:
        return path.read_text(encoding="utf-8")

    def _read(self, image_set: str, path: Path, read: Callable[[BinaryIO], T]) -> T:
        try:
            with path.open("rb") as stream:
                return read(stream)
        except FileNotFoundError:
            raise InputError(
                f"{path} of the set '{image_set}' is not on disk: get it with `dvc pull {path}`, "
                "or make it with `dvc repro`."
            ) from None


class Commit(Revision):
    """What a revision of git's had."""

    def __init__(self, revision: str) -> None:
        """`revision` is a commit, branch, tag or the like. Raises InputError if there is none."""
        if not revision:
            raise InputError("a revision's name is empty: name a commit, a branch or a tag.")
        try:
            here = Repo()
            self._remote: str | None = here.config["core"].get("remote")
            # Cache and remote are today's: what the revision's own config says may be out of date.
            self._files = DVCFileSystem(
                rev=revision,
                remote=self._remote,
                config={"cache": {"dir": here.cache.local_cache_dir}},
            )
            digest = str(self._files.repo.get_rev())
        except RevError as error:
            raise InputError(f"{error}: name a commit, a branch or a tag.") from None
        except AttributeError:  # DVC's, for what git knows and is no commit
            raise InputError(f"'{revision}': name a commit, a branch or a tag.") from None
        except DvcException as error:
            raise InputError(f"DVC cannot open this repository: {error}.") from None
        self._short = digest[:7]
        self.name = self._short if digest.startswith(revision) else f"{revision} ({self._short})"

    def image_sets(self) -> dict[str, str | None]:
        """Return the sets with the digests that dvc.lock has of them."""
        locked = self._locked()
        return {name: locked[name] for name in self._set_names() if name in locked}

    @property
    def has_report(self) -> bool:
        stages = self._mapping(LOCK).get("stages") or {}
        return f"path: {layout.REPORT.as_posix()}\n" in yaml.safe_dump(stages)

    def report(self) -> Path:
        """Get the report from DVC's cache, else from its remote, unless it was got before."""
        if not self.has_report:
            raise InputError(f"{self.name} is from before there were reports.")
        folder = layout.DIFF_REPORTS / self._short
        if not folder.exists():
            try:
                with whole_folder(folder) as partial:
                    # With a slash the contents are got, not the folder into a folder.
                    self._files.get(f"{layout.REPORT.as_posix()}/", f"{partial}/", recursive=True)
            except Exception as error:  # each kind of remote has errors of its own
                self._fail_missing(str(layout.REPORT), error)
        return folder

    def _text(self, path: Path) -> str:
        content: bytes = self._files.repo.fs.open(path.as_posix(), "rb").read()
        return content.decode()

    def _read(self, image_set: str, path: Path, read: Callable[[BinaryIO], T]) -> T:
        try:
            with self._files.open(path.as_posix()) as stream:
                return read(stream)
        except Exception as error:  # each kind of remote has errors of its own
            self._fail_missing(f"{path} of the set '{image_set}'", error)

    def _fail_missing(self, what: str, error: BaseException) -> NoReturn:
        if isinstance(error, DvcException):
            raise InputError(f"{self.name}: DVC cannot read this revision: {error}.") from None
        while error.__cause__:
            error = error.__cause__  # the remote's own words
        where = f"{self.name}: {what} is not in DVC's cache"
        if not self._remote:
            raise InputError(
                f"{where}, and no remote is set: set the one that it was pushed to with "
                "`dvc remote add --default`, or run this in the clone that made it."
            ) from None
        raise InputError(
            f"{where}, and the remote '{self._remote}' does not give it ({error}): "
            f"after `git checkout {self._short} -- dvc.lock`, `dvc fetch` here gets it, or, if it "
            "was never pushed, `dvc push` in the clone that made it."
        ) from None


def diff_set(image_set: str, before: Revision, after: Revision) -> SetDiff:
    """Compare a set that both revisions have. Raises InputError for what cannot be read."""
    images = compare_indexes(before.index(image_set), after.index(image_set))
    if (images["state"] == SAME).all():
        return SetDiff(image_set=image_set, images=len(images), classes=[], settings={})
    changed = images[images["state"] == CHANGED].head(1)
    made_from = [
        revision.settings(image_set, *place)
        for side, revision in ((BEFORE, before), (AFTER, after))
        for place in places(changed, side).itertuples(index=False)
    ]
    return SetDiff(
        image_set=image_set,
        images=len(images),
        classes=class_diffs(images, before.prompts(image_set), after.prompts(image_set)),
        settings=differing_settings(*made_from) if made_from else {},
    )


def _ranges(stream: BinaryIO, ranges: list[tuple[int, int]]) -> list[bytes]:
    found = []
    for offset, size in ranges:
        stream.seek(offset)
        found.append(stream.read(size))
    return found


def _next_json(stream: BinaryIO, end: int) -> bytes | None:
    """Return the `.json` that begins in a tar behind a member's last byte; None if none does."""
    stream.seek(-(-end // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            member = tar.next()
            content = tar.extractfile(member) if member and member.name.endswith(".json") else None
            return content.read() if content else None
    except tarfile.TarError:
        return None
