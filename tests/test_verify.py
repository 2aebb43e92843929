"""qa/verify.py with real files: what has become of every quote of a stored reply, and what is no reply at all."""

import json
import re
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts, thorough
from test_assistant import CRANES, SURVEY
from test_imports import HEAVY, loaded_after
from toys import FERRY, HARBOUR, MUSEUM, document, toy_assistant, toy_documents

from qa import cli
from qa.datatypes import Corpus
from qa.documents import MAX_BYTES, read_folder
from qa.values import fold
from qa.verify import Claim, Verdict, read_cited, read_claims, to_text, verify

START = HARBOUR.index("12")
OWNS = "Who owns the harbour?"  # gets no answer, but near misses


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The three documents as files."""
    return written(tmp_path / "documents", {"ferry.txt": FERRY, "harbour.txt": HARBOUR, "museum.txt": MUSEUM})


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run `qa verify`, which must need no assistant; exit code, stdout, stderr."""

    def no_assistant(arguments: Namespace) -> None:
        pytest.fail("loads a model to compare texts")

    monkeypatch.setattr(cli, "_assistant", no_assistant)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = cli.main(["verify", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


Run = Callable[..., tuple[int, str, str]]


def written(place: Path, files: dict[str, str]) -> Path:
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        (place / name).write_bytes(text.encode("utf-8"))
    return place


def asked(question: str = CRANES, *more: Any) -> dict[str, Any]:
    """A reply as it is stored."""
    reply = toy_assistant([*toy_documents(), *more]).ask(question).to_dict()
    return json.loads(json.dumps(reply))  # type: ignore[no-any-return]


def reply_of(**changes: Any) -> dict[str, Any]:
    """The reply of 12 cranes, its one citation changed, and what it says with it; a key changed to ... is taken out."""
    reply = asked()
    citation = reply["answers"][0]["citations"][0]
    if isinstance(quote := changes.get("quote"), str):
        reply["answers"][0] |= {"text": quote, "value": fold(quote)}
    citation |= changes
    for key in [key for key, value in changes.items() if value is ...]:
        del citation[key]
    return reply


def stored(place: Path, *replies: Any) -> Path:
    path = place / "reply.json"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in replies), encoding="utf-8")
    return path


def judged(folder: Path, reply: dict[str, Any]) -> Verdict:
    """The verdict on the only citation of a reply."""
    claims, complaints = read_claims(stored(folder.parent, reply))
    (verdict,) = verify(claims, read_cited(folder, claims)[0])
    assert complaints == []
    return verdict


def outcome(verdict: Verdict) -> tuple[str, str | None, int | None]:
    return verdict.verdict, verdict.found_document_id, verdict.found_start


# the five verdicts


def test_a_quote_that_stands_where_it_stood_is_exact(folder: Path) -> None:
    assert judged(folder, asked()) == Verdict("harbour.txt", "12", START, START + 2, "exact", "harbour.txt", START)


def test_a_quote_at_its_place_in_another_version_of_the_file_is_changed(folder: Path) -> None:
    written(folder, {"harbour.txt": HARBOUR + " More was added."})
    assert outcome(judged(folder, asked())) == ("changed", "harbour.txt", START)


def test_a_file_that_decodes_to_the_same_text_from_other_bytes_is_changed(folder: Path) -> None:
    (folder / "harbour.txt").write_bytes(b"\xef\xbb\xbf" + HARBOUR.encode())
    assert outcome(judged(folder, asked())) == ("changed", "harbour.txt", START)


def test_a_quote_that_shifted_is_moved_to_where_it_is_now(folder: Path) -> None:
    written(folder, {"harbour.txt": "News. " + HARBOUR})
    assert outcome(judged(folder, asked())) == ("moved", "harbour.txt", START + 6)


def test_a_moved_quote_is_found_at_its_nearest_occurrence(folder: Path) -> None:
    written(folder, {"harbour.txt": "12" + " " * START + "12" + " " * 10 + "12"})  # 2 too far left of it, and 2 right
    assert outcome(judged(folder, asked())) == ("moved", "harbour.txt", START + 2)
    written(folder, {"harbour.txt": "." * (START - 1) + "12/12"})  # as near on either side
    assert outcome(judged(folder, asked())) == ("moved", "harbour.txt", START - 1)


