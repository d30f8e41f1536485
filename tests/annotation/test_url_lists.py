"""Pictures from addresses on the web: the good part is kept, each refusal has its reason, and no way leads inside.

A real server on this machine answers; it may be reached only where a test names its network in the setting.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from annotation import jobkit, jobs, outbound, storage  # noqa: F401  what a worker imports
from annotation.errors import UserError
from annotation.models import Image, Job
from annotation.services import gathering
from tests.cast import picture

HERE = ["127.0.0.0/8"]


class Web(BaseHTTPRequestHandler):
    """What a good and a bad web server say."""

    asked: list[str] = []

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        type(self).asked.append(self.path)
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", unquote(path.removeprefix("/to/")))
            self.end_headers()
        elif path == "/large-told":
            self._send(b"", length=1 << 40)
        elif path == "/large":
            self._send(b"x" * 5000, length=None)
        elif path == "/cut.jpg":
            self._send(picture(seed=9)[:200], length=5000)
        elif path == "/drip.jpg":
            self._send(b"", length=1000)
            for _ in range(100):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return
                time.sleep(0.05)
        elif path.endswith(".jpg"):
            self._send(picture(seed=int(path[1:-4])))
        elif path == "/words":
            self._send(b"words")
        else:
            self.send_error(404)

    def _send(self, data: bytes, length: int | None = -1) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(len(data) if length < 0 else length))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        """Silent."""


@pytest.fixture
def web():
    """The address of a running server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    Web.asked = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def send(cast, as_):
    def one(*addresses: str, **rights: str):
        url = f"/api/datasets/{cast.dataset.pk}/url-lists/"
        return as_(cast.ana).post(url, {"addresses": list(addresses), **rights})

    return one


@pytest.fixture
def take(cast, send):
    """The result of the job for these addresses."""

    def one(*addresses: str, **rights: str):
        answer = send(*addresses, **rights)
        assert answer.status_code == 202, answer.content
        jobkit.run_pending(dataset=cast.dataset)
        return Job.objects.get(pk=answer.json()["id"]).result

    return one


def reasons(result):
    return [(row["name"].split(":")[0], row["code"]) for row in result["refusals"]]


def test_what_can_be_had_is_taken_and_the_rest_is_named(settings, web, take):
    settings.ANYMASK_URL_NETWORKS = HERE
    result = take(
        f"{web}/1.jpg?key=secret",
        f"{web}/2.jpg",
        "",
        f"{web}/1.jpg",
        f"{web}/nothing",
        f"{web}/words",
        "ftp://example.org/a.jpg",
        "file:///etc/passwd",
        "not an address",
        "http://me:word@example.org/a.jpg",
        f"{web}/to/{web}/3.jpg",
        licence="CC0",
    )
    assert (result["files"], result["added"], result["known"], result["refused"]) == (10, 3, 1, 6)
    assert reasons(result) == [
        ("4", "url_status"),
        ("5", "not_an_image"),
        ("6", "url_scheme"),
        ("7", "url_scheme"),
        ("8", "url_scheme"),
        ("9", "url_credentials"),
    ]
    rows = Image.objects.order_by("pk").values_list("file_name", "licence", "source")
    assert list(rows[:2]) == [("1.jpg", "CC0", f"{web}/1.jpg"), ("2.jpg", "CC0", f"{web}/2.jpg")]
    assert "secret" not in json.dumps(result), "what follows the question mark may be a key"
    assert take(f"{web}/1.jpg", f"{web}/2.jpg")["known"] == 2, "twice is once"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
def test_no_private_address_is_ever_connected_to(monkeypatch, tmp_path, address):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was tried"))
    with pytest.raises(UserError) as caught:
        outbound.download(f"http://{address}/a.jpg", tmp_path / "a", max_bytes=1000, seconds=5)
    assert caught.value.code in ("url_not_public", "url_unknown_host")


def test_public_addresses_may_be_reached():
    for address in ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"):
        assert outbound.address_allowed(address)


def test_a_redirect_to_the_inside_is_not_followed(settings, web, take):
    settings.ANYMASK_URL_NETWORKS = HERE
    inside = ["http://169.254.169.254/latest/meta-data/", "http://0/", "file:///etc/passwd", "//10.0.0.1/a"]
    result = take(*(f"{web}/to/{address}" for address in inside))
    assert reasons(result) == [
        ("1", "url_not_public"),
        ("2", "url_not_public"),
        ("3", "url_scheme"),
        ("4", "url_not_public"),
    ]
    assert reasons(take(f"{web}/to/" * 7 + f"{web}/1.jpg")) == [("1", "url_redirects")]


def test_a_redirect_to_no_address_costs_one_picture_only(settings, web, take):
    settings.ANYMASK_URL_NETWORKS = HERE
    result = take(f"{web}/to/http://[x/", f"{web}/to///[x", f"{web}/1.jpg")
    assert reasons(result) == [("1", "url_invalid"), ("2", "url_invalid")]
    assert result["added"] == 1


