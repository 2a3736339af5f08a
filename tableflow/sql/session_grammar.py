"""Session commands: SET, RESET, SHOW, USE, DESCRIBE and the prefix EXPLAIN, parsed by a grammar of their own.

The grammar never reads a query: EXPLAIN and DESCRIBE parse their prefix and say where the embedded query begins.
Commands that this version does not have are refused before they come here (:mod:`tableflow.sql.later_statements`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias

from tableflow.errors import Span, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.nearest import nearest
from tableflow.records import dataclass
from tableflow.sql.splitter import missing_semicolon
from tableflow.sql.statements import (
    Describe,
    EndJob,
    ExplainJob,
    ExplainKind,
    Flush,
    JobAction,
    JobView,
    ObjectKind,
    ResetStatement,
    SetStatement,
    Show,
    ShowJobs,
    ShowKind,
    ShowVersions,
    ShowWatermarks,
    Use,
    Vacuum,
)

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

OWNED = frozenset({"SET", "RESET", "SHOW", "USE", "DESCRIBE", "DESC", "EXPLAIN", "VACUUM", "FLUSH", "STOP", "CANCEL"})
"""First keywords of statements that this grammar owns."""

GRAMMAR = r"""
start: set | reset | show | use | describe | explain | vacuum | flush | end
flush: "FLUSH"i
end: (STOP | CANCEL) (JOBWORD NUMBER | JOB)
set: "SET"i [key (EQUALS | TO) value]
reset: "RESET"i [key]
key: STRING | DOTTED
value: STRING | BARE
use: "USE"i [SCHEMA] name
show: "SHOW"i (LISTED | JOBLIST | "CREATE"i OBJECT path | VERSIONS path)
vacuum: "VACUUM"i [OBJECT] [path]
describe: ("DESCRIBE"i | "DESC"i) (QUERY | STRING | [OBJECT] path)
explain: "EXPLAIN"i [KIND] (JOBWORD NUMBER | JOB | QUERY | CHANGE)
path: name ("." name)*
name: QUOTED | NAME

