"""Findings of `ftdist doctor` as lines of text."""

from collections.abc import Iterable

from ftdist_launch.doctor.finding import Finding


def lines(findings: Iterable[Finding]) -> list[str]:
    """One line per finding: level, name, what was found, consequence, remedy."""
    return [
        " | ".join(
            part for part in (f"{f.level} {f.name}", f.found, f.consequence, f.remedy) if part
        )
        for f in findings
    ]


def named(findings: Iterable[Finding], name: str) -> list[str]:
    """The lines of one check."""
    return lines(finding for finding in findings if finding.name == name)
