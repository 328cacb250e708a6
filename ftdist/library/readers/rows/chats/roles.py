"""Words for who speaks in chats and threads."""

import re
from functools import lru_cache

TOOL = "tool"
CALL = "call"
"""A message that is a call of a tool, of the assistant."""

_WORDS = {
    "system": "system",
    "developer": "developer",
    "user": "user human customer client visitor guest prompter caller enduser requester asker "
    "questioner usr kunde kundin benutzer nutzer utilisateur usuario usuaria cliente utente",
    "assistant": "assistant ai bot chatbot gpt chatgpt claude gemini copilot llm model agent "
    "operator support helpdesk servicedesk staff advisor adviser representative rep moderator "
    "virtualassistant aiassistant assistent assistentin berater beraterin mitarbeiter "
    "mitarbeiterin conseiller asistente agente soporte operador operatore",
    TOOL: "tool function functionresponse functionresult toolresponse toolresult toolresults "
    "observation ipython",
    CALL: "functioncall toolcall toolcalls",
}
_ROLES = {word: role for role, words in _WORDS.items() for word in words.split()}

_TITLES = {"agent", "operator", "bot", "user", "visitor", "customer", "guest", "client"}
"""Words that may stand before a name: "Agent Mia"."""

_DEPARTMENTS = {"support", "service", "services", "care", "success", "helpdesk", "desk", "team"}
_NAMES = {"model", "system", "ai"}
"""Words that end names of other things: "Role Model"."""


@lru_cache(maxsize=4096)
def role_of(name: str) -> str | None:
    """system, developer, user, assistant, tool or call, if a name says so, in any letter case."""
    words = re.sub(r"[\W_]+", " ", name).casefold().split()
    joined = "".join(words)
    if role := _ROLES.get(joined.rstrip("0123456789")):
        return role
    if joined.startswith(("gpt", "chatgpt")):  # such as gpt-4o
        return "assistant"
    if len(words) < 2:
        return None
    if words[-1] in _DEPARTMENTS:
        return "assistant"
    if words[-1] in _ROLES and words[-1] not in _NAMES:
        return _ROLES[words[-1]]  # "Support Bot", "Mia (agent)"
    return _ROLES[words[0]] if words[0] in _TITLES else None