EQUALS: "="
TO.2: /TO\b/i
SCHEMA.2: /(SCHEMA|DATABASE)(?=\s)/i
OBJECT.2: /(TABLE|VIEW)(?=\s)/i
LISTED.2: /(TABLES|VIEWS|FUNCTIONS|CONNECTORS|HINTS|SETTINGS)\b/i
VERSIONS.2: /VERSIONS(\s+(OF|FOR))?(?=\s)/i
JOBLIST.2: /(JOBS|WATERMARKS)\b/i
STOP.2: /STOP\b/i
CANCEL.2: /CANCEL\b/i
JOBWORD.3: /JOB\b(?=\s+\d)/i
NUMBER.2: /\d+/
KIND.2: /(COST|CHANGELOG|PHYSICAL|LOGICAL|JSON|ANALYZE|WATERMARK)\b/i
JOB.2: /JOB\b[\s\S]*/i
QUERY.1: /((SELECT|WITH|FROM|VALUES)\b|\()[\s\S]*/i
CHANGE.1: /(INSERT|UPDATE|DELETE|MERGE|CREATE|COPY|EXECUTE|STATEMENT)\b[\s\S]*/i
STRING: /'([^']|'')*'/
QUOTED: /"([^"]|"")+"|`([^`]|``)+`/
DOTTED: /[^\W\d][\w.\-]*/
NAME: /[^\W\d][\w$]*/
BARE: /[^\s'"=][^'"]*/
COMMENT.9: /--[^\n]*|\/\*([^*]|\*(?!\/))*\*\//
%ignore /\s+/
%ignore COMMENT
"""

_EXPECTED = {
    "EQUALS": "=", "TO": "TO", "DOTTED": "a setting", "STRING": "a string", "BARE": "a value", "NAME": "a name",
    "QUOTED": "a name", "LISTED": "TABLES, VIEWS, FUNCTIONS, CONNECTORS, HINTS or SETTINGS", "JOBLIST": "JOBS or WATERMARKS",
    "JOBWORD": "JOB and its number", "QUERY": "a query",
    "OBJECT": "TABLE or VIEW", "$END": "the end of the statement", "CREATE": "CREATE TABLE or CREATE VIEW",
    "DOT": "'.'",
}  # fmt: skip
_SUGGESTED = (
    "TABLES", "VIEWS", "FUNCTIONS", "CONNECTORS", "HINTS", "SETTINGS", "CREATE", "JOBS", "WATERMARKS", "VERSIONS", "SELECT", "COST", "CHANGELOG",
    "PHYSICAL", "LOGICAL", "JSON", "ANALYZE", "WATERMARK", "TABLE", "VIEW", "SCHEMA",
)  # fmt: skip


_MEANT = {
    "COLUMNS": "DESCRIBE t shows the columns of a table", "DATABASES": "SELECT * FROM information_schema.schemata",
    "SCHEMAS": "SELECT * FROM information_schema.schemata", "TABLE": "SHOW TABLES lists tables, SHOW CREATE TABLE t shows one",
    "CATALOGS": "a connection has one database; SELECT * FROM information_schema.schemata", "FULL": "SELECT * FROM information_schema.tables",
    "STREAMING": "SHOW TABLES lists all tables, DESCRIBE t tells the kind of one, SHOW JOBS what is at work",
    "PARTITIONS": "SELECT DISTINCT the columns of PARTITIONED BY", "PLAN": "leave PLAN FOR out: EXPLAIN SELECT ...",
    "ESTIMATED_COST": "EXPLAIN COST SELECT ...", "CHANGELOG_MODE": "EXPLAIN CHANGELOG SELECT ...",
    "JSON_EXECUTION_PLAN": "EXPLAIN JSON SELECT ...",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Embedded:
    """A command around a query or change: EXPLAIN of a kind, or (``kind`` None) DESCRIBE; it begins at ``offset``."""

    kind: ExplainKind | None
    text: str
    offset: int


Command: TypeAlias = (
    SetStatement | ResetStatement | Show | Describe | Use | Vacuum | ShowVersions | Embedded
    | Flush | ShowJobs | ShowWatermarks | EndJob | ExplainJob
)  # fmt: skip


def parse_command(text: str) -> Command:
    """The command that the text is; errors point into the text."""
    from lark.exceptions import UnexpectedInput

    try:
        tree: Any = _parser().parse(text)
    except UnexpectedInput as error:
        raise _explained(error, text) from None
    command: Tree[Token] = tree.children[0]
    found: Command = _BUILDERS[str(command.data)](command.children)
    return found


@functools.cache
def _parser() -> Lark:
    # imported and built at the first command: most scripts have none, and it takes 60 ms
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _unquoted(token: Any) -> str:
    text = str(token)
    return text[1:-1].replace(text[0] * 2, text[0]) if text[:1] in {"'", '"', "`"} else text.strip()


def _path(tree: Any) -> tuple[str, ...]:
    return tuple(_unquoted(name.children[0]) for name in tree.children)


def _set(children: list[Any]) -> SetStatement:
    key = children[0]
    if key is None:
        return SetStatement()
    value = children[-1]
    return SetStatement(
        _unquoted(key.children[0]), _unquoted(value.children[0]), names_at=(_place(key),), value_at=_place(value)
    )


def _reset(children: list[Any]) -> ResetStatement:
    key = children[0]
    return ResetStatement() if key is None else ResetStatement(_unquoted(key.children[0]), names_at=(_place(key),))


def _use(children: list[Any]) -> Use:
    return Use(_unquoted(children[-1].children[0]), names_at=(_place(children[-1]),))


def _show(children: list[Any]) -> Show | ShowVersions | ShowJobs | ShowWatermarks:
    first = children[0]
    if first.type == "VERSIONS":
        return ShowVersions(_path(children[1]), names_at=(_place(children[1]),))
    if first.type == "JOBLIST":
        return ShowJobs() if str(first).upper() == "JOBS" else ShowWatermarks()
    if first.type == "LISTED":
        return Show(ShowKind[str(first).upper()])
    return Show(ShowKind.CREATE, _path(children[1]), ObjectKind[str(first).upper()], names_at=(_place(children[1]),))


def _vacuum(children: list[Any]) -> Vacuum:
    last = children[-1]
    return Vacuum() if last is None else Vacuum(_path(last), names_at=(_place(last),))


def _place(tree: Any) -> Span:
    return Span(tree.meta.start_pos, tree.meta.end_pos)


def _token_place(token: Any) -> Span:
    return Span(token.start_pos, token.end_pos)


def _describe(children: list[Any]) -> Describe | Embedded:
    last = children[-1]
    if getattr(last, "type", None) == "QUERY":
        return Embedded(None, str(last), last.start_pos)
    if getattr(last, "type", None) == "STRING":
        everything = "SELECT * FROM "
        return Embedded(None, everything + str(last), last.start_pos - len(everything))
    return Describe(_path(last), names_at=(_place(last),))


_VIEWS = {"ANALYZE": JobView.ANALYZE, "WATERMARK": JobView.WATERMARK, "": JobView.PLAN}


def _end(children: list[Any]) -> EndJob:
    action, *_ = children
    if len(children) == 2:
        raise _unnumbered(str(action).upper(), children[1])
    number = children[-1]
    return EndJob(int(number), JobAction[str(action).upper()], names_at=(_token_place(number),))


def _explain(children: list[Any]) -> Embedded | ExplainJob:
    kind, query = children[0], children[-1]
    if query.type == "NUMBER":
        view = _VIEWS.get("" if kind is None else str(kind).upper())
        if view is None:
            raise _refused(f"EXPLAIN {str(kind).upper()} JOB", kind)
        return ExplainJob(int(query), view, names_at=(_token_place(query),))
    if query.type == "JOB":
        raise _unnumbered("EXPLAIN", query)
    explained = ExplainKind.PLAIN if kind is None else ExplainKind[str(kind).upper()]
    return Embedded(explained, str(query), query.start_pos)


_BUILDERS: dict[str, Any] = {
    "set": _set, "reset": _reset, "use": _use, "show": _show, "describe": _describe, "explain": _explain,
    "vacuum": _vacuum, "flush": lambda _: Flush(), "end": _end,
}  # fmt: skip


def _unnumbered(action: str, job: Any) -> TableFlowError:
    return SqlSyntaxError(
        "a job is named by its number", hint=f"write {action} JOB 1; SHOW JOBS lists them",
        span=Span(job.start_pos, job.start_pos + len(job)),
    )  # fmt: skip


def _refused(what: str, token: Any) -> TableFlowError:
    return UnsupportedError(f"{what} is not supported yet", span=Span(token.start_pos, token.start_pos + len(token)))


def _explained(error: Any, text: str) -> SqlSyntaxError:
    at_end = getattr(getattr(error, "token", None), "type", "") == "$END"
    position = len(text) if at_end else error.pos_in_stream
    if position is None or position < 0 or position >= len(text):
        position = len(text)
    word = text[position:].split(None, 1)[0] if text[position:].strip() else ""
    expected = set(getattr(error, "expected", None) or getattr(error, "allowed", None) or ())
    names = list(dict.fromkeys(_EXPECTED[name] for name in sorted(expected) if name in _EXPECTED))
    found = repr(word) if word else "the end of the statement"
    near = nearest(word, _SUGGESTED)
    if near == word.upper():  # a word of another place, which may be near one of this place
        here = " ".join(names)
        near = nearest(word, [other for other in _SUGGESTED if other != near and other in here])
    hint = f"did you mean {near} instead of {word!r}?" if near and near != word.upper() else None
    if "CHANGE" in expected:
        names = ["after EXPLAIN a query"]
        hint = (
            hint
            or "EXPLAIN takes a query, INSERT, UPDATE, DELETE, MERGE, COPY, CREATE TABLE ... AS, or JOB and its number"
        )
    return SqlSyntaxError(
        f"syntax error at {found}" + (f": {' or '.join(names)} is expected" if names else ""),
        hint=_MEANT.get(word.upper()) or hint or (None if names else missing_semicolon(word)),
        span=Span(position, position + len(word)),
    )
