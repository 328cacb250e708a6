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

_TITLES = {"agent", "operator", "bot", "user", "visitor", "customer", "guest", "client"}
"""Words that may stand before a name: "Agent Mia"."""

_DEPARTMENTS = {"support", "service", "services", "care", "success", "helpdesk", "desk", "team"}
_NAMES = {"model", "system", "ai"}
"""Words that end names of other things: "Role Model"."""


def role_of(name: str) -> str | None:
    """system, user, assistant or tool, if a name says so; letter case does not count."""
    words = re.sub(r"[\W_]+", " ", name).casefold().split()
    if role := _ROLES.get("".join(words).rstrip("0123456789")):
        return role
    if len(words) < 2:
        return None
    if words[-1] in _DEPARTMENTS:
        return "assistant"
    if words[-1] in _ROLES and words[-1] not in _NAMES:
        return _ROLES[words[-1]]  # "Support Bot", "Mia (agent)"
    return _ROLES[words[0]] if words[0] in _TITLES else None