def test_offsets_that_were_never_right_are_moved(folder: Path) -> None:
    assert outcome(judged(folder, reply_of(start=START + 1, end=START + 3))) == ("moved", "harbour.txt", START)
    assert outcome(judged(folder, reply_of(end=START + 3))) == ("moved", "harbour.txt", START)
    assert outcome(judged(folder, reply_of(start=MAX_BYTES, end=MAX_BYTES))) == ("moved", "harbour.txt", START)


def test_a_quote_of_a_renamed_file_is_elsewhere_in_that_file(folder: Path) -> None:
    (folder / "harbour.txt").rename(folder / "port.txt")
    written(folder, {"first.txt": "There are 12 of them."})  # earlier by name, but not what was quoted
    assert outcome(judged(folder, asked())) == ("elsewhere", "port.txt", START)


def test_a_quote_that_only_other_documents_have_is_elsewhere_in_the_first(folder: Path) -> None:
    written(folder, {"harbour.txt": "The harbour is gone.", "b.txt": "It had 12 cranes.", "c.txt": "12 cranes."})
    assert outcome(judged(folder, asked())) == ("elsewhere", "b.txt", 7)


def test_a_quote_that_no_document_has_is_missing(folder: Path) -> None:
    assert outcome(judged(folder, reply_of(quote="946", end=START + 3))) == ("missing", None, None)
    (folder / "harbour.txt").unlink()
    assert outcome(judged(folder, asked())) == ("missing", None, None)


WHOLE_WORDS = [  # the quote, the text in which it is looked for, and where it is
    ("946", "founded in 1946, hunts 720 fugitives", None),
    ("946", "1,946 fugitives, 946,000 in all, 0.946 of them, 946.5 a year, in 946AD", None),
    ("946", "Of 1,946 they caught 946.", 21),
    ("946", "a 946-year sentence", 2),
    ("ole", "Sole and oleander", None),
    ("ole", "Sole, ole's", 6),
    ("$31 million", "US$31 million, $31 millions", 2),
    ("a b a", "aa b a b a", 5),  # the first place overlaps it
]


@pytest.mark.parametrize(("quote", "text", "at"), WHOLE_WORDS, ids=lambda given: str(given)[:20])
def test_a_quote_is_looked_for_as_whole_words(folder: Path, quote: str, text: str, at: int | None) -> None:
    reply = reply_of(quote=quote, start=100, end=100 + len(quote), prefix="", suffix="")
    written(folder, {"harbour.txt": text})
    assert outcome(judged(folder, reply)) == (("missing", None, None) if at is None else ("moved", "harbour.txt", at))
    (folder / "harbour.txt").rename(folder / "port.txt")
    assert outcome(judged(folder, reply)) == (("missing", None, None) if at is None else ("elsewhere", "port.txt", at))


def test_a_quote_within_another_word_at_its_old_place_is_missing(folder: Path) -> None:
    written(folder, {"harbour.txt": HARBOUR.replace("12", "123")})
    assert outcome(judged(folder, asked())) == ("missing", None, None)


@pytest.mark.parametrize(("prefix", "suffix"), [("\u5171", "\u4eba"), ("", "\u4eba"), ("1", "")])
def test_a_quote_that_was_cut_out_of_a_word_may_be_so_again(folder: Path, prefix: str, suffix: str) -> None:
    written(folder, {"harbour.txt": f"\u4e00 {prefix}946{suffix}"})
    reply = reply_of(quote="946", start=0, end=3, prefix=prefix, suffix=suffix)
    assert outcome(judged(folder, reply)) == ("moved", "harbour.txt", 2 + len(prefix))


@pytest.mark.parametrize("near", ["It has 12 boats. ", "Some 12 cranes rust. ", "The harbour has 12 "])
def test_of_several_places_the_one_in_the_same_words_counts(folder: Path, near: str) -> None:
    filler = "." * max(0, START - near.index("12"))
    written(folder, {"harbour.txt": filler + near + HARBOUR})  # the first one is as near as can be, or at its place
    assert outcome(judged(folder, asked())) == ("moved", "harbour.txt", len(filler + near) + START)


