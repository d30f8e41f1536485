"""Archives from outside: nothing lands outside, nothing blows up, one bad member does not spoil the rest."""

from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest

from annotation.errors import TooLarge, UserError
from annotation.ingest import archives


def build(tmp_path, *entries, compression=zipfile.ZIP_DEFLATED):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return path


def read(path, tmp_path, limit=1 << 20):
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    return list(archives.members(path, folder, limit)), folder


@pytest.mark.parametrize("name", ["../up.jpg", "/abs.jpg", "a/../../b.jpg", "..\\up.jpg", "C:\\x.jpg"])
def test_members_that_point_outside_are_refused(tmp_path, name):
    found, folder = read(build(tmp_path, (name, b"x"), ("good.jpg", b"y")), tmp_path)
    by_name = {member.name: member for member in found}
    assert by_name.pop("good.jpg").error is None
    assert [member.error.code for member in by_name.values()] == ["member_path"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "incoming", "out"]
    assert all(path.parent == folder for path in folder.rglob("*"))


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    found, _ = read(build(tmp_path, (link, "/etc/passwd")), tmp_path)
    assert [member.error.code for member in found] == ["member_link"]


def test_bombs_are_refused_by_ratio_and_while_inflating(tmp_path):
    path = build(tmp_path, ("zeros.bmp", b"\0" * (40 << 20)), ("good.txt", b"hello"))
    found, folder = read(path, tmp_path)
    assert [member.error and member.error.code for member in found] == ["member_ratio", None]
    assert sum(file.stat().st_size for file in folder.iterdir()) < 100


def test_a_member_that_lies_about_its_size_is_stopped(tmp_path):
    path = build(tmp_path, ("a.bin", bytes(range(256)) * 4000), compression=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    where = data.rindex(b"PK\x01\x02")
    data[where + 24 : where + 28] = struct.pack("<I", 10)  # uncompressed size in the directory
    path.write_bytes(data)
    found, _ = read(path, tmp_path, limit=5000)
    assert all(member.error is not None or member.path.stat().st_size <= 5000 for member in found)


def test_overlapping_members_are_refused(tmp_path):
    path = build(tmp_path, ("a.bin", b"a" * 100), ("b.bin", b"b" * 100), compression=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 0)  # both begin at 0
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read(path, tmp_path)
    assert caught.value.code == "archive_damaged"


def test_too_many_members(tmp_path, settings):
    settings.ANYMASK_MAX_ARCHIVE_MEMBERS = 3
    with pytest.raises(TooLarge):
        read(build(tmp_path, *((f"{i}.jpg", b"x") for i in range(4))), tmp_path)


def test_too_much_in_all(tmp_path, settings):
    settings.ANYMASK_MAX_ARCHIVE_BYTES = 1000
    with pytest.raises(TooLarge):
        read(build(tmp_path, ("a", bytes(600)), ("b", bytes(600))), tmp_path)


def test_a_damaged_member_is_itemised(tmp_path):
    path = build(tmp_path, ("a.jpg", b"a" * 500), ("b.jpg", b"b" * 500), compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"a" * 500, b"a" * 499 + b"!"))
    found, _ = read(path, tmp_path)
    assert [(member.name, member.error and member.error.code) for member in found] == [
        ("a.jpg", "member_damaged"),
        ("b.jpg", None),
    ]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"PK\x03\x04" + b"\xff" * 500, b"PK\x05\x06" + b"\0" * 17])
def test_what_is_no_archive(tmp_path, data):
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(UserError):
        read(path, tmp_path)


def test_noise_of_file_managers_is_passed_over(tmp_path):
    found, _ = read(build(tmp_path, ("__MACOSX/._a.jpg", b"x"), (".DS_Store", b"x"), ("d/Thumbs.db", b"x")), tmp_path)
    assert found == []


def test_every_cut_of_a_good_archive_is_an_answer(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.jpg", b"a" * 50)
        archive.writestr("b.jpg", b"b" * 50)
    whole = buffer.getvalue()
    for cut in range(0, len(whole), 7):
        path = tmp_path / "cut.zip"
        path.write_bytes(whole[:cut])
        try:
            read(path, tmp_path)
        except UserError:
            continue
