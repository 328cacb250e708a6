"""The settings that `engine.deepspeed` may hold, and what is said of all others."""

from typing import Any

import pytest

from ftdist.config.deepspeed_keys import ALLOWED, OWNED, deepspeed_problems


def texts(settings: dict[str, Any]) -> list[str]:
    return [f"{problem.problem} {problem.remedy}" for problem in deepspeed_problems(settings)]


def values_by_section() -> dict[str, dict[str, Any]]:
    """Every allowed key by its section, with a value of its type."""
    values: dict[str, dict[str, Any]] = {}
    for key, kind in ALLOWED.items():
        section, _, name = key.rpartition(".")
        value = {bool: True, list[str]: ["all_reduce"]}.get(kind, 1)
        values.setdefault(section, {})[name] = value
    return values


def test_every_allowed_setting_is_read_by_the_installed_deepspeed() -> None:
    from deepspeed.comm.config import CommsLoggerConfig
    from deepspeed.profiling.config import DeepSpeedFlopsProfilerConfig
    from deepspeed.runtime.config import DeepSpeedConfig
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
    from deepspeed.runtime.zero.offload_config import (
        DeepSpeedZeroOffloadOptimizerConfig,
        DeepSpeedZeroOffloadParamConfig,
    )

    given = values_by_section()
    top = given.pop("")
    read = DeepSpeedConfig({"train_batch_size": 1, "zero_optimization": {"stage": 3}, **top})
    assert {name: getattr(read, name) for name in top} == top
    profiler = vars(DeepSpeedFlopsProfilerConfig({"flops_profiler": given["flops_profiler"]}))
    assert profiler.items() >= given.pop("flops_profiler").items()
    for section, model in {
        "comms_logger": CommsLoggerConfig,
        "zero_optimization": DeepSpeedZeroConfig,
        "zero_optimization.offload_optimizer": DeepSpeedZeroOffloadOptimizerConfig,
        "zero_optimization.offload_param": DeepSpeedZeroOffloadParamConfig,
    }.items():
        values = given.pop(section)
        fields = model(**values).model_dump(by_alias=True)  # unknown names are refused
        assert {name: fields[name] for name in values} == values
    assert given == {}


def test_every_reserved_zero_setting_exists_in_the_installed_deepspeed() -> None:
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    fields = DeepSpeedZeroConfig.model_fields
    names = set(fields) | {field.alias for field in fields.values() if field.alias}
    owned = {key.split(".")[1] for key in OWNED if key.startswith("zero_optimization.")}
    assert owned <= names


def test_allowed_settings_have_no_problems() -> None:
    assert deepspeed_problems({}) == []
    assert deepspeed_problems(values_by_section()[""]) == []
    offload = {"pin_memory": True, "ratio": 0.5}
    assert deepspeed_problems({"zero_optimization": {"offload_optimizer": offload}}) == []


def test_mistyped_settings_are_reported_together_with_the_nearest_name() -> None:
    problems = texts(
        {
            "zero_optimisation": {"overlap_comm": True},
            "wall_clock_breakdwn": True,
            "zero_optimization": {
                "overlap_com": True,
                "allgather_bucket_size": -1,
                "contiguous_gradients": "yes",
                "offload_optimizer": {"pin_memry": True},
            },
            "comms_logger": {"enabledd": True},
            "flops_profiler": {"enabled": False, "profile_stp": 1},
            "nebula": {"enabled": True},
            "gradient_clipping": 1.0,
            "train_batch_sise": 8,
        }
    )
    whole = "\n".join(problems)
    for expected in (
        "gradient_clipping is set by ftdist itself. set optim.max_grad_norm instead.",
        "zero_optimisation.overlap_comm is not one of the DeepSpeed settings that are tested with "
        "ftdist: did you mean engine.deepspeed.zero_optimization.overlap_comm?",
        "did you mean engine.deepspeed.wall_clock_breakdown?",
        "did you mean engine.deepspeed.zero_optimization.overlap_comm?",
        "allgather_bucket_size=-1 is out of range. set "
        "engine.deepspeed.zero_optimization.allgather_bucket_size to a whole number of at least 0.",
        "contiguous_gradients=yes is not true or false.",
        "did you mean engine.deepspeed.zero_optimization.offload_optimizer.pin_memory?",
        "did you mean engine.deepspeed.comms_logger.enabled?",
        "did you mean engine.deepspeed.flops_profiler.profile_step?",
        "engine.deepspeed.nebula.enabled is not one of the DeepSpeed settings that are tested with "
        "ftdist. leave it out.",
        "did you mean engine.deepspeed.train_batch_size? ftdist sets that itself. set "
        "batch.tokens and batch.micro_batch_size instead.",
    ):
        assert expected in whole
    assert len(problems) == 11


