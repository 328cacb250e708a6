"""Conversations of each kind, and what is learned of them under each family's template, by hand."""

import json
from typing import Any

from ftdist.data.messages import Chat, Message, ToolCall

TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "The weather of a city.",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            },
        }
    ]
)


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def answer(text: str = "", **more: Any) -> Message:
    return {"role": "assistant", "content": text, **more}  # type: ignore[typeddict-item]


def call(city: str, number: int = 1) -> ToolCall:
    function = {"name": "get_weather", "arguments": f'{{"city": "{city}"}}'}
    return {"type": "function", "id": f"call0000{number}", "function": function}  # type: ignore[typeddict-item]


def result(text: str, number: int = 1) -> Message:
    return {
        "role": "tool", "tool_call_id": f"call0000{number}", "name": "get_weather", "content": text,
    }  # fmt: skip


WARM, WET = user("Warm?"), user("Wet?")
BRIEF: Message = {"role": "system", "content": "Be brief."}
OSLO = answer(tool_calls=[call("Oslo")])
COLD = result('{"degrees": 7}')

CHATS = {
    "plain": Chat([WARM, answer("It is cold.")]),
    "system": Chat([BRIEF, WARM, answer("It is cold.")]),
    "two answers": Chat([WARM, answer("No."), WET, answer("Yes.")]),
    "answers in a row": Chat([WARM, answer("Wait."), answer("No.")]),
    "weight 0": Chat([WARM, answer("No.", weight=0), WET, answer("Yes.")]),
    "weight 0 at the end": Chat([WARM, answer("No."), WET, answer("Yes.", weight=0)]),
    "tools": Chat([WARM, OSLO, COLD, answer("It is cold.")], TOOLS),
    "two questions and tools": Chat(
        [
            WARM,
            OSLO,
            COLD,
            answer("It is cold."),
            WET,
            answer(tool_calls=[call("Rome")]),
            result("Dry."),
            answer("No."),
        ],
        TOOLS,
    ),
    "call of weight 0": Chat([WARM, {**OSLO, "weight": 0}, COLD, answer("It is cold.")], TOOLS),
    "two calls": Chat(
        [
            WARM,
            answer("I look.", tool_calls=[call("Oslo"), call("Rome", 2)]),
            COLD,
            result("Dry.", 2),
            answer("It is cold."),
        ],
        TOOLS,
    ),
    "thought": Chat([WARM, answer("No.", reasoning_content="It is 7.")]),
    "thought in the text": Chat([WARM, answer("<think>\nIt is 7.\n</think>\n\nNo.")]),
    "two thoughts": Chat(
        [
            WARM,
            answer("No.", reasoning_content="It is 7."),
            WET,
            answer("Yes.", reasoning_content="It rains."),
        ]
    ),
    "thoughts and tools": Chat(
        [
            WARM,
            answer(tool_calls=[call("Oslo")], reasoning_content="I look."),
            COLD,
            answer("It is cold.", reasoning_content="7 is cold."),
        ],
        TOOLS,
    ),
    "two questions, thoughts and tools": Chat(
        [
            WARM,
            answer(tool_calls=[call("Oslo")], reasoning_content="I look."),
            COLD,
            answer("It is cold."),
            WET,
            answer(tool_calls=[call("Rome")], reasoning_content="Again."),
            result("Dry."),
            answer("No."),
        ],
        TOOLS,
    ),
}
# Templates without a rule for thoughts get them in the text.
THOUGHT, RAINS = "<think>\nIt is 7.\n</think>\n\nNo.", "<think>\nIt rains.\n</think>\n\nYes."


def ended(end: str, *, before: str = "") -> dict[str, list[str]]:
    """What is learned of conversations without tools, by a template without a rule of its own."""
    texts = {
        "plain": ["It is cold."],
        "system": ["It is cold."],
        "two answers": ["No.", "Yes."],
        "answers in a row": ["Wait.", "No."],
        "weight 0": ["Yes."],
        "weight 0 at the end": ["No."],
        "thought": [THOUGHT],
        "thought in the text": [THOUGHT],
        "two thoughts": [THOUGHT, RAINS],
    }
    return {name: [f"{before}{text}{end}" for text in each] for name, each in texts.items()}


