"""Weights by address, against a server on this machine: verified before anything opens them, resumed when cut off."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from modelzoo.__main__ import main
from modelzoo.catalogue import CATALOGUE
from modelzoo.fetching import FetchError, Wanted, fetch, wanted

BODY = bytes(range(256)) * 20_000  # 5 MB
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves BODY at every path; the attributes say how it misbehaves."""

    ranges = True  # answers 206 to a range
    cut_after = None  # bytes after which it drops the connection
    announce = True  # sends Content-Length
    redirect_to = None
    status = None

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []

    def url(self, name="weights.pth"):
        return f"http://127.0.0.1:{self.server_address[1]}/files/{name}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        self.close_connection = True
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if self.server.redirect_to:
            self.answer(302, {"Location": self.server.redirect_to, "Content-Length": "0"})
        elif self.server.status:
            self.answer(self.server.status, {"Content-Length": "0"})
        elif start >= len(BODY):
            self.answer(416, {"Content-Length": "0"})
        else:
            headers = {"Content-Length": str(len(BODY) - start)} if self.server.announce else {}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
            self.answer(206 if start else 200, headers)
            end = len(BODY) if self.server.cut_after is None else start + self.server.cut_after
            self.wfile.write(BODY[start:end])

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def named(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_file_appears_under_its_name_once_it_is_verified(server, tmp_path):
    told = []
    path = fetch(wanted(server.url(), DIGEST, local_http=True), tmp_path / "new", lambda *done: told.append(done))
    assert path == tmp_path / "new" / "weights.pth"
    assert path.read_bytes() == BODY
    assert named(tmp_path / "new") == ["weights.pth"]
    assert told[-1] == (len(BODY), len(BODY))


def test_another_file_than_the_expected_one_is_removed(server, tmp_path):
    with pytest.raises(FetchError, match=f"SHA-256 {DIGEST}, not {'0' * 64}"):
        fetch(wanted(server.url(), "0" * 64, local_http=True), tmp_path)
    assert named(tmp_path) == []


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    what = wanted(server.url(), DIGEST, local_http=True)
    server.cut_after = 2_000_000
    with pytest.raises(FetchError, match=r"2,000,000 bytes of weights[.]pth are kept"):
        fetch(what, tmp_path)
    assert not (tmp_path / "weights.pth").exists()
    server.cut_after = None
    assert fetch(what, tmp_path).read_bytes() == BODY
    assert server.asked == [None, "bytes=2000000-"]
    assert named(tmp_path) == ["weights.pth"]


def test_a_server_that_cannot_go_on_is_asked_for_the_whole(server, tmp_path):
    what = wanted(server.url(), DIGEST, local_http=True)
    server.cut_after = 1_000_000
    with pytest.raises(FetchError):
        fetch(what, tmp_path)
    server.cut_after, server.ranges = None, False
    assert fetch(what, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * (len(BODY) + 5), BODY], ids=["wrong", "too long", "whole"])
def test_whatever_an_earlier_try_left_the_next_ones_get_there(server, tmp_path, left):
    """What is wrong is found out by its digest, and the try after that starts anew."""
    what = wanted(server.url(), DIGEST, local_http=True)
    (tmp_path / f".weights.pth.{DIGEST[:12]}.part").write_bytes(left)
    try:
        fetch(what, tmp_path)
    except FetchError:
        fetch(what, tmp_path)
    assert (tmp_path / "weights.pth").read_bytes() == BODY
    assert named(tmp_path) == ["weights.pth"]


def test_what_is_there_already_is_verified_and_not_fetched_again(server, tmp_path):
    what = wanted(server.url(), DIGEST, local_http=True)
    fetch(what, tmp_path)
    fetch(what, tmp_path)
    assert len(server.asked) == 1
    (tmp_path / "weights.pth").write_bytes(b"mine")
    with pytest.raises(FetchError, match="is another file"):
        fetch(what, tmp_path)
    assert (tmp_path / "weights.pth").read_bytes() == b"mine"


@pytest.mark.parametrize("announce", [True, False])
def test_more_than_expected_is_given_up(server, tmp_path, announce):
    server.announce = announce
    with pytest.raises(FetchError, match=r"limit|given up"):
        fetch(Wanted(server.url(), DIGEST, "weights.pth", most_bytes=1_000_000, local_http=True), tmp_path)
    assert all(path.stat().st_size == 0 for path in tmp_path.iterdir())


