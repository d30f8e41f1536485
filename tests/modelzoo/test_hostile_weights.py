"""Weight files from outside: what is wrong or hostile is refused in one sentence, before memory or code is spent."""

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modelzoo import build as registry
from modelzoo.checkpoint import CheckpointError, load_checkpoint, read_metadata, save_checkpoint
from modelzoo.model.segmenter import build_sam
from modelzoo.weight_files import bounded
from tests.modelzoo.reference import golden_json


@pytest.fixture(autouse=True)
def small_as_vit_b(monkeypatch):
    """The registry builds the small SAM where it would build ViT-B, so official files fit into a test."""
    config = {**golden_json("sam_small_config"), "variant": "sam_vit_b"}
    monkeypatch.setitem(registry.BUILDERS, "sam_vit_b", lambda **overrides: build_sam({**config, **overrides}))


@pytest.fixture
def torch_never_reads(monkeypatch):
    """Fails a test in which torch is asked to unpickle."""

    def read(*_, **__):
        raise AssertionError("torch.load was called")

    monkeypatch.setattr("modelzoo.weight_files.torch.load", read)


def refused(path, match):
    with pytest.raises(CheckpointError, match=match) as error:
        load_checkpoint(path, variant="sam_vit_b")
    assert "\n" not in str(error.value)


def archive(path, pickled, compression=zipfile.ZIP_STORED, **others):
    with zipfile.ZipFile(path, "w", compression) as stored:
        stored.writestr("archive/data.pkl", pickled)
        stored.writestr("archive/version", b"3\n")
        for name, content in others.items():
            stored.writestr(f"archive/{name}", content)
    return path


# --- What is no file of weights at all -----------------------------------------------------------------------------


def test_links_folders_and_pipes_are_refused(small_sam, tmp_path):
    torch.save(small_sam.state_dict(), tmp_path / "real.pth")
    (tmp_path / "link.pth").symlink_to(tmp_path / "real.pth")
    (tmp_path / "folder.pth").mkdir()
    os.mkfifo(tmp_path / "pipe.pth")
    refused(tmp_path / "link.pth", "is a link")
    refused(tmp_path / "folder.pth", "is no file")
    refused(tmp_path / "pipe.pth", "is no file")  # opening it would wait for ever
    refused(tmp_path / "nothing.pth", "There is no checkpoint")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"<!doctype html><title>404</title>", "neither"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:6dbb\n", "neither"),
        (pickle.dumps({"a": 1}), "neither"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "neither"),  # how PyTorch began files before 1.6
        (b"PK\x03\x04" + b"\0" * 100, "damaged"),
        (b"PK\x05\x06" + b"\0" * 18, "neither"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_other_content_is_refused_whatever_its_name(tmp_path, torch_never_reads, content, match, suffix):
    (tmp_path / f"file{suffix}").write_bytes(content)
    refused(tmp_path / f"file{suffix}", match)


def test_a_file_beyond_any_model_is_refused_unread(tmp_path, torch_never_reads):
    with (tmp_path / "huge.pth").open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(5 * 1024**3)  # sparse: it takes no room
    refused(tmp_path / "huge.pth", "larger than any known model")


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_is_cut_short_is_refused(small_sam, tmp_path, share, suffix):
    path = tmp_path / f"whole{suffix}"
    if suffix == ".pth":
        torch.save(small_sam.state_dict(), path)
    else:
        save_file(small_sam.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, "damaged")


# --- Code, and memory out of nothing -------------------------------------------------------------------------------


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, monkeypatch, torch_never_reads, protocol):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # an attacker's environment must not matter
    marker = tmp_path / "it ran"
    path = archive(tmp_path / "evil.pth", pickle.dumps({"weight": Payload(marker)}, protocol=protocol))
    refused(path, "does more than hold weights")
    assert not marker.exists()


def test_torchs_own_filter_stays_behind_ours(small_sam, tmp_path, monkeypatch):
    asked = {}

    def read(*_, **options):
        asked.update(options)
        return small_sam.state_dict()

    torch.save(small_sam.state_dict(), tmp_path / "sam.pth")
    monkeypatch.setattr("modelzoo.weight_files.torch.load", read)
    load_checkpoint(tmp_path / "sam.pth", variant="sam_vit_b")
    assert asked["weights_only"] is True


class Gigabytes:
    def __reduce__(self):
        return bytearray, (8 * 1024**3,)


