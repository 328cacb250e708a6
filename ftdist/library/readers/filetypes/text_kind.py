"""Which format a text has: its first characters, its suffix, or signs of a markup language."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class UnsupportedFile:
    """Why a file cannot be read, a clause that follows its name, and what to do about it."""

    reason: str
    remedy: str


_PANDOC = "Convert it to HTML or Markdown, for example with pandoc."
_RTF = UnsupportedFile("is an RTF document", "Save it as .docx.")
_LATEX = UnsupportedFile("is LaTeX source", _PANDOC)
_ASCIIDOC = UnsupportedFile("is AsciiDoc source", "Convert it to HTML with asciidoctor.")
_MAN_PAGE = UnsupportedFile("is the source of a manual page", "Convert it to HTML: man -Thtml.")
_TEXINFO = UnsupportedFile("is Texinfo source", "Convert it to HTML: makeinfo --html.")
_ORG = UnsupportedFile("is an Org file", _PANDOC)
_WIKI = UnsupportedFile("is wiki source", _PANDOC)
_POD = UnsupportedFile("is Perl documentation (POD)", "Convert it to HTML with pod2html.")
_POSTSCRIPT = UnsupportedFile("is PostScript", "Convert it to PDF with ps2pdf.")
_KEY = UnsupportedFile("is a key or a certificate", "Remove it.")
_CALENDAR = UnsupportedFile("is a calendar or an address book", "Remove it.")

_BY_SUFFIX: dict[str, str | UnsupportedFile] = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".mdx"), "markdown"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".yml", ".yaml"), "yaml"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".eml", ".mht", ".mhtml"), "mail"),
    **dict.fromkeys((".rst", ".rest"), "rst"),
    **dict.fromkeys((".srt", ".vtt"), "subtitles"),
    ".mbox": "mbox",
    **dict.fromkeys((".tex", ".latex", ".ltx"), _LATEX),
    **dict.fromkeys((".adoc", ".asciidoc", ".asc"), _ASCIIDOC),
    **dict.fromkeys((".texi", ".texinfo"), _TEXINFO),
    **dict.fromkeys((".wiki", ".mediawiki"), _WIKI),
    ".org": _ORG,
    ".pod": _POD,
    **dict.fromkeys(
        (
            *(".py", ".pyi", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".cs", ".java", ".kt"),
            *(".go", ".rs", ".swift", ".m", ".mm", ".rb", ".pl", ".pm", ".php", ".lua", ".r"),
            *(".jl", ".scala", ".ts", ".tsx", ".jsx", ".mjs", ".vue", ".sh", ".bash", ".zsh"),
            *(".fish", ".bat", ".cmd", ".ps1", ".sql", ".asm", ".s", ".f", ".f90", ".vhd", ".v"),
            *(".ini", ".cfg", ".conf", ".cnf", ".toml", ".properties", ".env", ".service"),
            *(".make", ".mk", ".cmake", ".gradle", ".tf", ".proto", ".graphql", ".st", ".nix"),
            *(".log", ".diff", ".patch", ".scss", ".less", ".el", ".lisp", ".clj", ".hs", ".ml"),
        ),
        "source",
    ),
}

_SIGNS: tuple[tuple[re.Pattern[str], str | UnsupportedFile], ...] = (
    (re.compile(r"\{\\rtf"), _RTF),
    (re.compile(r"WEBVTT\b"), "subtitles"),
    (re.compile(r"\d+\s*\n\d\d:\d\d:\d\d[,.]\d{3} --> "), "subtitles"),
    (re.compile(r"%!PS"), _POSTSCRIPT),
    (re.compile(r"-----BEGIN [A-Z ]*(?:KEY|CERTIFICATE|PGP)"), _KEY),
    (re.compile(r"BEGIN:V(?:CALENDAR|CARD)\b"), _CALENDAR),
    (re.compile(r"From \S+ .*\d\d:\d\d.*\d{4}.*\n[!-9;-~]+:"), "mbox"),
    (re.compile(r"\\input texinfo"), _TEXINFO),
    (re.compile(r"#!"), "source"),
    (re.compile(r"\A(?:[.'][\\].*\n)*\.(?:TH|Dd) "), _MAN_PAGE),
    (re.compile(r"=(?:pod|head1)\b"), _POD),
)
"""What only one format begins with."""

_SIGNS_INSIDE: tuple[tuple[re.Pattern[str], str | UnsupportedFile], ...] = (
    (re.compile(r"^\s*\\(?:documentclass|usepackage|begin\{document\})", re.MULTILINE), _LATEX),
    (re.compile(r"^\\(?:sub)*section\*?\{", re.MULTILINE), _LATEX),
    (re.compile(r"\A(?:^//.*\n)*= \S.*\n(?s:.*)^==+ \S", re.MULTILINE), _ASCIIDOC),
    (re.compile(r"^\[source(?:,\w+)?\]\n----$", re.MULTILINE), _ASCIIDOC),
    (re.compile(r"^\.\. [a-z][\w-]*(?::[\w-]+)?::(?: |$)", re.MULTILINE), "rst"),
    (re.compile(r"^```[\w+-]*\n(?s:.*?)^```$", re.MULTILINE), "markdown"),
    (re.compile(r"(?:\A|\n\n)# \S.*\n\n(?s:.*)\n\n##+ \S.*\n\n"), "markdown"),
    (re.compile(r"^#\+(?:TITLE|BEGIN_SRC|AUTHOR):?\b", re.MULTILINE | re.IGNORECASE), _ORG),
)
"""Lines of markup that no prose has; they decide for a file whose suffix does not."""

_HEADER_NAMES = {
    *("from", "to", "cc", "subject", "date", "message-id", "mime-version", "content-type"),
    *("received", "return-path", "reply-to", "delivered-to", "sender", "in-reply-to"),
    *("references", "content-transfer-encoding", "x-mailer", "list-id"),
}
_HEADER = re.compile(r"([!-9;-~]+):|[ \t]+\S")

_PROLOG = re.compile(
    r"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*", re.DOTALL | re.IGNORECASE
)
_ROOT = re.compile(r"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)([^<>]*)>")
_HTML_TAGS = {
    *("html", "head", "body", "p", "div", "span", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol"),
    *("dl", "table", "section", "article", "main", "header", "nav", "a", "b", "center", "font"),
    *("pre", "br", "hr", "img", "meta", "link", "style", "script", "title", "blockquote", "form"),
}
_DOCBOOK_ROOTS = {
    *("article", "book", "set", "part", "chapter", "appendix", "preface", "section", "sect1"),
    *("refentry", "reference", "qandaset", "glossary", "faq"),
    *("topic", "concept", "task", "troubleshooting", "glossentry", "dita"),
}


def text_kind(head: bytes, *, suffix: str) -> str | UnsupportedFile:
    """The kind of a text that is not JSON, by its first bytes."""
    text = _decode(head)
    start = text.lstrip("\ufeff \t\r\n")
    for sign, signed in _SIGNS:
        if sign.match(start):
            return signed
    by_suffix = _BY_SUFFIX.get(suffix)
    if _is_mail(text.lstrip("\ufeff\r\n")):
        return "mail"
    if start.startswith("<") and (kind := _xml_kind(start, suffix=suffix)):
        return kind
    if by_suffix is not None:
        return by_suffix
    if re.fullmatch(r"\.[1-9][a-z]*", suffix) and re.search(r"^\.(?:TH|SH|Dd) ", text, re.M):
        return _MAN_PAGE
    for sign, signed in _SIGNS_INSIDE:
        if sign.search(text):
            return signed
    return "text"


def _decode(head: bytes) -> str:
    is_utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if is_utf16 else "utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_mail(text: str) -> bool:
    """Whether it begins with the header of a message: three known fields, one of them From."""
    names: set[str] = set()
    for line in text.split("\n\n", 1)[0].split("\n"):
        field = _HEADER.match(line)
        if field is None:
            return False
        names.add((field[1] or "").lower())
    known = names & _HEADER_NAMES
    return len(known) >= 3 and bool(known & {"from", "mime-version"})


def _xml_kind(start: str, *, suffix: str) -> str | UnsupportedFile | None:
    """html, docbook (with DITA), odf, or why it cannot be read; None: no markup decides."""
    prolog = _PROLOG.match(start)
    above = prolog[0] if prolog else ""
    root = _ROOT.match(start, len(above))
    name = root[2] if root else ""
    if name.lower() == "html" or re.search(r"<!doctype\s+html", above, re.IGNORECASE):
        return "html"
    if not root:
        return None
    is_xml = "<?xml" in above or "xmlns" in root[3] or "<!DOCTYPE" in above
    if is_xml and root[1] == "office:":
        return "odf"
    if is_xml or suffix in (".xml", ".dita", ".dbk"):
        return "docbook" if name in _DOCBOOK_ROOTS else _unsupported_xml(name)
    is_markup = f"</{name}" in start or root[3].rstrip().endswith("/") or name in _VOID
    if suffix in (".md", ".markdown", ".mdx") or not is_markup:
        return None
    if name.lower() in _HTML_TAGS:
        return "html"
    is_whole = start.rstrip().endswith(f"</{name}>")
    return ("docbook" if name in _DOCBOOK_ROOTS else _unsupported_xml(name)) if is_whole else None


_VOID = ("br", "hr", "img", "meta", "link")


def _unsupported_xml(root: str) -> UnsupportedFile:
    return UnsupportedFile(
        f"is XML of a kind that ftdist does not read (<{root}>)", "Convert it to HTML or Markdown."
    )