def test_a_quote_whose_file_has_a_copy_under_an_earlier_name_is_exact(folder: Path) -> None:
    for name in ("a copy.txt", "b copy.txt"):
        (folder / name).write_bytes((folder / "harbour.txt").read_bytes())
    assert outcome(judged(folder, asked())) == ("exact", "harbour.txt", START)
    claims, _ = read_claims(stored(folder.parent, asked()))
    corpus, skipped = read_cited(folder, claims)
    assert [one.document_id for one in corpus.documents] == ["a copy.txt", "ferry.txt", "harbour.txt", "museum.txt"]
    assert [(one.path, one.reason) for one in skipped] == [("b copy.txt", "duplicate")]


def test_a_file_that_became_a_copy_of_another_one_no_longer_holds_its_quote(folder: Path) -> None:
    (folder / "cranes.txt").write_bytes((folder / "harbour.txt").read_bytes())
    written(folder, {"harbour.txt": FERRY})
    assert outcome(judged(folder, asked())) == ("elsewhere", "cranes.txt", START)


# the sentence


@pytest.mark.parametrize(
    "sentence",
    [
        {"context": "The harbour has 12 boats."},
        {"context": "The harbour has 12 cranes, they say."},
        {"context_start": 1},
        {"context": "Ilse Brandt runs the harbour.", "context_start": HARBOUR.index("Ilse")},  # real, but another one
        {"context": "The harbour", "context_start": 0},
        {"prefix": "It is not true that the harbour has "},
        {"suffix": " fewer"},
    ],
)
def test_an_exact_quote_in_a_sentence_that_is_not_its_own_is_changed(folder: Path, sentence: dict[str, Any]) -> None:
    assert outcome(judged(folder, reply_of(**sentence))) == ("changed", "harbour.txt", START)


def test_a_citation_without_a_sentence_is_judged_by_its_quote(folder: Path) -> None:
    assert judged(folder, reply_of(context=..., context_start=...)).verdict == "exact"


# names are looked up, never opened


@pytest.mark.parametrize("name", ["../secret.txt", "{folder}/../secret.txt", "./harbour.txt", "harbour.txt\0", ""])
def test_a_document_id_never_leads_out_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    secret = "the password is swordfish"
    (folder.parent / "secret.txt").write_text(secret, encoding="utf-8")
    reply = reply_of(
        document_id=name.format(folder=folder), quote="swordfish", start=16, end=25, context=..., context_start=...
    )
    reply["answers"][0]["citations"][0]["source_sha256"] = sha256(secret.encode()).hexdigest()
    claims, _ = read_claims(stored(folder.parent, reply))
    corpus, _ = read_cited(folder, claims)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("opens a file"))
    monkeypatch.setattr("builtins.open", lambda *_: pytest.fail("opens a file"))
    assert [outcome(verdict) for verdict in verify(claims, corpus)] == [("missing", None, None)]


# properties


def reread(reply: Any, folder: Path) -> list[Verdict]:
    """Store a reply and judge it against the folder, as the command does."""
    claims, complaints = read_claims(stored(folder.parent, json.dumps(reply.to_dict(), indent=2)))
    assert complaints == []
    return verify(claims, read_cited(folder, claims)[0])


def readable(text: str) -> str:
    """Without the control characters of which read_folder takes only a few."""
    return re.sub(r"[\0-\x08\x0e-\x1a\x7f]", "", text)


def occurrences(quote: str, text: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith(quote, at)]


@thorough
@given(texts(max_size=8), texts(max_size=8), texts(max_size=3), st.sampled_from([CRANES, OWNS, "Who runs the ferry?"]))
def test_a_fresh_reply_is_exact_and_one_on_a_shifted_text_is_moved(
    before: str, after: str, inserted: str, question: str
) -> None:
    with tempfile.TemporaryDirectory() as place:
        text = readable(f"{before}\n\n{HARBOUR} {after}")
        folder = written(Path(place) / "documents", {"harbour.txt": text, "ferry.txt": FERRY, "museum.txt": MUSEUM})
        documents = read_folder(folder)[0].documents
        was = next(one.text for one in documents if one.document_id == "harbour.txt")  # without a mark of its encoding
        reply = toy_assistant(documents).ask(question)
        verdicts = reread(reply, folder)
        assert {verdict.verdict for verdict in verdicts} <= {"exact"}
        assert verdicts or question != CRANES

        written(folder, {"harbour.txt": "~" * (len(text) + 1) + text})
        for verdict in reread(reply, folder):
            assert verdict.verdict == ("moved" if verdict.document_id == "harbour.txt" else "exact")

        written(folder, {"harbour.txt": "News: " + readable(inserted) + text})
        now = {one.document_id: one.text for one in read_folder(folder)[0].documents}
        for verdict in reread(reply, folder):
            if verdict.document_id == "harbour.txt":
                end = verdict.start + len(verdict.quote)
                around = was[max(0, verdict.start - 32) : end + 32]  # stands there once more, so nothing less will do
                at = [one + min(verdict.start, 32) for one in occurrences(around, now["harbour.txt"])]
                nearest = min(at, key=lambda one: (abs(one - verdict.start), one))
                expected = "changed" if verdict.start in at else "moved"
                assert outcome(verdict) == (expected, "harbour.txt", nearest)


