"""Writes docs/settings.md and the tables of options in other pages: ``python -m tableflow.session.reference``.

A test says when they are out of date.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tableflow.config import KEYS, MEMORY_LIMIT, PAGE_CACHE, PARALLELISM
from tableflow.connectors.filesystem.options import COPY_NAMES, OPTIONS, WRITTEN
from tableflow.connectors.filesystem.sink_options import SINKING
from tableflow.connectors.lookup import OPTIONS as LOOKUP
from tableflow.connectors.option import Option
from tableflow.connectors.registry import CONNECTORS

_HEAD = """# Settings

<!-- Written by `python -m tableflow.session.reference`; edit the keys in tableflow/config.py. -->

`SET 'key' = 'value'` sets one for the session, `RESET 'key'` gives it back its default, `SET` alone (or `SHOW SETTINGS`) lists all with
their values. In Python `connect(settings={...})` sets them from the start, on the command line `--set key=value`. Sizes take `kb`,
`mb`, `gb`; durations `us`, `ms`, `s`, `min`, `h`, `d`, and are milliseconds without a unit. Where Flink has a setting its name is used.

| key | default | meaning |
|---|---|---|
"""
_OF_COPY = [option for options in WRITTEN.values() for option in options]
_MACHINES = {
    PARALLELISM.name: "the number of cores",
    MEMORY_LIMIT.name: "60 % of the machine's memory",
    PAGE_CACHE.name: "1.5 % of the machine's memory",
}


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


def connector_tables() -> dict[str, str]:
    """The tables of docs/connectors.md."""
    return {
        "filesystem sink options": _table(SINKING),
        "print options": _table(CONNECTORS["print"].options),
        "socket options": _table(CONNECTORS["socket"].options),
        "datagen options": _table(CONNECTORS["datagen"].options),
        "nexmark options": _table(CONNECTORS["nexmark"].options),
        "lookup options": _table(LOOKUP),
    }


def _spelled(option: Option) -> Option:
    names = tuple(name.upper() for name in COPY_NAMES.get(option.name, ()))
    return Option(option.name, option.kind, option.parse, option.doc, option.default, option.required,
                  (*option.aliases, *names))  # fmt: skip


def _table(options: Sequence[Option]) -> str:
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for option in options:
        names = ", ".join(f"`{name.upper() if '.' not in name and option in _OF_COPY else name}`"
                          for name in (option.name, *option.aliases))  # fmt: skip
        default = "" if option.default in {None, ""} else f"`{str(option.default).lower()}`"
        lines.append(f"| {names} | {'(required)' if option.required else default} | {option.doc} |")
    return "\n".join(lines)


def with_tables(page: str, tables: Mapping[str, str]) -> str:
    """The page with its tables as they are now."""
    for name, table in tables.items():
        before, mark, after = page.partition(f"<!-- {name} -->\n\n")
        page = before + mark + table + "\n" + re.sub(r"\A(?:\|[^\n]*\n)*", "", after)
    return page


TABLES = {"files.md": option_tables, "connectors.md": connector_tables}
"""What makes the tables of each page."""


def main() -> None:
    """Write all pages."""
    Path("docs/settings.md").write_text(settings_page(), encoding="utf-8")
    for page, tables in TABLES.items():
        path = Path("docs") / page
        path.write_text(with_tables(path.read_text(encoding="utf-8"), tables()), encoding="utf-8")


if __name__ == "__main__":
    main()
