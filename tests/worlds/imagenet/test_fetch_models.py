"""Models are fetched whole, by revision, as safetensors and without code, or not at all.

The client is the hub's own; what it talks to is a hub on loopback.
"""

import json
import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub.constants
import pytest
import torch
import yaml
from filelock import FileLock
from safetensors.torch import save_file

from synset_factory import layout
from synset_factory.config import load_params
from synset_factory.errors import InputError
from synset_factory.worlds.imagenet.fetch_models import Order, check_room, fetch, main, order
from synset_factory.worlds.imagenet.model_folders import (
    CLIP_CONFIG,
    CLIP_WEIGHTS,
    OpenClipForm,
    PipelineForm,
    TimmForm,
)
from synset_factory.worlds.imagenet.sources import Source
from tests.hub_server import Hub, serve
from tests.tiny_models import save_text_to_image

REPOSITORY = Path(__file__).parents[3]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PLACE = Path("data/models/model")
UNET = "unet/diffusion_pytorch_model.safetensors"
WITHOUT_CHECKER, WITH_CHECKER = (
    PipelineForm(safety_checker=False),
    PipelineForm(safety_checker=True),
)


def weights(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"weight": torch.arange(6.0)}, path)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repositories as they are on the hub: with variants, pickles, cards and a safety checker."""
    root = tmp_path_factory.mktemp("hub")
    pipeline = root / "some/pipeline"
    save_text_to_image(pipeline)
    index = json.loads((pipeline / "model_index.json").read_text())
    index |= {
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "requires_safety_checker": True,
    }
    (pipeline / "model_index.json").write_text(json.dumps(index))
    weights(pipeline / "safety_checker/model.safetensors")
    (pipeline / "safety_checker/config.json").write_text("{}")
    for name in (
        *("README.md", "v1-5-pruned.ckpt", "v1-5-pruned-emaonly.safetensors"),
        *("unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.fp16.safetensors"),
        *("unet/diffusion_pytorch_model.non_ema.safetensors", "vae_decoder/model.onnx"),
        "unet/diffusion_pytorch_model.fp16.safetensors.index.json",
    ):
        (pipeline / name).parent.mkdir(exist_ok=True)
        (pipeline / name).write_bytes(b"not this")
    clip = root / "some/clip"
    weights(clip / CLIP_WEIGHTS)
    (clip / CLIP_CONFIG).write_text(json.dumps({"model_cfg": {"text_cfg": {}}}))
    (clip / "open_clip_pytorch_model.bin").write_bytes(b"a pickle")
    timm = root / "some/timm"
    weights(timm / "model.safetensors")
    (timm / "config.json").write_text(json.dumps({"architecture": "test_resnet"}))
    (timm / "pytorch_model.bin").write_bytes(b"a pickle")
    return root / "some"


@pytest.fixture
def hub(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub, and an empty place to fetch to."""
    names = ("pipeline", "clip", "timm")
    with serve(Hub({f"some/{name}": models / name for name in names}, COMMIT)) as hub:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        (tmp_path / "clone").mkdir()
        monkeypatch.chdir(tmp_path / "clone")
        yield hub


def pipeline(revision: str = COMMIT, form: PipelineForm = WITHOUT_CHECKER) -> Order:
    return order(PLACE, Source(source="some/pipeline", revision=revision), form)


def names_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("hub")
def test_a_pipeline_is_its_components_as_safetensors_and_diffusers_reads_it() -> None:
    record = fetch(pipeline())
    found = names_below(PLACE)
    assert found == set(record["sha256"])
    assert {name for name in found if name.endswith(".safetensors")} == {
        UNET,
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    }
    assert {Path(name).suffix for name in found} == {".json", ".safetensors"}
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(PLACE, local_files_only=True)
    assert pipe.safety_checker is None
    assert not pipe.config.requires_safety_checker


@pytest.mark.usefixtures("hub")
def test_the_safety_checker_comes_if_it_is_asked_for(models: Path) -> None:
    fetch(pipeline(form=WITH_CHECKER))
    assert (PLACE / "safety_checker/model.safetensors").exists()
    index = (PLACE / "model_index.json").read_bytes()
    assert index == (models / "pipeline/model_index.json").read_bytes()
    fetch(pipeline())
    assert not (PLACE / "safety_checker").exists()


@pytest.mark.usefixtures("hub")
def test_a_branch_is_recorded_with_its_commit_and_every_file_with_its_digest() -> None:
    record = fetch(pipeline("main"))
    assert (record["revision"], record["commit"]) == ("main", COMMIT)
    for name, digest in record["sha256"].items():
        assert sha256((PLACE / name).read_bytes()).hexdigest() == digest


