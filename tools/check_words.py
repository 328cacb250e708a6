"""Check that the code and the documents use the words of the field: see `tools/words.toml`.

    python -m tools.check_words

Prints a line per finding, `FILE:LINE: WORD (write: ...)`, and exits with 1 if there is one.
"""

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORDS = Path(__file__).with_name("words.toml")
EXEMPT = "# words: ok"
CODE = ("ftdist", "launch")
CONFIG = ("conf",)
DOCUMENTS = ("README.md", "docs")


@dataclass(frozen=True, kw_only=True)
class Words:
    """What `words.toml` holds."""

    identifiers: dict[str, str]
    phrases: dict[str, str]
    modules: frozenset[str] = frozenset()
    allowed: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path) -> "Words":
        """Read a word list."""
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            identifiers=values["identifiers"],
            phrases=values["phrases"],
            modules=frozenset(values["modules"]["names"]),
            allowed=values["allowed"],
        )

    def banned_pattern(self, name: str, *, file: str) -> str | None:
        """The pattern of the list that `name` matches, unless it is allowed in this file."""
        bare = name.lstrip("_")
        for pattern in self.identifiers:
            if fnmatchcase(name, pattern) or fnmatchcase(bare, pattern):
                allowed = self.allowed.get(pattern, [])
                return None if file.startswith(tuple(allowed)) else pattern
        return None


@dataclass(frozen=True)
class Finding:
    """A word that should not be where it is."""

    file: str
    line: int
    word: str
    suggestion: str

    def __str__(self) -> str:
        """As it is printed."""
        return f"{self.file}:{self.line}: {self.word!r} (write: {self.suggestion})"


def main() -> int:
    """Check the whole tree."""
    words = Words.from_file(WORDS)
    findings = sorted(check_tree(ROOT, words=words), key=lambda found: (found.file, found.line))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings; the list is tools/words.toml")
    return 1 if findings else 0


def check_tree(root: Path, *, words: Words) -> Iterator[Finding]:
    """Every finding below `root`."""
    for folder in CODE:
        for path in sorted((root / folder).rglob("*.py")):
            file = path.relative_to(root).as_posix()
            yield from check_code(path.read_text(encoding="utf-8"), file=file, words=words)
    for folder in CONFIG:
        for path in sorted((root / folder).rglob("*.yaml")):
            file = path.relative_to(root).as_posix()
            yield from check_config(path.read_text(encoding="utf-8"), file=file, words=words)
    for name in DOCUMENTS:
        for path in [root / name] if name.endswith(".md") else sorted((root / name).rglob("*.md")):
            file = path.relative_to(root).as_posix()
            yield from find_phrases(path.read_text(encoding="utf-8"), file=file, words=words)


def check_code(source: str, *, file: str, words: Words) -> Iterator[Finding]:
    """Findings in the names, strings and docstrings of a Python file, and in the file's name."""
    stem = Path(file).stem
    if stem in words.modules:
        yield Finding(file, 1, stem, "a module name that says what is in it")
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if token.type != tokenize.NAME or EXEMPT in lines[line - 1]:
            continue
        if pattern := words.banned_pattern(token.string, file=file):
            yield Finding(file, line, token.string, words.identifiers[pattern])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            end = node.end_lineno or node.lineno
            if not any(EXEMPT in line for line in lines[node.lineno - 1 : end]):
                yield from find_phrases(node.value, file=file, words=words, first_line=node.lineno)


def check_config(text: str, *, file: str, words: Words) -> Iterator[Finding]:
    """Findings in the keys and comments of a config file."""
    for number, line in enumerate(text.splitlines(), start=1):
        key = re.match(r"\s*([A-Za-z_]\w*):", line)
        pattern = words.banned_pattern(key[1], file=file) if key else None
        if key and pattern and EXEMPT not in line:
            yield Finding(file, number, key[1], words.identifiers[pattern])
    yield from find_phrases(text, file=file, words=words)


def find_phrases(text: str, *, file: str, words: Words, first_line: int = 1) -> Iterator[Finding]:
    """Banned phrases in a text, over line breaks too."""
    for phrase, suggestion in words.phrases.items():
        pattern = r"(?<![\w-])" + r"[\s#]+".join(map(re.escape, phrase.split())) + r"(?![\w-])"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            line = first_line + text.count("\n", 0, match.start())
            yield Finding(file, line, phrase, suggestion)


if __name__ == "__main__":
    sys.exit(main())
