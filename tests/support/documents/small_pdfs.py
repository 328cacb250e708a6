"""Small PDF files: encrypted, and with scanned pages."""

import hashlib

_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_ID = b"0123456789abcdef"
_TEXT = b"BT /F 24 Tf 72 700 Td (%s) Tj ET"
_IMAGE = (
    b"<< /Type /XObject /Subtype /Image /Width 8 /Height 8 /ColorSpace /DeviceGray "
    b"/BitsPerComponent 8 /Length 64 >>\nstream\n" + bytes(range(64)) + b"\nendstream"
)


def pdf_of_pages(*texts: str, password: str | None = None) -> bytes:
    """A PDF with a page for each text; one of "" is a picture, as a scanner makes them.

    Args:
        texts: of the pages, ASCII without brackets.
        password: to open it with, encrypted by RC4 of 40 bits (ISO 32000-1, 7.6); None: in clear.
    """
    key, encrypt = (b"", b"") if password is None else _encryption(password.encode())
    count = len(texts)
    pages = [4 + 2 * at for at in range(count)]
    kids = b" ".join(b"%d 0 R" % page for page in pages)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    image = 4 + 2 * count
    for page, text in zip(pages, texts, strict=True):
        drawn = _TEXT % text.encode() if text else b"q 500 0 0 700 50 50 cm /I Do Q"
        if key:
            drawn = _rc4(_object_key(key, page + 1), drawn)
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources "
            b"<< /Font << /F 3 0 R >> /XObject << /I %d 0 R >> >> >>" % (page + 1, image),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        ]
    objects.append(_IMAGE)
    return _file(objects, encrypt=encrypt)


def _file(objects: list[bytes], *, encrypt: bytes) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % location for location in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(objects) + 1, encrypt)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


def _encryption(password: bytes) -> tuple[bytes, bytes]:
    """The file's key, and what the trailer says of it (algorithms 2, 3 and 4)."""
    padded = (password + _PADDING)[:32]
    owner = _rc4(hashlib.md5(padded, usedforsecurity=False).digest()[:5], padded)
    rights = (-4).to_bytes(4, "little", signed=True)
    digest = hashlib.md5(padded + owner + rights + _ID, usedforsecurity=False)
    key = digest.digest()[:5]
    user = _rc4(key, _PADDING)
    output = b"/ID [<%s> <%s>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>"
    hexes = (_ID.hex(), _ID.hex(), owner.hex(), user.hex())
    return key, output % tuple(text.encode() for text in hexes)


def _object_key(key: bytes, number: int) -> bytes:
    salted = key + number.to_bytes(3, "little") + bytes(2)
    return hashlib.md5(salted, usedforsecurity=False).digest()[: len(key) + 5]


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
