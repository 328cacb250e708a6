# ruff: noqa: RUF001 - letters of all scripts are the content
"""Encodings: the text that was written comes out, or the file is refused; a guess is noted."""

from pathlib import Path

import pytest

from ftdist.library.readers import read_document
from ftdist.library.readers.encoding import declared_encoding, decode
from ftdist.library.schema import BadRowError, Document, Note

GERMAN = "Der Schalter für die Lüftung läßt sich nur öffnen, wenn die Tür geschlossen ist."
FRENCH = "La lampe s'éteint après dix minutes ; réglez la durée à l'aide de la molette."
SPANISH = "¿Cómo se apaga? Mantenga pulsado el botón más grande; después, espere."
PORTUGUESE = "Não desligue a lâmpada à noite; pressione o botão três vezes até a luz apagar."
SWEDISH = "Håll nere den gröna knappen i nio sekunder så släcks lampan."
POLISH = "Naciśnij żółty przycisk, aż zgaśnie światło, i odłącz wtyczkę od gniazda."
CZECH = "Stiskněte zelené tlačítko na devět sekund, až světlo zhasne, a odpojte zástrčku."
HUNGARIAN = "Tartsa lenyomva a zöld gombot kilenc másodpercig. Előtte húzza ki, és őrizze meg."
CROATIAN = "Držite zelenu tipku devet sekundi dok se svjetlo ne ugasi, a zatim isključite."
TURKISH = "Yeşil düğmeye dokuz saniye basılı tutun, ışık sönünce bırakın."
LITHUANIAN = "Laikykite žalią mygtuką devynias sekundes, kol šviesa užges, ir ištraukite kištuką."
RUSSIAN = "Нажмите кнопку и подождите девять секунд, пока лампа не погаснет."
UKRAINIAN = "Натисніть кнопку і зачекайте дев'ять секунд, поки лампа не згасне. Її не можна."
GREEK = "Κρατήστε πατημένο το πράσινο κουμπί για εννέα δευτερόλεπτα."
HEBREW = "לחץ על הכפתור הירוק במשך תשע שניות עד שהמנורה תיכבה."
ARABIC = "اضغط على الزر الأخضر لمدة تسع ثوان حتى ينطفئ المصباح."
THAI = "กดปุ่มสีเขียวค้างไว้เก้าวินาทีจนกว่าไฟจะดับ แล้วถอดปลั๊กออก"
JAPANESE = "緑のボタンを九秒間押してください。"
CHINESE = "请先断开电源，然后打开盖子，检查过滤器是否堵塞。"
TAIWANESE = "按住綠色按鈕九秒鐘，然後打開蓋子檢查過濾器。"
KOREAN = "초록색 버튼을 9초 동안 누르고 있으면 램프가 꺼집니다."
QUOTES = "The “green” key – not the red one – costs 5\u00a0€ and isn’t included."

TEXTS = [
    (GERMAN, ["cp1252", "mac-roman", "cp850"]),
    (FRENCH, ["cp1252", "mac-roman", "cp850"]),
    (SPANISH, ["cp1252", "mac-roman", "cp850"]),
    (PORTUGUESE, ["cp1252", "mac-roman", "cp850"]),
    (SWEDISH, ["cp1252", "mac-roman", "cp850"]),
    (POLISH, ["cp1250", "iso8859-2", "cp852"]),
    (CZECH, ["cp1250", "iso8859-2", "cp852"]),
    (HUNGARIAN, ["cp1250", "iso8859-2"]),
    (CROATIAN, ["cp1250"]),
    (TURKISH, ["cp1254"]),
    (LITHUANIAN, ["cp1257"]),
    (RUSSIAN, ["cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic"]),
    (UKRAINIAN, ["cp1251", "koi8-u"]),
    (GREEK, ["cp1253", "iso8859-7"]),
    (HEBREW, ["cp1255"]),
    (ARABIC, ["cp1256"]),
    (THAI, ["cp874"]),
    (JAPANESE, ["cp932", "euc-jp", "iso2022-jp"]),
    (CHINESE, ["gb18030"]),
    (TAIWANESE, ["cp950"]),
    (KOREAN, ["cp949"]),
    (QUOTES, ["cp1252"]),
    ("Keep it below 60 °C and above 5 °C.", ["cp1252", "mac-roman"]),
    ("The pipe is 3½ inches wide, 5 m² ±3 µm, £5.", ["cp1252"]),
]
CASES = [(text, encoding) for text, encodings in TEXTS for encoding in encodings]


