"""What ranks import, once for all of them: the server that forks ranks loads this module first."""

import os

from jaxtyping import install_import_hook

from tests.support.shapes import CHECKER, PACKAGES

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # read when torch is loaded

# As pytest does for itself: shapes and types of the product are checked here too.
install_import_hook(PACKAGES, CHECKER)

import ftdist.train.loop  # noqa: E402
import ftdist.train.main  # noqa: E402, F401
