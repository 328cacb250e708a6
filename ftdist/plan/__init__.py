"""What a run will take, computed before it starts: steps, tokens, memory, disk.

Called, `ftdist.plan(...)`, it is `ftdist.api.notebook.plan`.
"""

import sys

from ftdist import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
