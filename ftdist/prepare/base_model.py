"""The base model as preparing a library needs it: its tokenizer, and whether it can be trained."""

from pathlib import Path
from typing import Any

from ftdist.config.schema import ModelConfig
from ftdist.errors import ModelError
from ftdist.plan.model_info import read_model_info
from ftdist.plan.output_head import lacks_head, missing_head

_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What transformers raises for files that are not what they should be."""


def check_model(model: ModelConfig) -> None:
    """Refuse a model folder whose model transformers does not know as a causal language model.

    Its config.json is looked at before a library is tokenised for hours. A folder without one
    (a tokenizer alone) has nothing to be looked at.

    Raises:
        ModelError: transformers does not know the model, or cannot generate text with it, or its
            files hold no output head.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    folder = Path(model.path).expanduser()
    if not (folder / "config.json").is_file():
        return
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (*_UNREADABLE, StrictDataclassError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"transformers cannot read {folder / 'config.json'}: {reason}",
            remedy="take a model that the installed version of transformers knows.",
        ) from error
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelError(
            f"{folder} holds a {config.model_type}, which is no causal language model to "
            "transformers.",
            remedy="choose a model that transformers' AutoModelForCausalLM loads.",
        )
    # A config.json that says nothing of it leaves it to the model's family.
    is_tied = config.get_text_config().tie_word_embeddings
    has_weights = any(folder.glob("*.safetensors"))
    if has_weights and not is_tied and lacks_head(read_model_info(folder)):
        raise missing_head(folder)


def load_tokenizer(model: ModelConfig) -> Any:
    """The tokenizer of a model folder or hub name; never runs code that came with it.

    Raises:
        ModelError: there is none that can be read.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoTokenizer

    folder = Path(model.path).expanduser()
    is_folder = folder.is_dir()
    if not is_folder and (model.path.startswith(("/", ".", "~")) or model.path.count("/") > 1):
        raise ModelError(
            f"model.path={model.path} does not exist.",
            remedy="set model.path to a Hugging Face model folder or a hub name.",
        )
    try:
        return AutoTokenizer.from_pretrained(
            folder if is_folder else model.path, revision=model.revision, trust_remote_code=False
        )
    except (*_UNREADABLE, StrictDataclassError) as error:
        why = "." if is_folder else ": " + str(error).strip().partition("\n")[0]
        raise ModelError(
            f"model.path={model.path} has no tokenizer that can be read{why}",
            remedy="set model.path to a Hugging Face model folder with a tokenizer.json.",
        ) from error
