"""Words for who speaks in chats and threads."""

import re

TOOL = "tool"

_WORDS = {
    "system": "system developer",
    "user": "user human customer client visitor guest prompter caller enduser requester asker "
    "questioner usr",
    "assistant": "assistant ai bot chatbot gpt chatgpt claude gemini copilot llm model agent "
    "operator support helpdesk servicedesk staff advisor adviser representative rep moderator "
    "virtualassistant aiassistant",
    TOOL: "tool function functioncall functionresponse functionresult toolcall toolcalls "
    "toolresponse toolresult toolresults observation ipython",
}
_ROLES = {word: role for role, words in _WORDS.items() for word in words.split()}

_TITLES = {"agent": "assistant", "operator": "assistant", "bot": "assistant", "user": "user",
           "visitor": "user", "customer": "user", "guest": "user", "client": "user"}  # fmt: skip
"""Words that stand before a name: "Agent Mia"."""

_DEPARTMENTS = {"support", "service", "services", "care", "success", "helpdesk", "desk", "team"}
"""Words that stand after a name: "Brix Support"."""


def role_of(name: str) -> str | None:
    """system, user, assistant or tool, if a name says so; letter case does not count."""
    words = re.sub(r"[\W_]+", " ", name).casefold().split()
    if role := _ROLES.get("".join(words).rstrip("0123456789")):
        return role
    if len(words) > 1 and words[-1] in _DEPARTMENTS:
        return "assistant"
    return _TITLES.get(words[0]) if len(words) > 1 else None
