"""ImageNet in the hub's Parquet form: `<split>-<number>-of-<count>.parquet`, all classes mixed.

A picture in a Parquet file cannot be read alone, and neither memory nor another copy on disk is
spent on sorting them: each file is read twice. The first time its pictures are examined, after
which the place of each in its class tar is known; the second time each is written to its place.
Where class tars are there already, sizes are compared first: Parquet tells them no other way than
by reading the pictures.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from synset_factory import layout
from synset_factory.config import NATURAL
from synset_factory.errors import InputError
from synset_factory.records import image_key
from synset_factory.shards.writer import Sample, read_told, sample_bytes, tar_size
from synset_factory.whole_files import whole_file
from synset_factory.worlds.imagenet.class_tars import (
    SECOND,
    ClassFound,
    ClassTar,
    found_in,
    numbers_lacking,
    picture_sample,
    read_stored,
)
from synset_factory.worlds.imagenet.layouts import imagenet_name, is_picture
from synset_factory.worlds.imagenet.pictures import BrokenPictureError, examine
from synset_factory.worlds.imagenet.processes import Map

BATCH = 64  # pictures in memory at once
NO_LABEL = -1  # as in the test split
PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.parquet")


@dataclass(frozen=True, kw_only=True)
class FileJob:
    """Rows of one Parquet file."""

    path: Path
    split: str
    rows: pd.DataFrame  # row, wnid, label, name, number; to write them also told, tar, offset


@dataclass(frozen=True, kw_only=True)
class TarJob:
    """A class tar to be completed and described."""

    tar: ClassTar
    names: list[str]  # of the wanted pictures, by number
    sizes: list[int]  # theirs, in bytes; not known, and empty, where no tar is there
    is_new: bool  # its pictures have been written to its temporary name
    left_out: dict[str, str]  # why, by name
    other_files: int


def read_rows(folder: Path, split: str, wnids: Sequence[str]) -> pd.DataFrame:
    """Return file, row, label, name and wnid of every picture of a split, without its bytes.

    `wnids` are ImageNet's, in the order of its labels; a label beyond them has the wnid "".
    Raises InputError if files are missing, or are not of this form, or their labels not ImageNet's.
    """
    tables = []
    for path in tqdm(_files(folder, split), desc=f"{split}: names", unit="file"):
        try:
            table = pq.ParquetFile(path).read(columns=["label", "image.path"])
            label = table["label"].cast(pa.int64()).fill_null(NO_LABEL).to_numpy()
            name = table["image"].combine_chunks().field("path")
        except (pa.ArrowException, OSError, KeyError) as error:
            raise InputError(
                f"{path} cannot be read as the hub's ImageNet, with columns image (bytes, path) "
                f"and label ({' '.join(str(error).split())[:200]}): get it again."
            ) from None
        rows = pd.DataFrame({"file": str(path), "row": np.arange(len(label)), "label": label})
        given = pd.Series(name.to_pylist(), dtype=object)
        ours = [f"{path.stem}_{row:06d}.jpg" for row in rows["row"]]
        tables.append(rows.assign(given=given.where(given.notna(), ours)))
    found = pd.concat(tables, ignore_index=True)
    by_label = dict(enumerate(wnids))
    found["wnid"] = [by_label.get(int(label), "") for label in found["label"]]
    _check_labels(found)
    found["name"] = [imagenet_name(path) for path in found["given"]]
    return found.drop(columns="given")


def _files(folder: Path, split: str) -> list[Path]:
    """Return a split's files. Raises InputError if there is none, or one is missing."""
    paths = sorted(folder.glob(f"{split}-*.parquet"))
    if not paths:
        raise InputError(f"{folder} holds no {split}-*.parquet: correct the path or the layout.")
    parts = [PART.fullmatch(path.name) for path in paths]
    counts = {part[3] for part in parts if part}
    if len(counts) > 1 or (counts and None in parts):
        raise InputError(f"{folder} holds {split}-*.parquet of several versions: remove the old.")
    for count in counts:
        for number in range(int(count)):
            name = f"{split}-{number:05d}-of-{count}.parquet"
            if not (folder / name).exists():
                raise InputError(f"{folder / name} is missing: get it, the split is not whole.")
    return paths


def _check_labels(found: pd.DataFrame) -> None:
    """Hold labels against the wnid in ImageNet's names: another order would mix classes up."""
    told = found["given"].str.extract(r"(?:^|[/_])(n\d{8})[_.]", expand=False)
    wrong = found[told.notna() & (found["wnid"] != "") & (told != found["wnid"])]
    if len(wrong):
        row = wrong.iloc[0]
        raise InputError(
            f"{row['file']}: label {row['label']} of {row['given']} would be {row['wnid']}: its "
            "labels are not in ImageNet's order; use another copy or another layout."
        )


