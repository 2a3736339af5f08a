"""Options of COPY and read_csv: looked up, read and checked where they stand; the connector gets its own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tableflow.connectors.filesystem.options import READABLE, WRITTEN, readable
from tableflow.connectors.option import Option
from tableflow.errors import BindError, UnsupportedError
from tableflow.nearest import nearest
from tableflow.sql.binder.context import Source
from tableflow.sql.copy_syntax import CopyOption

_BOOLEANS = {"on": "true", "1": "true", "off": "false", "0": "false"}
_TRUTHS = frozenset({"boolean", "true, false or auto"})


def read_options(source: Source, given: Sequence[CopyOption], format: str, what: str) -> tuple[tuple[str, str], ...]:
    """Options for reading files of a format, under the connector's names."""
    found: list[tuple[str, str]] = []
    known = readable(format)
    others = {other: readable(other) for other in READABLE}
    quote = next((one.value for one in given if one.name == "QUOTE"), '"')
    for option in given:
        span = source.place(option.span.start, option.span.end)
        if option.name == "FORMAT":
            continue
        if option.name == "ESCAPE" and format == "csv":
            if option.value != quote:
                raise UnsupportedError(
                    f"ESCAPE {option.value!r} is not supported",
                    detail="a quote inside of quotes is doubled",
                    span=span,
                )
            continue
        if option.name == "HEADER" and option.value.lower() == "match" and format == "csv":
            found += [("csv.header", "true"), ("csv.columns-by", "name")]
            continue
        if option.name == "QUOTE" and option.value == "" and format == "csv":
            found.append(("csv.disable-quote-character", "true"))
            continue
        declared = _declared(source, option, known, others, what)
        found.append((declared.name, _checked(source, option, declared)))
    _refuse_twice(source, given, [name for name, _ in found])
    return tuple(found)


def written_options(source: Source, given: Sequence[CopyOption], format: str) -> tuple[tuple[str, str], ...]:
    """Options for writing files of a format, under the writer's names."""
    found: list[tuple[str, str]] = []
    for option in given:
        if option.name != "FORMAT":
            declared = _declared(source, option, WRITTEN[format], WRITTEN, "COPY TO")
            found.append((declared.name, _checked(source, option, declared)))
    _refuse_twice(source, given, [name for name, _ in found])
    return tuple(found)


def _declared(
    source: Source,
    option: CopyOption,
    known: Sequence[Option],
    others: Mapping[str, Sequence[Option]],
    what: str,
) -> Option:
    """The option that a name means for a format; an error says which formats have it, or which options there are."""
    name, span = option.name.lower(), source.place(option.span.start, option.span.end)
    for one in known:
        if name in (one.name, *one.aliases):
            return one
    elsewhere = [other for other, options in others.items() if any(name in (one.name, *one.aliases) for one in options)]
    if elsewhere:
        raise BindError(f"{option.name} is an option of {' and '.join(elsewhere)} files", span=span)
    names = [each.upper() for one in known for each in (one.name, *one.aliases) if "." not in each]
    near = nearest(option.name, names)
    raise BindError(
        f"{what} has no option {option.name} here",
        hint=f"did you mean {near}?" if near else f"options are {', '.join(['FORMAT', *dict.fromkeys(names)])}",
        span=span,
    )


def _checked(source: Source, option: CopyOption, declared: Option) -> str:
    """The option's text, which can be read."""
    value = option.value
    if declared.kind in _TRUTHS:
        value = _BOOLEANS.get(value.lower(), value)
    try:
        declared.parse(value)
    except ValueError as error:
        raise BindError(
            f"{option.name} cannot be {option.value!r}",
            detail=str(error),
            span=source.place(option.span.start, option.span.end),
        ) from None
    return value


def _refuse_twice(source: Source, given: Sequence[CopyOption], names: Sequence[str]) -> None:
    seen: set[str] = set()
    for option in given:
        if option.name in seen:
            raise BindError(
                f"option {option.name} is given twice", span=source.place(option.span.start, option.span.end)
            )
        seen.add(option.name)
    if len(set(names)) < len(names):
        again = next(name for i, name in enumerate(names) if name in names[:i])
        last = given[-1].span
        raise BindError(f"option {again} is given under two names", span=source.place(last.start, last.end))
