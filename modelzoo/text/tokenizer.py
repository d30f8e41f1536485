"""Text to the ids that CLIP's text encoder was trained with: byte pairs, lower case (no torch).

Rules of the released tokenizer (Radford et al. 2021, section 2.4; byte pairs after Sennrich et al. 2016); equality with
the usual implementation is tested on recorded answers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from modelzoo.text.files import read_json, read_text
from modelzoo.weight_files import CheckpointError

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
MOST_TOKENS = 1_000_000
MOST_CHARACTERS = 1000  # of a text; what follows would be cut off by any text encoder


class Tokenizer:
    """vocabulary: token -> id; merges: pairs of tokens, the most frequent first."""

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
        if START not in vocabulary or END not in vocabulary:
            raise CheckpointError(f"The vocabulary lacks {START} or {END}: it is not one of CLIP.")
        self.vocabulary = dict(vocabulary)
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}

    @classmethod
    def read(cls, folder: Path) -> Tokenizer:
        """From vocab.json and merges.txt, or from tokenizer.json. CheckpointError where neither is usable."""
        vocabulary: Any
        merges: Any
        if (folder / "vocab.json").is_file():
            vocabulary = read_json(folder / "vocab.json")
            merges = [line.split() for line in read_text(folder / "merges.txt").splitlines()]
            merges = [pair for pair in merges if pair and not pair[0].startswith("#version")]
        else:
            model = read_json(folder / "tokenizer.json").get("model")
            model = model if isinstance(model, dict) else {}
            vocabulary, merges = model.get("vocab"), model.get("merges")
            if isinstance(merges, list):
                merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in merges]
        return cls(_checked_vocabulary(vocabulary), _checked_merges(merges))

    @property
    def most(self) -> int:
        """The largest id."""
        return max(self.vocabulary.values())

    def ids(self, text: str, length: int) -> list[int]:
        """At most `length` ids, the first of them START and the last END; what has no room is cut off."""
        unknown = self.vocabulary[END]
        found: list[int] = []
        for word in _words(text[:MOST_CHARACTERS]):
            if len(found) >= length - 2:
                break
            found += [self.vocabulary.get(token, unknown) for token in self._merged(word)]
        return [self.vocabulary[START], *found[: length - 2], unknown]

    def _merged(self, word: str) -> list[str]:
        """The tokens of a word: its bytes, joined pair by pair, the most frequent pair first."""
        tokens = [BYTES[byte] for byte in word.encode("utf-8")]
        tokens[-1] += WORD_END
        while len(tokens) > 1:
            pairs = list(pairwise(tokens))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            tokens = list(_joined(tokens, best))
        return tokens


def _joined(tokens: Sequence[str], pair: tuple[str, str]) -> Iterator[str]:
    place = 0
    while place < len(tokens):
        if tuple(tokens[place : place + 2]) == pair:
            yield pair[0] + pair[1]
            place += 2
        else:
            yield tokens[place]
            place += 1


def _words(text: str) -> Iterator[str]:
    """Contractions, runs of letters, single digits, runs of anything else; white space only parts them."""
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).lower().encode("utf-8", "replace").decode("utf-8")
    place = 0
    while place < len(text):
        ending = next((one for one in CONTRACTIONS if text.startswith(one, place)), None)
        kind, end = _kind(text[place]), place + 1
        if ending is not None:
            end = place + len(ending)
        elif kind != "digit":
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if kind != "space":
            yield text[place:end]
        place = end


def _kind(character: str) -> str:
    category = unicodedata.category(character)[0]
    if character.isspace():
        return "space"
    return {"L": "letter", "N": "digit"}.get(category, "other")


def _byte_names() -> list[str]:
    """A printable character for each of the 256 bytes, as the vocabulary writes them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


BYTES = _byte_names()


def _checked_vocabulary(found: Any) -> dict[str, int]:
    valid = isinstance(found, dict) and 0 < len(found) <= MOST_TOKENS
    if not valid or not all(type(value) is int and 0 <= value < MOST_TOKENS for value in found.values()):
        raise CheckpointError("The vocabulary does not give every token a number.")
    return dict(found)


def _checked_merges(found: Any) -> list[tuple[str, str]]:
    if not isinstance(found, list) or len(found) > MOST_TOKENS:
        raise CheckpointError("The tokenizer has no list of pairs to merge.")
    if not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair) for pair in found
    ):
        raise CheckpointError("The tokenizer's list of pairs to merge holds something else.")
    return [(first, second) for first, second in found]
