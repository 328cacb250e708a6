"""Questions and answers under usual names, with what the question leans on."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.documents.read_rows import exchange, notes, read_row, reason, turns

QA = [("user", "Q?"), ("assistant", "A.")]


@pytest.mark.parametrize(
    "row",
    [
        {"Question": "Q?", "Answer": "A."},
        {" question ": "Q?", "ANSWER": "A."},
        {"prompt": "Q?", "completion": "A."},
        {"question": "Q?", "response": "A."},
        {"instruction": "Q?", "response": "A."},
        {"query": "Q?", "reply": "A."},
        {"input": "Q?", "output": "A."},
        {"user": "Q?", "assistant": "A."},
        {"question": "Q?", "answers": ["A."]},
        {"question": "Q?", "answers": {"text": ["A.", "A."], "answer_start": [3, 9]}},
        {"prompt": "Q?", "completion": "A.", "text": "Q? A."},
        {"prompt": [{"role": "user", "content": "Q?"}], "completion": "A."},
        {"prompt": exchange("Q?"), "chosen": [{"role": "assistant", "content": "A."}]},
        {"prompt": "Q?", "chosen": exchange("Q?", "A."), "messages": exchange("Q?", "A.")},
        {"conversations": exchange("Q?"), "chosen": {"from": "gpt", "value": "A."}},
        {"chat_messages": exchange("Q?", "A.")},
        {"data": exchange("Q?", "A.")},
        {"dialog": ["Q?", "A."]},
        {"conversation": [{"human": "Q?", "assistant": "A."}]},
        {"messages": '[{"from": "human", "value": "Q?"}, {"from": "chatgpt", "value": "A."}]'},
        {"conversations": {"from": ["human", "gpt"], "value": ["Q?", "A."]}},
        {"contents": [{"role": "user", "parts": [{"text": "Q?"}]},
                      {"role": "model", "parts": [{"text": "A."}]}]},
        {"messages": [{"Role": "User", "Content": "Q?"}, {"Role": "AI", "Content": "A."}]},
        exchange("Q?", "A."),
    ],
)  # fmt: skip
def test_question_and_answer_are_found_under_usual_names(tmp_path: Path, row: Any) -> None:
    read = read_row(tmp_path, row)
    assert turns(read) == QA
    assert notes(read) == []


@pytest.mark.parametrize(
    ("more", "question"),
    [
        ({"context": "The lamp."}, "Q?\n\nThe lamp."),
        ({"input": "The lamp."}, "Q?\n\nThe lamp."),
        ({"passages": ["One.", " ", "Two."]}, "Q?\n\nOne.\n\nTwo."),
        ({"choices": ["lamp", "fan"]}, "Q?\n\nA. lamp\nB. fan"),
        ({"choices": ["A) lamp", "B) fan"]}, "Q?\n\nA) lamp\nB) fan"),
        ({"options": {"A": "lamp", "B": "fan"}}, "Q?\n\nA. lamp\nB. fan"),
        ({"options": {"text": ["lamp", "fan"], "label": ["1", "2"]}}, "Q?\n\n1. lamp\n2. fan"),
        ({"context": "", "choices": [], "input": "[]"}, "Q?"),
    ],
)
def test_what_a_question_leans_on_follows_it(
    tmp_path: Path, more: dict[str, Any], question: str
) -> None:
    row = read_row(tmp_path, {"question": "Q?", "answer": "lamp", **more})
    assert turns(row) == [("user", question), ("assistant", "lamp")]
    assert notes(row) == []


@pytest.mark.parametrize("key", ["system", "system_prompt", "systemMessage"])
@pytest.mark.parametrize(
    "row", [{"question": "Q?", "answer": "A."}, {"messages": exchange("Q?", "A.")}]
)
def test_system_prompt_comes_first(tmp_path: Path, key: str, row: dict[str, Any]) -> None:
    assert turns(read_row(tmp_path, row | {key: "Be brief."})) == [("system", "Be brief."), *QA]


SYSTEM = [{"role": "system", "content": "Be long."}, *exchange("Q?", "A.")]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"question": "Q?", "answer": "A.", "output": "B."}, "has output and answer, which differ"),
        ({"instruction": "I", "query": "Q?", "answer": "A."}, "has instruction and query, which"),
        ({"question": "Q?", "answer": ["red", "blue"]}, "has 2 texts as the answer"),
        ({"question": "Q?", "context": {"title": "T"}, "answer": "A."}, "has context of type dict"),
        ({"question": "Q?", "input": [1, 2], "answer": "A."}, "has input of type int"),
        ({"question": "Q?", "choices": ["x", "y"], "answer": 1}, "answers with the number 1 of"),
        ({"question": "Q?", "choices": ["x", "y"], "answer": "C"}, "answers with C, which is none"),
        ({"question": "Q?", "choices": "x, y", "answer": "x"}, "has choices that are no list"),
        ({"question": "Q?", "choices": {"A": {"x": 1}}, "answer": "x"}, "has choices that are no"),
        ({"question": "Q?", "choices": {"text": ["x", "y"], "label": [{}]}, "answer": "x"},
         "has choices without one label for each"),
        ({"question": "Q?", "choices": ["x", "y\ud800"], "answer": "x"},
         "contains half a character (a lone surrogate) in the choices"),
        ({"question": "Q?", "answers": {"text": [{"x": 1}]}}, "has no text in the answer"),
        ({"text": "Q?", "response": "A."}, "has text and response, and the text may be a question"),
        ({"messages": exchange("Q?", "A."), "context": "The lamp."}, "has context beside messages"),
        ({"messages": SYSTEM, "system": "Be brief."}, "has different system messages in"),
        ({"system": "a", "system_prompt": "b", "question": "Q?", "answer": "A."},
         "has different system messages in system and system_prompt"),
        ({"messages": exchange("Q?", "A."), "chat": exchange("Q?", "B.")},
         "has messages and chat, which differ"),
        ({"Answer": "A.", "answer": "B.", "question": "Q?"}, "has two keys answer in the row"),
        ({"chosen": "Human: Q? Assistant: A."}, "has none of the known formats"),
        ({"question": "Q?", "answer": "A.", "images": ["x.png"]}, "has images, and only text is"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused(tmp_path: Path, row: Any, why: str) -> None:
    assert reason(read_row(tmp_path, row)).startswith(why)


def test_columns_decide_and_the_other_keys_are_noted(tmp_path: Path) -> None:
    row = {"subject": "Q?", "body": {"text": "A."}, "text": "The whole mail.", "answer": "B."}
    read = read_row(tmp_path, row, columns={"question": "subject", "answer": "body.text"})
    assert turns(read) == QA
    assert notes(read) == [("unused key: text", "The whole mail."), ("unused key: answer", "B.")]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "First."}, {"type": "text", "text": "Second?"}],
         "First. Second?"),
        ([{"type": "text", "text": "First.\n"}, {"type": "text", "text": "Second?"}],
         "First.\nSecond?"),
        ([{"type": "input_text", "text": "Q?"}, {"type": "text", "text": None}], "Q?"),
        ({"content_type": "text", "parts": ["Q?"]}, "Q?"),
    ],
)  # fmt: skip
def test_parts_of_a_message_are_joined(tmp_path: Path, content: Any, text: str) -> None:
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "A."}]
    assert turns(read_row(tmp_path, {"messages": messages}))[0] == ("user", text)


@pytest.mark.parametrize("kind", ["reasoning", "thinking", "image_url", "file", "tool_use"])
def test_part_of_another_type_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    parts = [{"type": kind, "text": "The user asks."}, {"type": "text", "text": "A."}]
    messages = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": parts}]
    assert reason(read_row(tmp_path, {"messages": messages})) == (
        f"contains a part of type '{kind}' in message 2 (assistant), and only text is supported"
    )