def same_until(one: str, other: str) -> int:
    """How many characters two texts have in common from their beginnings."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@thorough
@given(
    st.lists(st.text(alphabet="ab ", max_size=7), min_size=3, max_size=3),
    st.text(alphabet="ab ", min_size=1, max_size=3),
    st.integers(0, 6),
    st.sampled_from(["0.txt", "1.txt", "2.txt", "gone.txt"]),
    st.integers(0, 2),
    st.tuples(*[st.text(alphabet="ab ", max_size=2)] * 2),
)
def test_every_verdict_is_what_a_slow_search_says(
    found: list[str], quote: str, start: int, name: str, hashed: int, around: tuple[str, str]
) -> None:
    documents = {f"{number}.txt": document(f"{number}.txt", text) for number, text in enumerate(found)}
    source = documents[f"{hashed}.txt"].source_sha256
    claim = Claim(name, quote, start, start + len(quote), source, quote, start, *around)

    def cut(before: str, after: str) -> bool:
        return any(len(pair.replace(" ", "")) == 2 for pair in (before[-1:] + quote[0], quote[-1] + after[:1]))

    places = [
        (other.document_id != name, other.source_sha256 != source, other.document_id, -alike, abs(at - start), at)
        for other in documents.values()
        for at in occurrences(quote, other.text)
        for before, after in [(other.text[:at], other.text[at + len(quote) :])]
        for alike in [same_until(before[::-1], around[0][::-1]) + same_until(after, around[1])]
        if cut(*around) or not cut(before, after)
    ]
    own = documents.get(name)
    beside = own and own.text[:start].endswith(around[0]) and own.text[start + len(quote) :].startswith(around[1])
    if own and beside and own.source_sha256 == source and start in occurrences(quote, own.text):
        expected: tuple[str, str | None, int | None] = ("exact", name, start)
    elif not places:
        expected = ("missing", None, None)
    else:
        away, _, where, _, distance, at = min(places, key=lambda place: (place[0], place[0] and place[1], *place[2:]))
        expected = ("elsewhere" if away else "moved" if distance else "changed", where, at)
    assert outcome(verify([claim], Corpus(tuple(documents.values())))[0]) == expected


# what is read


def test_every_citation_is_read_in_order(tmp_path: Path) -> None:
    both = asked(CRANES, SURVEY)
    near = asked(OWNS)
    assert [answer["text"] for answer in both["answers"]] == ["12", "15"]
    assert near["no_answer"]["near_misses"]
    claims, complaints = read_claims(stored(tmp_path, both, "", near))
    quotes = ["12", "15", *(citation["quote"] for citation in near["no_answer"]["near_misses"])]
    assert ([claim.quote for claim in claims], complaints) == (quotes, [])


def test_an_indented_reply_with_a_byte_order_mark_and_windows_lines_is_one_reply(tmp_path: Path) -> None:
    path = tmp_path / "reply.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(asked(), indent=2).replace("\n", "\r\n").encode())
    assert [claim.quote for claim in read_claims(path)[0]] == ["12"]


WHOLE = [  # what a file holds, and what is said of it
    ("", "empty"),
    (" \n\n", "empty"),
    ("{", "not JSON (Expecting property name"),
    ("nonsense\nand more", "not JSON (Expecting value"),
    (json.dumps({"answers": []}, indent=2)[:-2], "not JSON"),
    ("[" * 100_000, "nested too deep"),
    ('{"answers": ' + "1" * 5000 + "}", "not JSON"),
    (b'{"answers": [], "no_answer": "\xff"}', "not UTF-8 at byte 30"),
    (json.dumps({"answers": [], "no_answer": None}).encode("utf-16"), "not UTF-8 at byte 0"),
    ("[]", "the reply must be an object, got []"),
    ("true", "the reply must be an object, got True"),
    ("{}", "answers is missing"),
    ('{"answers": []}', "no_answer is missing"),
    ('{"answers": null, "no_answer": null}', "answers must be a list, got None"),
    ('{"answers": [7], "no_answer": null}', "answers[0] must be an object, got 7"),
    ('{"answers": [{}], "no_answer": null}', "answers[0].citations is missing"),
    ('{"answers": [{"citations": {}}], "no_answer": null}', "answers[0].citations must be a list"),
    ('{"answers": [{"citations": [null]}], "no_answer": null}', "answers[0].citations[0] must be an object"),
    ('{"answers": [], "no_answer": []}', "no_answer must be an object, got []"),
    ('{"answers": [], "no_answer": false}', "no_answer must be an object, got False"),
    ('{"answers": [], "no_answer": {}}', "no_answer.near_misses is missing"),
    ('{"answers": [], "no_answer": {"near_misses": [[]]}}', "no_answer.near_misses[0] must be an object"),
    ('{"id": 1, "reply": []}', "answers is missing"),  # as --batch --format writes
]
OFFSET = f"must be a whole number from 0 to {MAX_BYTES:,}, "
CITATIONS = [  # how the citation is changed, and what is said of it
    ({"document_id": ...}, "document_id is missing"),
    ({"document_id": None}, "document_id must be text, got None"),
    ({"document_id": ["a"]}, "document_id must be text, got ['a']"),
    ({"quote": ...}, "quote is missing"),
    ({"quote": 12}, "quote must be text, got 12"),
    ({"quote": "", "end": START}, "must quote at least one character"),
    ({"source_sha256": ...}, "source_sha256 is missing"),
    ({"source_sha256": 0}, "source_sha256 must be text, got 0"),
    ({"start": ...}, f"start {OFFSET}it is missing"),
    ({"start": True}, f"start {OFFSET}got True"),
    ({"start": -1}, f"start {OFFSET}got -1"),
    ({"start": float(START)}, f"start {OFFSET}got {START}.0"),
    ({"start": str(START)}, f"start {OFFSET}got '{START}'"),
    ({"start": None}, f"start {OFFSET}got None"),
    ({"end": MAX_BYTES + 1}, f"end {OFFSET}got 50000001"),
    ({"end": 10**4000}, f"end {OFFSET}got 1000"),
    ({"end": float("inf")}, f"end {OFFSET}got inf"),
    ({"end": START - 1}, "with start before end"),
    ({"context": ...}, "context is missing"),
    ({"context": None}, "context must be text, got None"),
    ({"context_start": ...}, f"context_start {OFFSET}it is missing"),
    ({"context_start": False}, f"context_start {OFFSET}got False"),
    ({"prefix": None}, "prefix must be text, got None"),
    ({"suffix": 7}, "suffix must be text, got 7"),
    ({"quote": ["\x1b[2J\n" * 1000]}, r"quote must be text, got ['\x1b[2J\n"),
]


@pytest.mark.parametrize(("data", "said"), WHOLE, ids=lambda data: str(data)[:40])
def test_a_file_that_is_no_reply_is_one_line_that_names_it(
    run: Run, folder: Path, tmp_path: Path, data: str | bytes, said: str
) -> None:
    path = tmp_path / "reply.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    code, out, err = run(path, "--docs", folder)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"qa: {path}: {said}")
    assert "expected a reply as `qa ask --json` prints it" in err


@pytest.mark.parametrize(("changes", "said"), CITATIONS, ids=lambda changes: str(changes)[:40])
def test_a_bad_citation_is_one_line_that_says_which(
    run: Run, folder: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    path = stored(tmp_path, reply_of(**changes))
    code, out, err = run(path, "--docs", folder)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"qa: {path}: answers[0].citations[0]")
    assert said in err
    assert len(err) < 600
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b"[" * 100_000, "nested too deep"),
        (b"{}", "answers is missing"),
        (json.dumps(reply_of(start=-1)).encode(), "answers[0].citations[0].start must be"),
    ],
    ids=lambda line: str(line)[:40],
)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_bad_line_is_named_and_the_others_are_judged(
    run: Run, folder: Path, tmp_path: Path, line: bytes, said: str, at: int
) -> None:
    rows = [
        json.dumps({"id": 1, **asked()}).encode(),
        b"",
        json.dumps({"id": 2, **asked("Who runs the ferry?")}).encode(),
    ]
    rows.insert(at, line)
    path = tmp_path / "replies.jsonl"
    path.write_bytes(b"\n".join(rows) + b"\n")
    code, out, err = run(path, "--docs", folder)
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith(f"qa: {path}:{at + 1}: {said}")
    assert err.endswith("; the line was left out\n")
    assert out.splitlines()[-1] == "2 citations: 2 exact"


def test_missing_files_and_folders_are_named(run: Run, folder: Path, tmp_path: Path) -> None:
    for arguments in (
        [tmp_path / "nowhere.json"],
        [folder],
        [stored(tmp_path, asked()), "--docs", tmp_path / "nowhere"],
    ):
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert str(arguments[-1]) in err


SAYS = [  # how the answer is changed, and what is said of it
    ({"text": "9,460"}, "answers[0].text must be the quote of its first citation, '12', got '9,460'"),
    ({"text": "12 cranes", "value": "12 cranes"}, "answers[0].text must be the quote"),
    ({"text": "1"}, "answers[0].text must be the quote"),
    ({"text": ""}, "answers[0].text must be the quote"),
    ({"text": None}, "answers[0].text must be text, got None"),
    ({"text": "\x1b[2J" * 1000}, r"got '\x1b[2J"),
    ({"value": "120"}, "answers[0].value must be '12', its text folded, got '120'"),
    ({"value": ""}, "answers[0].value must be '12'"),
    ({"value": 12}, "answers[0].value must be text, got 12"),
    ({"citations": []}, "answers[0].citations must say where '12' stands, got none"),
]


@pytest.mark.parametrize(("changes", "said"), SAYS, ids=lambda changes: str(changes)[:40])
@pytest.mark.parametrize("lines", [1, 2])
def test_an_answer_that_says_other_than_it_quotes_does_not_verify(
    run: Run, folder: Path, tmp_path: Path, changes: dict[str, Any], said: str, lines: int
) -> None:
    reply = asked()
    reply["answers"][0] |= changes
    code, out, err = run(stored(tmp_path, *[asked("Who runs the ferry?"), reply][-lines:]), "--docs", folder)
    assert (code, err.count("\n")) == (1, 1)
    assert out.splitlines()[-1:] == ["1 citation: 1 exact"] * (lines - 1)
    assert said in err
    assert len(err) < 600
    assert "\x1b" not in err


@pytest.mark.parametrize("key", ["text", "value"])
def test_an_answer_that_says_nothing_is_no_answer(tmp_path: Path, key: str) -> None:
    reply = asked()
    del reply["answers"][0][key]
    with pytest.raises(ValueError, match=rf"answers\[0\]\.{key} is missing"):
        read_claims(stored(tmp_path, reply))


@pytest.mark.parametrize("quote", ["The U.S.,", "1,2,345", "\u201cNa\u00efve\u201d", "!?"])
def test_a_value_may_be_folded_less(tmp_path: Path, quote: str) -> None:
    reply = reply_of(quote=quote, end=START + len(quote))
    for value in (fold(quote), quote):
        reply["answers"][0]["value"] = value
        assert [claim.quote for claim in read_claims(stored(tmp_path, reply))[0]] == [quote]


# what is printed


def test_text_has_a_line_for_each_citation_and_a_summary(run: Run, folder: Path, tmp_path: Path) -> None:
    cranes, ferry = asked(), asked("Who runs the ferry?")
    (folder / "ferry.txt").rename(folder / "boat.txt")
    written(folder, {"harbour.txt": "News. " + HARBOUR})
    path = stored(tmp_path, cranes, ferry, asked("When was the museum opened?"), reply_of(quote="946"))
    code, out, err = run(path, "--docs", folder)
    jon, year = FERRY.index("Jon"), MUSEUM.index("1931")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        f"moved: harbour.txt, characters {START}–{START + 2}, now at characters {START + 6}–{START + 8}: 12",
        f"elsewhere: ferry.txt, characters {jon}–{jon + 7}, now in boat.txt, characters {jon}–{jon + 7}: Jon Aas",
        f"exact: museum.txt, characters {year}–{year + 4}: 1931",
        f"missing: harbour.txt, characters {START}–{START + 2}: 946",
        "4 citations: 1 exact, 1 moved, 1 elsewhere, 1 missing",
    ]


def test_all_exact_exits_0_and_json_is_the_list_of_verdicts(run: Run, folder: Path, tmp_path: Path) -> None:
    path = stored(tmp_path, json.dumps(asked(), indent=2))
    assert run(path, "--docs", folder)[::2] == (0, "")
    code, out, err = run(path, "--docs", folder, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == [
        {
            "document_id": "harbour.txt",
            "quote": "12",
            "start": START,
            "end": START + 2,
            "verdict": "exact",
            "found_document_id": "harbour.txt",
            "found_start": START,
        }
    ]


@pytest.mark.parametrize("damage", ["changed", "moved", "elsewhere", "missing"])
def test_anything_but_exact_exits_1(run: Run, folder: Path, tmp_path: Path, damage: str) -> None:
    text = {"changed": HARBOUR + "!", "moved": " " + HARBOUR, "elsewhere": "No.", "missing": "No."}[damage]
    written(folder, {"harbour.txt": text, "else.txt": "12" if damage == "elsewhere" else "No."})
    code, out, _ = run(stored(tmp_path, asked(), asked("Who runs the ferry?")), "--docs", folder)
    assert (code, out.splitlines()[-1]) == (1, f"2 citations: 1 exact, 1 {damage}")


def test_a_reply_without_citations_exits_0(run: Run, folder: Path, tmp_path: Path) -> None:
    path = stored(tmp_path, asked("?!"))
    assert run(path, "--docs", folder) == (0, "no citations\n", "")
    assert run(path, "--docs", folder, "--json") == (0, "[]\n", "")


def test_a_hostile_reply_prints_one_harmless_line(run: Run, folder: Path, tmp_path: Path) -> None:
    hostile = "\x1b[2J\n\u202e\u2028\ud800exact: "
    path = stored(tmp_path, reply_of(document_id=hostile, quote=hostile))
    code, out, _ = run(path, "--docs", folder)
    assert code == 1
    assert len(out.splitlines()) == 2
    assert out.startswith("missing: ")
    assert not re.search("[\x1b\u202e\u2028]", out)
    assert json.loads(run(path, "--docs", folder, "--json")[1])[0]["quote"] == hostile


def test_files_that_were_left_out_are_named(run: Run, folder: Path, tmp_path: Path, caplog: Any) -> None:
    (folder / "harbour.txt").write_bytes(b"\0")
    code, out, _ = run(stored(tmp_path, asked()), "--docs", folder)
    assert (code, out.splitlines()[-1]) == (1, "1 citation: 1 missing")
    assert "skipped harbour.txt (binary)" in caplog.text


def test_one_citation_is_not_called_citations() -> None:
    verdict = Verdict("a.txt", "b\nc", 0, 3, "changed", "a.txt", 0)
    assert to_text([verdict]) == "changed: a.txt, characters 0–3: b c\n1 citation: 1 changed\n"
    assert to_text([verdict, replace(verdict, verdict="exact")]).endswith("2 citations: 1 exact, 1 changed\n")


# what is loaded


def test_verify_loads_no_model_library_and_no_index(folder: Path, tmp_path: Path) -> None:
    arguments = ["verify", str(stored(tmp_path, asked())), "--docs", str(folder)]
    loaded = loaded_after(f"from qa.cli import main; assert main({arguments!r}) == 0")
    assert {"qa", "hashlib"} <= loaded
    assert not loaded & {*HEAVY, "numpy", "openvino", "tokenizers", "spellchecker", "embeddings"}


def test_python_m_qa_verify_reads_the_shipped_documents(tmp_path: Path) -> None:
    shipped = read_folder(cli.shipped_documents())[0].documents[0]
    start = len(shipped.text) // 2
    citation = {
        "document_id": shipped.document_id,
        "quote": shipped.text[start : start + 20],
        "start": start,
        "end": start + 20,
        "source_sha256": shipped.source_sha256,
    }
    answer = {"text": citation["quote"], "value": fold(shipped.text[start : start + 20]), "citations": [citation]}
    path = stored(tmp_path, {"answers": [answer], "no_answer": None})
    done = subprocess.run([sys.executable, "-m", "qa", "verify", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("1 citation: 1 exact\n")
