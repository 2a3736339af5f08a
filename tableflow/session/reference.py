"""Writes docs/settings.md and the tables of options in docs/files.md: ``python -m tableflow.session.reference``.

A test says when they are out of date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tableflow.config import KEYS, MEMORY_LIMIT, PARALLELISM
from tableflow.connectors.filesystem.options import COPY_NAMES, OPTIONS, WRITTEN
from tableflow.connectors.option import Option

_HEAD = """# Settings

<!-- Written by `python -m tableflow.session.reference`; edit the keys in tableflow/config.py. -->

`SET 'key' = 'value'` sets one for the session, `RESET 'key'` gives it back its default, `SET` alone (or `SHOW SETTINGS`) lists all with
their values. In Python `connect(settings={...})` sets them from the start, on the command line `--set key=value`. Sizes take `kb`,
`mb`, `gb`; durations `us`, `ms`, `s`, `min`, `h`, `d`, and are milliseconds without a unit. Where Flink has a setting its name is used.

| key | default | meaning |
|---|---|---|
"""
_MACHINES = {PARALLELISM.name: "the number of cores", MEMORY_LIMIT.name: "60 % of the machine's memory"}


def settings_page() -> str:
    """The whole page as Markdown; what depends on the machine is put in words."""
    rows = [f"| `{name}` | {_default(name)} | {key.doc} |\n" for name, key in sorted(KEYS.items())]
    return _HEAD + "".join(rows)


def _default(name: str) -> str:
    if name in _MACHINES:
        return _MACHINES[name]
    value = KEYS[name].default
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, frozenset):
        return ", ".join(f"`{each}`" for each in sorted(value))
    return "" if value in {None, ""} else f"`{value}`"


def option_tables() -> dict[str, str]:
    """The tables of docs/files.md, by the word in the comment that they stand behind."""
    return {
        "read options": _table([_spelled(one) for one in OPTIONS]),
        **{f"{name} write options": _table(options) for name, options in WRITTEN.items()},
    }


def _spelled(option: Option) -> Option:
    names = tuple(name.upper() for name in COPY_NAMES.get(option.name, ()))
    return Option(option.name, option.kind, option.parse, option.doc, option.default, option.required,
                  (*option.aliases, *names))  # fmt: skip


def _table(options: Sequence[Option]) -> str:
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for option in options:
        names = ", ".join(f"`{name.upper() if '.' not in name and option not in OPTIONS else name}`"
                          for name in (option.name, *option.aliases))  # fmt: skip
        default = "" if option.default in {None, ""} else f"`{str(option.default).lower()}`"
        lines.append(f"| {names} | {'(required)' if option.required else default} | {option.doc} |")
    return "\n".join(lines)


def with_tables(page: str) -> str:
    """The page with its tables as they are now."""
    for name, table in option_tables().items():
        before, mark, after = page.partition(f"<!-- {name} -->\n\n")
        page = before + mark + table + "\n" + re.sub(r"\A(?:\|[^\n]*\n)*", "", after)
    return page


def main() -> None:
    """Write both pages."""
    Path("docs/settings.md").write_text(settings_page(), encoding="utf-8")
    files = Path("docs/files.md")
    files.write_text(with_tables(files.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
