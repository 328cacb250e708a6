"""The source that an answer ends with."""


def with_citation(answer: str, *, title: str, page: int | None, section: str) -> str:
    """An answer followed by its source, such as (User Manual, page 12).

    A section that is named as its document says nothing more.
    """
    last = section.rpartition(" > ")[2]
    last = "" if last.casefold() == title.casefold() else last
    where = f"page {page}" if page is not None else f'section "{last}"' if last else ""
    source = f"{title}, {where}" if where else title
    return f"{answer} ({source})" if "\n" not in answer else f"{answer}\n\n({source})"