def ingest_parquet(
    rows: pd.DataFrame, tars: Sequence[ClassTar], run_all: Map, *, images: int, title: str
) -> list[ClassFound]:
    """Write the class tars that are not there yet, and describe all, in the order of `tars`.

    `rows` are those of `read_rows`; `images` of each class are wanted, the first by name, 0 for
    all. What an interrupted run has examined is not examined again. Raises InputError if the files
    change meanwhile.
    """
    split = tars[0].split
    rows = rows[rows["wnid"].isin([tar.wnid for tar in tars])]
    jobs, wanted = _wanted(rows, tars, images)
    jobs = _with_sizes(jobs, wanted, run_all, title)
    lacking = list(run_all(_numbers_lacking, jobs))
    new = {job.tar.wnid for job, each in zip(jobs, lacking, strict=True) if each is None}
    absent = {
        (job.tar.wnid, number)
        for job, each in zip(jobs, lacking, strict=True)
        for number in each or ()
    }
    is_absent = np.fromiter(
        (place in absent for place in zip(wanted["wnid"], wanted["number"], strict=True)),
        dtype=bool,
    )
    seen = _examine(wanted[wanted["wnid"].isin(new) | is_absent], split, run_all, title)
    # What a tar lacks could not be read. Where it can by now, the tar is written anew.
    mended = set(seen.loc[seen["broken"] == "", "wnid"]) - new
    more = wanted[wanted["wnid"].isin(mended) & ~is_absent]
    seen = pd.concat([seen, _examine(more, split, run_all, title)])
    new |= mended
    _write(seen[seen["wnid"].isin(new) & (seen["broken"] == "")], split, run_all, title)
    completed = _with_findings(jobs, new, seen[seen["broken"] != ""])
    return list(tqdm(run_all(_complete, completed), total=len(jobs), desc=title, unit="tar"))


def _with_findings(jobs: list[TarJob], new: set[str], broken: pd.DataFrame) -> list[TarJob]:
    reasons = {
        wnid: dict(zip(each["name"], each["broken"], strict=True))
        for wnid, each in broken.sort_values("number").groupby("wnid")
    }
    return [
        replace(
            job,
            is_new=job.tar.wnid in new,
            left_out=job.left_out | reasons.get(job.tar.wnid, {}),
        )
        for job in jobs
    ]


def _wanted(
    rows: pd.DataFrame, tars: Sequence[ClassTar], images: int
) -> tuple[list[TarJob], pd.DataFrame]:
    """Return a job for each tar, and the wanted pictures: as `rows`, with their numbers."""
    pictures = rows[[is_picture(name) for name in rows["name"]]]
    pictures = pictures.sort_values(["wnid", "name", "file", "row"], kind="stable")
    is_second = pictures.duplicated(["wnid", "name"])
    wanted = pictures[~is_second].assign(number=lambda each: each.groupby("wnid").cumcount())
    if images:
        wanted = wanted[wanted["number"] < images]
    names = {wnid: list(each) for wnid, each in wanted.groupby("wnid")["name"]}
    seconds = {wnid: list(each) for wnid, each in pictures[is_second].groupby("wnid")["name"]}
    others = rows["wnid"].value_counts() - pictures["wnid"].value_counts()
    jobs = [
        TarJob(
            tar=tar,
            names=names.get(tar.wnid, []),
            sizes=[],
            is_new=False,
            left_out=dict.fromkeys(seconds.get(tar.wnid, []), SECOND),
            other_files=int(others.get(tar.wnid, 0)),
        )
        for tar in tars
    ]
    return jobs, wanted


def _with_sizes(jobs: list[TarJob], wanted: pd.DataFrame, run_all: Map, title: str) -> list[TarJob]:
    """Fill in the sizes of the wanted pictures of those classes whose tar is there."""
    there = {job.tar.wnid for job in jobs if job.tar.path.exists()}
    files = _file_jobs(wanted[wanted["wnid"].isin(there)], jobs[0].tar.split)
    read = tqdm(
        run_all(_sizes, files),
        total=len(files),
        desc=f"{title}: sizes",
        unit="file",
        disable=not files,
    )
    sized = [file.rows.assign(size=each) for file, each in zip(files, read, strict=True)]
    rows = pd.concat([wanted.head(0).assign(size=0), *sized]).sort_values("number")
    sizes = {wnid: each.tolist() for wnid, each in rows.groupby("wnid")["size"]}
    return [replace(job, sizes=sizes.get(job.tar.wnid, [])) for job in jobs]


def _sizes(job: FileJob) -> list[int]:
    return [len(content) for _, content in _contents(job)]


def _numbers_lacking(job: TarJob) -> list[int] | None:
    if not job.tar.path.exists():
        return None
    wanted = list(zip(job.names, job.sizes, strict=True))
    return numbers_lacking(read_stored(job.tar.path), wanted)


