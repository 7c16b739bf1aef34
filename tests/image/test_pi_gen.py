"""The pi-gen stage before it meets pi-gen: its linter, and the script that lays it into a tree."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "image"
INSTALL = "stage-kassa/00-install"


def load_linter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kassa_lint", IMAGE / "pi-gen/lint.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kassa_lint"] = module
    spec.loader.exec_module(module)
    return module


LINTER = load_linter()


@pytest.fixture
def stages(tmp_path: Path) -> Path:
    """A copy of the stages, to be broken; the lists of packages are links to what is beside it."""
    shutil.copytree(IMAGE / "system", tmp_path / "system", symlinks=True)
    shutil.copytree(
        IMAGE / "pi-gen", tmp_path / "pi-gen", symlinks=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )  # fmt: skip
    return tmp_path / "pi-gen"


def test_what_is_here_keeps_the_rules():
    assert LINTER.lint(IMAGE / "pi-gen") == []


def test_a_copy_keeps_the_rules(stages: Path):
    assert LINTER.lint(stages) == []


# --- what the linter must find ----------------------------------------------------------------


def write(name: str, text: str, mode: int = 0o644) -> Callable[[Path], None]:
    def apply(stages: Path) -> None:
        path = stages / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    return apply


def mode(name: str, bits: int) -> Callable[[Path], None]:
    return lambda stages: (stages / name).chmod(bits)


def gone(name: str) -> Callable[[Path], None]:
    def apply(stages: Path) -> None:
        path = stages / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


def moved(name: str, to: str) -> Callable[[Path], None]:
    def apply(stages: Path) -> None:
        (stages / name).rename(stages / to)

    return apply


def setting(name: str, value: str) -> Callable[[Path], None]:
    def apply(stages: Path) -> None:
        config = stages / "config"
        text, count = re.subn(rf"(?m)^{name}=.*$", lambda _: value, config.read_text())
        assert count == 1
        config.write_text(text)

    return apply


def added(line: str) -> Callable[[Path], None]:
    def apply(stages: Path) -> None:
        with (stages / "config").open("a") as config:
            config.write(line + "\n")

    return apply


RUN = f"{INSTALL}/02-run.sh"
CHROOT = f"{INSTALL}/02-run-chroot.sh"
NEW_RUN = f"{INSTALL}/09-run.sh"
NEW_CHROOT = f"{INSTALL}/09-run-chroot.sh"
NEW_LIST = f"{INSTALL}/09-packages-nr"
SHEBANG = "#!/bin/bash -e\n"
BROKEN = {
    # executable bits
    "prerun is not executable": (mode("stage-kassa/prerun.sh", 0o644), "prerun.sh: not executable"),
    "run is not executable": (mode(RUN, 0o644), "02-run.sh: not executable"),
    "export's run is not executable": (
        mode("export-image/00-disk/01-run.sh", 0o644), "01-run.sh: not executable",
    ),
    # what a stage has
    "no prerun": (gone("stage-kassa/prerun.sh"), "no root file system"),
    "no prerun for the export": (gone("export-image/prerun.sh"), "no root file system"),
    "prerun copies nothing": (
        write("stage-kassa/prerun.sh", SHEBANG + "true\n", 0o755), "nothing is copied",
    ),
    "no EXPORT_IMAGE": (gone("stage-kassa/EXPORT_IMAGE"), "no image would come out"),
    "no suffix": (write("stage-kassa/EXPORT_IMAGE", "IMG_NAME=x\n"), "IMG_SUFFIX is not set"),
    "a command in EXPORT_IMAGE": (
        write("stage-kassa/EXPORT_IMAGE", "IMG_SUFFIX=$(date)\n"), "not a plain NAME=word",
    ),
    "skipped": (write("stage-kassa/SKIP", ""), "SKIP: pi-gen does not know this file"),
    # names
    "a folder without a number": (
        moved(INSTALL, "stage-kassa/install"), "install: a step's folder is called NN-name",
    ),
    "a script without a number": (moved(RUN, f"{INSTALL}/run.sh"), "run.sh: pi-gen does not know"),
    "a number of one digit": (moved(RUN, f"{INSTALL}/2-run.sh"), "pi-gen does not know this name"),
    "a suffix that is missing": (
        moved(CHROOT, f"{INSTALL}/02-run-chroot"), "pi-gen does not know this name",
    ),
    "a step that is skipped": (write(f"{INSTALL}/SKIP", ""), "pi-gen does not know this name"),
    "an empty step": (write("stage-kassa/01-more/files/x", ""), "01-more: nothing is done here"),
    "a folder for a file": (write(f"{NEW_RUN}/x", ""), "a folder where a file is meant"),
    # scripts
    "broken shell": (write(NEW_RUN, SHEBANG + "if\n", 0o755), "syntax error"),
    "broken shell inside": (write(NEW_CHROOT, "if\n"), "syntax error"),
    "goes on after an error": (
        write(NEW_RUN, "#!/bin/bash\ntrue\n", 0o755), "it goes on after an error",
    ),
    "not bash": (write(NEW_RUN, "#!/bin/sh -e\ntrue\n", 0o755), "first line must be"),
    "a file that a mount hides": (
        write(NEW_RUN, SHEBANG + 'cp x "$ROOTFS_DIR/tmp/x"\n', 0o755), ":2: hidden by a mount",
    ),
    # what comes on standard input
    "an empty script inside": (write(NEW_CHROOT, "# later\n"), "nothing is done here"),
    "its own name": (write(NEW_CHROOT, 'cd "$(dirname "$0")"\n'), "has no name"),
    "its own source": (write(NEW_CHROOT, 'echo "${BASH_SOURCE[0]}"\n'), "has no name"),
    "it reads": (write(NEW_CHROOT, "read -r answer\n"), "may read the rest"),
    "it reads in a loop": (
        write(NEW_CHROOT, "while read -r line; do :; done\n"), "may read the rest",
    ),
    "it reads by name": (write(NEW_CHROOT, "sort /dev/stdin\n"), "may read the rest"),
    "a program that may ask": (
        write(NEW_CHROOT, "apt-get install --yes \\\n    x\n"), ":1: this may read the rest",
    ),
    # packages
    "no package": (write(NEW_LIST, "# none\n\n"), "no package"),
    "not a package": (write(NEW_LIST, "apt\nNot_One\n"), "Not_One is no package's name"),
    "a package twice": (write(NEW_LIST, "apt\ndpkg apt\n"), "apt stands there twice"),
    "a comment in a file of one line": (write(NEW_LIST, "apt # new\n"), "takes a comment for"),
    # config
    "no config": (gone("config"), "config: there is none"),
    "a command in config": (added("rm -rf /"), "not a plain NAME=word"),
    "a substitution": (added("IMG_DATE=$(date)"), "not a plain NAME=word"),
    "a substitution in quotes": (added('IMG_DATE="`date`"'), "not a plain NAME=word"),
    "a word and a command": (added("IMG_DATE=x; reboot"), "not a plain NAME=word"),
    "two words": (added("IMG_DATE=a b"), "not a plain NAME=word"),
    "a quote that is open": (added("IMG_DATE='x"), "not a plain NAME=word"),
    "a name twice": (added("IMG_NAME=other"), "IMG_NAME is set twice"),
    "no name": (setting("IMG_NAME", ""), "IMG_NAME is not set"),
    "no tag": (setting("PI_GEN_TAG", ""), "PI_GEN_TAG is not set"),
    "a short commit": (setting("PI_GEN_COMMIT", "PI_GEN_COMMIT=ca8aeed"), "no full commit id"),
    "a user is asked for": (
        setting("DISABLE_FIRST_BOOT_USER_RENAME", ""), "ask for a user's name",
    ),
    "no stage 2": (
        setting("STAGE_LIST", 'STAGE_LIST="stage0 stage1 kassa/stage-kassa"'), "must begin with",
    ),
    "ours before stage 2": (
        setting("STAGE_LIST", 'STAGE_LIST="stage0 stage1 kassa/stage-kassa stage2"'),
        "must begin with",
    ),
    "no stage of ours": (setting("STAGE_LIST", 'STAGE_LIST="stage0 stage1 stage2"'), "must end"),
    "a stage that is not there": (
        setting("STAGE_LIST", 'STAGE_LIST="stage0 stage1 stage2 kassa/stage-x"'), "is not there",
    ),
    "an export that is not there": (
        setting("EXPORT_CONFIG_DIR", "EXPORT_CONFIG_DIR=kassa/export"), "is not there",
    ),
    # passwords
    "a user's password": (added("FIRST_USER_PASS=invented"), "a password is set"),
    "a radio's password": (added("WPA_PASSWORD=invented"), "a password is set"),
    "chpasswd": (write(NEW_CHROOT, "echo root:x | chpasswd\n"), "a password is set"),
    "usermod": (write(NEW_CHROOT, "usermod --password x root\n"), "a password is set"),
    "useradd": (write(NEW_RUN, SHEBANG + "useradd -p x y\n", 0o755), "a password is set"),
    "passwd": (write(NEW_CHROOT, "passwd --stdin root </x\n"), "a password is set"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_found(stages: Path, change: Callable[[Path], None], said: str):
    change(stages)

    found = LINTER.lint(stages)

    assert any(said in finding for finding in found), found


@pytest.mark.parametrize(
    "line",
    [
        "passwd --lock root",
        "awk -F: '{print $1}' /etc/passwd",
        'set -- "${10}"',
        "apt-get clean </dev/null",
        "cat /etc/os-release",
    ],
)
def test_what_is_right_is_let_alone(stages: Path, line: str):
    write(NEW_CHROOT, line + "\n")(stages)

    assert LINTER.lint(stages) == []


def git(folder: Path, *words: str | Path) -> str:
    # Whoever runs this may have signing, hooks or templates of their own.
    alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    person = ("-c", "user.name=Nobody", "-c", "user.email=nobody@kassa.invalid")
    done = subprocess.run(
        ["git", "-C", folder, *person, *words],
        env={"PATH": os.environ["PATH"], **alone}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_bit_that_only_this_computer_has_is_found(stages: Path):
    git(stages.parent, "init", "--quiet")
    git(stages.parent, "add", ".")
    git(stages.parent, "update-index", "--chmod=-x", f"pi-gen/{RUN}")

    found = LINTER.lint(stages)

    assert len(found) == 1
    assert "02-run.sh: not executable in git's index" in found[0]


def test_git_has_our_bits():
    """The check above would pass as well where git did not know the files."""
    modes = {
        name: mode
        for mode, _, _, name in (
            re.split(r"[ \t]", line)
            for line in git(ROOT, "ls-files", "-s", "image/pi-gen").splitlines()
        )
    }
    scripts = {name: mode for name, mode in modes.items() if re.search(r"(-run|prerun)\.sh$", name)}
    assert len(scripts) >= 6
    assert set(scripts.values()) == {"100755"}


def test_the_linter_tells_by_its_exit_status(stages: Path):
    lint = [sys.executable, str(stages / "lint.py")]
    assert subprocess.run(lint, check=False, capture_output=True).returncode == 0

    gone("config")(stages)
    done = subprocess.run(lint, check=False, capture_output=True, text=True)

    assert done.returncode == 1
    assert "config: there is none" in done.stdout


# --- laying it into pi-gen ---------------------------------------------------------------------

# As far as our script looks at it: it leaves an image where pi-gen would.
BUILD_DOCKER = """#!/bin/bash
set -eu
cd "$(dirname "$0")"
source config
mkdir deploy
name=$IMG_FILENAME$(. kassa/stage-kassa/EXPORT_IMAGE && echo "$IMG_SUFFIX")
echo "$CONTAINER_NAME" >"deploy/$name.img.zst"
echo '{}' >"deploy/$name.spdx.json"
"""


def fake_pi_gen(folder: Path) -> Path:
    (folder / "stage2").mkdir(parents=True)
    (folder / "stage2/EXPORT_IMAGE").write_text("IMG_SUFFIX=-lite\n")
    (folder / "Dockerfile").write_text("FROM debian:trixie\nCOPY . /pi-gen/\n")
    (folder / "build-docker.sh").write_text(BUILD_DOCKER)
    (folder / "build-docker.sh").chmod(0o755)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as the script uses, with a package in dist/."""
    folder = tmp_path / "checkout"
    shutil.copytree(
        IMAGE, folder / "image", symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs/kassa.example.toml", folder / "docs")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "all")
    (folder / "dist").mkdir()
    (folder / "dist/kassa-kiosk_1.2.3_all.deb").write_text("a package")
    return folder


def build(checkout: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [checkout / "image/build-pi-gen.sh", *words], check=False, capture_output=True, text=True
    )
    print(done.stdout, done.stderr)
    return done


def test_everything_is_laid_into_the_tree(checkout: Path, tmp_path: Path):
    tree = fake_pi_gen(tmp_path / "pi-gen")

    assert build(checkout, "--prepare", tree).returncode == 0

    laid = tree / "kassa"
    assert (laid / INSTALL / "00-packages-nr").read_text() == (
        checkout / "image/system/packages.txt"
    ).read_text()
    assert not [path for path in laid.rglob("*") if path.is_symlink()], (
        "links lead out of a container"
    )
    for path in (laid / "stage-kassa/prerun.sh", laid / RUN, laid / "image/system/lay.sh"):
        assert path.stat().st_mode & 0o777 == 0o755
    assert (laid / "kassa-kiosk.deb").read_bytes() == (
        checkout / "dist/kassa-kiosk_1.2.3_all.deb"
    ).read_bytes()
    for name in ("disk.py", "sbom.py", "ids.sh", "clean.sh", "system/files/etc/fstab"):
        assert (laid / "image" / name).is_file()
    assert (laid / "kassa.toml.example").is_file()
    assert (tree / "stage2/SKIP_IMAGES").exists()
    assert "IMG_FILENAME=kassa-1.2.3\n" in (tree / "config").read_text()
    epoch = git(checkout, "log", "-1", "--format=%ct")
    assert f"export SOURCE_DATE_EPOCH={epoch}\n" in (tree / "config").read_text()


def test_the_password_is_another_each_time_and_nobody_elses(checkout: Path, tmp_path: Path):
    tree = fake_pi_gen(tmp_path / "pi-gen")
    passwords = set()
    for _ in range(2):
        build(checkout, "--prepare", tree).check_returncode()
        passwords |= set(
            re.findall(r"^FIRST_USER_PASS=([0-9a-f]{48})$", (tree / "config").read_text(), re.M)
        )
        assert (tree / "config").stat().st_mode & 0o077 == 0
    assert len(passwords) == 2
    # A second time lays over the first.
    assert (tree / "Dockerfile").read_text().count("mtools") == 1


def test_modes_are_not_those_of_whoever_builds(checkout: Path, tmp_path: Path):
    tree = fake_pi_gen(tmp_path / "pi-gen")
    for path in (checkout / "image").rglob("*"):
        if not path.is_symlink():  # a link has no mode of its own, and may lead nowhere here
            path.chmod(path.stat().st_mode & 0o700)

    build(checkout, "--prepare", tree).check_returncode()

    root = tree / "kassa/image/system/files"
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*")} == {0o755, 0o644}


@pytest.mark.parametrize("missing", ["build-docker.sh", "Dockerfile", "stage2"])
def test_what_is_no_pi_gen_is_refused(checkout: Path, tmp_path: Path, missing: str):
    tree = fake_pi_gen(tmp_path / "pi-gen")
    gone(missing)(tree)

    done = build(checkout, "--prepare", tree)

    assert done.returncode == 1
    assert "is no copy of pi-gen" in done.stderr
    assert not (tree / "kassa").exists()


@pytest.mark.parametrize("count", [0, 2])
def test_one_package_is_wanted(checkout: Path, tmp_path: Path, count: int):
    if count:
        (checkout / "dist/kassa-kiosk_1.2.4_all.deb").write_text("another")
    else:
        shutil.rmtree(checkout / "dist")

    done = build(checkout, "--prepare", fake_pi_gen(tmp_path / "pi-gen"))

    assert done.returncode == 1
    assert "one package must be in dist/" in done.stderr


def test_a_broken_stage_is_not_built(checkout: Path, tmp_path: Path):
    (checkout / "image/pi-gen" / RUN).chmod(0o644)

    done = build(checkout, "--prepare", fake_pi_gen(tmp_path / "pi-gen"))

    assert done.returncode == 1
    assert "nothing was built" in done.stderr


@pytest.fixture
def upstream(tmp_path: Path, checkout: Path) -> Path:
    """A repository of pi-gen with our tag; the checkout is told to fetch from there."""
    folder = fake_pi_gen(tmp_path / "upstream")
    (folder / ".gitignore").write_text("deploy\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "all")
    tag = re.search(r"^PI_GEN_TAG=(.*)$", (IMAGE / "pi-gen/config").read_text(), re.M)
    assert tag is not None
    git(folder, "tag", "--annotate", "--message", "a day", tag[1])
    setting("PI_GEN_REPO", f"PI_GEN_REPO=file://{folder}")(checkout / "image/pi-gen")
    return folder


def test_the_known_commit_is_built(checkout: Path, upstream: Path):
    commit = git(upstream, "rev-parse", "HEAD")
    setting("PI_GEN_COMMIT", f"PI_GEN_COMMIT={commit}")(checkout / "image/pi-gen")
    (checkout / "dist/kassa-1.2.2-raspios.img.zst").write_text("old")

    assert build(checkout).returncode == 0

    made = {path.name for path in (checkout / "dist").iterdir()}
    name = "kassa-1.2.3-raspios"
    assert made == {
        "kassa-kiosk_1.2.3_all.deb",
        *(f"{name}.{end}" for end in ("img.zst", "img.zst.sha256", "spdx.json")),
    }
    subprocess.run(["sha256sum", "-c", f"{name}.img.zst.sha256"], cwd=checkout / "dist", check=True)


def test_another_commit_with_the_same_tag_is_refused(checkout: Path, upstream: Path):
    done = build(checkout)

    assert done.returncode == 1
    assert "is not the commit that we know" in done.stderr
    assert git(upstream, "rev-parse", "HEAD") in done.stderr
    assert not (checkout / "build/pi-gen").exists()
    assert {path.suffix for path in (checkout / "dist").iterdir()} == {".deb"}


def test_a_build_without_an_image_is_told(checkout: Path, upstream: Path):
    (upstream / "build-docker.sh").write_text("#!/bin/sh\n")
    git(upstream, "commit", "--quiet", "--all", "--message", "nothing")
    tag = git(upstream, "tag")
    git(upstream, "tag", "--force", tag)
    commit = git(upstream, "rev-parse", "HEAD")
    setting("PI_GEN_COMMIT", f"PI_GEN_COMMIT={commit}")(checkout / "image/pi-gen")

    done = build(checkout)

    assert done.returncode == 1
    assert "no image came out" in done.stderr