def test_a_disk_that_is_nearly_full_stops_the_list_where_it_is(settings, web, send, cast, monkeypatch):
    settings.ANYMASK_URL_NETWORKS = HERE
    job = Job.objects.get(pk=send(f"{web}/1.jpg", f"{web}/2.jpg").json()["id"])
    room = iter([1 << 40, 0])
    with monkeypatch.context() as full:
        full.setattr(storage, "free_bytes", lambda _coming=0: next(room))
        jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "disk_full")
    jobkit.retry(job)
    jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.result["added"], job.result["refused"]) == (2, 0)


def test_a_name_that_changes_its_answer_gains_nothing(settings, web, monkeypatch, tmp_path):
    """DNS rebinding: what is connected to is what was checked, since the name is asked once for a connection."""
    port = int(web.rsplit(":", 1)[1])
    public, private = (
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
    )
    answers, connected = [[public], [private]], []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: answers.pop(0))

    def connect(_self, place):
        connected.append(place[0])
        raise OSError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(UserError) as caught:
        outbound.download(f"http://rebind.test:{port}/1.jpg", tmp_path / "a", max_bytes=1 << 20, seconds=5)
    assert (caught.value.code, connected) == ("url_unreachable", ["93.184.216.34"])
    answers[:] = [[public, private]]
    with pytest.raises(UserError) as caught:
        outbound.download(f"http://both.test:{port}/1.jpg", tmp_path / "a", max_bytes=1 << 20, seconds=5)
    assert caught.value.code == "url_not_public", "one bad address of several is one too many"
    assert connected == ["93.184.216.34"]


def test_size_and_time_have_an_end(settings, web, take):
    settings.ANYMASK_URL_NETWORKS = HERE
    settings.ANYMASK_MAX_IMAGE_BYTES = 4000
    settings.ANYMASK_URL_SECONDS = 1
    result = take(*(f"{web}/{name}" for name in ("large-told", "large", "cut.jpg", "drip.jpg", "1.jpg")))
    codes = [code for _, code in reasons(result)]
    assert codes == ["url_too_large", "url_too_large", "url_too_large", "url_too_slow"] or codes == [
        "url_too_large",
        "url_too_large",
        "url_broken",
        "url_too_slow",
    ]
    assert result["added"] == 1


def test_a_server_that_hangs_up_or_is_not_there(settings, web, take):
    settings.ANYMASK_URL_NETWORKS = HERE
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    result = take(f"{web}/cut.jpg", f"http://127.0.0.1:{port}/a.jpg", f"https://127.0.0.1:{web.rsplit(':', 1)[1]}/a")
    assert reasons(result) == [("1", "url_broken"), ("2", "url_unreachable"), ("3", "url_certificate")]


def test_an_attempt_that_was_cut_off_goes_on_where_it_was(settings, web, cast, send, monkeypatch):
    settings.ANYMASK_URL_NETWORKS = HERE
    answer = send(f"{web}/1.jpg", f"{web}/nothing", f"{web}/2.jpg", f"{web}/3.jpg")
    job = Job.objects.get(pk=answer.json()["id"])
    taken = gathering.file_take

    def killed(**given):
        if given["incoming"].name == "3.jpg":
            raise KeyboardInterrupt
        taken(**given)

    monkeypatch.setattr(gathering, "file_take", killed)
    with pytest.raises(KeyboardInterrupt):
        jobkit.run(job.pk)
    ledger = storage.full(storage.path_for("imports", str(job.pk), gathering.LEDGER))
    with ledger.open("ab") as file:
        file.write(b'[{"image"')  # a line that was being written
    monkeypatch.setattr(gathering, "file_take", taken)
    Job.objects.filter(pk=job.pk).update(state="queued", lease_expires_at=None)
    asked = len(Web.asked)
    assert jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.result["files"], job.result["added"], job.result["known"]) == (4, 3, 0)
    assert reasons(job.result) == [("2", "url_status")]
    assert Web.asked[asked:] == ["/3.jpg"], "nothing is fetched again"
    assert not ledger.parent.exists()


def test_lists_that_are_none(cast, send):
    for addresses in ((), ("", "  ")):
        answer = send(*addresses)
        assert (answer.status_code, answer.json()["code"]) == (400, "addresses_empty")
    many = send(*["x"] * 100_001)
    assert (many.status_code, many.json()["code"]) == (413, "addresses_too_many")
    assert not Job.objects.exists()


def test_the_same_list_twice_at_once_is_one_job(send):
    first, second = send("http://example.org/a.jpg"), send("http://example.org/a.jpg", "")
    assert first.json()["id"] == second.json()["id"]
