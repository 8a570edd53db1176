"""The wheel holds every package, config and data file of the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("data_pipeline", "forecast", "evaluation")
DATA = (
    "*.py", "*.nc", "*.safetensors", "*.template", "*.json", "*.html", "*.css", "*.js", "*.svg",
    "README.md", "LICENSE*", "py.typed",
)  # fmt: skip


@pytest.fixture(scope="session")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names in the wheel, built from a copy so that nothing is left in the tree."""
    copy = tmp_path_factory.mktemp("tree") / "sphercast"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for folder in (*PACKAGES, "configs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy / file)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(copy / "dist"), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files(folder: str, pattern: str) -> set[str]:
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob(pattern))
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.mark.parametrize("pattern", DATA)
@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_the_tree_is_in_the_wheel(names: set[str], package: str, pattern: str) -> None:
    assert files(package, pattern) - names == set()


def test_every_folder_with_python_is_a_package(names: set[str]) -> None:
    for package in PACKAGES:
        folders = {path.rpartition("/")[0] for path in files(package, "*.py")}
        assert {f"{folder}/__init__.py" for folder in folders} <= names


def test_experiments_are_in_the_wheel(names: set[str]) -> None:
    expected = {f"forecast/{path}" for path in files("configs", "*.yaml") | files("configs", "*.py")}
    assert expected
    assert expected <= names


def test_types_are_announced(names: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_nothing_else_is_in_the_wheel(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_licence_and_command_are_in_the_wheel(names: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert any(name.endswith(".dist-info/entry_points.txt") for name in names)