def chatml(city: str) -> str:
    return (
        f'<tool_call>\n{{"name": "get_weather", "arguments": {{"city": "{city}"}}}}\n</tool_call>'
    )


def with_calls(end: str) -> dict[str, list[str]]:
    """As `ended`, with calls in the form of ChatML."""
    return ended(end) | {
        "tools": [chatml("Oslo") + end, "It is cold." + end],
        "two questions and tools": [
            chatml("Oslo") + end,
            "It is cold." + end,
            chatml("Rome") + end,
            "No." + end,
        ],
        "call of weight 0": ["It is cold." + end],
        "two calls": [f"I look.\n{chatml('Oslo')}\n{chatml('Rome')}{end}", "It is cold." + end],
        "thoughts and tools": [
            f"<think>\nI look.\n</think>\n{chatml('Oslo')}{end}",
            f"<think>\n7 is cold.\n</think>\n\nIt is cold.{end}",
        ],
        "two questions, thoughts and tools": [
            f"<think>\nI look.\n</think>\n{chatml('Oslo')}{end}",
            f"It is cold.{end}",
            f"<think>\nAgain.\n</think>\n{chatml('Rome')}{end}",
            f"No.{end}",
        ],
    }


NONE, IM, CALL, FINAL = (
    "<think>\n\n</think>\n\n",
    "<|im_end|>",
    "<|call|>",
    "<|channel|>final<|message|>",
)
OSLO_JSON = '{"name": "get_weather", "arguments": {"city": "Oslo"}, "id": "call00001"}'
ROME_JSON = '{"name": "get_weather", "arguments": {"city": "Rome"}, "id": "call00002"}'
LEAVES_OUT = "changes or leaves out a part of the assistant's text in message 2"
NO_TOOLS = r"does not write the tools \(get_weather\)"
NO_CALL = "leaves out the call of get_weather in message 2"
WITH_TOOLS = tuple(name for name, chat in CHATS.items() if chat.tools)


def commentary(city: str) -> str:
    return (
        f' to=functions.get_weather<|channel|>commentary json<|message|>{{"city": "{city}"}}{CALL}'
    )


def analysis(text: str) -> str:
    return f"<|channel|>analysis<|message|>{text}<|end|><|start|>assistant"