@pytest.mark.parametrize(("text", "encoding"), CASES, ids=[f"{t[:9]} {e}" for t, e in CASES])
@pytest.mark.parametrize("form", ["{}", 'question,answer\nHow?,"{}"\n', "<p>{}</p>"])
def test_text_in_an_old_encoding_is_read_as_it_was_written(
    text: str, encoding: str, form: str
) -> None:
    decoded, notes = decode(form.format(text).encode(encoding))
    assert decoded == form.format(text)
    assert [note.rule for note in notes] == ["encoding guessed"]


def test_note_of_a_guess_names_the_encoding_and_a_word() -> None:
    _, notes = decode(b"<p>Die T\xfcr</p>")
    assert notes == (Note(rule="encoding guessed", excerpt="cp1252: T\u00fcr"),)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_utf8_and_marked_text_is_read_without_a_note(encoding: str) -> None:
    mark = "\ufeff" if encoding.endswith("e") else ""
    assert decode(f"{mark}Tür\r\nзелёный\rend".encode(encoding)) == ("Tür\nзелёный\nend", ())


def test_given_encoding_is_taken_where_the_text_is_not_utf8() -> None:
    assert decode("łąka".encode("cp1250"), encoding="cp1250") == ("łąka", ())
    assert decode("łąka".encode(), encoding="cp1250") == ("łąka", ())
    assert decode("Tür".encode("utf-16-le"), encoding="utf-16-le") == ("Tür", ())


def test_declared_encoding_is_taken_where_it_can_be() -> None:
    page = '<html><head><meta charset="{}"></head><body>łąka</body></html>'
    right = page.format("iso-8859-2").encode("iso8859-2")
    assert declared_encoding(right) == "iso-8859-2"
    assert decode(right, declared="iso-8859-2") == (page.format("iso-8859-2"), ())
    assert decode(b"5 \x80", declared="iso-8859-1") == ("5 €", ())  # as browsers read it
    wrong = "<?xml version='1.0' encoding='utf-8'?><p>Die Tür</p>"
    assert declared_encoding(wrong.encode("cp1252")) == "utf-8"
    decoded, notes = decode(wrong.encode("cp1252"), declared="utf-8")
    assert decoded == wrong
    assert [note.rule for note in notes] == ["encoding guessed"]


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (b"a\xa6b\xacc\xbcd\xdde\xf7f", None, "is in an encoding that cannot be recognized"),
        ("Müller geht. ".encode() + b"caf\xe9", None, "mixes UTF-8 with another encoding (line 1)"),
        (b"caf\x81", "cp1252", "is not cp1252 text (byte 4)"),
        (b"caf\xe9", "ebcdic", "cannot be decoded: there is no encoding 'ebcdic'"),
        (b"a\nb\0", None, "contains NUL bytes (line 2)"),
        (b"\xff\xfea", None, "is not utf-16-le text (byte 1)"),
    ],
)
def test_what_cannot_be_decoded_is_refused(data: bytes, encoding: str | None, reason: str) -> None:
    with pytest.raises(BadRowError) as caught:
        decode(data, encoding=encoding)
    assert str(caught.value) == reason
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("kind", "form"), [("html", "<p>{}</p>"), ("markdown", "{}"), ("text", "{}")]
)
def test_documents_are_decoded_with_a_note(tmp_path: Path, kind: str, form: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(form.format(FRENCH).encode("cp1252"))
    document = read_document(path, name="a", kind=kind)
    assert isinstance(document, Document)
    assert [block.text for block in document.blocks] == [FRENCH]
    assert document.notes == (Note(rule="encoding guessed", excerpt="cp1252: s'éteint"),)
