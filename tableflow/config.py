"""Settings: typed keys declared once; passed as frozen values, never read globally."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from tableflow.errors import ConfigError
from tableflow.nearest import nearest
from tableflow.records import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """One setting: name (Flink's where Flink has it), how its text is read, default, one line of doc."""

    name: str
    parse: Callable[[str], T]
    default: T
    doc: str


def _boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in {"true", "on", "1", "yes"}:
        return True
    if lowered in {"false", "off", "0", "no"}:
        return False
    raise ValueError("a boolean is true or false")


def _at_least(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        expected = f"a whole number of at least {least} is expected"
        try:
            value = int(text.strip().replace("_", ""))
        except ValueError:
            raise ValueError(expected) from None
        if value < least:
            raise ValueError(expected)
        return value

    return parse


_UNITS = {"": 1, "b": 1, "kb": 2**10, "kib": 2**10, "mb": 2**20, "mib": 2**20, "gb": 2**30, "gib": 2**30, "tb": 2**40}


def _bytes(text: str) -> int:
    stripped = text.strip().lower().replace(" ", "")
    digits = stripped.rstrip("kmgtib")
    unit = stripped[len(digits) :]
    expected = "a size such as '512 mb' is expected: a number with b, kb, mb, gb or tb"
    if unit not in _UNITS:
        raise ValueError(expected)
    try:
        value = int(float(digits) * _UNITS[unit])
    except (ValueError, OverflowError):
        raise ValueError(expected) from None
    if value < 0:
        raise ValueError("a size is not negative")
    return value


_DURATIONS = {
    "us": 1,
    "ms": 1_000,
    "": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}


def byte_size(text: str) -> int:
    """Bytes of a text such as ``128 mb`` or ``1g``; ValueError says what is expected."""
    return _bytes(text)


def duration(text: str) -> int:
    """Microseconds of a text such as ``10 s``, ``1.5 h`` or ``7 d``; ValueError says what is expected."""
    return _duration(text)


def _duration(text: str) -> int:
    stripped = text.strip().lower().replace(" ", "")
    digits = stripped.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = stripped[len(digits) :]
    if unit not in _DURATIONS:
        raise ValueError("a duration is a number with us, ms, s, min, h or d")
    return int(float(digits) * _DURATIONS[unit])


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        lowered = text.strip().lower()
        if lowered not in allowed:
            raise ValueError(f"one of {', '.join(allowed)} is expected")
        return lowered

    return parse


def _names(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text.strip()).key
    except (ValueError, OSError, KeyError):
        raise ValueError("a time zone is a name such as UTC or Europe/Berlin") from None


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


PARALLELISM = Key(
    "parallelism.default", _at_least(1), len(os.sched_getaffinity(0)), "tasks per stage and worker threads"
)
BATCH_ROWS = Key("execution.batch-rows", _at_least(1), 131_072, "most rows of a batch")
FUSION = Key("execution.fusion", _boolean, default=True, doc="run chains of operators as one native call per batch")
RUNTIME_FILTERS = Key(
    "optimizer.runtime-filters",
    _choice("auto", "always", "off"),
    "auto",
    "scans leave out what the keys of a finished hash-join build rule out: where that promises something, always, never",
)
LATE_COLUMNS = Key(
    "optimizer.late-columns",
    _choice("auto", "always", "off"),
    "auto",
    "columns that only the result reads are fetched from files, or copied out of groups, for the first rows alone, and groups that a LIMIT in no order wants are settled before the others are made: where that promises something, always, never",
)
RUNTIME_MODE = Key(
    "execution.runtime-mode", _choice("auto", "batch", "streaming"), "auto", "auto is batch if all sources are bounded"
)
SCHEDULER_SEED = Key(
    "execution.scheduler-seed", _at_least(-1), -1, "run in one thread in an order drawn from this seed; -1: threads"
)
CHANNEL_BATCHES = Key("execution.channel-batches", _at_least(1), 8, "batches a channel holds before its producer waits")
BUFFER_TIMEOUT = Key(
    "execution.buffer-timeout", _duration, 2_000, "how long a partly filled exchange buffer may wait, in microseconds"
)
SOURCE_IDLE_TIMEOUT = Key(
    "table.exec.source.idle-timeout", _duration, 30_000_000, "when a silent split stops holding event time back, in us"
)
ROWTIME_NULLS = Key(
    "table.exec.source.rowtime-null-handling",
    _choice("fail", "drop", "pass"),
    "fail",
    "what becomes of a row without event time: fail, drop it, or pass it on without moving time",
)
NULL_TIME_ADVICE = f"SET '{ROWTIME_NULLS.name}' = 'drop' leaves such rows out, 'pass' hands them on without moving time"
EPOCH_INTERVAL = Key(
    "table.exec.epoch-interval",
    _duration,
    100_000,
    "how often a changing result is brought up to date, in microseconds",
)
MINI_BATCH = Key(
    "table.exec.mini-batch.enabled", _boolean, default=False, doc="groups say once an epoch what has changed in them"
)
STATE_TTL = Key(
    "table.exec.state.ttl",
    _duration,
    0,
    "how long state of joins (also newest versions), groups and first rows that does not change is kept, in us of processing time; 0: for ever",
)
LOOKUP_OUTPUT = Key(
    "table.exec.async-lookup.output-mode",
    _choice("ordered", "allow_unordered"),
    "ordered",
    "whether rows of a lookup join come out in the order of the input, or as answers come (never past a watermark)",
)
LOOKUP_CAPACITY = Key(
    "table.exec.async-lookup.buffer-capacity", _at_least(1), 100, "most questions that a lookup join's task waits for"
)
LOOKUP_TIMEOUT = Key(
    "table.exec.async-lookup.timeout",
    _duration,
    180_000_000,
    "how long a lookup function may take for an answer, in us",
)
MINI_BATCH_SIZE = Key(
    "table.exec.mini-batch.size", _at_least(1), 100_000, "most changes that a task holds back in micro-batches"
)
MEMORY_LIMIT = Key("memory.limit", _bytes, int(_machine_memory() * 0.6), "memory for operators, buffers and results")
PAGE_CACHE = Key(
    "scan.page-cache",
    _bytes,
    int(_machine_memory() * 0.015),
    "memory that the process keeps decompressed pages of Parquet files in for later queries, besides memory.limit and at most an eighth of it; 0: none",
)
DISABLED_RULES = Key(
    "optimizer.disabled-rules", _names, frozenset[str](), "rewrite rules that are switched off, by name"
)
JOIN_ENUMERATION_LIMIT = Key(
    "optimizer.join-enumeration-limit", _at_least(2), 10, "relations up to which join orders are enumerated"
)
FORCE_REPRESENTATION = Key(
    "debug.representation",
    _choice("natural", "wide", "dictionary"),
    "natural",
    "force canonical or dictionary columns at scans",
)
SERIALIZE_PLANS = Key(
    "debug.serialize-plans", _boolean, default=False, doc="send every plan and job graph through its JSON form"
)
STORAGE_CHUNK_ROWS = Key("storage.chunk-rows", _at_least(1), 131_072, "rows of a chunk of a table's file")
STORAGE_FILE_ROWS = Key("storage.file-rows", _at_least(1), 4_194_304, "rows at which a new file of a table is begun")
STORAGE_FILE_BYTES = Key(
    "storage.file-bytes", _bytes, 128 << 20, "bytes at which a new file of a table is begun; a writer buffers as many"
)
STORAGE_INLINE_ROWS = Key("storage.inline-rows", _at_least(0), 8_192, "most rows of a commit that go into the log")
STORAGE_INLINE_BYTES = Key("storage.inline-bytes", _bytes, 1 << 20, "most bytes of rows that a task puts into the log")
STORAGE_FOLD_COMMITS = Key("storage.fold-commits", _at_least(1), 5_000, "commits after which the log goes into files")
STORAGE_FOLD_BYTES = Key("storage.fold-bytes", _bytes, 16 << 20, "bytes after which the log goes into files")
STORAGE_RETENTION = Key(
    "storage.retention", _duration, 7 * _DURATIONS["d"], "how long old versions of tables can be read, in microseconds"
)
STORAGE_RETAINED_VERSIONS = Key(
    "storage.retained-versions", _at_least(1), 100_000, "most versions of a table that can be read"
)
STORAGE_REMOVAL_DELAY = Key(
    "storage.removal-delay", _duration, 5 * _DURATIONS["min"], "how long unneeded files stay for slow readers, in us"
)
COMMIT_DELAY = Key(
    "commit.delay", _duration, 0, "how long a commit waits for others that sync with it, in microseconds"
)
TIME_ZONE = Key("table.local-time-zone", _zone, "UTC", "zone that TIMESTAMP_LTZ is shown in")

KEYS: Mapping[str, Key[Any]] = {
    key.name: key
    for key in (
        PARALLELISM, BATCH_ROWS, FUSION, RUNTIME_MODE, SCHEDULER_SEED, CHANNEL_BATCHES, BUFFER_TIMEOUT,
        SOURCE_IDLE_TIMEOUT, ROWTIME_NULLS, EPOCH_INTERVAL, MINI_BATCH, MINI_BATCH_SIZE, STATE_TTL, LOOKUP_OUTPUT,
        LOOKUP_CAPACITY, LOOKUP_TIMEOUT, MEMORY_LIMIT, PAGE_CACHE, DISABLED_RULES, RUNTIME_FILTERS, LATE_COLUMNS,
        JOIN_ENUMERATION_LIMIT, FORCE_REPRESENTATION, SERIALIZE_PLANS, TIME_ZONE,
        STORAGE_CHUNK_ROWS, STORAGE_FILE_ROWS, STORAGE_FILE_BYTES,
        STORAGE_INLINE_ROWS, STORAGE_INLINE_BYTES, STORAGE_FOLD_COMMITS, STORAGE_FOLD_BYTES, STORAGE_RETENTION,
        STORAGE_RETAINED_VERSIONS, STORAGE_REMOVAL_DELAY, COMMIT_DELAY,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """Immutable values by key name; keys that were not set have their defaults."""

    texts: tuple[tuple[str, str], ...] = ()

    def get(self, key: Key[T]) -> T:
        """The value of a key."""
        for name, text in self.texts:
            if name == key.name:
                return key.parse(text)
        return key.default

    def with_value(self, name: str, text: str) -> Settings:
        """With one key set; unknown keys and values that do not fit are :class:`ConfigError`."""
        key = find_key(name)
        try:
            key.parse(text)
        except ValueError as error:
            raise ConfigError(f"setting {name!r} cannot be {text!r}", detail=str(error), hint=key.doc) from None
        return Settings((*(item for item in self.texts if item[0] != key.name), (key.name, text)))

    def with_values(self, texts: Mapping[str, str]) -> Settings:
        """With some keys set; see :meth:`with_value`."""
        settings = self
        for name, text in texts.items():
            settings = settings.with_value(name, text)
        return settings

    def without(self, name: str | None = None) -> Settings:
        """With one key, or all, back at the default."""
        if name is None:
            return Settings()
        key = find_key(name)
        return Settings(tuple(item for item in self.texts if item[0] != key.name))


_INSTEAD = {
    "table.exec.mini-batch.allow-latency": f"micro-batches end with the epoch: SET '{EPOCH_INTERVAL.name}' says how long one is",
    "table.exec.resource.default-parallelism": f"SET '{PARALLELISM.name}'",
    "pipeline.name": "a job has the name of the table that it writes to",
}
"""What there is instead of settings of Flink."""
_OF_SNAPSHOTS = (
    "execution.savepoint",
    "execution.checkpointing",
    "state.savepoints",
    "state.checkpoints",
    "state.backend",
)
"""How settings begin that Flink and the dialect have for snapshots of jobs."""


def find_key(name: str) -> Key[Any]:
    """The declared key of this name; :class:`ConfigError` offers the nearest."""
    key = KEYS.get(name.lower())
    if key is None:
        if name.lower().startswith(_OF_SNAPSHOTS):
            raise ConfigError(
                f"setting {name!r} is not supported yet",
                detail="jobs take no snapshots of their state yet, so there is nothing to keep and nothing to begin from",
                hint="a streaming table's job reads its inputs from the start when the database is opened again",
            )
        near = nearest(name, KEYS)
        hint = f"did you mean {near!r}?" if near else "SET; lists all settings"
        hint = _INSTEAD.get(name.lower(), hint)
        raise ConfigError(f"unknown setting {name!r}", hint=hint)
    return key
