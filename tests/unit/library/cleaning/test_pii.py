"""Secrets and personal data are masked; part numbers, serial numbers and times are not."""

from collections import Counter
from pathlib import Path

import pytest

from ftdist.config.schema.curate import PiiPolicy
from ftdist.library.cleaning.mask_row import publishes
from ftdist.library.cleaning.pii import find_pii, mask_pii


def _masked(text: str) -> str:
    return mask_pii(text, secrets="mask", personal="mask", allowlist=[])[0]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to jo@example.org now", "Write to <e-mail> now"),
        ("Call +46 70 123 45 67 or (555) 010-9999", "Call <telephone> or <telephone>"),
        ("Tel.: 555-123-4567.", "Tel.: <telephone>."),
        ("Fax (0711) 45 67 89 10", "Fax <telephone>"),
        ("Telefon: 030 12345678", "Telefon: <telephone>"),
        ("card 4111 1111 1111 1111", "card <card number>"),
        ("card 378282246310005,", "card <card number>,"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN <account number>"),
        ("https://user:pa55@host/x", "https://<secret>@host/x"),
        ("admin, password: hunter42x9, change it", "admin, password: <secret>, change it"),
        ("API_KEY='k3jh4k5jh6'", "API_KEY='<secret>'"),
        ("(password: hunter42x9)", "(password: <secret>)"),
        ('<tool_call>{"password":"hunter2Xy9!"}', '<tool_call>{"password":"<secret>"}'),
        ("{'api_key' : 'k3jh4k5jh6'}", "{'api_key' : '<secret>'}"),
        (r'"{\"secret\": \"k3jh4k5jh6\"}"', r'"{\"secret\": \"<secret>\"}"'),
    ],
)
def test_only_the_secret_or_personal_value_is_masked(text: str, masked: str) -> None:
    assert _masked(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "costs 25 000-50 000 SEK, error 0031-0040, version 1.2.3.4, 2024-01-02",
        "Use 555-123-4567 for the ring and 555.123.4568 for the seal.",
        "It is (120) 45 67 89 10 mm, in the order of the drawing.",
        "The line of 20310304123457 ends with OK.",
        "The IMEI reads 490154203237518 on the sample.",
        "All from 10000000000008 to 10000000005007.",
        "part 4111 1111 1111 1112",  # fails Luhn's check
        "serial 4111-11111111-1111",  # no card is grouped like this
        "12.5 +0012 345 678 is the code.",
        "Set API_KEY=your_api_key_1234 in the file, then secret=changeme99.",
        "The password is shown on the display",
        '{"password": {"type": "string", "minLength": 12}, "secret": "manual-entry"}',
        "On 2031-03-04 12:34:56 the unit was made; call 04/03/2031.",
        "00:1A:2B:3C:4D:5E, 192.168.100.200, 978-3-16-148410-0",
        "47223179-9330-4259-b66c-f2db26efb20c is the id.",
    ],
)
def test_technical_numbers_stay(text: str) -> None:
    assert _masked(text) == text
    assert find_pii(text) == []


def test_addresses_of_allowlisted_domains_are_not_masked() -> None:
    text, counts, _ = mask_pii(
        "a@support.org b@other.org", secrets="mask", personal="mask", allowlist=["@support.org"]
    )
    assert text == "a@support.org <e-mail>"
    assert counts == Counter({"e-mail": 1})


@pytest.mark.parametrize(
    ("policy", "is_published", "masked"),
    [
        ("mask_conversations", True, "Call +46 70 123 45 67 or <card number>"),
        ("mask_conversations", False, "Call <telephone> or <card number>"),
        ("mask", True, "Call <telephone> or <card number>"),
    ],
)
def test_documents_keep_the_numbers_that_they_publish(
    policy: PiiPolicy, is_published: bool, masked: str
) -> None:
    found = mask_pii(
        "Call +46 70 123 45 67 or 4111 1111 1111 1111",
        secrets="mask", personal=policy, allowlist=[], is_published=is_published,
    )  # fmt: skip
    assert found.text == masked
    assert found.published == ({"telephone": 1} if "+46" in masked else {})


@pytest.mark.parametrize(
    ("name", "kind", "is_published"),
    [
        ("manual.pdf", "pdf", True),
        ("manual.odt", "odf", True),
        ("customers.ods", "odf", False),
        ("customers.xlsx", "xlsx", False),
        ("note.eml", "mail", False),
    ],
)
def test_mail_and_spreadsheets_publish_nothing(name: str, kind: str, is_published: bool) -> None:
    assert publishes(Path(name), kind) is is_published