def _examine(rows: pd.DataFrame, split: str, run_all: Map, title: str) -> pd.DataFrame:
    """Return the rows with `told`, `span` and `broken`, as `_examine_file` says."""
    jobs = _file_jobs(rows, split)
    done = tqdm(
        run_all(_examine_file, jobs),
        total=len(jobs),
        desc=f"{title}: examine",
        unit="file",
        disable=not jobs,
    )
    seen = [job.rows.assign(**each) for job, each in zip(jobs, done, strict=True)]
    return pd.concat([rows.head(0).assign(told="", span=0, broken=""), *seen])


def _file_jobs(rows: pd.DataFrame, split: str) -> list[FileJob]:
    return [
        FileJob(
            path=Path(str(path)), split=split, rows=each.sort_values("row").reset_index(drop=True)
        )
        for path, each in rows.groupby("file")
    ]


def _examine_file(job: FileJob) -> pd.DataFrame:
    """Return of each row what its picture's .json tells, and the bytes that it takes in a tar.

    `broken` says why a picture is left out, and is empty otherwise.
    """
    kept = layout.INGEST_FACTS / f"{_digest(job)}.parquet"
    try:
        return pd.read_parquet(kept)
    except (OSError, ValueError):
        pass  # not examined yet
    rows = []
    for row, content in _contents(job):
        try:
            facts = examine(content)
        except BrokenPictureError as error:
            rows.append({"told": "", "span": 0, "broken": str(error)})
            continue
        sample = picture_sample(_tar(job, row), int(row.number), row.name, content, facts)
        told, span = json.dumps(sample.json), len(sample_bytes(sample))
        rows.append({"told": told, "span": span, "broken": ""})
    examined = pd.DataFrame(rows)
    with whole_file(kept) as partial:
        examined.to_parquet(partial, index=False)
    return examined


def _digest(job: FileJob) -> str:
    about = job.path.stat()
    rows = job.rows[["row", "wnid", "name", "number"]].to_csv(index=False)
    return sha256(f"{job.path} {about.st_size} {about.st_mtime_ns} {rows}".encode()).hexdigest()


def _tar(job: FileJob, row: Any) -> ClassTar:
    return ClassTar(wnid=row.wnid, split=job.split, class_index=int(row.label))


def _contents(job: FileJob) -> Iterator[tuple[Any, bytes]]:
    """Yield the rows of a job, in their order in the file, and the bytes of their pictures."""
    rows: dict[Any, Any] = {row.row: row for row in job.rows.itertuples()}
    try:
        with pq.ParquetFile(job.path) as file:
            number = 0
            for group in range(file.num_row_groups):
                end = number + file.metadata.row_group(group).num_rows
                if any(each in rows for each in range(number, end)):
                    yield from _contents_of_group(file, group, number, rows)
                number = end
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{job.path} is damaged ({' '.join(str(error).split())[:200]}): get it again."
        ) from None


def _contents_of_group(
    file: pq.ParquetFile, group: int, number: int, rows: dict[Any, Any]
) -> Iterator[tuple[Any, bytes]]:
    for batch in file.iter_batches(BATCH, row_groups=[group], columns=["image.bytes"]):
        contents = batch.column("image").field("bytes")
        for i in range(len(contents)):
            if number + i in rows:
                yield rows[number + i], contents[i].as_py() or b""
        number += len(contents)


def _write(rows: pd.DataFrame, split: str, run_all: Map, title: str) -> None:
    """Write pictures to their places in the temporary files of their tars."""
    parts = []
    for wnid, each in rows.sort_values("number").groupby("wnid"):
        ends = each["span"].cumsum()
        partial = layout.partial(layout.shard(NATURAL, split, str(wnid)))
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.truncate(tar_size(int(ends.iloc[-1])))
        parts.append(each.assign(tar=str(partial), offset=ends - each["span"]))
    jobs = _file_jobs(pd.concat(parts), split) if parts else []
    done = run_all(_write_file, jobs)
    list(tqdm(done, total=len(jobs), desc=f"{title}: write", unit="file", disable=not jobs))


def _write_file(job: FileJob) -> None:
    for row, content in _contents(job):
        told = json.loads(row.told)
        if sha256(content).hexdigest() != told["digest"]:
            raise InputError(f"{job.path} changed while it was read: run this again.")
        sample = Sample(
            key=image_key(row.wnid, job.split, row.number),
            jpg=content,
            cls=int(row.label),
            txt="",
            json=told,
        )
        with open(row.tar, "r+b") as stream:
            stream.seek(row.offset)
            stream.write(sample_bytes(sample))


def _complete(job: TarJob) -> ClassFound:
    """Give a new tar its name if it is whole."""
    path, partial = job.tar.path, layout.partial(job.tar.path)
    stored = read_stored(path)
    if job.is_new:
        stored = read_told(partial) if partial.exists() else []
        if stored:
            partial.replace(path)
    return found_in(job.tar, stored, job.left_out, job.other_files)