def test_reserved_settings_are_found_at_any_depth() -> None:
    zero = {"stage": 2, "overlap_comm": True, "stage3_max_live_parameters": 1}
    assert texts({"zero_optimization": zero}) == [
        "engine.deepspeed.zero_optimization.stage is set by ftdist itself. leave it out: ftdist "
        "runs stage 3.",
        "engine.deepspeed.zero_optimization.stage3_max_live_parameters is set by ftdist itself. "
        "set engine.max_live_parameters instead.",
    ]
    assert texts({"bf16": {"enabled": True}}) == [
        "engine.deepspeed.bf16.enabled is set by ftdist itself. set model.dtype instead."
    ]
    assert texts({"zero_optimization": True}) == [
        "engine.deepspeed.zero_optimization is a section of DeepSpeed. set the keys in it one by "
        "one."
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"tensor_parallel": {"autotp_size": 2}},
        {"data_efficiency": {"enabled": True}},
        {"zero_optimization": {"zero_quantized_weights": True}},
        {"autotuning": {"enabled": True}},
        {"pipeline": {"stages": 2}},
    ],
)
def test_settings_that_could_break_sharding_or_checkpoints_are_refused(
    settings: dict[str, object],
) -> None:
    (said,) = texts(settings)
    assert "is not one of the DeepSpeed settings that are tested with ftdist" in said


def _text_settings() -> list[str]:
    """Every setting of the installed DeepSpeed that is a text or a path, by its section."""
    from importlib import import_module

    sections = {
        "zero_optimization": "zero.config:DeepSpeedZeroConfig",
        "zero_optimization.offload_param": "zero.offload_config:DeepSpeedZeroOffloadParamConfig",
        "zero_optimization.offload_optimizer": (
            "zero.offload_config:DeepSpeedZeroOffloadOptimizerConfig"
        ),
        "zenflow": "zenflow.zenflow_config:ZenFlowConfig",
        "compile": "compiler_config:CompileConfig",
        "tensor_parallel": "tensor_parallel.config:TPTrainingConfig",
        "data_types": "config:DtypeEnum",
        "tensorboard": "..monitor.config:TensorBoardConfig",
        "wandb": "..monitor.config:WandbConfig",
        "csv_monitor": "..monitor.config:CSVConfig",
        "comet": "..monitor.config:CometConfig",
        "nebula": "..nebula.config:DeepSpeedNebulaConfig",
        "comms_logger": "..comm.config:CommsLoggerConfig",
    }
    found = []
    for section, place in sections.items():
        module, _, name = place.partition(":")
        package = "deepspeed" if module.startswith("..") else "deepspeed.runtime"
        try:
            model = getattr(import_module(f"{package}.{module.removeprefix('..')}"), name)
        except (ImportError, AttributeError):
            continue  # a section that this DeepSpeed has not, or keeps elsewhere
        for field, info in getattr(model, "model_fields", {}).items():
            if any(word in str(info.annotation) for word in ("str", "Path", "Any", "dict")):
                found.append(f"{section}.{info.alias or field}")
    return found


FILES_BY_OTHER_MEANS = """
flops_profiler.output_file aio aio.block_size nebula.persistent_storage_path compile.backend
checkpoint.writer.type checkpoint.parallel_write data_efficiency.data_sampling.curriculum_learning
data_efficiency.data_sampling.data_cluster_path curriculum_learning elasticity autotuning
autotuning.results_dir autotuning.exps_dir hybrid_engine sparse_attention compression_training
weight_quantization.post_init_quant torch_profiler quantize_training eigenvalue
zero_optimization.offload_param.nvme_path zero_optimization.offload_optimizer.nvme_path
zero_optimization.zero_quantized_nontrainable_weights
"""


@pytest.mark.fault("XJ")
def test_no_setting_of_deepspeed_that_could_name_a_file_or_a_program_is_allowed() -> None:
    texts = _text_settings()
    assert {"csv_monitor.output_path", "tensorboard.job_name"} <= set(texts)
    assert any(key.endswith("offload_param.nvme_path") for key in texts)
    free = {kind for kind in ALLOWED.values() if kind is str}
    assert free == set(), "an allowed setting is a free text, which may be a file's name"
    for key in {*texts, *FILES_BY_OTHER_MEANS.split()} - {"comms_logger.prof_ops"}:
        settings: Any = "/home/victim/.bashrc"
        for part in reversed(key.split(".")):
            settings = {part: settings}
        assert deepspeed_problems(settings), key
