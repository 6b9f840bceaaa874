"""
Make one virtual environment per release of the vendor's SDK: ``python make_sdk_environments.py FOLDER``.

Invariant: an environment that is marked as complete holds the exact release, and the packages that the release needs but
does not declare; one that is not complete is made anew. Needs nothing but the standard library.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

#: Release to what is installed. 24.11.0 imports typing_extensions without declaring it, and runs on pydantic 2 only
#: but declares any; 24.8.0 declares all it needs.
REQUIREMENTS = {
    "24.8.0": ("aspose-ocr-cloud==24.8.0",),
    "24.11.0": ("aspose-ocr-cloud==24.11.0", "pydantic>=2", "typing_extensions"),
}


def interpreter(folder: Path, release: str) -> Path:
    """
    Name the interpreter of a release.

    :param folder: Folder of all environments.
    :param release: Key of ``REQUIREMENTS``.
    """
    return folder / release / "bin" / "python"


def is_complete(folder: Path, release: str) -> bool:
    """
    Say whether an environment is there and holds what it should.

    :param folder: Folder of all environments.
    :param release: Key of ``REQUIREMENTS``.
    """
    stamp = _stamp(folder, release)
    return (
        stamp.is_file() and stamp.read_text() == _contents(release) and interpreter(folder, release).exists()
    )


def make(folder: Path, release: str) -> None:
    """
    Make one environment, in place of what there is.

    :param folder: Folder of all environments.
    :param release: Key of ``REQUIREMENTS``.
    :raises subprocess.CalledProcessError: if it cannot be installed; the installer has said why on stderr.
    """
    shutil.rmtree(folder / release, ignore_errors=True)
    venv.create(folder / release, with_pip=True)
    install(interpreter(folder, release), REQUIREMENTS[release])
    _stamp(folder, release).write_text(_contents(release))


def install(python: Path, requirements: tuple[str, ...]) -> None:
    """
    Install with uv, or with pip where there is no uv, or where it does not reach the index that pip is set up for.

    :param python: Interpreter of the environment.
    :param requirements: What to install.
    """
    uv = _uv()
    if uv:
        done = subprocess.run(
            [*uv, "pip", "install", "--quiet", "--python", str(python), *requirements], check=False
        )
        if done.returncode == 0:
            return
        print("uv could not install; trying pip", file=sys.stderr)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements], check=True)


def _uv() -> list[str] | None:
    program = Path(sys.executable).with_name("uv")
    return [str(program)] if program.exists() else None


def _stamp(folder: Path, release: str) -> Path:
    return folder / release / "complete.txt"


def _contents(release: str) -> str:
    return "\n".join(REQUIREMENTS[release]) + "\n"


def main(arguments: list[str]) -> int:
    """
    Make the environments that are missing.

    :param arguments: The folder.
    :return: Exit code.
    """
    if len(arguments) != 1:
        print("usage: python make_sdk_environments.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0]).resolve()
    for release in REQUIREMENTS:
        if not is_complete(folder, release):
            print(f"aspose-ocr-cloud {release}: installing into {folder / release}")
            make(folder, release)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
