"""JSON documents from outside, read item by item: memory for the largest item, whatever the size of the document.

    for key, value, text in members(path, name):     # {"images": [a, b], "info": c} gives images a, images b, info c

Items are decoded by the json module's own C scanner from a window that slides over the file.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotation.errors import UserError

MAX_DOCUMENT_BYTES = 16 << 30
MAX_ITEM = 64 << 20  # characters of one item
_READ = 1 << 18
_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder(parse_constant=lambda _name: math.nan)


def members(path: Path, name: str) -> Iterator[tuple[str, Any, str]]:
    """(key, value, its text) of the top-level object; of a list as value every item by itself, "" for its text else.

    A document that is a list gives its items under the key "". Raises UserError `document_damaged` where the text
    stops being JSON (what came before was yielded), `document_too_large` if an item is.
    """
    if path.stat().st_size > MAX_DOCUMENT_BYTES:
        raise UserError("document_too_large", f"{name} is larger than {MAX_DOCUMENT_BYTES >> 30} GiB.")
    with path.open("rb") as file:
        window = _Window(iter(lambda: file.read(_READ), b""), name)
        try:
            yield from _members(window)
        except (ValueError, RecursionError, MemoryError):
            raise UserError("document_damaged", f"{name} is not a JSON document.") from None


def _members(window: _Window) -> Iterator[tuple[str, Any, str]]:
    opening = window.take()
    if opening == "[":
        yield from _items(window, "")
    elif opening == "{":
        if window.peek() == "}":
            window.take()
        else:
            yield from _pairs(window)
    else:
        raise ValueError(opening)
    if window.peek():
        raise ValueError("something follows the document")


def _pairs(window: _Window) -> Iterator[tuple[str, Any, str]]:
    while True:
        key, _ = window.item()
        if not isinstance(key, str) or window.take() != ":":
            raise ValueError("a name and a colon were expected")
        if window.peek() == "[":
            window.take()
            yield from _items(window, key)
        else:
            yield key, window.item()[0], ""
        if (after := window.take()) == "}":
            return
        if after != ",":
            raise ValueError(after)


def _items(window: _Window, key: str) -> Iterator[tuple[str, Any, str]]:
    """Items of a list whose bracket was read."""
    if window.peek() == "]":
        window.take()
        return
    while True:
        value, text = window.item()
        yield key, value, text
        if (after := window.take()) == "]":
            return
        if after != ",":
            raise ValueError(after)


class _Window:
    """The part of a text that is in memory, and where reading is in it."""

    def __init__(self, chunks: Iterator[bytes], name: str) -> None:
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._name = name
        self._text = ""
        self._at = 0
        self._ended = False

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if (character := self._text[self._at]) not in _SPACE:
                    return character
                self._at += 1
            if not self._more():
                return ""

    def take(self) -> str:
        """The same, and go past it."""
        character = self.peek()
        self._at += 1
        return character

    def item(self) -> tuple[Any, str]:
        """The next value and its text. Raises ValueError if there is none."""
        self.peek()
        wanted = _READ
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError:
                if self._ended:
                    raise
            else:
                # A number may go on in what was not read yet: 1 is all that is understood of a cut off 1e+
                if end + len("e+") < len(self._text) or self._ended:
                    text = self._text[self._at : end]
                    self._at = end
                    return value, text
            if len(self._text) - self._at > MAX_ITEM:
                raise UserError("document_too_large", f"{self._name} holds an item that is too large.")
            wanted *= 2  # doubled, so that trying again and again stays linear
            self._more(wanted)

    def _more(self, wanted: int = 1) -> bool:
        """Drop what was read and read on until `wanted` characters are there; False if the end was reached before."""
        if self._ended:
            return False
        parts = [self._text[self._at :]]
        have = len(parts[0])
        while not self._ended and (have < wanted or len(parts) == 1):
            chunk = next(self._chunks, b"")
            self._ended = not chunk
            parts.append(self._decoder.decode(chunk, final=self._ended))
            have += len(parts[-1])
        self._text, self._at = "".join(parts), 0
        return True
