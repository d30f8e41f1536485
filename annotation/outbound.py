"""HTTP to addresses that people name: http and https only, public hosts only, within a size and a time.

A host is resolved here, every address that it has is checked, and the connection goes to one of those very addresses,
so that a name which answers differently the next time (DNS rebinding) gains nothing. Each redirect starts over.
Proxies of the environment are not used: behind one, what is connected to could not be checked.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from django.conf import settings

from annotation.errors import TooLarge, UserError

MAX_URL = 2000
MAX_REDIRECTS = 5
CONNECT_SECONDS = 10
SILENCE_SECONDS = 30  # without a byte
PIECE = 1 << 18
REDIRECTS = (301, 302, 303, 307, 308)
KEPT = "/%:@!$&'()*+,;=~?"  # RFC 3986 2.2, and what is quoted already
HEADERS = {"User-Agent": "Anymask", "Accept": "image/*,*/*;q=0.8", "Accept-Encoding": "identity"}
ORDINARY_V6 = ipaddress.IPv6Network("2000::/3")  # RFC 4291 2.4: what is handed out as global unicast
# Inside those, or public by name, but a way to somewhere else: 6to4 carries any IPv4 address; Azure's host agent.
NOT_PUBLIC = (ipaddress.ip_network("2002::/16"), ipaddress.ip_network("168.63.129.16/32"))


def address_allowed(address: str) -> bool:
    """Whether a connection may go to this numeric address: public, or in one of ANYMASK_URL_NETWORKS."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if any(ip in ipaddress.ip_network(network, strict=False) for network in settings.ANYMASK_URL_NETWORKS):
        return True
    if ip.version == 6 and ip not in ORDINARY_V6:
        return False  # loopback, local, mapped and translated IPv4
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in NOT_PUBLIC)


def url_split(url: str) -> SplitResult:
    """The parts of an http or https address. Raises UserError."""
    if len(url) > MAX_URL:
        raise UserError("url_too_long", f"An address may have {MAX_URL} characters at the most.")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one
        raise UserError("url_invalid", "This is not an address.") from None
    if parts.scheme not in ("http", "https"):
        raise UserError("url_scheme", "Only addresses that begin with http:// or https:// can be read.")
    if parts.username is not None or parts.password is not None:
        raise UserError("url_credentials", "An address with a name and a password in it is not read.")
    if not host or port == 0 or any(not character.isprintable() or character == " " for character in url.strip()):
        raise UserError("url_invalid", "This is not an address.")
    return parts


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to one of the addresses of `host`, all of which were checked. Raises UserError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UserError("url_unknown_host", "There is no server of this name.") from None
    if not found or not all(address_allowed(str(place[0])) for *_, place in found):
        raise UserError("url_not_public", "This address is not a public one, and only public ones are read.")
    for family, kind, protocol, _, place in found:
        if deadline.over:  # a name may have many addresses, none of which answers
            raise UserError("url_too_slow", "The server takes too long.")
        link = socket.socket(family, kind, protocol)
        link.settimeout(CONNECT_SECONDS)
        try:
            link.connect(place)
        except OSError:
            link.close()
        else:
            link.settimeout(SILENCE_SECONDS)
            return link
    raise UserError("url_unreachable", "The server cannot be reached.")


class Deadline:
    """Ends the connection when the time is over, whatever it is doing: a silence limit alone lets a byte every few
    seconds go on for ever."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._link: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._timer.cancel()

    def watch(self, link: socket.socket) -> None:
        """The connection under way from now on."""
        self._link = link
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        if self._link is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._link, socket.SHUT_RDWR)  # not TLS's, which takes its reader's state away


class _Connection(http.client.HTTPConnection):
    """A connection that goes where `connect` allows."""

    def __init__(self, parts: SplitResult, deadline: Deadline) -> None:
        self.secure = parts.scheme == "https"
        super().__init__(str(parts.hostname), parts.port or (443 if self.secure else 80))
        self.deadline = deadline

    def connect(self) -> None:
        """Checked, watched, and with the server's certificate verified."""
        link = connect(self.host, self.port, self.deadline)
        self.sock = link
        self.deadline.watch(link)
        if self.secure:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(link, server_hostname=self.host, do_handshake_on_connect=False)
            self.deadline.watch(self.sock)
            self.sock.do_handshake()


def request(
    method: str, url: str, *, deadline: Deadline, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[_Connection, http.client.HTTPResponse]:
    """Send one request; the connection, which the caller closes, and its answer. Redirects are not followed.

    Raises UserError for an address that may not be read or a server that does not answer.
    """
    parts = url_split(url)
    path = quote(parts.path or "/", safe=KEPT) + (f"?{quote(parts.query, safe=KEPT)}" if parts.query else "")
    connection = _Connection(parts, deadline)
    try:
        connection.request(method, path, body=body, headers={**HEADERS, **(headers or {})})
        return connection, connection.getresponse()
    except BaseException as problem:
        connection.close()
        raise _sentence(problem, deadline) from None


def download(url: str, target: Path, *, max_bytes: int, seconds: float) -> None:
    """Write what is at `url` into `target`. Raises UserError with the reason; what is there then is not whole."""
    with Deadline(seconds) as deadline:
        for _ in range(MAX_REDIRECTS + 1):
            connection, answer = request("GET", url, deadline=deadline)
            with contextlib.closing(connection):
                if answer.status in REDIRECTS and (place := answer.headers.get("Location")):
                    url = _next(url, place)
                    continue
                if answer.status != 200:
                    raise UserError("url_status", f"The server answers {answer.status} instead of a picture.")
                try:
                    _receive(answer, target, max_bytes)
                except (http.client.HTTPException, OSError, ValueError) as problem:
                    raise _sentence(problem, deadline) from None
                if deadline.over:
                    raise _sentence(TimeoutError(), deadline)
                return
    raise UserError("url_redirects", f"The server sends on to somewhere else more than {MAX_REDIRECTS} times.")


def _next(url: str, place: str) -> str:
    """Where a redirect leads. Raises UserError `url_invalid` for one that leads nowhere."""
    try:
        return urljoin(url, place)
    except ValueError:
        raise UserError("url_invalid", "The server sends on to something that is no address.") from None


def _receive(answer: http.client.HTTPResponse, target: Path, max_bytes: int) -> None:
    """The body, counted. Raises TooLarge past `max_bytes`, IncompleteRead for one that ends too early."""
    limit = TooLarge("url_too_large", f"The file is larger than the limit of {max_bytes >> 20} MiB.")
    announced = answer.length
    if announced is not None and announced > max_bytes:
        raise limit
    left = max_bytes
    with target.open("wb") as file:
        while piece := answer.read1(PIECE):
            left -= len(piece)
            if left < 0:
                raise limit
            file.write(piece)
    if announced is not None and max_bytes - left != announced:
        raise http.client.IncompleteRead(b"")


def _sentence(problem: BaseException, deadline: Deadline) -> BaseException:
    """What a person is told of a connection that failed; what is no fault of theirs stays as it is."""
    if isinstance(problem, UserError):
        return problem
    if deadline.over or isinstance(problem, TimeoutError):
        return UserError("url_too_slow", "The server takes too long.")
    if isinstance(problem, ssl.SSLError):
        return UserError("url_certificate", "The server's certificate cannot be verified.")
    known: tuple[Any, ...] = (http.client.HTTPException, OSError, ValueError)
    return UserError("url_broken", "The connection to the server broke.") if isinstance(problem, known) else problem
