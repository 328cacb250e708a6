"""Threads: their order, who answers, and what is left out, with a note of each guess."""

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from ftdist.library.readers.rows.chat_formats import read_conversations
from ftdist.library.readers.rows.settings import RowSettings
from ftdist.library.schema import BadRow, Conversation
from tests.support.documents.read_rows import notes, read_row, reason, turns

Q1A1Q2A2 = [("user", "Q1?"), ("assistant", "A1."), ("user", "Q2?"), ("assistant", "A2.")]
TEXTS = ("Q1?", "A1.", "Q2?", "A2.")


def thread(*posts: tuple[Any, ...]) -> dict[str, Any]:
    keys = ("sender", "text", "time")
    return {"messages": [dict(zip(keys, post, strict=False)) for post in posts]}


def timed(*times: Any) -> list[tuple[Any, ...]]:
    senders = ("Ann", "agent", "Ann", "agent")
    return list(zip(senders, TEXTS, times, strict=True))


@pytest.mark.parametrize(
    "times",
    [
        ("9:58 AM", "10:03 AM", "10:20 AM", "1:05 PM"),
        ("3/14/2031 9:58 AM", "3/14/2031 10:03 AM", "3/14/2031 10:20 AM", "3/15/2031 1:05 AM"),
        ("28.02.2031 10:00", "01.03.2031 09:00", "01.03.2031 11:00", "02.03.2031 08:00"),
        ("2031-03-04T10:00:00+02:00", "2031-03-04T08:30:00Z", "2031-03-04T11:00:00+02:00",
         "2031-03-04T09:30:00Z"),
        (1, "2", 3, "4"),
        ("999", "1000", "1001", "1002"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_thread_is_sorted_by_its_times(tmp_path: Path, times: tuple[Any, ...], seed: int) -> None:
    posts = timed(*times)
    random.Random(seed).shuffle(posts)
    row = read_row(tmp_path, thread(*posts))
    assert turns(row) == Q1A1Q2A2
    assert notes(row) == []


def test_newest_first_is_turned_round_where_two_have_the_same_time(tmp_path: Path) -> None:
    posts = timed("2031-03-04", "2031-03-04", "2031-03-05", "2031-03-05")
    assert turns(read_row(tmp_path, thread(*reversed(posts)))) == Q1A1Q2A2
    assert turns(read_row(tmp_path, thread(*posts))) == Q1A1Q2A2


def test_date_and_time_in_two_keys_are_read_together(tmp_path: Path) -> None:
    row = thread(("bot", "A."), ("Ann", "Q?"))
    row["messages"][0] |= {"date": "5.3.2031", "time": "9:00"}
    row["messages"][1] |= {"date": "4.3.2031", "time": "10:00"}
    assert turns(read_row(tmp_path, row)) == [("user", "Q?"), ("assistant", "A.")]


def test_times_that_are_not_clear_keep_the_order_of_the_file_with_a_note(tmp_path: Path) -> None:
    times = ("3/4/2031", "4/3/2031", "5/3/2031", "3/6/2031")
    row = read_row(tmp_path, thread(*timed(*times)))
    assert turns(row) == Q1A1Q2A2
    assert notes(row) == [("thread in the file's order: times not clear", ", ".join(times))]


def test_untimed_thread_that_may_be_newest_first_is_refused(tmp_path: Path) -> None:
    posts = [("agent", "A2."), ("Ann", "Q2?"), ("agent", "A1."), ("Ann", "Q1?")]
    assert reason(read_row(tmp_path, thread(*posts))) == (
        "begins with an answer and ends with a question: its newest message may be first"
    )


@pytest.mark.parametrize(
    "name",
    ["AI", "model", "Operator", "Chatbot", "assistant", "HELPDESK", "Support Bot", "Brix Support",
     "Agent Mia", "Mia (agent)", "agent_2", "Customer Service"],
)  # fmt: skip
def test_known_word_answers_and_its_greeting_is_left_out_with_a_note(
    tmp_path: Path, name: str
) -> None:
    row = read_row(tmp_path, thread((name, "Welcome!"), ("Ann", "How?"), (name, "So."),
                                    ("Ann", "Thanks.")))  # fmt: skip
    assert turns(row) == [("user", "How?"), ("assistant", "So.")]
    assert notes(row) == [
        ("message after the last answer left out", "Thanks."),
        ("answer before the first question left out", "Welcome!"),
    ]


SENDER = "sender taken for the answering side (library.assistant_senders)"


@pytest.mark.parametrize(
    ("posts", "expected", "noted"),
    [
        ([("Visitor", "How?"), ("Mia", "So.")], "So.", [(SENDER, "Mia")]),
        ([("Ann", "How?"), ("Mia", "So.")], "So.", [(SENDER, "Mia")]),
        ([("Ann", "It is loud."), ("Mia", "Tighten it.")], "Tighten it.",
         [(SENDER, "Mia")]),
        ([("Visitor", "How?"), ("agent", "One moment."), ("Mia", "So.")], "One moment.\nSo.",
         [(SENDER, "Mia")]),
        ([("Visitor", "How?"), ("System", "Mia joined."), ("Mia", "So.")], "So.",
         [(SENDER, "Mia"), ("message of the system in a thread left out", "Mia joined.")]),
        ([("Ann", "How?"), ("bot", "So.")], "So.", []),
        ([("Ann", "How?"), ("bot", None), ("bot", "So.")], "So.",
         [("message without text left out", "{'sender': 'bot'}")]),
    ],
)  # fmt: skip
def test_who_answers_is_known_or_noted(
    tmp_path: Path, posts: list[Any], expected: str, noted: list[tuple[str, str]]
) -> None:
    row = read_row(tmp_path, thread(*posts))
    assert turns(row)[-1] == ("assistant", expected)
    assert turns(row)[0][0] == "user"
    assert sorted(notes(row)) == sorted(noted)


@pytest.mark.parametrize(
    ("posts", "why"),
    [
        ([("Ann", "How can I help?"), ("Bob", "How?"), ("Ann", "So.")],
         "has 2 senders (Ann, Bob), and the first message is no question, so"),
        ([("Ann", "Guten Tag, willkommen."), ("Bob", "Hilfe"), ("Ann", "So.")],
         "has 2 senders (Ann, Bob), and the first message is no question, so"),
        ([("Ann", "Hello."), ("Bob", "How does it open?"), ("Ann", "So.")],
         "has 2 senders (Ann, Bob), and the first message is no question, so"),
        ([("Ann", "How?"), ("Bob", "So."), ("Cy", "Or so.")],
         "has 3 senders (Ann, Bob, Cy), and none is known as the assistant"),
        ([("Ann", "How?"), ("Bob", "And?"), ("agent", "So.")],
         "has 2 senders (Ann, Bob) besides the assistant, and it is not clear which"),
        ([("Ann", "How?"), ("Ann", "Hello?")], "has 1 sender (Ann), and none is known"),
        ([("customer", "How?"), ("visitor", "Hello?")], "has no answer: nobody answers"),
        ([("Ann", "How?"), ("tool", "7"), ("bot", "So.")], "has a message 2 of the sender 'tool'"),
    ],
)  # fmt: skip
def test_who_answers_is_refused_if_it_is_not_clear(
    tmp_path: Path, posts: list[Any], why: str
) -> None:
    assert reason(read_row(tmp_path, thread(*posts))).startswith(why)


def test_given_senders_answer_and_all_others_ask(tmp_path: Path) -> None:
    posts = [("Ann", "How?"), ("Bob", "And?"), ("Mia", "So.")]
    row = read_row(tmp_path, thread(*posts), assistant=["mia"])
    assert turns(row) == [("user", "How?\nAnd?"), ("assistant", "So.")]
    assert notes(row) == []


def test_system_message_begins_a_conversation(tmp_path: Path) -> None:
    posts = [("system", "Be brief."), ("user", "How?"), ("assistant", "So.")]
    assert turns(read_row(tmp_path, thread(*posts))) == [
        ("system", "Be brief."), ("user", "How?"), ("assistant", "So.")
    ]  # fmt: skip


def test_senders_that_are_objects_are_known_by_role_or_name(tmp_path: Path) -> None:
    posts = [({"role": "user", "name": "Ann"}, "How?"), ({"name": "Helpdesk", "id": 3}, "So.")]
    assert turns(read_row(tmp_path, thread(*posts))) == [("user", "How?"), ("assistant", "So.")]


def test_mask_of_a_thread_s_message_is_followed(tmp_path: Path) -> None:
    row = thread(*timed(1, 2, 3, 4))
    row["messages"][3]["weight"] = 0
    read = read_row(tmp_path, row)
    assert turns(read) == Q1A1Q2A2
    assert isinstance(read, Conversation)
    assert [message.get("weight") for message in read.messages] == [None, None, None, 0]
    row["messages"][1]["train"] = False
    assert reason(read_row(tmp_path, row)) == (
        "has only answers that are not to be learned (train False)"
    )


COLUMNS = {"thread": "ticket", "sender": "who", "text": "body", "time": "at"}


def test_rows_of_a_thread_are_joined_wherever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "tickets.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([
            ("ticket", "who", "body", "at", "lang"),
            (7, "Ann", "Q1?", "2031-03-04 09:00", "en"),
            (8, "Bob", "How?", "2031-03-04 09:01", "en"),
            (7, "agent", "A1.", "2031-03-04 09:05", "en"),
            ("", "agent", "Lost.", "2031-03-04 09:05", "en"),
            (8, "agent", "So.", "2031-03-04 09:06", "en"),
            (7, "Ann", "Q2?", "2031-03-04 09:10", "en"),
            (7, "agent", "A2.", "2031-03-04 09:12", "en"),
        ])  # fmt: skip
    rows = list(
        read_conversations(path, name="t", kind="csv", settings=RowSettings(columns=COLUMNS))
    )
    assert [str(row.location) for row in rows] == ["t, row 1", "t, row 2", "t, row 4"]
    assert turns(rows[0]) == Q1A1Q2A2
    assert turns(rows[1]) == [("user", "How?"), ("assistant", "So.")]
    assert isinstance(rows[2], BadRow)
    assert rows[2].reason == "has no thread"
