"""Files that keep coming: a path that is looked at again and again, and text files that grow while they are read.

A file counts as soon as it is seen under its name, so it must be complete by then: write it under a name that begins with a
dot or an underscore and rename it.  Where files are followed they may grow, and a record counts once its line is complete.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from tableflow.connectors.filesystem.format import FileScan, Format
from tableflow.connectors.filesystem.partition_pruning import matching_files
from tableflow.connectors.filesystem.path import GROWING, FileVersion, expand, stat_file, suffix
from tableflow.connectors.filesystem.source import FileReading
from tableflow.connectors.filesystem.text_block import BLOCK_BYTES, LONGEST_RECORD, last_record_end, line_of
from tableflow.connectors.reading import ChunkReader
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.records import replace
from tableflow.runtime.source import Done, Later, Poll, Split
from tableflow.runtime.wake import After


class WatchedSource:
    """An unbounded source over one :class:`FileScan` with a watch."""

    bounded = False

    def __init__(self, scan: FileScan, format: Format, representation: str, tasks: int) -> None:
        self._scan = scan
        self._format = format
        self._tasks = tasks
        self._reading = FileReading(scan, format, representation)

    def assigner(self) -> WatchingAssigner:
        """A fresh assigner: the files that are there, the oldest first, then those that come."""
        return WatchingAssigner(self._scan, self._format, self._tasks)

    def reader(self, split: Split, batch_rows: int) -> ChunkReader | FollowingReader:
        """A reader of a part of a file that was complete when it was found, or of one that is followed for ever."""
        path, size, modified, inner = split.definition
        version = FileVersion(path, size, modified)
        if inner is None:
            return FollowingReader(self._reading, self._scan, self._format, split, batch_rows)
        return self._reading.reader(version, Split(split.id, [0, *inner], split.offset), batch_rows)


class WatchingAssigner:
    """Hands out the parts of each file once; when there is none, it is asked again after the interval."""

    def __init__(self, scan: FileScan, format: Format, tasks: int) -> None:
        assert scan.watch is not None
        self._scan = scan
        self._watch = scan.watch
        self._format = format
        self._tasks = tasks
        self._seen: set[str] = set()
        self._found: deque[FileVersion] = deque()
        self._splits: Iterator[Split] = iter(())
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next(self, task_index: int) -> Split | Later:
        """The next part; never the end."""
        with self._lock:
            while True:
                split = next(self._splits, None)
                if split is not None:
                    return split
                if not self._found:
                    self._look()
                if not self._found:
                    return Later(After(self._watch.interval))
                self._splits = self._parts(self._found.popleft())

    def _look(self) -> None:
        endings = frozenset(self._watch.endings) or None
        try:
            present = expand(self._watch.path, suffixes=endings, may_be_empty=True)
        except ConnectorError:
            return  # no file matches yet, or the directory is not there at the moment
        new = [file for file in present if file.path not in self._seen]
        if endings is not None:
            new = [file for file in new if suffix(file.path) in endings]
        self._seen.update(file.path for file in new)
        wanted = matching_files(tuple(new), self._scan.partitions)
        self._found.extend(sorted(wanted, key=lambda file: (file.modified, file.path)))
        self._counts["files"] += len(new)
        self._counts["files_pruned"] += len(new) - len(wanted)

    def _parts(self, file: FileVersion) -> Iterator[Split]:
        if self._watch.follow:
            yield Split(file.path, [file.path, 0, GROWING, None])
            return
        alone = replace(self._scan, files=(file,))
        for part in self._format.splits(alone, self._counts, self._tasks):
            yield Split(part.id, [file.path, file.size, file.modified, list(part.definition[1:])], part.offset)

    def take_counts(self) -> dict[str, int]:
        """See :class:`~tableflow.runtime.source.Counting`."""
        with self._lock:
            taken = {name: count for name, count in self._counts.items() if count}
            self._counts.clear()
            return taken


class FollowingReader:
    """Reads a text file to its end, and what is written behind that, as long as the file is there.

    The offset is (start, end, rest): whole records in ``[start, end)`` are being read, ``rest`` is the format's own token
    inside them.
    """

    def __init__(self, reading: FileReading, scan: FileScan, format: Format, split: Split, batch_rows: int) -> None:
        assert scan.watch is not None
        self._path = split.definition[0]
        self._reading = reading
        self._scan = scan
        self._interval = scan.watch.interval
        self._format = format
        self._batch_rows = batch_rows
        self._id = split.id
        self._start: int
        self._end: int
        self._rest: Any
        self._start, self._end, self._rest = split.offset or (0, 0, None)
        self._chunks: ChunkReader | None = None
        if self._rest is not None:
            self._chunks = self._between()

    def poll(self) -> Poll:
        """The next rows, :class:`Later` while nothing is written, the end when the file is gone."""
        while True:
            if self._chunks is not None:
                given = self._chunks.poll()
                if not isinstance(given, Done):
                    self._rest = self._chunks.offset()
                    return given
                self._chunks.close()
                self._chunks, self._start, self._rest = None, self._end, None
            try:
                grown = self._grown()
            except FileNotFoundError:
                return Done()
            if not grown:
                return Later(After(self._interval))
            self._chunks = self._between()

    def backlog(self) -> Callable[[], bool]:
        """All that is written now, as far as its lines are complete; what is written meanwhile is not waited for."""
        try:
            size = stat_file(self._path).size
        except TableFlowError:
            size = 0  # the next look ends it
        return lambda: self._chunks is None and self._start >= size

    def _grown(self) -> bool:
        """Finds the end of the whole records behind those that were read; whether there are any."""
        try:
            size = stat_file(self._path).size
        except TableFlowError:
            raise FileNotFoundError(self._path) from None
        if size < self._start:
            raise ConnectorError(
                f"file {self._path!r} has become shorter while it was followed",
                detail=f"{self._start:,} bytes were read, {size:,} are left",
                hint="write a new file instead",
            )
        version = FileVersion(self._path, size, GROWING)
        quote = self._format.quote(self._scan, version)
        begin = self._start
        with open(self._path, "rb") as opened:  # noqa: PTH123 - paths are text here
            opened.seek(begin)
            wanted = BLOCK_BYTES
            while True:
                data = opened.read(min(wanted, size - begin))
                end = last_record_end(data, quote)
                if end or len(data) == size - begin:
                    break
                if len(data) > LONGEST_RECORD:
                    raise ConnectorError(
                        f"file {self._path!r} has a record longer than {LONGEST_RECORD >> 20} MB",
                        detail=f"it begins on line {line_of(version, begin)}",
                    )
                opened.seek(begin)
                wanted *= 2
        if not end:
            return False
        end += begin
        if begin == 0:
            whole = FileVersion(self._path, end, GROWING)
            begin = self._format.first_record(replace(self._scan, files=(whole,)), whole)
        self._start, self._end = min(begin, end), end
        return True

    def _between(self) -> ChunkReader:
        version = FileVersion(self._path, self._end, GROWING)
        part = Split(self._id, [0, self._start, self._end], self._rest)
        return self._reading.reader(version, part, self._batch_rows)

    def offset(self) -> Any:
        """Where a new reader goes on."""
        return [self._start, self._end, self._rest]

    def close(self) -> None:
        """Closes the file."""
        if self._chunks is not None:
            self._chunks.close()
