"""Compare stored replies with the documents as they are now: their JSON goes in, a Verdict on every citation comes out.

No model and no index is loaded, and no name in a reply is opened as a path: a citation is looked up among the files
that are found in the folder. Whether an answer is right is not asked here, only whether it is what its first citation
quotes, and whether its quotes stand where it says.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any, Literal, get_args

from qa.citation import escape_terminal
from qa.datatypes import Corpus, Document
from qa.documents import MAX_BYTES, Skipped, read_document, read_folder
from qa.values import fold

Outcome = Literal["exact", "changed", "moved", "elsewhere", "missing"]
EXPECTED = "expected a reply as `qa ask --json` prints it, or lines of them as `qa ask --batch --out` writes"
KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
WITHIN = re.compile(r"(?<=\w)(?=\w)|(?<=\d)(?=[.,]\d)|(?<=\d[.,])(?=\d)")  # a position inside a word or a figure


@dataclass(frozen=True)
class Claim:
    """What a stored reply says of one citation; nothing of it is believed yet."""

    document_id: str
    quote: str  # not empty
    start: int
    end: int
    source_sha256: str
    context: str  # the sentence around the quote; the quote itself where the reply gives no sentence
    context_start: int
    prefix: str  # the characters before the quote, as many as the reply gives
    suffix: str  # those after it


@dataclass(frozen=True)
class Verdict:
    """What has become of one citation."""

    document_id: str
    quote: str
    start: int
    end: int
    verdict: Outcome  # exact: same place, same file; changed: same place, but the file or the sentence is not the same
    found_document_id: str | None  # where the quote is now; None if missing
    found_start: int | None

    def to_dict(self) -> dict[str, Any]:
        """The verdict as `qa verify --json` prints it."""
        return dict(vars(self))


def read_cited(folder: Path, claims: Iterable[Claim]) -> tuple[Corpus, tuple[Skipped, ...]]:
    """Read a folder as `read_folder` does, and of files with the same bytes those too that are cited by their names.

    Raises what `read_folder` and `read_document` do.
    """
    corpus, skipped = read_folder(folder)
    cited = {claim.document_id for claim in claims}
    again = [one for one in skipped if one.reason == "duplicate" and one.path in cited]
    documents = [*corpus.documents, *(read_document(folder / one.path, one.path) for one in again)]
    left_out = tuple(one for one in skipped if one not in again)
    return Corpus(tuple(sorted(documents, key=lambda document: document.document_id))), left_out


def verify(claims: Iterable[Claim], corpus: Corpus) -> list[Verdict]:
    """Judge every claim against the documents, in the order of the claims."""
    documents = {document.document_id: document for document in corpus.documents}
    return [_judge(claim, documents) for claim in claims]


def _judge(claim: Claim, documents: dict[str, Document]) -> Verdict:
    document = documents.get(claim.document_id)
    if document is not None:
        stands = document.text[claim.start : claim.end] == claim.quote
        if stands and document.source_sha256 == claim.source_sha256 and _is_in_its_sentence(claim, document.text):
            return _verdict(claim, "exact", document, claim.start)
        if (at := _likeliest(claim, document.text)) is not None:
            return _verdict(claim, "changed" if stands and at == claim.start else "moved", document, at)
    for other in sorted(documents.values(), key=lambda d: (d.source_sha256 != claim.source_sha256, d.document_id)):
        if (at := _likeliest(claim, other.text)) is not None:
            return _verdict(claim, "elsewhere", other, at)
    return _verdict(claim, "missing", None, None)


def _verdict(claim: Claim, outcome: Outcome, document: Document | None, at: int | None) -> Verdict:
    found = document.document_id if document is not None else None
    return Verdict(claim.document_id, claim.quote, claim.start, claim.end, outcome, found, at)


def _is_in_its_sentence(claim: Claim, text: str) -> bool:
    """Whether the sentence stands in the text where the reply says, around the quote, and so does what is beside it."""
    beside = text[: claim.start].endswith(claim.prefix) and text[claim.end :].startswith(claim.suffix)
    end = claim.context_start + len(claim.context)
    around = claim.context_start <= claim.start and claim.end <= end
    return beside and around and text[claim.context_start : end] == claim.context


def _likeliest(claim: Claim, text: str) -> int | None:
    """Where the quote begins in the text, in whole words unless it was cut out of one; None if nowhere.

    Of several places it is the one with most of what stood around the quote, then the nearest, then the first.
    """
    around, begin = claim.prefix + claim.quote + claim.suffix, len(claim.prefix)
    cut = not _is_whole(around, begin, begin + len(claim.quote))
    places = (at for at in _places(claim.quote, text) if cut or _is_whole(text, at, at + len(claim.quote)))
    return max(places, key=lambda at: (_alike(claim, text, at), -abs(at - claim.start), -at), default=None)


def _places(quote: str, text: str) -> Iterator[int]:
    at = text.find(quote)
    while at >= 0:
        yield at
        at = text.find(quote, at + 1)


def _is_whole(text: str, start: int, end: int) -> bool:
    return not (WITHIN.match(text, start) or WITHIN.match(text, end))


def _alike(claim: Claim, text: str, at: int) -> int:
    """How many of the characters around a place are those that stood around the quote."""
    end = at + len(claim.quote)
    before = zip(reversed(claim.prefix), reversed(text[max(0, at - len(claim.prefix)) : at]), strict=False)
    after = zip(claim.suffix, text[end : end + len(claim.suffix)], strict=False)
    return sum(1 for side in (before, after) for _ in takewhile(lambda pair: pair[0] == pair[1], side))


def to_text(verdicts: Sequence[Verdict]) -> str:
    """Return the terminal form: a line for each citation, then how many there are of each kind."""
    return "".join(f"{line}\n" for line in [*map(_line, verdicts), _summary(verdicts)])


def _line(verdict: Verdict) -> str:
    now = ""
    if verdict.found_start is not None and verdict.verdict in ("moved", "elsewhere"):
        document = f"in {verdict.found_document_id}, " if verdict.verdict == "elsewhere" else "at "
        now = f", now {document}characters {verdict.found_start}–{verdict.found_start + len(verdict.quote)}"
    place = f"{verdict.document_id}, characters {verdict.start}–{verdict.end}{now}"
    return escape_terminal(f"{verdict.verdict}: {place}: {verdict.quote}")


def _summary(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "no citations"
    counts = Counter(verdict.verdict for verdict in verdicts)
    kinds = ", ".join(f"{counts[outcome]} {outcome}" for outcome in get_args(Outcome) if counts[outcome])
    return f"{len(verdicts)} {'citation' if len(verdicts) == 1 else 'citations'}: {kinds}"


def read_claims(path: Path) -> tuple[list[Claim], list[str]]:
    """Read the citations of a stored reply, or of JSON Lines of them, and a complaint naming each bad line.

    Raises ValueError that names the file if it is neither, OSError if it cannot be read.
    """
    data, name = path.read_bytes(), escape_terminal(str(path))
    try:
        reply = _parsed(data)
    except ValueError as error:
        lines = {number: line for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()}
        if not any(map(_is_object, lines.values())):
            raise ValueError(f"{name}: {error}; {EXPECTED}") from None
        return _read_lines(lines, name)
    try:
        return list(_claims(reply)), []
    except ValueError as error:
        raise ValueError(f"{name}: {error}; {EXPECTED}") from None


def _read_lines(lines: dict[int, bytes], name: str) -> tuple[list[Claim], list[str]]:
    claims, complaints = [], []
    for number, line in lines.items():
        try:
            claims += list(_claims(_parsed(line)))  # subtle: a line counts as a whole or not at all
        except ValueError as error:
            complaints.append(f"{name}:{number}: {error}; {EXPECTED}; the line was left out")
    return claims, complaints


def _is_object(line: bytes) -> bool:
    """Whether a line is a JSON object by itself, which no line of an indented reply is."""
    try:
        return isinstance(_parsed(line), dict)
    except ValueError:
        return False


def _parsed(data: bytes) -> Any:
    """Raises ValueError that says why this is not JSON."""
    if not data.strip():
        raise ValueError("empty")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    except ValueError as error:
        raise ValueError(f"not JSON ({error})") from None


def _claims(reply: Any) -> Iterator[Claim]:
    """The citations of a reply: its answers', then the near misses. Raises ValueError that says what is wrong."""
    answers = _get(_checked(reply, dict, "the reply"), "answers", list, "")
    for number, answer in enumerate(answers):
        at = f"answers[{number}]"
        citations = _get(_checked(answer, dict, at), "citations", list, f"{at}.")
        cited = [_claim(citation, f"{at}.citations[{order}]") for order, citation in enumerate(citations)]
        _check_said(answer, cited, at)
        yield from cited
    if "no_answer" not in reply or reply["no_answer"] is not None:
        near = _get(_get(reply, "no_answer", dict, ""), "near_misses", list, "no_answer.")
        yield from (_claim(citation, f"no_answer.near_misses[{order}]") for order, citation in enumerate(near))


