"""A benchmark over finished data: numbered queries over the Parquet files of one directory."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Suite:
    """What is asked, and of which files; every engine reads the same texts."""

    title: str
    module: str
    """What ``python -m`` runs."""
    numbers: tuple[int, ...]
    tables: tuple[str, ...]
    text: Callable[[int, int], str]
    """A query's SQL by number; a seed draws other literals, if the benchmark has rules for that, and 0 takes the validation's."""
    generate: Callable[[argparse.Namespace], object]
    """Makes the data of the command line's options."""
    options: Callable[[argparse.ArgumentParser], None]
    """Declares these options, beside ``--out``."""

    def files(self, data: Path) -> Mapping[str, Path]:
        """The file of each table."""
        return {table: data / f"{table}.parquet" for table in self.tables}

    def chosen(self, text: str) -> tuple[int, ...]:
        """Query numbers as the command line gives them, ``1,q2,5-9``."""
        numbers: list[int] = []
        for part in text.split(","):
            first, _, last = part.replace("q", "").partition("-")
            numbers += range(int(first), int(last or first) + 1)
        if unknown := [number for number in numbers if number not in self.numbers]:
            raise argparse.ArgumentTypeError(f"queries are {self.numbers[0]} to {self.numbers[-1]}, not {unknown[0]}")
        return tuple(numbers)
