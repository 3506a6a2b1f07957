"""Where the program and the scans are, and what every test needs to run one on the other."""

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program():
    path = Path(os.environ.get("REVOXEL_PROGRAM", REPOSITORY / "build/release/bin/revoxel"))
    if not path.exists():
        pytest.exit(f"the program is not there: {path} (build it, or set REVOXEL_PROGRAM)", returncode=1)
    return path


def shared_data_folder():
    return Path(os.environ.get("REVOXEL_TEST_SHARED_DATA", REPOSITORY.parent / "shared/data"))


def shipped_data_folder():
    """The scans that are in the repository."""
    return Path(os.environ.get("REVOXEL_TEST_DATA", REPOSITORY / "tests/data"))


@pytest.fixture(scope="session")
def shared_data():
    folder = shared_data_folder()
    if not folder.is_dir():
        pytest.skip(f"the folder of scans is not there: {folder} (set REVOXEL_TEST_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def revoxel(program):
    """revoxel(command, argument...) runs the program and returns the finished process; never raises."""

    def run(*arguments, timeout=300):
        return subprocess.run(
            [str(program), *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False
        )

    return run


@pytest.fixture(scope="session")
def resample(revoxel):
    """resample(input, output, option...) must succeed, quietly; returns the path of the output."""

    def run(source, target, *options):
        done = revoxel("resample", source, target, "--quiet", "--force", *options)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
        assert done.stdout == "", "--quiet is not silent"
        return target

    return run