@pytest.mark.parametrize("name", ["DATA.PKL", "Data.pkl"])
def test_a_second_pickle_that_differs_in_case_is_refused(tmp_path, torch_never_reads, name):
    """torch's reader does not tell case apart: it would read the hungry one, where the harmless one was checked."""
    hungry = pickle.dumps({"weight": Gigabytes()}, protocol=2)
    refused(archive(tmp_path / "two.pth", pickle.dumps({}, protocol=2), **{name: hungry}), "doubled")
    with zipfile.ZipFile(tmp_path / "elsewhere.pth", "w") as stored:
        stored.writestr(f"other/{name}", hungry)
        stored.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
    refused(tmp_path / "elsewhere.pth", "holds no state dict")


def test_a_pickle_that_asks_for_memory_is_refused(tmp_path, torch_never_reads):
    """bytearray passes torch's filter: a file of a hundred bytes would take 8 GiB."""
    path = archive(tmp_path / "hungry.pth", pickle.dumps({"weight": Gigabytes()}, protocol=2))
    refused(path, "does more than hold weights .*bytearray")


def test_a_compressed_archive_is_refused_packed(tmp_path, torch_never_reads):
    path = archive(tmp_path / "bomb.pth", b"\0" * 64 * 1024**2, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    refused(path, "compressed")


def test_an_index_without_end_is_refused(tmp_path, torch_never_reads):
    """A pickle of names alone, larger than any model's; and an archive whose directory is said to be a gigabyte."""
    refused(archive(tmp_path / "names.pth", b"\0" * 5 * 1024**2), "holds no state dict")
    whole = archive(tmp_path / "directory.pth", pickle.dumps({}, protocol=2)).read_bytes()
    end = whole.rfind(b"PK\x05\x06")
    (tmp_path / "directory.pth").write_bytes(whole[: end + 12] + struct.pack("<L", 1 << 30) + whole[end + 16 :])
    refused(tmp_path / "directory.pth", "directory is longer")


def test_a_tensor_larger_than_the_file_is_refused(small_sam, tmp_path):
    """One stored number, seen as a terabyte of them: converting it would be the end."""
    state = dict(small_sam.state_dict())
    state["mask_decoder.iou_token.weight"] = torch.zeros(1).expand(1 << 38)
    torch.save(state, tmp_path / "wide.pth")
    refused(tmp_path / "wide.pth", "more than the file is long")


def test_a_storage_that_is_shorter_than_its_pickle_says_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1000)}, tmp_path / "true.pth")
    with zipfile.ZipFile(tmp_path / "true.pth") as true, zipfile.ZipFile(tmp_path / "lie.pth", "w") as lie:
        for member in true.infolist():
            lie.writestr(member.filename, true.read(member).replace(b"M\xe8\x03", b"M\xff\xff"))  # 1000 -> 65535
    refused(tmp_path / "lie.pth", "more than the file is long|not a readable checkpoint")


