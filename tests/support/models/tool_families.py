"""Chat templates of our own in the forms that model families document, with tools and thoughts."""

from functools import cache
from typing import NamedTuple

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ftdist.data.chat_encoder import ChatEncoder, Tokens

_CHATML_TOOLS = (
    "{{ '# Tools\n\nYou may call these functions:\n<tools>' }}"
    "{% for tool in tools %}{{ '\n' + (tool | tojson) }}{% endfor %}"
    "{{ '\n</tools>\n\nWrite each call within <tool_call></tool_call>.' }}"
)
_CHATML_CALLS = (
    "{% for call in m.tool_calls or [] %}{{ '\n' if c or not loop.first else '' }}"
    "{% set call = call.function %}"
    '{{ \'<tool_call>\n{"name": "\' + call.name + \'", "arguments": \' }}'
    "{{ call.arguments if call.arguments is string else call.arguments | tojson }}"
    "{{ '}\n</tool_call>' }}{% endfor %}"
)
_CHATML_RESULT = (
    "{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}"
    "{{ '<|im_start|>user' }}{% endif %}"
    "{{ '\n<tool_response>\n' + m.content + '\n</tool_response>' }}"
    "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\n' }}{% endif %}"
)
_CHATML_PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"


def _qwen(*, default: str, before: str, answer: str) -> str:
    return (
        "{% set asked = messages[0].content if messages[0].role == 'system' else '" + default + "'"
        " %}{% if tools or asked %}{{ '<|im_start|>system\n' + asked }}{% if tools %}"
        "{{ '\n\n' if asked else '' }}" + _CHATML_TOOLS + "{% endif %}{{ '<|im_end|>\n' }}"
        "{% endif %}" + before + "{% for m in messages %}{% set c = m.content %}"
        "{% if m.role == 'user' or (m.role == 'system' and not loop.first) %}"
        "{{ '<|im_start|>' + m.role + '\n' + c + '<|im_end|>\n' }}"
        "{% elif m.role == 'assistant' %}"
        + answer
        + "{% elif m.role == 'tool' %}"
        + _CHATML_RESULT
        + "{% endif %}{% endfor %}"
        + _CHATML_PROMPT
    )


