"""The command line: ``tableflow run`` and ``tableflow check-database``.

Exit codes: 0 all is well, 1 a statement failed, 2 the command line is wrong, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from tableflow import __version__
from tableflow.loading import without_blas_threads, without_collection

_TRACEBACK = "TABLEFLOW_TRACEBACK"
"""The environment variable that asks for the traceback of a defect."""


def main(arguments: Sequence[str] | None = None, *, own_process: bool = False) -> int:
    """Runs the command; errors are shown on standard error, never as a traceback."""
    given = _parser().parse_args(arguments)
    given.own_process = own_process
    try:
        code = _COMMANDS[given.command](given)
        sys.stdout.flush()
        return code
    except _Terminated:
        print("terminated", file=sys.stderr)
        return 143
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except _UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        # What is still in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0  # the reader of our output has gone (`| head`): nothing is wrong
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 1


def _run(given: argparse.Namespace) -> int:
    # Loaded only now, so that --help and --version answer at once.
    with ExitStack() as loading:
        loading.enter_context(without_collection(for_good=given.own_process))
        if given.own_process:
            from tableflow.finding import find_quickly

            find_quickly()
            loading.enter_context(without_blas_threads())
        from tableflow.shell.run import Target, run_script

    script = _script(given)
    if given.read_only and given.database is None:
        raise _UsageError("--read-only needs --database DIR")
    if given.metrics is not None:
        _check_writable(given.metrics)
    _write_utf8(exactly=given.format != "table")
    target = Target(given.set, given.database, read_only=given.read_only, metrics=given.metrics)
    return run_script(
        script, target, given.format, timing=given.timing, out=sys.stdout, err=sys.stderr, stay=not given.exit
    )


def _check_writable(path: str) -> None:
    """A file that is written when all is done is looked for before anything is."""
    try:
        with Path(path).open("a"):
            pass
    except OSError as error:
        raise _UsageError(f"--metrics {path!r} cannot be written: {error.strerror}") from None


def _verify(given: argparse.Namespace) -> int:
    from tableflow.shell.run import Target
    from tableflow.shell.verify import run_verify

    script = _script(given)
    _write_utf8(exactly=False)
    target = Target(given.set, given.database, read_only=given.database is not None)
    return run_verify(script, target, sys.stdout, sys.stderr, late=given.late)


def _check(given: argparse.Namespace) -> int:
    from tableflow.shell.check import run_check

    _write_utf8(exactly=False)
    return run_check(given.directory, sys.stdout, sys.stderr)


_COMMANDS = {"run": _run, "verify": _verify, "check-database": _check}


def command() -> NoReturn:
    """The console script: :func:`main`, then gone at once; taking the interpreter apart costs more than most queries."""
    code = 130
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        code = main(own_process=True)
    except _Terminated:
        code = 143
    except SystemExit as error:  # argparse has spoken
        code = error.code if isinstance(error.code, int) else 2
    except Exception as error:  # noqa: BLE001 - os._exit would hide it
        _tell_defect(error)
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)


def _tell_defect(error: Exception) -> None:
    """Says what nobody foresaw (or that there is no native core, which says how to build it) in a line or two."""
    if os.environ.get(_TRACEBACK):
        import traceback

        traceback.print_exception(error)
    elif isinstance(error, ImportError) and error.name == "tableflow.columnar._native":
        print(f"error: {error}", file=sys.stderr)
    else:
        said = " ".join(str(error).split()) or "without a message"
        print(f"error: internal error of TableFlow: {type(error).__name__}: {said}", file=sys.stderr)
        print(f"hint: this is a defect; {_TRACEBACK}=1 in the environment shows where it came from", file=sys.stderr)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends what Ctrl-C ends, and as orderly."""


def _terminate(number: int, _frame: object) -> NoReturn:
    """Ends the command; another SIGTERM (`timeout` sends two) does not disturb jobs while they end."""
    signal.signal(number, signal.SIG_IGN)
    raise _Terminated


def _write_utf8(*, exactly: bool) -> None:
    """CSV and JSON are UTF-8 wherever they are written; a table shows what its terminal can show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = "utf-8" if exactly and stream is sys.stdout else None
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


class _UsageError(Exception):
    """A file that cannot be read, a setting without a value."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tableflow", description="A SQL engine for tables that are finished and tables that are not."
    )
    parser.add_argument("--version", action="version", version=f"tableflow {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a SQL script", description="Runs the statements of a script in order.")
    run.add_argument("file", nargs="?", help="the script; - is standard input")
    run.add_argument("-c", dest="sql", metavar="SQL", help="the script itself")
    run.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", type=_setting, help="a setting, as SET; repeatable"
    )
    run.add_argument("--format", choices=("table", "csv", "json"), default="table", help="json is one object a line")
    run.add_argument("--database", metavar="DIR", help="the database in a directory, made if it is not there")
    run.add_argument("--read-only", action="store_true", help="change nothing in the database, whoever writes to it")
    run.add_argument("--exit", action="store_true", help="do not stay while jobs run that the script began")
    run.add_argument("--timing", action="store_true", help="show how long each statement took, and its operators")
    run.add_argument("--metrics", metavar="FILE", help="write what the jobs did (seconds, rows, memory) as JSON")
    verify = commands.add_parser(
        "verify",
        help="compare a query as batch and as streams",
        description="Runs the last query of a script over finished data as batch and as streams in many ways, and says "
        "whether all agree; the exit code is 1 if one does not.",
    )
    verify.add_argument("file", nargs="?", help="the script; - is standard input")
    verify.add_argument("-c", dest="sql", metavar="SQL", help="the script itself")
    verify.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", type=_setting, help="a setting")
    verify.add_argument("--database", metavar="DIR", help="the database in a directory, which is only read")
    verify.add_argument("--late", action="store_true", help="also feed rows later than their watermark allows")
    check = commands.add_parser(
        "check-database",
        help="look for damage in a database",
        description="Reads all of a database and says what is wrong; the exit code is 1 if something is.",
    )
    check.add_argument("directory", metavar="DIR", help="the database's directory")
    return parser


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key.strip(), value.strip()


def _script(given: argparse.Namespace) -> str:
    if (given.file is None) == (given.sql is None):
        raise _UsageError("give a script file, - for standard input, or -c SQL")
    if given.sql is not None:
        return str(given.sql)
    try:
        content = sys.stdin.buffer.read() if given.file == "-" else Path(given.file).read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise _UsageError(f"script {given.file!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise _UsageError(f"script {given.file!r} is not UTF-8 (byte {error.start})") from None


if __name__ == "__main__":
    command()