LEARNED: dict[str, dict[str, list[str] | str]] = {
    "llama3": {
        **ended("<|eot_id|>"),
        "tools": [
            '{"name": "get_weather", "parameters": {"city": "Oslo"}}<|eot_id|>',
            "It is cold.<|eot_id|>",
        ],
        "two questions and tools": [
            '{"name": "get_weather", "parameters": {"city": "Oslo"}}<|eot_id|>',
            "It is cold.<|eot_id|>",
            '{"name": "get_weather", "parameters": {"city": "Rome"}}<|eot_id|>',
            "No.<|eot_id|>",
        ],
        "call of weight 0": ["It is cold.<|eot_id|>"],
        "two calls": "One call at once!",
        "thoughts and tools": LEAVES_OUT,
        "two questions, thoughts and tools": LEAVES_OUT,
    },
    "qwen2.5": {**with_calls(IM)},
    # Thoughts before the last question are left out, and the last answer has an empty one.
    "qwen3": {
        "plain": [f"{NONE}It is cold.{IM}"],
        "system": [f"{NONE}It is cold.{IM}"],
        "two answers": [f"No.{IM}", f"{NONE}Yes.{IM}"],
        # The prompt behind an answer has its empty thought.
        "answers in a row": [f"{NONE}Wait.{IM}", f"{NONE}No.{IM}"],
        "weight 0": [f"{NONE}Yes.{IM}"],
        "weight 0 at the end": [f"{NONE}No.{IM}"],
        "tools": [chatml("Oslo") + IM, f"{NONE}It is cold.{IM}"],
        "two questions and tools": [
            chatml("Oslo") + IM,
            f"It is cold.{IM}",
            chatml("Rome") + IM,
            f"{NONE}No.{IM}",
        ],
        "call of weight 0": [f"{NONE}It is cold.{IM}"],
        "two calls": [
            f"I look.\n{chatml('Oslo')}\n{chatml('Rome')}{IM}",
            f"{NONE}It is cold.{IM}",
        ],
        "thought": [THOUGHT + IM],
        "thought in the text": [THOUGHT + IM],
        "two thoughts": [RAINS + IM],
        "thoughts and tools": [
            f"<think>\nI look.\n</think>\n\n{chatml('Oslo')}{IM}",
            f"<think>\n7 is cold.\n</think>\n\nIt is cold.{IM}",
        ],
        "two questions, thoughts and tools": [
            f"<think>\nAgain.\n</think>\n\n{chatml('Rome')}{IM}",
            f"{NONE}No.{IM}",
        ],
    },
    "mistral": {
        **ended("</s>", before=" "),
        "answers in a row": [" Wait.</s> No.</s>"],
        "tools": [f"[TOOL_CALLS] [{OSLO_JSON}]</s>", " It is cold.</s>"],
        "two questions and tools": r"prompt for message 2 .* has '\[AVAILABLE_TOOLS\]",
        "call of weight 0": [" It is cold.</s>"],
        "two calls": LEAVES_OUT,  # the text beside them
        "thoughts and tools": LEAVES_OUT,
        "two questions, thoughts and tools": LEAVES_OUT,
    },
    "gemma": {
        **ended("<end_of_turn>"),
        "system": "System role not supported",
        "answers in a row": "Roles must alternate",
        **dict.fromkeys(WITH_TOOLS, NO_TOOLS),
    },
    "phi": {**ended("<|end|>"), **dict.fromkeys(WITH_TOOLS, NO_TOOLS)},
    "smollm3": {
        **ended(IM),
        **dict.fromkeys(WITH_TOOLS, NO_CALL),
        "call of weight 0": [f"It is cold.{IM}"],
    },
    "granite": {**with_calls("<|end_of_text|>")},
    # The last message ends with <|return|>, others with <|end|>, which is not learned.
    "harmony": {
        "plain": [f"{FINAL}It is cold.<|return|>"],
        "system": [f"{FINAL}It is cold.<|return|>"],
        "two answers": [f"{FINAL}No.", f"{FINAL}Yes.<|return|>"],
        "answers in a row": [f"{FINAL}Wait.", f"{FINAL}No.<|return|>"],
        "weight 0": [f"{FINAL}Yes.<|return|>"],
        "weight 0 at the end": [f"{FINAL}No.<|return|>"],
        "tools": [commentary("Oslo"), f"{FINAL}It is cold.<|return|>"],
        "two questions and tools": [
            commentary("Oslo"),
            f"{FINAL}It is cold.",
            commentary("Rome"),
            f"{FINAL}No.<|return|>",
        ],
        "call of weight 0": [f"{FINAL}It is cold.<|return|>"],
        "two calls": NO_CALL,
        "thought": [f"{analysis('It is 7.')}{FINAL}No.<|return|>"],
        "thought in the text": [f"{analysis('It is 7.')}{FINAL}No.<|return|>"],
        "two thoughts": [f"{analysis('It rains.')}{FINAL}Yes.<|return|>"],
        "thoughts and tools": [
            analysis("I look.") + commentary("Oslo"),
            f"{analysis('7 is cold.')}{FINAL}It is cold.<|return|>",
        ],
        "two questions, thoughts and tools": [
            analysis("Again.") + commentary("Rome"),
            f"{FINAL}No.<|return|>",
        ],
    },
}
