"""Whether the parameters are fit for a checkpoint: finite, and near those of the one before."""

from ftdist.errors import DivergedError
from ftdist.zero.engine import Zero3Engine
from ftdist.zero.training_state import parameter_norm

MAX_NORM_RATIO = 10.0
"""Training that changes the norm of all parameters by this factor, up or down, is ruined."""


class ParameterCheck:
    """Compares the norm of the parameters with that of the newest sound checkpoint. Collective.

    Args:
        engine: holds the parameters.
    """

    def __init__(self, engine: Zero3Engine) -> None:
        self._engine = engine
        self._step, self._norm = 0, 0.0

    def accept(self, step: int) -> None:
        """Take the parameters after `step` steps for sound ones."""
        self._step, self._norm = step, parameter_norm(self._engine)

    def require_sound(self, step: int) -> None:
        """Compare the parameters after `step` steps; later ones are compared with these.

        Raises:
            DivergedError: they are not finite, or far from those before; on every rank.
        """
        norm = parameter_norm(self._engine)
        # Not the other way round: NaN is no number in between.
        if not self._norm / MAX_NORM_RATIO <= norm <= self._norm * MAX_NORM_RATIO:
            raise DivergedError(
                f"The parameters are ruined after step {step}: their norm is {norm:.3g}, and was "
                f"{self._norm:.3g} after step {self._step}. No checkpoint of step {step} was "
                "saved.",
                remedy="lower optim.peak_lr or raise optim.warmup_ratio, under a new run.name.",
            )
        self._step, self._norm = step, norm
