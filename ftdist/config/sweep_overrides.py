"""The overrides of a sweep by Hydra's grammar: which runs they stand for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftdist.config.hydra_adapter import Hydra


def split_sweep(overrides: list[str], *, hydra: "Hydra") -> list[list[str]]:
    """The overrides of each run of a sweep; those as given if Hydra cannot parse them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create(config_loader=hydra.config_loader)
    try:
        (runs,) = BasicSweeper.split_arguments(parser.parse_overrides(overrides), None)
    except HydraException:
        return [overrides]  # the usual checks report what cannot be parsed
    return [list(run) for run in runs]