def test_a_second_fetch_asks_for_no_weights(hub: Hub) -> None:
    first = fetch(pipeline())
    assert UNET in hub.sent
    hub.sent.clear()
    assert fetch(pipeline()) == first
    assert not [name for name in hub.sent if name.endswith(".safetensors")]


def test_an_interrupted_fetch_leaves_no_folder_and_goes_on_with_what_is_missing(hub: Hub) -> None:
    hub.failing = {UNET}
    with pytest.raises(InputError, match=r"some/pipeline at .* cannot be fetched"):
        fetch(pipeline())
    assert not PLACE.exists()
    whole = {
        path.relative_to(layout.partial(PLACE)).as_posix()
        for path in layout.partial(PLACE).rglob("*.safetensors")
    }
    assert whole and UNET not in whole
    hub.failing = set()
    hub.sent.clear()
    fetch(pipeline())
    assert UNET in hub.sent and not whole & set(hub.sent)
    assert names_below(PLACE.parent) == {f"model/{name}" for name in names_below(PLACE)}


def test_what_arrives_with_another_digest_is_not_kept(hub: Hub) -> None:
    hub.wrong_digests = {UNET}
    with pytest.raises(InputError, match=f"{UNET} did not arrive as the hub has it"):
        fetch(pipeline())
    assert not PLACE.exists()
    assert not (layout.partial(PLACE) / UNET).exists()


@pytest.mark.usefixtures("hub")
def test_a_folder_of_this_machine_gives_the_same_files(models: Path) -> None:
    fetch(pipeline())
    by_hub = {name: (PLACE / name).read_bytes() for name in names_below(PLACE)}
    source = Source(source=str(models / "pipeline"), revision="")
    record = fetch(order(PLACE, source, WITHOUT_CHECKER))
    assert {name: (PLACE / name).read_bytes() for name in names_below(PLACE)} == by_hub
    assert record["commit"] == ""


@pytest.mark.parametrize(
    ("name", "revision", "sentence"),
    [
        ("some/other", COMMIT, "the hub has no repository 'some/other', or a private one"),
        ("some/clip", "v9", "the hub has no some/clip at v9; correct the revision"),
        ("some/clip", "", "'some/clip' at revision '' is neither a repository"),
        ("clip", COMMIT, "'clip' at revision '.*' is neither a repository"),
        ("/nowhere/clip", "", "there is no folder /nowhere/clip"),
        ("/nowhere/clip", "main", "the folder /nowhere/clip has no revision"),
        (f"/{'x' * 300}", "", r"xx (cannot be copied \(.*too long|there is no folder).*"),
    ],
)
@pytest.mark.usefixtures("hub")
def test_a_source_that_is_none_is_one_sentence(name: str, revision: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        order(PLACE, Source(source=name, revision=revision), OpenClipForm())


def test_a_repository_with_terms_says_how_to_agree(hub: Hub) -> None:
    hub.gated = {"some/clip"}
    with pytest.raises(InputError, match="agree on its page, then log in"):
        order(PLACE, Source(source="some/clip", revision=COMMIT), OpenClipForm())


def test_without_a_network_the_remedy_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"cannot be fetched .* or name a folder"):
        pipeline()


def local(folder: Path, form: Any) -> Order:
    return order(PLACE, Source(source=str(folder), revision=""), form)


