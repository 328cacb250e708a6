"""The training step, the loop around it, and the room where everything is built.

Called, `ftdist.train(...)`, it is `ftdist.api.notebook.train`.
"""

import sys

from ftdist import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
