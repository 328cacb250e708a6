"""`python -m ftdist`."""

import sys

from ftdist.cli.main import main

sys.exit(main())
