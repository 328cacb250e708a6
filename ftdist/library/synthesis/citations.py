"""The source that an answer begins with.

A model that names the section first has fewer sentences to choose from when it answers.
"""


def with_citation(answer: str, *, title: str, page: int | None, section: str) -> str:
    """An answer behind its source, such as (User Manual, page 12).

    A section that is named as its document says nothing more.
    """
    last = section.rpartition(" > ")[2]
    last = "" if last.casefold() == title.casefold() else last
    where = f"page {page}" if page is not None else f'section "{last}"' if last else ""
    source = f"{title}, {where}" if where else title
    return f"({source}) {answer}" if "\n" not in answer else f"({source})\n\n{answer}"
