"""Loading quickly is loading the same."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

import pytest

from tableflow import finding
from tableflow.finding import _QuickFinder
from tableflow.loading import entry_points_later, without_blas_threads


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of a module and a package, found through the quick finder."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "outer" / "__init__.py").write_text("")
    (inner / "__init__.py").write_text("here = 'package'\n")
    (tmp_path / "outer" / "leaf.py").write_text("value = 1\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "outer"


def load(package: Path, name: str) -> ModuleType:
    spec = _QuickFinder().find_spec(f"outer.{name}", [str(package)])
    assert spec is not None
    plain = PathFinder.find_spec(f"outer.{name}", [str(package)])
    assert plain is not None
    assert (spec.origin, spec.cached, spec.submodule_search_locations, spec.has_location) == (
        plain.origin, plain.cached, plain.submodule_search_locations, plain.has_location,
    )  # fmt: skip
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def test_modules_and_packages_are_found_where_they_are(package):
    assert load(package, "leaf").value == 1
    assert load(package, "inner").here == "package"
    assert _QuickFinder().find_spec("outer.absent", [str(package)]) is None
    assert _QuickFinder().find_spec("outer", None) is None
    assert _QuickFinder().find_spec("outer.leaf", [str(package), "/elsewhere"]) is None


def test_a_changed_source_is_read_anew_and_good_bytecode_is_not(package, monkeypatch):
    load(package, "leaf")  # writes the bytecode
    compiled: list[str] = []
    plain = finding.SourceFileLoader.source_to_code

    def compiling(self, data, path, **named):
        compiled.append(str(path))
        return plain(self, data, path, **named)

    monkeypatch.setattr(finding.SourceFileLoader, "source_to_code", compiling)
    assert load(package, "leaf").value == 1
    assert compiled == []
    (package / "leaf.py").write_text("value = 22\n")
    assert load(package, "leaf").value == 22
    assert len(compiled) == 1


def test_a_module_in_binary_goes_before_its_source(package):
    (package / f"leaf{finding.EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    assert _QuickFinder().find_spec("outer.leaf", [str(package)]) is None


def test_entry_points_are_asked_for_when_they_are_wanted():
    real = sys.modules.pop("importlib.metadata")
    try:
        with entry_points_later():
            from importlib.metadata import entry_points
        assert "importlib.metadata" not in sys.modules
        wanted = {entry.name for entry in real.entry_points(group="console_scripts")}
        assert {entry.name for entry in entry_points(group="console_scripts")} == wanted
        sys.modules.pop("importlib.metadata", None)
        with entry_points_later():
            from importlib.metadata import PackageNotFoundError, version
        with pytest.raises(PackageNotFoundError):
            version("no package is called so")
    finally:
        sys.modules["importlib.metadata"] = real


def test_what_a_process_starts_is_told_nothing_of_threads(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with without_blas_threads():
        assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    with without_blas_threads():
        assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"


@pytest.mark.slow
def test_the_command_starts_without_what_nobody_asks_for():
    code = (
        "import sys, tableflow.shell.main as m; m.main(['run', '-c', 'SELECT 1'], own_process=True);"
        "loader = type(sys.modules['tableflow.session'].__spec__.loader).__name__;"
        "print(sorted({'email', 'zipfile', 'importlib.metadata'} & set(sys.modules)), loader)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # What is installed in place is found by its builder.
    in_place = any(type(finder).__name__.startswith("ScikitBuild") for finder in sys.meta_path)
    loader = "_ScikitBuildLoaderWrapper" if in_place else "_QuickLoader"
    assert done.stdout.splitlines()[-1] == f"[] {loader}"
