"""app-init installs what the lock names, with every hash checked, and sees that the app can start."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from sink_host import uv

from .conftest import Image, refusal


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """uv on the PATH, and a folder of wheels as its only index: no test here needs a network."""
    path = f"{Path(uv.find_uv()).parent}:/usr/bin:/bin"
    return {
        "PATH": path,
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(tmp_path),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }


def make_wheel(folder: Path, value: str) -> str:
    """Write a wheel of the package `parcel` and return its line in a lock."""
    files = {
        "parcel.py": f"VALUE = {value!r}\n",
        "parcel-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n",
        "parcel-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},{_record_hash(text)},{len(text)}\n" for name, text in files.items())
    wheel = folder / "parcel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {
            **files,
            "parcel-1.0.dist-info/RECORD": f"{record}parcel-1.0.dist-info/RECORD,,\n",
        }.items():
            archive.writestr(name, text)
    return f"parcel==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def _record_hash(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_an_app_is_installed_and_starts(image: Image, variables: dict[str, str], tmp_path: Path) -> None:
    """Without an argument both steps are done, as the legacy platform's Dockerfiles expect."""
    image.write("requirements.lock", make_wheel(tmp_path, "from the lock"))
    image.write("src/shop.py", "import parcel\nprint(parcel.VALUE)\n")

    done = image.run("app-init", variables=variables)

    assert done.returncode == 0, done.stderr
    # The base image's Python stands first on the PATH of nobody: python3 is that of the environment.
    assert image.run("container-init").stdout == "from the lock\n"


def test_the_environment_is_made_where_it_is_asked_for(
    image: Image, variables: dict[str, str], tmp_path: Path
) -> None:
    image.write("requirements.lock", make_wheel(tmp_path, "1"))
    venv = tmp_path / "shared venv"

    for _ in range(2):  # what an earlier run has left is replaced
        done = image.run("app-init", "dependencies", variables={**variables, "SINK_VENV": str(venv)})
        assert done.returncode == 0, done.stderr

    imported = [str(venv / "bin/python"), "-c", "import parcel; print(parcel.VALUE)"]
    assert subprocess.run(imported, check=True, capture_output=True, text=True).stdout == "1\n"
    assert not (image.root / "opt").exists()


def test_a_package_of_another_hash_is_not_installed(
    image: Image, variables: dict[str, str], tmp_path: Path
) -> None:
    line = make_wheel(tmp_path, "as locked")
    make_wheel(tmp_path, "replaced since")
    image.write("requirements.lock", line)

    done = image.run("app-init", "dependencies", variables=variables)

    assert done.returncode == 1
    assert "could not be installed: uv ended with exit code" in done.stderr.splitlines()[-1]
    assert not list((image.root / "opt/venv").rglob("parcel.py"))


def test_a_lock_without_hashes_is_not_installed(
    image: Image, variables: dict[str, str], tmp_path: Path
) -> None:
    make_wheel(tmp_path, "1")
    image.write("requirements.lock", "parcel==1.0\n")

    assert image.run("app-init", "dependencies", variables=variables).returncode == 1


def test_a_missing_lock_is_named(image: Image, variables: dict[str, str]) -> None:
    expected = f"{image.app}/requirements.lock is missing: COPY it before RUN app-init dependencies."

    assert refusal(image.run("app-init", "dependencies", variables=variables)) == expected
    assert refusal(image.run("app-init", variables=variables)) == expected


def test_an_image_without_uv_says_so(image: Image, tmp_path: Path) -> None:
    image.write("requirements.lock", "")

    done = image.run("app-init", "dependencies", variables={"PATH": str(tmp_path)})

    assert refusal(done) == "uv is not on the PATH: the runtime image brings it."


class TestApp:
    @pytest.fixture
    def installed(self, image: Image) -> Image:
        """An image whose dependencies were installed."""
        python = image.root / "opt/venv/bin/python"
        python.parent.mkdir(parents=True)
        python.symlink_to(shutil.which("python3") or "python3")
        return image

    def test_sources_that_do_not_compile_fail_the_build(self, installed: Image) -> None:
        """The last line names the first fault, and everything is on one stream, in order."""
        installed.write("src/broken.py", "\ndef f(:\n")
        installed.write("src/shop/nothing.py", "x = \0")

        done = installed.run("app-init", "app")

        assert (done.returncode, done.stdout) == (1, "")
        *shown, sentence = done.stderr.splitlines()
        assert '  File "src/broken.py", line 2' in shown
        assert re.fullmatch(
            r"app-init: src/broken\.py line 2 does not compile: SyntaxError: .*\. 1 more: see above\.",
            sentence,
        )

    def test_sources_that_compile_are_compiled(self, installed: Image) -> None:
        assert installed.run("app-init", "app").returncode == 0
        assert list((installed.app / "src/__pycache__").glob("shop.*.pyc"))

    def test_missing_sources_are_named(self, installed: Image) -> None:
        shutil.rmtree(installed.app / "src")

        expected = f"{installed.app}/src is missing: the app's packages are expected there."
        assert refusal(installed.run("app-init", "app")) == expected

    def test_the_order_of_the_two_steps_is_said(self, image: Image) -> None:
        expected = f"{image.root}/opt/venv is missing: RUN app-init dependencies first."

        assert refusal(image.run("app-init", "app")) == expected

    def test_a_misspelt_step_is_refused(self, image: Image) -> None:
        expected = "'does-not-exist' is not understood: write app-init [dependencies|app]."

        assert refusal(image.run("app-init", "does-not-exist")) == expected


def test_a_process_type_that_runs_beside_web_is_named(image: Image) -> None:
    """Of a misspelt `release` it is the only sign in the build."""
    image.write("Procfile", "relase: alembic upgrade head\nweb: python3 -m shop\n")
    (image.root / "opt/venv/bin").mkdir(parents=True)
    (image.root / "opt/venv/bin/python").symlink_to(image.root / "bin/python3")

    done = image.run("app-init", "app")

    assert done.returncode == 0
    assert done.stderr == "app-init: Procfile: every task runs 'relase' beside web.\n"
