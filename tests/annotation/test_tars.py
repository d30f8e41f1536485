"""Tar archives, plain and packed: the same bounds as zip, and what only tar can do is refused by name."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile

import pytest

from annotation import jobkit, jobs  # noqa: F401  what a worker imports
from annotation.errors import TooLarge, UserError
from annotation.ingest import archives
from annotation.models import Image
from tests.cast import picture


def info(name, kind=tarfile.REGTYPE, size=0, **fields):
    one = tarfile.TarInfo(name)
    one.type, one.size = kind, size
    for key, value in fields.items():
        setattr(one, key, value)
    return one


def tar(*entries, form=tarfile.PAX_FORMAT) -> bytes:
    """(name or TarInfo, data) in order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for entry, data in entries:
            archive.addfile(info(entry, size=len(data)) if isinstance(entry, str) else entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    """(members, folder) of these bytes."""
    folder = tmp_path / "out"
    folder.mkdir()

    def one(data: bytes, limit: int = 1 << 20):
        path = tmp_path / "archive"
        path.write_bytes(data)
        assert archives.is_archive(path)
        return list(archives.members(path, folder, limit)), folder

    return one


LONG = "folder/" * 30 + "a long name.jpg"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("packed", [False, True])
def test_files_come_out_as_they_went_in(read, form, packed):
    files = [("a.jpg", b"x" * 700), ("sub/é.jpg", b"y"), ("empty.jpg", b"")]
    files += [] if form == tarfile.USTAR_FORMAT else [(LONG, b"z" * 512)]
    folders_and_noise = [(info("sub", tarfile.DIRTYPE), b""), ("._a.jpg", b"mac"), ("sub/.DS_Store", b"mac")]
    data = tar(*folders_and_noise, *files, form=form)
    found, _ = read(gzip.compress(data) if packed else data)
    assert [(member.name, member.path.read_bytes()) for member in found] == files
    shares = [member.share for member in found]
    assert shares == sorted(shares)
    assert 0 < shares[0] <= shares[-1] <= 1


def test_links_devices_holes_and_ways_out_are_refused_by_name(read):
    odd = [
        (info("hard.jpg", tarfile.LNKTYPE, linkname="/etc/passwd"), "member_link"),
        (info("soft.jpg", tarfile.SYMTYPE, linkname="../../x"), "member_link"),
        (info("tty.jpg", tarfile.CHRTYPE), "member_kind"),
        (info("disk.jpg", tarfile.BLKTYPE), "member_kind"),
        (info("pipe.jpg", tarfile.FIFOTYPE), "member_kind"),
        (info("holes.jpg", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}), "member_kind"),
        (info("../up.jpg"), "member_path"),
        (info("/abs.jpg"), "member_path"),
        (info("a/../../b.jpg"), "member_path"),
        (info("C:\\x.jpg"), "member_path"),
    ]
    found, folder = read(tar(*((one, b"") for one, _ in odd), ("good.jpg", b"good")))
    assert [(member.name, member.error and member.error.code) for member in found] == [
        *((one.name, code) for one, code in odd),
        ("good.jpg", None),
    ]
    assert [path.read_bytes() for path in folder.iterdir()] == [b"good"]
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_bombs_stop(read, settings):
    with pytest.raises(UserError) as caught:
        read(gzip.compress(tar(("zeros.bmp", b"\0" * (20 << 20)))), 1 << 30)
    assert caught.value.code == "archive_ratio"
    settings.ANYMASK_MAX_ARCHIVE_BYTES = 5000
    with pytest.raises(TooLarge):
        read(tar(("a.jpg", bytes(range(256)) * 40)))
    settings.ANYMASK_MAX_ARCHIVE_BYTES = 1 << 20
    settings.ANYMASK_MAX_ARCHIVE_MEMBERS = 3
    with pytest.raises(TooLarge):
        read(tar(*((f"{i}.jpg", b"x") for i in range(4))))


def test_one_file_that_is_too_large_costs_only_itself(read):
    found, _ = read(tar(("large.jpg", b"x" * 2000), ("good.jpg", b"y")), limit=1000)
    assert [member.error and member.error.code for member in found] == ["member_too_large", None]


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGLINK])
def test_a_name_of_gigabytes_is_not_read_into_memory(read, kind):
    header = info("x", kind, size=6 << 30).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(UserError) as caught:
        read(header + b"\0" * 4096)
    assert caught.value.code == "archive_damaged"


@pytest.mark.parametrize("records", [b"999999 path=a\n", b"-4 a=b\n", b"3", b"x path=a\n", b"0 \n", b"1 1 1 1 "])
def test_extended_headers_that_lie(read, records):
    header = info("x", tarfile.XHDTYPE, size=len(records)).tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(UserError) as caught:
        read(header + records.ljust(512, b"\0") + tar(("a.jpg", b"x")))
    assert caught.value.code == "archive_damaged"


@pytest.mark.parametrize("packed", [False, True])
def test_every_cut_of_a_good_archive_is_an_answer(tmp_path, packed):
    whole = tar(("a.jpg", b"a" * 600), (LONG, b"b" * 50))[:5120]
    whole = gzip.compress(whole) if packed else whole
    for cut in range(0, len(whole), 7 if packed else 97):
        path = tmp_path / "cut.tar"
        path.write_bytes(whole[:cut])
        if archives.is_archive(path):
            folder = tmp_path / f"out-{cut}"
            folder.mkdir()
            with contextlib.suppress(UserError):  # and nothing else
                list(archives.members(path, folder, 1 << 20))


def test_a_picture_is_no_archive(tmp_path):
    for number, data in enumerate(
        (picture(), picture(kind="PNG"), gzip.compress(picture()), b"\x1f\x8b", b"", b"\0" * 2000)
    ):
        path = tmp_path / str(number)
        path.write_bytes(data)
        assert not archives.is_archive(path)


def test_a_tar_is_uploaded_and_imported_like_a_zip(cast, as_):
    from django.core.files.uploadedfile import SimpleUploadedFile

    data = gzip.compress(tar(("in/a.jpg", picture(seed=1)), ("b.jpg", picture(seed=2)), ("words.txt", b"words")))
    sent = SimpleUploadedFile("pictures.tar.gz", data, "application/gzip")
    url = f"/api/datasets/{cast.dataset.pk}"
    answer = as_(cast.ana).post(f"{url}/images/", {"files": [sent]}, format="multipart")
    assert answer.status_code == 201, answer.content
    assert [row["file_name"] for row in answer.json()["accepted"]] == ["a.jpg", "b.jpg"]
    assert [(row["name"], row["code"]) for row in answer.json()["rejected"]] == [("words.txt", "not_an_image")]
    more = SimpleUploadedFile("more.tar", tar(("c.jpg", picture(seed=3))), "application/x-tar")
    answer = as_(cast.ana).post(f"{url}/imports/", {"file": more, "format": "auto"}, format="multipart")
    assert answer.status_code == 202, answer.content
    jobkit.run_pending(dataset=cast.dataset)
    assert Image.objects.filter(file_name="c.jpg").exists()
