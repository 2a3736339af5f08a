"""The inputs of the fuzzer stay what its source reads."""

import re
from pathlib import Path

from tests.native.parquet_seeds import CODECS, CONVERSIONS, write_seeds

NATIVE = Path(__file__).parents[2] / "native"


def test_conversions_are_numbered_as_in_the_header():
    header = (NATIVE / "parquet_column.h").read_text()
    (body,) = re.findall(r"enum class Conversion \{(.*?)\};", header, re.DOTALL)
    members = re.findall(r"\w+", re.sub(r"//.*", "", body))
    names = dict(re.findall(r'\{"([^"]+)", Conversion::(\w+)\}', (NATIVE / "parquet_binding.cc").read_text()))
    assert [names[one] for one in CONVERSIONS] == members
    assert len(names) == len(members)


def test_every_kind_of_chunk_is_an_input(tmp_path):
    assert write_seeds(tmp_path, rows=60) == len(list(tmp_path.iterdir())) > 300
    lines = [one.read_bytes().split(b"\n", 1)[0].split() for one in tmp_path.iterdir()]
    assert {int(line[4]) for line in lines} == set(range(len(CODECS)))
    used = {CONVERSIONS[int(line[2])] for line in lines}
    assert used >= set(CONVERSIONS) - {"bytes:i64", "bytes:i128"}  # nobody writes decimals that way any more
