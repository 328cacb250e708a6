"""What the teacher of context distillation reads in place of a conversation."""

from ftdist.data.chat_encoder import ChatEncoder, Tokens
from ftdist.data.context_prompt import with_context
from ftdist.data.messages import Chat, Message
from ftdist.errors import DataError
from ftdist.library.schema import Conversation

TOO_LONG = "trained without its teacher: passage and conversation are longer than a sequence"
OTHER_TOKENS = "trained without its teacher: with the passage, it does not end in the same tokens"


def teacher_tokens(
    row: Conversation, tokens: Tokens, *, encoder: ChatEncoder, sequence_length: int
) -> list[int] | str:
    """The ids of a conversation whose first question comes with its context.

    They end with the same tokens as the conversation, from its first learned one on: later answers
    are distilled too, since the passage is above them.

    Args:
        row: with a context.
        tokens: of the row without it, as they are trained.
        encoder: of both.
        sequence_length: maximum tokens.

    Returns:
        the ids, or why there is no teacher.
    """
    [encoded] = encoder.encode_many([_with_passage(row)])
    if isinstance(encoded, DataError):
        return OTHER_TOKENS
    learned = len(tokens.loss) - tokens.loss.index(True)
    if (
        encoded.input_ids[-learned:] != tokens.input_ids[-learned:]
        or encoded.loss[-learned:] != tokens.loss[-learned:]
        or any(encoded.loss[:-learned])
    ):
        return OTHER_TOKENS
    return encoded.input_ids if len(encoded.input_ids) <= sequence_length else TOO_LONG


def _with_passage(row: Conversation) -> Chat:
    messages: list[Message] = list(row.messages)
    first = next((n for n, message in enumerate(messages) if message["role"] == "user"), None)
    if first is not None:
        question = with_context(messages[first]["content"], [row.context])
        messages[first] = {**messages[first], "content": question}
    return Chat(messages, row.tools)
