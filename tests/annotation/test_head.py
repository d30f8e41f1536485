"""HEAD is answered with the headers of GET and nothing else, whatever the view made."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse, StreamingHttpResponse

from config.middleware import head_without_body


def through_wsgi(method, path):
    """What a server in front is given: status, headers, body. Django's test client would drop the body by itself."""
    told = {}

    def start_response(status, headers):
        told.update(status=status, headers=dict(headers))

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": BytesIO(),
        "wsgi.url_scheme": "http",
    }
    answer = WSGIHandler()(environ, start_response)
    body = b"".join(answer)
    answer.close()
    return told["status"], told["headers"], body


@pytest.mark.django_db
def test_the_length_is_told_and_the_body_left_out():
    got, asked = through_wsgi("GET", "/api/session/"), through_wsgi("HEAD", "/api/session/")
    assert got[0] == asked[0] == "200 OK"
    assert len(got[2]) > 0
    assert asked[2] == b""
    assert asked[1]["Content-Length"] == str(len(got[2]))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_files_and_streams_too(rf, tmp_path, method):
    path = tmp_path / "mask.txt"
    path.write_bytes(b"12345")
    made = [HttpResponse(b"123"), StreamingHttpResponse([b"1", b"2"]), FileResponse(path.open("rb"))]
    for response, whole in zip(made, [b"123", b"12", b"12345"], strict=True):
        answer = head_without_body(lambda _request, response=response: response)(rf.generic(method, "/"))
        assert answer.getvalue() == (whole if method == "GET" else b"")
        answer.close()
    assert made[2].headers["Content-Length"] == "5"
    assert made[2].file_to_stream is None or method == "GET"
