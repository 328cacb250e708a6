"""Mail: messages (.eml), saved web pages (.mhtml) and mailboxes (.mbox)."""

import email
import email.policy
import re
from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage
from itertools import groupby
from pathlib import Path

from ftdist.library.readers import read_bytes, title_from_stem
from ftdist.library.readers.encoding import decode
from ftdist.library.readers.html import parse_html
from ftdist.library.readers.plain.text import text_blocks
from ftdist.library.schema import BadRow, Block, Document, Location, Note

_MESSAGE_START = re.compile(rb"^From \S+ .*\d{4}[^\n]*\n(?=[!-9;-~]+:)", re.MULTILINE)
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_QUOTED = re.compile(r"^>[ >]*")
_REPLY = re.compile(r"^(?:(?:re|aw|sv|fwd?|wg)\s*(?:\[\d+\])?:\s*)+", re.IGNORECASE)


def read_mail(path: Path, *, name: str) -> Document | BadRow:
    """Read a message or a saved page: its text, without attachments."""
    return _read([read_bytes(path)], name=name, stem=path.stem)


def read_mbox(path: Path, *, name: str) -> Document | BadRow:
    """Read a mailbox: each message is a section under its subject."""
    data = read_bytes(path).replace(b"\r\n", b"\n")
    starts = [match.end() for match in _MESSAGE_START.finditer(data)]
    ends = [match.start() for match in _MESSAGE_START.finditer(data)][1:]
    messages = [data[a:b] for a, b in zip(starts, [*ends, len(data)], strict=True)]
    return _read(messages, name=name, stem=path.stem)


def _read(messages: list[bytes], *, name: str, stem: str) -> Document | BadRow:
    blocks: list[Block] = []
    notes = Counter[tuple[str, str]]()
    known: set[str] = set()
    subjects: list[str] = []
    for data in messages:
        message = email.message_from_bytes(data, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        subject = " ".join(str(message.get("Subject", "")).split())
        own: list[Block] = []
        for block, is_quoted in _body_blocks(message, name=name, stem=stem, notes=notes):
            if is_quoted and block.text in known:
                notes["quotation of an earlier message left out", ""] += 1
            else:
                own.append(block)
        known |= {block.text for block in own}
        if len(messages) > 1 and own:
            blocks.append(Block(kind="heading", text=subject or "Message", level=1))
        subjects.append(subject)
        blocks += own
    if not blocks:
        return BadRow("contains no text", Location(name), "Remove it.")
    subject = _REPLY.sub("", next(filter(None, subjects), ""))
    return Document(
        title=subject if len(messages) == 1 and subject else title_from_stem(stem),
        blocks=tuple(blocks),
        location=Location(name),
        notes=tuple(Note(rule, excerpt, count) for (rule, excerpt), count in notes.items()),
    )


def _body_blocks(
    message: EmailMessage, *, name: str, stem: str, notes: Counter[tuple[str, str]]
) -> Iterator[tuple[Block, bool]]:
    """Blocks of a message, and whether each is a quotation.

    Of a text and a page that say the same, the text is read, of a saved page the page.
    """
    is_page = message.get_content_type() == "multipart/related"
    body = message.get_body(("html", "plain") if is_page else ("plain", "html"))
    for part in message.walk():
        if part is not body and not part.is_multipart() and part.get_content_disposition():
            notes["attachment left out", part.get_filename() or part.get_content_type()] += 1
    if body is None:
        return
    payload = body.get_payload(decode=True)
    text, guessed = decode(
        payload if isinstance(payload, bytes) else b"", declared=body.get_content_charset()
    )
    for note in guessed:
        notes[note.rule, note.excerpt] += note.count
    if body.get_content_type() == "text/html":
        document = parse_html(text, name=name, stem=stem)
        blocks = document.blocks if isinstance(document, Document) else ()
        yield from ((block, False) for block in blocks)
        return
    text, *signature = _SIGNATURE.split(text, maxsplit=1)
    if signature and "".join(signature).strip():
        notes["signature left out", ""] += 1
    for is_quoted, lines in groupby(text.split("\n"), key=lambda line: line.startswith(">")):
        passage = "\n".join(_QUOTED.sub("", line) for line in lines)
        yield from ((block, is_quoted) for block in text_blocks(passage))
