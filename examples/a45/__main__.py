"""`python -m examples.a45 OUT` writes the library."""

import sys

from examples.a45.make import main

if __name__ == "__main__":
    sys.exit(main())
