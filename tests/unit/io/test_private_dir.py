"""A folder in /tmp that somebody else made, or could have changed, is not used."""

import os
from pathlib import Path

import pytest
from ftdist_launch.rank_process import _use_node_cache

from ftdist.io.private_dir import private_dir

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another user")


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.fault("XG")
def test_it_is_made_for_its_user_alone_and_used_again(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = private_dir(tmp_path / "ftdist-1")
    finally:
        os.umask(before)
    assert (made, _mode(made)) == (tmp_path / "ftdist-1", 0o700)
    assert private_dir(tmp_path / "ftdist-1") == made


@pytest.mark.fault("XG")
@pytest.mark.parametrize("case", ["open", "link", "file", pytest.param("owner", marks=as_root)])
def test_what_another_user_may_have_put_there_is_never_loaded(tmp_path: Path, case: str) -> None:
    usual, theirs = tmp_path / "ftdist-1", tmp_path / "theirs"
    theirs.mkdir()
    if case == "link":
        usual.symlink_to(theirs)
    elif case == "file":
        usual.touch()
    else:
        usual.mkdir(mode=0o777)
        usual.chmod(0o777 if case == "open" else 0o700)
    if case == "owner":
        os.chown(usual, 4242, 4242)
    one, other = private_dir(usual), private_dir(usual)
    assert usual != one != other
    assert one.parent == tmp_path
    assert _mode(one) == 0o700
    assert list(theirs.iterdir()) == []


@pytest.mark.fault("XG")
def test_ranks_build_kernels_in_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    caches = ("TORCH_EXTENSIONS_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
    for name in caches:
        monkeypatch.setenv(name, "/elsewhere")
    usual = tmp_path / f"ftdist-{os.getuid()}"
    _use_node_cache(tmp_path)
    assert [Path(os.environ[name]).parent for name in caches] == [usual] * 3
    assert capsys.readouterr().err == ""
    usual.chmod(0o777)
    _use_node_cache(tmp_path)
    (parent,) = {Path(os.environ[name]).parent for name in caches}
    assert parent != usual
    assert f"others may change {usual}" in capsys.readouterr().err
