"""The chat template of a model that has none."""

from transformers import PreTrainedTokenizerBase

from ftdist.errors import DataError

_WITH_SPECIAL_TOKENS = (
    "{{% for message in messages %}}"
    "{{{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] }}}}"
    "{{% if message['role'] == 'assistant' %}}{{{{ {end} }}}}{{% else %}}"
    "{{{{ '<|im_end|>' }}}}{{% endif %}}"
    "{{{{ '\\n' }}}}{{% endfor %}}"
    "{{% if add_generation_prompt %}}{{{{ '<|im_start|>assistant\\n' }}}}{{% endif %}}"
)

_PLAIN = (
    "{{{{ {begin} }}}}{{% for message in messages %}}"
    "{{{{ '### ' + message['role'] + '\\n' + message['content'] }}}}"
    "{{% if message['role'] == 'assistant' %}}{{{{ {end} }}}}{{% endif %}}"
    "{{{{ '\\n' }}}}{{% endfor %}}"
    "{{% if add_generation_prompt %}}{{{{ '### assistant\\n' }}}}{{% endif %}}"
)


def default_chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """A chat template for a model that has none, of tokens that its tokenizer has already.

    Messages stand under a line that names the role; an answer ends with the model's own
    end-of-sequence token, so that whatever generates from the model stops there.

    Raises:
        DataError: the tokenizer has no end-of-sequence token.
    """
    if tokenizer.eos_token is None:
        raise DataError(
            "The model has no chat template, and its tokenizer no end-of-sequence token "
            "to end answers with.",
            remedy="set eos_token in its tokenizer_config.json, or add a chat_template.jinja.",
        )
    specials = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    if {"<|im_start|>", "<|im_end|>"} <= specials:
        return _WITH_SPECIAL_TOKENS.format(end="eos_token")
    ids = tokenizer("")["input_ids"]
    begins = bool(ids) and ids[0] == tokenizer.bos_token_id
    return _PLAIN.format(begin="bos_token" if begins else "''", end="eos_token")


def ensure_chat_template(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Give the tokenizer our template where it has none; saving the tokenizer then keeps it.

    Returns:
        whether ours was given.
    """
    if tokenizer.chat_template:
        return False
    tokenizer.chat_template = default_chat_template(tokenizer)
    return True
