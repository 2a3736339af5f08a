"""The encoding of text files: bytes that are no text are an error that names them, never text that looks odd."""

from __future__ import annotations

from tableflow.columnar.kernels.text import is_utf8
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.text_block import line_of
from tableflow.errors import ConnectorError

UTF8 = "utf-8"
ENCODINGS = {
    "utf-8": UTF8, "utf8": UTF8, "latin-1": "latin-1", "latin1": "latin-1", "iso-8859-1": "latin-1",
    "windows-1252": "cp1252", "cp1252": "cp1252",
}  # fmt: skip
"""The encodings that text files may have, under all their names, as Python calls them.

All of them agree with ASCII, so that delimiters, quotes and line ends are found before anything is decoded.
"""


def encoding(value: str) -> str:
    """The encoding of a name; ValueError says which there are."""
    found = ENCODINGS.get(value.strip().lower().replace("_", "-"))
    if found is None:
        raise ValueError("one of utf-8, latin-1, windows-1252 is expected")
    return found


def to_utf8(file: FileVersion, offset: int, data: bytes, encoding: str) -> bytes:
    """The bytes at an offset of a file in UTF-8; what is UTF-8 already is not looked at."""
    if encoding == UTF8 or data.isascii():
        return data
    return decoded(file, offset, data, encoding).encode()


_SAY_IT = "option encoding says what the file is: encoding = 'latin-1' in COPY and read_csv, 'csv.encoding' in WITH"


def check_utf8(file: FileVersion, offset: int, data: bytes | memoryview) -> None:
    """:class:`ConnectorError` for bytes of a format that is always UTF-8 and are not."""
    if not is_utf8(data):
        decoded(file, offset, bytes(data), UTF8, hint="write the file as UTF-8")


def decoded(file: FileVersion, offset: int, data: bytes, encoding: str, hint: str = _SAY_IT) -> str:
    """The text of the bytes at an offset of a file; :class:`ConnectorError` for what is none."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(file, offset + error.start, data[error.start], encoding, hint) from None


def _undecodable(file: FileVersion, offset: int, byte: int, encoding: str, hint: str) -> ConnectorError:
    name = {"utf-8": "UTF-8", "cp1252": "windows-1252"}.get(encoding, encoding)
    return ConnectorError(
        f"file {file.path!r}, line {line_of(file, offset)}: byte 0x{byte:02X} is not {name}",
        detail=f"it is byte {offset + 1:,} of the file",
        hint=hint,
    )
