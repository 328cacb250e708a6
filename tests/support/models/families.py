"""Small tokenizers with the chat templates of known model families."""

from functools import cache

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import PreTrainedTokenizerFast

TEXT = [
    "Press and hold the red button for seven seconds until the lamp turns green.",
    "How do I reset the widget? Unplug it, wait, and plug it in again.",
    "system user assistant model think You are a helpful AI named SmolLM, trained by Hugging Face",
    "Begin end inst sys header turn of start",
] * 4

# The template of SmolLM2-135M-Instruct, as the model has it.
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}"
    "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
# As Qwen3: reasoning of turns before the last question is taken out; the last has a place for it.
QWEN3 = (
    "{% set last = namespace(at=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set last.at = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{% if m.role != 'assistant' %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% else %}"
    "{% set content = m.content %}{% set thought = '' %}{% if '</think>' in content %}"
    "{% set thought = content.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{{ '<|im_start|>assistant\n' }}{% if loop.index0 > last.at and (loop.last or thought) %}"
    "{{ '<think>\n' + thought + '\n</think>\n\n' }}{% endif %}{{ content + '<|im_end|>\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{% set role = 'model' if m.role == 'assistant' else m.role %}"
    "{{ '<start_of_turn>' + role + '\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
# No generation prompt: the answer begins where [/INST] ends, with a space.
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{{ '[INST] ' + m.content + ' [/INST]' }}{% else %}{{ ' ' + m.content + eos_token }}"
    "{% endif %}{% endfor %}"
)
# As later Mistrals: the system message moves to the last question.
MISTRAL_MOVES_SYSTEM = (
    "{{ bos_token }}{% set begin = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns = namespace(last=true) %}"
    "{% for n in messages[loop.index0 + 1:] %}{% if n.role == 'user' %}{% set ns.last = false %}"
    "{% endif %}{% endfor %}{{ '[INST] ' + (begin + '\n\n' if begin and ns.last else '') + "
    "m.content + ' [/INST]' }}{% elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}"
    "{% endif %}{% endfor %}"
)
PHI = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
# No special token anywhere: the end of a turn is text.
ALPACA = (
    "{% for m in messages %}{% if m.role == 'user' %}"
    "{{ '### Instruction:\n' + m.content + '\n\n' }}{% else %}"
    "{{ '### Response:\n' + m.content + '\n### End\n\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)
MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content }}{% endgeneration %}{{ '<|im_end|>\n' }}{% else %}"
    "{{ m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

TOKENS: dict[str, tuple[str, tuple[str, ...], str | None, str | None]] = {
    # template, special tokens, begin, end
    "smollm2": (SMOLLM2, ("<|im_start|>", "<|im_end|>"), None, "<|im_end|>"),
    "llama3": (
        LLAMA3,
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|begin_of_text|>",
        "<|eot_id|>",
    ),
    "qwen3": (QWEN3, ("<|im_start|>", "<|im_end|>"), None, "<|im_end|>"),
    "gemma": (GEMMA, ("<bos>", "<start_of_turn>", "<end_of_turn>"), "<bos>", "<end_of_turn>"),
    "mistral": (MISTRAL, ("<s>", "</s>"), "<s>", "</s>"),
    "mistral-moves-system": (MISTRAL_MOVES_SYSTEM, ("<s>", "</s>"), "<s>", "</s>"),
    "phi": (
        PHI,
        ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"),
        None,
        "<|endoftext|>",
    ),
    "alpaca": (ALPACA, ("</s>",), None, "</s>"),
    "marked": (MARKED, ("<|im_start|>", "<|im_end|>"), None, "<|im_end|>"),
}


@cache
def tokenizer_of(family: str, *, words: str = "bytes") -> PreTrainedTokenizerFast:
    """A small BPE with the family's special tokens and template.

    `words`: "bytes" as GPT-2's, with offsets trimmed; "marks" as Llama-2's, with a word mark put
    before each piece of text.
    """
    template, specials, begin, end = TOKENS[family]
    core = Tokenizer(models.BPE(unk_token=None, byte_fallback=words == "marks"))
    alphabet: list[str] = []
    if words == "bytes":
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True)
        core.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        core.normalizer = normalizers.Sequence(
            [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
        )
        alphabet = [f"<0x{byte:02X}>" for byte in range(256)] + list(map(chr, range(32, 127)))
        alphabet = [letter for letter in alphabet if len(letter) == 1] + ["\n", "\u2581"]
    # Phi's special tokens swallow the line break that follows them.
    added = [
        AddedToken(s, special=True, normalized=False, rstrip=family == "phi") for s in specials
    ]
    core.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(
            vocab_size=700,
            initial_alphabet=alphabet,
            special_tokens=added,
            show_progress=False,
        ),
    )
    if family == "qwen3":
        core.add_tokens([AddedToken("<think>"), AddedToken("</think>")])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token=begin, eos_token=end)
    tokenizer.chat_template = template
    return tokenizer
