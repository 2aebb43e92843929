"""Bytes of plain text -> characters, and the name of the codec: by byte order mark, as UTF-8, as declared, as detected.

Nothing is replaced or guessed: where a character would have to be, UnreadableError says so. Knows no files.
"""

import codecs
import re

MARKS = (  # subtle: UTF-32's mark begins with UTF-16's, so it comes first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
RICH_TEXT = b"{\\rtf"  # partly text, but not to be read as text
CONTROL = re.compile(r"[\x01-\x08\x0e-\x1a\x7f]")
LATIN = ("ascii", "iso8859-1")  # declared by pages that are written in cp1252, as browsers know


class UnreadableError(ValueError):
    """Bytes that cannot become text: `reason` is a stable code, `detail` says what is wrong and what to do."""

    def __init__(self, reason: str, detail: str) -> None:
        """Keep both; the message is the detail."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def decode_text(data: bytes, *, declared: str | None = None) -> tuple[str, str]:
    """Return the text without its mark, and the codec with how it was found where that is not plain.

    Raises UnreadableError (binary, undecodable) where a character would have to be guessed or replaced.
    """
    binary = UnreadableError("binary", "is not plain text; save its text as UTF-8")
    marked = next((codec for mark, codec in MARKS if data.startswith(mark)), None)
    if marked is None and (data.startswith(RICH_TEXT) or _is_binary(data.decode("latin-1"))):
        raise binary
    try:
        text, decoded = data.decode(marked or "utf-8"), marked or "utf-8"
    except UnicodeDecodeError as error:
        found = None if marked else _decode_as(data, declared) or _detect(data)
        if found is None:
            detail = f"is not {marked or 'utf-8'} at byte {error.start} nor surely anything else; save it as UTF-8"
            raise UnreadableError("undecodable", detail) from error
        text, decoded = found
    if _is_binary(text):
        raise binary
    return text, decoded


def _is_binary(text: str) -> bool:
    return "\0" in text or len(CONTROL.findall(text)) > 0.05 * len(text)


def _decode_as(data: bytes, declared: str | None) -> tuple[str, str] | None:
    """Decode as the text itself says it is to be, or None if that is not so."""
    try:
        codec = codecs.lookup(declared or "utf-8").name
        codec = "cp1252" if codec in LATIN else codec
        return data.decode(codec), f"{codec} (declared)"
    except (LookupError, UnicodeError):
        return None


def _detect(data: bytes) -> tuple[str, str] | None:
    """Decode text that is not UTF-8 with the codec it must be in, or None unless that is clear.

    Short text fits many codecs that differ in a letter or two, and the detector's order among them is chance. So
    cp1252, by far the most common, is taken where it is plausible; others must agree on every character.
    """
    from charset_normalizer import from_bytes  # subtle: here and not above, for every parsed file waits for the imports

    rough = data.decode("utf-8", "replace")
    damaged = rough.count("\ufffd")
    if len(rough) - len(rough.encode("ascii", "ignore")) >= 2 * damaged > 0:
        return None  # UTF-8 with a few bad bytes: anything else would turn its good letters into wrong ones
    plausible = [match for match in from_bytes(data) if match.chaos <= 0.1 and match.coherence >= 0.3]
    codec = plausible[0].encoding if len({str(match) for match in plausible}) == 1 else None
    if any("cp1252" in match.could_be_from_charset for match in plausible):
        codec = "cp1252"
    return (data.decode(codec), f"{codec} (detected)") if codec else None
