"""The contract of a format: what it is called, what can be chosen, and the functions that write, check and read it.

A format is one module with an `EXPORT` or an `IMPORT` (or both), listed in annotation.formats.registry. Writers see
images with their masks one after another and keep none of them, so that memory does not grow with a dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from annotation.errors import UserError
from annotation.formats.manifest import Counts
from annotation.formats.source import FileIndex, Refusals, SourceImage
from annotation.models import Image, Mask

Records = Iterable[tuple[Image, Sequence[Mask]]]
UNNAMED = "object"  # category of masks that have none


@dataclass(frozen=True)
class Option:
    """Something to choose in a format: one of `choices` [(value, title)], or a whole number from `low` to `high`."""

    name: str
    title: str
    default: str | int
    choices: tuple[tuple[str, str], ...] = ()
    low: int = 0
    high: int = 0
    about: str = ""

    def checked(self, value: object) -> str | int:
        """The value if it may be chosen. Raises UserError `option_invalid`."""
        if self.choices and isinstance(value, str) and value in {choice for choice, _ in self.choices}:
            return value
        if not self.choices and type(value) is int and self.low <= value <= self.high:
            return value
        allowed = ", ".join(choice for choice, _ in self.choices) or f"a whole number from {self.low} to {self.high}"
        raise UserError("option_invalid", f"{self.title}: choose {allowed}.", {"option": self.name})


class Numbers(dict[str, int]):
    """Name -> number, from `first` in order of name; one that comes later, as people work on, has the next number."""

    def __init__(self, names: Iterable[str], first: int) -> None:
        super().__init__((name, number) for number, name in enumerate(sorted(names), first))
        self._first = first

    def __missing__(self, name: str) -> int:
        self[name] = self._first + len(self)
        return self[name]


@dataclass
class Brief:
    """What a writer has to know beside the records. `about` goes to the manifest as it is.

    `categories` are all names of the dataset, chosen or not, `licences` those that occur in what is chosen; both are
    sorted. `on_image` is called after each image.
    """

    about: dict[str, Any] = field(default_factory=dict)
    categories: Sequence[str] = ()
    licences: Sequence[str] = ()
    options: dict[str, Any] = field(default_factory=dict)
    on_image: Callable[[], None] = lambda: None

    def category_ids(self, first: int = 1) -> Numbers:
        """Name -> number from `first`, in order of name; masks without a category are `object`."""
        return Numbers({one or UNNAMED for one in self.categories}, first)


@dataclass(frozen=True)
class ExportFormat:
    """`write` fills an empty folder, `verify` reads all of it again and raises VerifyError.

    `about` is a sentence for people, `loses` another on what the format cannot hold (empty: nothing).
    """

    name: str
    title: str
    about: str
    write: Callable[[Path, Records, Brief], Counts]
    verify: Callable[[Path, Counts], None]
    loses: str = ""
    options: tuple[Option, ...] = ()

    def chosen(self, options: dict[str, Any]) -> dict[str, str | int]:
        """Every option with its value. Raises UserError `option_unknown` or `option_invalid`."""
        known = {option.name for option in self.options}
        for name in options:
            if name not in known:
                raise UserError("option_unknown", f"{self.title} has no option {str(name)[:60]!r}.", {"option": name})
        return {option.name: option.checked(options.get(option.name, option.default)) for option in self.options}

    def as_json(self) -> dict[str, Any]:
        """What a page needs to offer it."""
        options = [
            {**asdict(option), "choices": [{"value": value, "title": title} for value, title in option.choices]}
            for option in self.options
        ]
        return {"name": self.name, "title": self.title, "about": self.about, "loses": self.loses, "options": options}


@dataclass(frozen=True)
class ImportFormat:
    """`read` yields images with their masks; what cannot be used goes to the refusals and the rest goes on.

    `recognises` looks at names and beginnings of files only, for those who leave the choice to us.
    """

    name: str
    title: str
    about: str
    read: Callable[[FileIndex, Refusals], Iterator[SourceImage]]
    recognises: Callable[[FileIndex], bool]

    def as_json(self) -> dict[str, Any]:
        """What a page needs to offer it."""
        return {"name": self.name, "title": self.title, "about": self.about}