@pytest.fixture
def copied(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all models to spoil."""
    shutil.copytree(models, tmp_path / "copy")
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "copy"


def test_pickles_alone_are_no_weights(copied: Path) -> None:
    (copied / "pipeline" / UNET).unlink()
    with pytest.raises(InputError, match="has no weights of 'unet' as safetensors"):
        local(copied / "pipeline", WITHOUT_CHECKER)
    (copied / "clip" / CLIP_WEIGHTS).unlink()
    with pytest.raises(InputError, match=f"has no {CLIP_WEIGHTS}"):
        local(copied / "clip", OpenClipForm())
    (copied / "timm/model.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no model\.safetensors"):
        local(copied / "timm", TimmForm())


@pytest.mark.parametrize("content", [b"", b"\x80\x04N.", b"{}" * 50])
def test_what_is_no_safetensors_is_refused_whatever_its_name(copied: Path, content: bytes) -> None:
    (copied / "timm/model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors is no whole safetensors file"):
        fetch(local(copied / "timm", TimmForm()))
    assert not PLACE.exists()


def test_truncated_weights_are_refused(copied: Path) -> None:
    path = copied / "clip" / CLIP_WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="is no whole safetensors file"):
        fetch(local(copied / "clip", OpenClipForm()))


def test_code_that_comes_with_a_model_is_refused(copied: Path) -> None:
    code = copied / "pipeline/unet/my_unet.py"
    code.write_text("import os\n")
    with pytest.raises(InputError, match=r"has code of its own, unet/my_unet\.py"):
        local(copied / "pipeline", WITHOUT_CHECKER)
    code.unlink()
    config = copied / "pipeline/text_encoder/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"auto_map": {"A": "b.C"}}))
    with pytest.raises(InputError, match="asks for code that comes with the model"):
        fetch(local(copied / "pipeline", WITHOUT_CHECKER))
    assert not PLACE.exists()


def test_weights_in_several_files_must_all_be_there(copied: Path) -> None:
    unet = copied / "pipeline/unet"
    (copied / "pipeline" / UNET).unlink()
    parts = [f"diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    for part in parts:
        weights(unet / part)
    listed = {"weight_map": {"a": parts[0], "b": parts[1]}}
    (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(listed))
    fetch(local(copied / "pipeline", WITHOUT_CHECKER))
    assert all((PLACE / "unet" / part).exists() for part in parts)
    (unet / parts[1]).unlink()
    with pytest.raises(InputError, match=f"lists {parts[1]}, which is not there"):
        fetch(local(copied / "pipeline", WITHOUT_CHECKER))


FORMS = {"pipeline": WITHOUT_CHECKER, "clip": OpenClipForm(), "timm": TimmForm()}
WEIGHTS_LIST = "unet/diffusion_pytorch_model.safetensors.index.json"


@pytest.mark.parametrize(
    ("name", "file", "content", "sentence"),
    [
        ("pipeline", "model_index.json", b'{"unet": ', "model_index.json of .* cannot be read as"),
        ("pipeline", "model_index.json", b"\xff\xfe", "model_index.json of .* cannot be read as"),
        ("pipeline", "model_index.json", b"[]", "model_index.json of .* a mapping in JSON"),
        ("pipeline", "model_index.json", b'{"unet": []}', "does not say what its 'unet' is"),
        ("pipeline", "unet/config.json", b'{"a', r"unet/config\.json cannot be read as JSON"),
        ("pipeline", "unet/config.json", b'"\xe9"', r"unet/config\.json cannot be read as JSON"),
        ("pipeline", "unet/config.json", b"[" * 10**5, r"unet/config\.json cannot be read as JSON"),
        ("pipeline", WEIGHTS_LIST, b"{}", r"index\.json lists no files of weights"),
        ("pipeline", WEIGHTS_LIST, b"[]", r"index\.json lists no files of weights"),
        ("pipeline", WEIGHTS_LIST, b'{"weight_map": []}', "lists no files of weights"),
        ("pipeline", WEIGHTS_LIST, b'{"weight_map": {"a": 1, "b": "c"}}', "lists 1, which is not"),
        ("clip", CLIP_CONFIG, b"{", f"{CLIP_CONFIG} of .* cannot be read as JSON"),
        ("clip", CLIP_CONFIG, b'{"model_cfg": null}', "describes no text tower"),
        ("clip", CLIP_CONFIG, b'{"model_cfg": {"text_cfg": null}}', "describes no text tower"),
        ("clip", CLIP_CONFIG, b'{"model_cfg": []}', "describes no text tower"),
        ("timm", "config.json", b"", r"config\.json cannot be read as JSON"),
    ],
)
def test_a_damaged_description_is_one_sentence(
    name: str, file: str, content: bytes, sentence: str, copied: Path
) -> None:
    (copied / name / file).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        fetch(local(copied / name, FORMS[name]))
    assert not PLACE.exists()


def test_a_file_that_disappears_from_a_mirror_is_one_sentence(copied: Path) -> None:
    folder = copied / "timm"
    wanted = local(folder, TimmForm())
    (folder / "model.safetensors").unlink()
    sentence = r"timm cannot be copied \(.*model\.safetensors.*\): mend that"
    with pytest.raises(InputError, match=sentence):
        fetch(wanted)
    with pytest.raises(InputError, match=sentence):
        wanted.origin.read("model.safetensors")
    assert not PLACE.exists()


def test_a_clip_whose_text_tower_lies_elsewhere_is_refused(copied: Path) -> None:
    text = {"hf_model_name": "xlm-roberta-base"}
    (copied / "clip" / CLIP_CONFIG).write_text(json.dumps({"model_cfg": {"text_cfg": text}}))
    with pytest.raises(InputError, match="takes its text tower from xlm-roberta-base"):
        local(copied / "clip", OpenClipForm())


def test_a_clip_with_a_tokenizer_of_its_own_brings_it(copied: Path) -> None:
    text = {"hf_tokenizer_name": "some/tokenizer"}
    (copied / "clip" / CLIP_CONFIG).write_text(json.dumps({"model_cfg": {"text_cfg": text}}))
    (copied / "clip/tokenizer.json").write_text("{}")
    fetch(local(copied / "clip", OpenClipForm()))
    assert names_below(PLACE) == {CLIP_CONFIG, CLIP_WEIGHTS, "tokenizer.json"}


def test_a_full_disk_is_said_before_anything_is_fetched(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(copied)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    with pytest.raises(InputError, match=r"need 0\.0 GB more, but the disk has 0\.0 GB"):
        check_room([local(copied / "timm", TimmForm())])


def test_room_is_needed_for_files_of_another_size_not_for_those_that_are_there(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(copied)
    wanted = local(copied / "timm", TimmForm())
    fetch(wanted)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    check_room([wanted])
    (PLACE / "model.safetensors").write_bytes(b"another model's")
    with pytest.raises(InputError, match="make room first"):
        check_room([wanted])


def test_a_file_of_another_source_does_not_stay_for_its_size_and_time(copied: Path) -> None:
    fetch(local(copied / "timm", TimmForm()))
    here, there = PLACE / "model.safetensors", copied / "timm/model.safetensors"
    content = bytearray(there.read_bytes())
    content[-1] ^= 1  # within the weights
    there.write_bytes(content)
    times = (here.stat().st_atime_ns, here.stat().st_mtime_ns)
    os.utime(there, ns=times)
    fetch(local(copied / "timm", TimmForm()))
    assert here.read_bytes() == content


def test_a_copy_that_is_whole_is_not_made_again(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = local(copied / "timm", TimmForm())
    fetch(wanted)
    monkeypatch.setattr(shutil, "copyfile", None)
    fetch(wanted)


def write_params(copied: Path, **pretrained: str) -> dict[str, Any]:
    """Write params.yaml that names the copy's folders."""

    def source(name: str) -> dict[str, str]:
        return {"source": str(copied / name), "revision": ""}

    params = load_params(REPOSITORY / "worlds/imagenet.yaml")
    params["fetch_models"] = {
        "text_to_image": source("pipeline"),
        "clip": source("clip"),
        "pretrained": {name: source(folder) for name, folder in pretrained.items()},
    }
    layout.PARAMS.write_text(yaml.safe_dump(params))
    return params


@pytest.mark.parametrize("name", ["timm/resnetrs152", "../clip", "", "ResNet", "a.tmp"])
def test_a_name_that_is_no_folders_is_refused_before_anything_is_fetched(
    name: str, copied: Path
) -> None:
    write_params(copied, **{name: "timm"})
    with pytest.raises(InputError, match=f"the name '{name}' may hold only"):
        main()
    assert not layout.MODELS.exists()


def test_a_second_run_does_not_fetch_beside_the_first(copied: Path) -> None:
    write_params(copied, new="timm")
    layout.MODELS.mkdir(parents=True)
    with FileLock(layout.MODELS_LOCK), pytest.raises(InputError, match="another run"):
        main()
    assert not list(layout.MODELS.iterdir())


def test_the_part_fetches_all_that_params_name_and_nothing_stays_of_others(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = write_params(copied, old="timm", new="timm")
    main()
    assert "data/models/clip: 2 files, 0.00 GB, from " in capsys.readouterr().out
    assert {path.name for path in layout.PRETRAINED.iterdir()} == {"old", "new"}
    del params["fetch_models"]["pretrained"]["old"]
    layout.PARAMS.write_text(yaml.safe_dump(params))
    (layout.PRETRAINED / "stray").write_text("no folder")
    (layout.PRETRAINED / "link").symlink_to(copied)
    shutil.rmtree(layout.PRETRAINED / "new")
    (layout.PRETRAINED / "new").write_text("no folder")
    main()
    assert {path.name for path in layout.PRETRAINED.iterdir()} == {"new"}
    assert names_below(copied / "timm") == {"model.safetensors", "config.json", "pytorch_model.bin"}
    record = json.loads(layout.FETCHED_MODELS.read_text())
    assert set(record) == {"text_to_image", "clip", "pretrained/new"}
    for name, model in record.items():
        assert names_below(layout.MODELS / name) == set(model["sha256"])