def _check_said(answer: dict[str, Any], cited: Sequence[Claim], at: str) -> None:
    """Raises ValueError unless what an answer says is the quote of its first citation."""
    text, value = (_get(answer, key, str, f"{at}.") for key in ("text", "value"))
    if not cited:
        raise ValueError(f"{at}.citations must say where {short_repr(text)} stands, got none")
    quote, folded = cited[0].quote, fold(cited[0].quote)
    if text != quote:
        raise ValueError(
            f"{at}.text must be the quote of its first citation, {short_repr(quote)}, got {short_repr(text)}"
        )
    of_another_version = fold(value) == folded or _letters(value) == _letters(quote)  # one that folded less, or so
    if value != folded and not of_another_version:
        raise ValueError(f"{at}.value must be {short_repr(folded)}, its text folded, got {short_repr(value)}")


def _letters(text: str) -> str:
    """The letters and digits of a text alone, as every version has folded them."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[\W_]", "", re.sub(r"^(?:(?:the|an?|in|on|at|by|to|of|for|mrs?\.?|ms\.?)\s+)+", "", plain))


def _claim(citation: Any, at: str) -> Claim:
    given, inside = _checked(citation, dict, at), f"{at}."
    document_id, quote, source_sha256 = (
        _get(given, key, str, inside) for key in ("document_id", "quote", "source_sha256")
    )
    start, end = _offset(given, "start", inside), _offset(given, "end", inside)
    if start > end or not quote:
        raise ValueError(f"{at} must quote at least one character, with start before end")
    context, context_start = quote, start
    if "context" in given or "context_start" in given:
        context, context_start = _get(given, "context", str, inside), _offset(given, "context_start", inside)
    prefix, suffix = (_get(given, key, str, inside) if key in given else "" for key in ("prefix", "suffix"))
    return Claim(document_id, quote, start, end, source_sha256, context, context_start, prefix, suffix)


def _get(given: dict[str, Any], key: str, kind: type, inside: str) -> Any:
    if key not in given:
        raise ValueError(f"{inside}{key} is missing")
    return _checked(given[key], kind, f"{inside}{key}")


def _checked(value: Any, kind: type, at: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{at} must be {KINDS[kind]}, got {short_repr(value)}")
    return value


def _offset(given: dict[str, Any], key: str, inside: str) -> int:
    """A number of characters that a document can have; true and 7.0 are none."""
    value = given.get(key)
    if type(value) is not int or not 0 <= value <= MAX_BYTES:
        came = f"got {short_repr(value)}" if key in given else "it is missing"
        raise ValueError(f"{inside}{key} must be a whole number from 0 to {MAX_BYTES:,}, {came}")
    return value
