"""ftdist runs with older versions of torch: none of the names that came after 2.8 is needed."""

import subprocess
import sys
from pathlib import Path

from tests.support.models.tiny_models import save_tiny_model

REPOSITORY = Path(__file__).parents[3]


def test_every_module_and_a_training_step_run_without_the_newer_names(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "model", "llama_tied")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.older_torch", str(model), "hide"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "loss: " in done.stdout
