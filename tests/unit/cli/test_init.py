"""`ftdist init` lays out a project whose options compose."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ftdist.cli.main as cli
from ftdist.cli.doc_pages import with_page_paths
from ftdist.config.compose import compose, compose_curation

REPOSITORY = Path(__file__).parents[3]
NEEDED = ["run.name=r", "model.path=m", "library.path=l"]


def test_a_new_project_has_options_that_compose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "Ann's experts"]) == 0
    shown = capsys.readouterr().out
    assert "cd 'Ann'\"'\"'s experts'" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    monkeypatch.chdir("Ann's experts")
    config = compose([*NEEDED, "experiment=mine", "cluster=mine"])
    assert config.cluster.executor == "slurm"
    assert config.tracking.project == "Ann-s-experts"
    assert config.optim == compose([*NEEDED, "experiment=expert"]).optim
    library = compose_curation(["library.name=l", "library.sources=[a]", "cluster=mine"])
    assert library.cluster.executor == "slurm"
    found = sorted(str(path) for path in Path().rglob("*") if path.is_file())
    assert found == [
        ".gitignore",
        "README.md",
        "conf/cluster/mine.yaml",
        "conf/experiment/mine.yaml",
    ]
    assert Path("README.md").read_text().startswith("# Ann's experts\n")
    assert Path("libraries").is_dir()
    assert Path("runs").is_dir()


def test_the_commented_lines_of_the_examples_are_right_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "."]) == 0
    example = Path("conf/experiment/mine.yaml")
    lines = example.read_text().splitlines()
    first = lines.index("defaults:")
    body = [line.replace("# ", "", 1) if "# " in line[:4] else line for line in lines[first:]]
    example.write_text("\n".join([*lines[:first], *body]))
    config = compose(["experiment=mine", "model.path=m", "library.path=l"])
    assert (config.run.name, config.optim.peak_lr) == ("lr-0.0001", 1e-4)
    assert (config.optim.schedule, config.cluster.executor) == ("wsd", "slurm")


def test_a_folder_in_use_is_refused_and_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abcde":
        (tmp_path / name).touch()
    assert cli.main(["init", str(tmp_path)]) == 78
    assert "is not empty: it holds a, b, c and 2 more.\n" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 5
    assert cli.main(["init", str(tmp_path / "a")]) == 78
    assert "is a file." in capsys.readouterr().err
    assert cli.main(["init", str(tmp_path / "new")]) == 0
    assert cli.main(["init", str(tmp_path / "new")]) == 78
    assert "it is a project already" in capsys.readouterr().err
    assert cli.main(["init"]) == 78


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked wheel of the working tree, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        REPOSITORY,
        source,
        ignore=shutil.ignore_patterns(".*", "runs", "libraries", "tests", "build", "*.egg-info"),
    )
    code = "import sys; from setuptools import build_meta as b; print(b.build_wheel(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_makes_a_project_and_composes_its_options(wheel: Path, tmp_path: Path) -> None:
    def run(*words: str, cwd: Path) -> str:
        code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import ftdist.cli.main as m; "
        code += "assert m.__file__.startswith(sys.path[0]); sys.exit(m.main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, *words],
            cwd=cwd,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout + done.stderr

    assert "cd experts" in run("init", "experts", cwd=tmp_path)
    project = tmp_path / "experts"
    shown = run("train", "--cfg", "job", "-p", "cluster", "cluster=mine", cwd=project)
    assert "executor: slurm" in shown
    refused = run("train", "lora_r=8", "experiment=tiny", cwd=project)
    page = refused.rpartition("see ")[2].strip().removesuffix(".")
    assert page == str(wheel / "ftdist/docs/explanation/forgetting.md")
    assert Path(page).is_file()


def test_a_wheel_holds_every_page_and_no_broken_link_in_its_description(wheel: Path) -> None:
    pages = {str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs").rglob("*.md")}
    assert {page for page in pages if not (wheel / "ftdist" / page).is_file()} == set()
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    text = metadata.read_text()
    assert "\n# ftdist\n" in text
    assert "](" not in text
    assert sorted(path.name for path in wheel.iterdir()) == [
        "ftdist",
        next(iter(wheel.glob("*.dist-info"))).name,
        "ftdist_launch",
    ]


def test_a_page_that_exists_nowhere_is_left_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_page_paths("see docs/nope.md.") == "see docs/nope.md."
    monkeypatch.chdir(REPOSITORY)
    assert with_page_paths("see docs/tutorial.md.") == "see docs/tutorial.md."
    monkeypatch.chdir(tmp_path)
    assert with_page_paths("see docs/tutorial.md.") == f"see {REPOSITORY}/docs/tutorial.md."


@pytest.mark.parametrize("words", [["--help"], ["init", "--help"], ["version"]])
def test_help_loads_neither_hydra_nor_the_schema(words: list[str]) -> None:
    code = "import sys; from ftdist.cli.main import main; main(sys.argv[1:]); "
    code += "print({'pydantic', 'hydra', 'omegaconf', 'torch'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=REPOSITORY,
    )
    assert done.stdout.endswith("set()\n")