def test_two_at_once_do_not_write_into_one_another(server, tmp_path):
    what = wanted(server.url(), DIGEST, local_http=True)
    seen = []

    def meanwhile(*_):
        if not seen:
            with pytest.raises(FetchError, match="Another process") as refused:
                fetch(what, tmp_path)
            seen.append(refused)

    assert fetch(what, tmp_path, meanwhile).read_bytes() == BODY
    assert seen


def test_links_in_the_folder_are_not_followed(server, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"precious")
    what = wanted(server.url(), DIGEST, local_http=True)
    link = tmp_path / f".weights.pth.{DIGEST[:12]}.part"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FetchError, match="could not be written"):
        fetch(what, tmp_path)
    link.unlink()
    (tmp_path / "weights.pth").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FetchError, match="no plain file"):
        fetch(what, tmp_path)
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


@pytest.mark.parametrize(
    "target", ["file:///etc/hostname", "ftp://127.0.0.1/weights.pth", "http://example.org/weights.pth"]
)
def test_a_redirect_out_of_https_is_not_followed(server, tmp_path, target):
    server.redirect_to = target
    with pytest.raises(FetchError, match=r"https only|not allowed"):
        fetch(wanted(server.url(), DIGEST, local_http=True), tmp_path)
    assert not (tmp_path / "weights.pth").exists()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_what_the_server_refuses_is_said(server, tmp_path, status):
    server.status = status
    with pytest.raises(FetchError, match=f"answers {status}"):
        fetch(wanted(server.url(), DIGEST, local_http=True), tmp_path)


def test_a_server_that_is_not_there_is_said(server, tmp_path):
    url = server.url()
    server.server_close()
    with pytest.raises(FetchError, match=r"cannot be reached|does not answer"):
        fetch(wanted(url, DIGEST, local_http=True), tmp_path)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("http://example.org/sam.pth", "https only"),
        ("http://127.0.0.1/sam.pth", "https only"),
        ("file:///etc/passwd.pth", "valid address|https only"),
        ("https://user:secret@example.org/sam.pth", "password"),
        ("https://example.org/", "name of a weight file"),
        ("https://example.org/model.zip", "name of a weight file"),
        ("https://example.org/%2e%2e%2fetc%2f.pth", "name of a weight file"),
        ("https://example.org:port/sam.pth", "valid address"),
        ("https://example.org/a b.pth", "valid address"),
        ("sam_vit_x", "neither an address nor one of"),
    ],
)
def test_addresses_that_are_not_taken(url, match):
    with pytest.raises(FetchError, match=match) as refused:
        wanted(url, DIGEST)
    assert "secret" not in str(refused.value)


def test_the_expected_digest_is_never_left_open():
    with pytest.raises(FetchError, match="--sha256"):
        wanted("https://example.org/sam.pth")
    for wrong in ("", "abc", DIGEST[:-1], DIGEST + "0", "g" * 64):
        with pytest.raises(FetchError, match="64 digits"):
            wanted("https://example.org/sam.pth", wrong)
    assert wanted("https://example.org/sam.pth", f" {DIGEST.upper()} ").sha256 == DIGEST


def test_a_name_stands_for_the_published_file_and_no_other():
    what = wanted("mobile_sam")
    assert what.url.startswith("https://")
    assert (what.sha256, what.most_bytes) == (CATALOGUE["mobile_sam"].sha256, CATALOGUE["mobile_sam"].file_bytes)
    with pytest.raises(FetchError, match="published"):
        wanted("mobile_sam", DIGEST)


def test_the_command_says_where_the_file_is(server, tmp_path, capsys):
    arguments = ["--sha256", DIGEST, "--out", str(tmp_path), "--local-http"]
    assert main(["fetch", server.url("own.safetensors"), *arguments]) == 0
    told = capsys.readouterr()
    assert str(tmp_path / "own.safetensors") in told.out
    assert "(100%)" in told.err
    assert main(["fetch", server.url("own.safetensors"), "--sha256", DIGEST, "--out", str(tmp_path)]) == 2
    assert "https only" in capsys.readouterr().err