@pytest.mark.parametrize(
    ("index", "data"),
    [
        ({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 16]}}, 16),
        ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 1 << 40]}}, 16),
        ({"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}, 16),
        (
            {
                "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
                "b": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
            },
            24,
        ),
        ({"a": {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]}}, 16),
        ([1, 2, 3], 16),
    ],
    ids=["shape", "place", "negative", "overlap", "dtype", "no object"],
)
def test_a_safetensors_index_that_lies_is_refused(tmp_path, index, data):
    text = json.dumps(index).encode()
    (tmp_path / "lie.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * data)
    refused(tmp_path / "lie.safetensors", "damaged|neither")


def test_a_safetensors_index_of_gigabytes_is_refused_unread(tmp_path):
    (tmp_path / "long.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b"{}" + b" " * 100)
    refused(tmp_path / "long.safetensors", "longer than the file allows")


# --- Weights that are no such model --------------------------------------------------------------------------------


def changed(state, how):
    key = "mask_decoder.iou_token.weight"
    if how == "lacks":
        del state[key]
    elif how == "has in addition":
        state["mask_decoder.stranger"] = torch.zeros(3)
    elif how == "shape":
        state[key] = torch.zeros(2, 64)
    else:
        state[key] = torch.zeros(state[key].shape, dtype=torch.int64)
    return state


@pytest.mark.parametrize("how", ["lacks", "has in addition", "shape", "kind"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_names_shapes_and_kinds_are_exact(small_sam, tmp_path, how, suffix):
    state = changed(dict(small_sam.state_dict()), how)
    (torch.save if suffix == ".pth" else save_file)(state, tmp_path / f"other{suffix}")
    refused(tmp_path / f"other{suffix}", f"does not fit the model sam_vit_b: .*{how}.* mask_decoder")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(small_sam, tmp_path, value):
    state = {name: tensor.clone() for name, tensor in small_sam.state_dict().items()}
    state["mask_decoder.iou_token.weight"][0, 5] = value
    torch.save(state, tmp_path / "nan.pth")
    refused(tmp_path / "nan.pth", "mask_decoder.iou_token.weight holds numbers that are not finite")


@pytest.mark.parametrize(
    "state", [{}, [torch.zeros(3)], {"model": {"a": torch.zeros(3)}}, {"a": torch.zeros(3), "b": 1}]
)
def test_other_contents_of_an_archive_are_refused(tmp_path, state):
    torch.save(state, tmp_path / "other.pth")
    refused(tmp_path / "other.pth", "state dict")


def test_an_unknown_layout_says_what_is_known(tmp_path):
    torch.save({"backbone.conv1.weight": torch.zeros(3)}, tmp_path / "resnet.pth")
    with pytest.raises(CheckpointError, match="neither a SAM or MobileSAM checkpoint"):
        load_checkpoint(tmp_path / "resnet.pth")


def test_official_weights_as_safetensors_load_like_the_original(small_sam, tmp_path):
    save_file(small_sam.state_dict(), tmp_path / "sam.safetensors")
    loaded = load_checkpoint(tmp_path / "sam.safetensors", variant="sam_vit_b")
    for name, tensor in small_sam.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    with pytest.raises(CheckpointError, match="not an Anymask checkpoint"):
        read_metadata(tmp_path / "sam.safetensors")


# --- Our own format, written by somebody else ----------------------------------------------------------------------


def own_file(path, model, **changes):
    """Our file of `model`, whose header asks for something else."""
    save_checkpoint(model, path)
    header = read_metadata(path)
    header["config"] = {**header["config"], **changes}
    save_file(model.state_dict(), path, metadata={"anymask": json.dumps(header)})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"widths": [32, 48, 96, 1 << 40]}, "beyond reason"),
        ({"depths": [1, 2, 1, 10**9]}, "beyond reason"),
        ({"depths": [1] * 10_000}, "beyond reason"),
        ({"coarse_channels": float("nan")}, "beyond reason"),
        ({"widths": [16_000] * 4, "depths": [9] * 4}, "does not fit"),  # 100 GB if it were built
        ({"widths": "many"}, "does not know"),
        ({"stranger": 1}, "does not know"),
        ({"long_side": 16_384}, "beyond reason"),  # shows in no tensor
    ],
)
def test_a_header_that_asks_for_another_network_is_refused(tmp_path, changes, match):
    own_file(tmp_path / "own.safetensors", registry.build("anymask_compact", long_side=64), **changes)
    refused(tmp_path / "own.safetensors", match)


@pytest.mark.parametrize(
    ("part", "changes", "match"),
    [
        ("image_encoder", {"img_size": 16_000}, "beyond reason"),
        ("image_encoder", {"window_size": 16_000}, "beyond reason"),
        ("image_encoder", {"img_size": 2048, "patch_size": 1}, "more than attention can take"),
        ("prompt_encoder", {"input_image_size": [16_000, 16_000]}, "beyond reason"),
        ("prompt_encoder", {"image_embedding_size": [1000, 1000]}, "beyond reason"),
    ],
)
def test_a_sam_that_takes_pictures_beyond_reason_is_refused(small_sam, tmp_path, part, changes, match):
    kept = {name: value for name, value in small_sam.config.items() if name not in ("n_parameters", "state_dict")}
    model = build_sam({**kept, "variant": "sam_vit_b"})
    save_checkpoint(model, tmp_path / "true.safetensors")
    load_checkpoint(tmp_path / "true.safetensors")
    own_file(tmp_path / "own.safetensors", model, **{part: {**kept[part], **changes}})
    refused(tmp_path / "own.safetensors", match)


@pytest.mark.parametrize("variant", ["sam_vit_h", "mobile_sam"])
def test_the_sizes_of_published_models_are_within_reason(variant):
    with torch.device("meta"):
        config = registry.build(variant).config
    assert config["image_encoder"]["img_size"] == 1024
    assert bounded(config)


def test_a_header_of_another_make_is_refused(tmp_path):
    for number, text in enumerate(("[]", '"text"', "{", '{"variant": "sam_vit_z", "config": {}}', "[" * 100_000)):
        path = tmp_path / f"{number}.safetensors"
        save_file({"a": torch.zeros(3)}, path, metadata={"anymask": text})
        refused(path, "header|damaged|does not know")
