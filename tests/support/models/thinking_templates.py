"""Short chat templates of our own in the shape of those that treat thoughts in various ways."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

_ASK = "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
_SPLIT = (
    "{% set c = m.content %}{% set t = '' %}{% if '</think>' in c %}"
    "{% set t = c.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set c = c.split('</think>')[-1].lstrip('\n') %}{% endif %}"
)


def _chat(answer: str, prompt: str, *, ask: str = _ASK, begin: str = "") -> str:
    return (
        f"{begin}{{% for m in messages %}}{{% if m.role == 'assistant' %}}{answer}"
        f"{{% else %}}{ask}{{% endif %}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{prompt}{{% endif %}}"
    )


CHATML = "{{ '<|im_start|>assistant\n' }}"

TEMPLATES = {
    # The last answer has a thought, an empty one if need be; earlier ones lose theirs.
    "empty": _chat(
        _SPLIT + CHATML + "{% if loop.last %}{{ '<think>\n' + t + '\n</think>\n\n' }}{% endif %}"
        "{{ c + '<|im_end|>\n' }}",
        CHATML,
    ),
    # The same with marks.
    "empty-marked": _chat(
        _SPLIT + CHATML + "{% generation %}{% if loop.last %}"
        "{{ '<think>\n' + t + '\n</think>\n\n' }}{% endif %}{{ c + '<|im_end|>' }}"
        "{% endgeneration %}{{ '\n' }}",
        CHATML,
    ),
    # The marks leave the empty thought out.
    "unlearned": _chat(
        CHATML + "{{ '<think>\n\n</think>\n\n' }}{% generation %}{{ m.content + '<|im_end|>' }}"
        "{% endgeneration %}{{ '\n' }}",
        CHATML,
    ),
    # Thoughts are kept as they are.
    "kept": _chat(CHATML + "{{ m.content + '<|im_end|>\n' }}", CHATML),
    # The prompt begins a thought that answers do not have.
    "begun": _chat(
        _SPLIT + CHATML + "{{ c + '<|im_end|>\n' }}", "{{ '<|im_start|>assistant\n<think>\n' }}"
    ),
    "begun-marked": _chat(
        CHATML + "{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}",
        "{{ '<|im_start|>assistant\n<think>\n' }}",
    ),
    # The prompt begins the thought of the last answer; earlier ones lose theirs.
    "begun-last": _chat(
        _SPLIT + CHATML + "{% if loop.last %}{{ '<think>\n' + t + '\n</think>\n\n' }}{% endif %}"
        "{{ c + '<|im_end|>\n' }}",
        "{{ '<|im_start|>assistant\n<think>\n' }}",
    ),
    # The prompt begins a thought, answers have an empty one on one line.
    "other-empty": _chat(
        _SPLIT + CHATML + "{{ '<think>' + t + '</think>' + c + '<|im_end|>\n' }}",
        "{{ '<|im_start|>assistant\n<think>\n' }}",
    ),
    # A message of the system switches thoughts off, for the prompt too.
    "switched": _chat(
        CHATML + "{% if off %}{{ '<think>\n\n</think>\n' }}{% endif %}"
        "{{ m.content + '<|im_end|>\n' }}",
        CHATML + "{% if off %}{{ '<think>\n\n</think>\n' }}{% endif %}",
        begin="{% set off = '/off' in messages[0].content %}{% if messages[0].role != 'system' %}"
        "{{ '<|im_start|>system\nThink first.<|im_end|>\n' }}{% endif %}",
    ),
    # The next question ends an answer, nothing ends the last one.
    "endless": _chat(
        _SPLIT + "{{ '<|im_start|>assistant' }}{{ '\n<think>' + t + '</think>\n' + c }}",
        "{{ '<|im_start|>assistant' }}",
        ask="{{ '<|im_start|>' + m.role + '\n' + m.content }}",
    ),
    # No system role, roles alternate, contents are trimmed.
    "alternating": _chat(
        CHATML + "{{ m.content | trim + '<|im_end|>\n' }}",
        CHATML,
        ask="{{ '<|im_start|>user\n' + m.content | trim + '<|im_end|>\n' }}",
        begin="{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('user and assistant must alternate') }}{% endif %}{% endfor %}",
    ),
    # The prompt ends with a blank that a word of the answer takes.
    "blank": _chat("{{ 'A: ' + m.content + '<|im_end|>\n' }}", "{{ 'A: ' }}"),
}


def thinking_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """A tokenizer of bytes, with the merges " H" and "\n\n", and the template of that name."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*alphabet, "\u0120H", "\u010a\u010a"]
    core = Tokenizer(
        models.BPE(
            vocab={piece: number for number, piece in enumerate(pieces)},
            merges=[("\u0120", "H"), ("\u010a", "\u010a")],
        )
    )
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    core.add_tokens([AddedToken("<think>"), AddedToken("</think>")])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>")
    tokenizer.chat_template = TEMPLATES[name]
    return tokenizer