QWEN25 = _qwen(
    default="You are Qwen.",
    before="",
    answer="{{ '<|im_start|>assistant\n' }}{% generation %}{{ c }}"
    + _CHATML_CALLS
    + "{{ '<|im_end|>' }}{% endgeneration %}{{ '\n' }}",
)
# Thoughts stand behind the last question only, also those of calls; the last answer has one.
QWEN3 = _qwen(
    default="",
    before="{% set last = namespace(at=-1) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set last.at = loop.index0 %}{% endif %}{% endfor %}",
    answer="{% set t = m.reasoning_content or '' %}{% if not t and '</think>' in c %}"
    "{% set t = c.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set c = c.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{{ '<|im_start|>assistant\n' }}{% generation %}"
    "{% if loop.index0 > last.at and (loop.last or t) %}"
    "{{ '<think>\n' + t.strip('\n') + '\n</think>\n\n' }}{% endif %}"
    "{{ c }}" + _CHATML_CALLS + "{{ '<|im_end|>\n' }}{% endgeneration %}",
)
# Tools stand in the first question; one call in an answer, without a text; results are JSON.
LLAMA3 = (
    "{{ bos_token + '<|start_header_id|>system<|end_header_id|>\n\n' }}"
    "{% if tools %}{{ 'Environment: ipython\n' }}{% endif %}{{ 'Today: 26 Jul 2024\n\n' }}"
    "{% if messages[0].role == 'system' %}{{ messages[0].content | trim }}"
    "{% set messages = messages[1:] %}{% endif %}{{ '<|eot_id|>' }}{% for m in messages %}"
    "{% set role = 'ipython' if m.role == 'tool' else m.role %}"
    "{{ '<|start_header_id|>' + role + '<|end_header_id|>\n\n' }}"
    "{% if loop.first and tools %}{{ 'You may call these functions.\n\n' }}"
    "{% for tool in tools %}{{ (tool | tojson(indent=4)) + '\n\n' }}{% endfor %}{% endif %}"
    "{% if 'tool_calls' in m %}{% if m.tool_calls | length != 1 %}"
    "{{ raise_exception('One call at once!') }}{% endif %}{% set call = m.tool_calls[0].function %}"
    '{{ \'{"name": "\' + call.name + \'", "parameters": \' }}{{ call.arguments | tojson }}'
    "{{ '}' }}{% elif role == 'ipython' %}{{ m.content | tojson }}"
    "{% else %}{{ m.content | trim }}{% endif %}{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
# Tools and the system message stand before the last question; ids have nine letters.
MISTRAL = (
    "{{ bos_token }}{% set system = '' %}{% if messages[0].role == 'system' %}"
    "{% set system = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
    "{% set last = namespace(at=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set last.at = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}"
    "{% if m.role == 'user' %}{% if loop.index0 == last.at %}{% if tools %}"
    "{{ '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{% endif %}"
    "{{ '[INST] ' + system + m.content + '[/INST]' }}{% else %}"
    "{{ '[INST] ' + m.content + '[/INST]' }}{% endif %}"
    "{% elif m.tool_calls is defined %}{{ '[TOOL_CALLS] [' }}{% for call in m.tool_calls %}"
    "{% if call.id is not defined or call.id | length != 9 %}"
    "{{ raise_exception('Ids have nine letters!') }}{% endif %}"
    "{{ (call.function | tojson)[:-1] + ', \"id\": \"' + call.id + '\"}' }}"
    "{{ ', ' if not loop.last else ']' + eos_token }}{% endfor %}"
    "{% elif m.role == 'tool' %}{% if m.tool_call_id | length != 9 %}"
    "{{ raise_exception('Ids have nine letters!') }}{% endif %}"
    '{{ \'[TOOL_RESULTS] {"content": \' + m.content + \', "call_id": "\' + m.tool_call_id }}'
    "{{ '\"}[/TOOL_RESULTS]' }}{% elif m.role == 'assistant' %}"
    "{{ ' ' + m.content | trim + eos_token }}{% else %}"
    "{{ raise_exception('No such role: ' + m.role) }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else 'user') + '\n' }}"
    "{{ m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
# Tools are a field of the system message, not of the conversation.
PHI = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% if m.tools is defined %}"
    "{{ '<|tool|>' + m.tools + '<|/tool|>' }}{% endif %}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}"
)
# The marks hold the header of the turn and a line break; calls are not written.
SMOLLM3 = (
    "{% set off = messages[0].role == 'system' and '/no_think' in messages[0].content %}"
    "{{ '<|im_start|>system\nReasoning: ' + ('/no_think' if off else '/think') + '\n' }}"
    "{% if messages[0].role == 'system' %}"
    "{{ messages[0].content.replace('/no_think', '').rstrip() + '\n' }}{% endif %}"
    "{% if tools %}" + _CHATML_TOOLS + "{% endif %}{{ '<|im_end|>\n' }}{% for m in messages %}"
    "{% if m.role == 'user' or m.role == 'tool' %}"
    "{{ '<|im_start|>user\n' + m.content + '<|im_end|>\n' }}{% elif m.role == 'assistant' %}"
    "{% generation %}{{ '<|im_start|>assistant\n' }}{% if off %}{{ '<think>\n\n</think>\n' }}"
    "{% endif %}{{ m.content.lstrip('\n') + '<|im_end|>\n' }}{% endgeneration %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if off %}{{ '<think>\n\n</think>\n' }}{% endif %}{% endif %}"
)
_GRANITE = "{{ '<|start_of_role|>%s<|end_of_role|>' }}"
GRANITE = (
    "{% set asked = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% if tools or asked %}" + _GRANITE % "system" + "{{ asked }}{% if tools %}"
    "{{ '\nYou may call these functions:\n<tools>' }}{% for tool in tools %}"
    "{{ '\n' + (tool | tojson) }}{% endfor %}{{ '\n</tools>' }}{% endif %}"
    "{{ '<|end_of_text|>\n' }}{% endif %}{% for m in messages %}{% if m.role == 'user' %}"
    + _GRANITE % "user"
    + "{{ m.content + '<|end_of_text|>\n' }}{% elif m.role == 'assistant' %}"
    + _GRANITE % "assistant"
    + "{% set c = m.content %}{% generation %}{{ c }}"
    + _CHATML_CALLS
    + "{% endgeneration %}{{ '<|end_of_text|>\n' }}{% elif m.role == 'tool' %}"
    + _GRANITE % "user"
    + "{{ '<tool_response>\n' + m.content + '\n</tool_response><|end_of_text|>\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}" + _GRANITE % "assistant" + "{% endif %}"
)
# Channels. A thought is written in the last answer, and in calls that no final answer follows yet.
HARMONY = (
    "{{ '<|start|>system<|message|>Reasoning: medium<|end|>' }}{% set rules = '' %}"
    "{% if messages[0].role in ('developer', 'system') %}{% set rules = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}{% if rules or tools %}"
    "{{ '<|start|>developer<|message|>' }}{% if rules %}{{ '# Instructions\n\n' + rules + '\n\n' }}"
    "{% endif %}{% if tools %}{{ '# Tools\n\nnamespace functions {\n' }}{% for tool in tools %}"
    "{{ 'type ' + tool.function.name + ' = (_: ' }}{{ tool.function.parameters | tojson }}"
    "{{ ') => any;\n' }}{% endfor %}{{ '}' }}{% endif %}{{ '<|end|>' }}{% endif %}"
    "{% set called = namespace(name='') %}{% for m in messages %}{% if m.role == 'user' %}"
    "{{ '<|start|>user<|message|>' + m.content + '<|end|>' }}{% elif m.role == 'tool' %}"
    "{{ '<|start|>functions.' + called.name + ' to=assistant<|channel|>commentary<|message|>' }}"
    "{{ (m.content | tojson) + '<|end|>' }}{% else %}{% generation %}{% if 'tool_calls' in m %}"
    "{% set final = namespace(follows=false) %}{% for n in messages[loop.index:] %}"
    "{% if n.role == 'assistant' and 'tool_calls' not in n %}{% set final.follows = true %}"
    "{% endif %}{% endfor %}{% set thought = m.thinking or m.content %}"
    "{% if thought and not final.follows %}"
    "{{ '<|start|>assistant<|channel|>analysis<|message|>' + thought + '<|end|>' }}{% endif %}"
    "{% set call = m.tool_calls[0].function %}{% set called.name = call.name %}"
    "{{ '<|start|>assistant to=functions.' + call.name + '<|channel|>commentary json<|message|>' }}"
    "{{ (call.arguments | tojson) + '<|call|>' }}{% elif loop.last and not add_generation_prompt %}"
    "{% if 'thinking' in m %}"
    "{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{% endif %}"
    "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|return|>' }}{% else %}"
    "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}{% endif %}"
    "{% endgeneration %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)


class Family(NamedTuple):
    """A template, special tokens (the first two: of begin and end of a text), other tokens."""

    template: str
    special: tuple[str, ...]
    begin: str | None
    end: str
    other: tuple[str, ...] = ()


_CHATML = ("<|im_start|>", "<|im_end|>")
_THINK = ("<think>", "</think>")
_CALL = ("<tool_call>", "</tool_call>")

FAMILIES = {
    "llama3": Family(
        LLAMA3,
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|begin_of_text|>",
        "<|eot_id|>",
    ),
    "qwen3": Family(QWEN3, _CHATML, None, "<|im_end|>", _THINK + _CALL),
    "qwen2.5": Family(QWEN25, _CHATML, None, "<|im_end|>", _CALL),
    "mistral": Family(
        MISTRAL,
        ("<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]",
         "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
        "<s>",
        "</s>",
    ),
    "gemma": Family(
        GEMMA, ("<bos>", "<start_of_turn>", "<end_of_turn>"), "<bos>", "<end_of_turn>"
    ),
    "phi": Family(
        PHI,
        ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|/tool|>", "<|end|>",
         "<|endoftext|>"),
        None,
        "<|endoftext|>",
    ),
    "smollm3": Family(SMOLLM3, _CHATML, None, "<|im_end|>", _THINK),
    "granite": Family(
        GRANITE, ("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"), None,
        "<|end_of_text|>", _CALL,
    ),
    "harmony": Family(
        HARMONY,
        ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|call|>", "<|return|>"),
        None,
        "<|return|>",
    ),
}  # fmt: skip


@cache
def family_tokenizer(name: str, *, marked: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer of bytes, with one merge, and the family's tokens and template.

    `marked`: with marks of what the assistant writes, where the template has them.
    """
    family = FAMILIES[name]
    template = family.template
    if not marked:
        template = template.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "\u0120H"]
    core = Tokenizer(
        models.BPE(
            vocab={piece: number for number, piece in enumerate(pieces)},
            merges=[("\u0120", "H")],
        )
    )
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(list(family.special))
    core.add_tokens([AddedToken(token) for token in family.other])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=family.begin, eos_token=family.end
    )
    tokenizer.chat_template = template
    return tokenizer


@cache
def encoder_of(family: str, *, marked: bool = False) -> ChatEncoder:
    return ChatEncoder(family_tokenizer(family, marked=marked), system_prompt=None)


def learned(family: str, tokens: Tokens) -> list[str]:
    """The learned stretches, as text."""
    return learned_text(family_tokenizer(family), tokens)


def learned_text(tokenizer: PreTrainedTokenizerFast, tokens: Tokens) -> list[str]:
    """The same with a tokenizer of any kind."""
    stretches: list[list[int]] = []
    before = False
    for token, chosen in zip(tokens.input_ids, tokens.loss, strict=True):
        if chosen and not before:
            stretches.append([])
        if chosen:
            stretches[-1].append(token)
        before = chosen
    return [tokenizer.decode(stretch) for stretch in stretches]
