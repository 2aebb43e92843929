"""What read_folder and read_document promise: exact text, stable ids, and a reason for what is left out."""

import codecs
import gzip
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from files import CRANES, FERRY, XHTML, docx, epub, pdf

from qa import documents
from qa.datatypes import Document
from qa.documents import (
    OLD_OFFICE,
    NoDocumentsError,
    Selection,
    UnreadableDocumentError,
    find_title,
    known_of,
    read_document,
    read_folder,
)

SEEDS = Path(__file__).parent.parent / "seeds"
FRENCH = "L'été dernier, le président a été élu à la majorité. Où êtes-vous allés? Les élèves étaient là."
RUSSIAN = "Привет, как дела? Сегодня хорошая погода, и мы идём гулять в парк."


def write(folder: Path, **contents: bytes) -> Path:
    for name, content in contents.items():
        (folder / f"{name}.txt").write_bytes(content)
    return folder


def reasons(folder: Path) -> dict[str, str]:
    return {one.path: one.reason for one in read_folder(folder)[1]}


def reason_for(folder: Path, content: bytes) -> str:
    (folder / "a.txt").write_bytes(content)
    with pytest.raises(UnreadableDocumentError) as caught:
        read_document(folder / "a.txt", "a.txt")
    assert "'a.txt'" in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def test_read_folder_reads_the_five_articles() -> None:
    corpus, skipped = read_folder(SEEDS)
    assert skipped == ()
    assert [(document.document_id, document.decoded, document.title) for document in corpus.documents] == [
        (
            "000_29ff7971ea3983e8.txt",
            "utf-8",
            "Western countries have promised not to be haven for corrupt Chinese fugitives, says Beijing",
        ),
        ("001_2d62fa37292161d5.txt", "utf-8", "Anti-graft agency hunts 946 fugitives"),
        ("002_a522aefa6f486fef.txt", "utf-8", ""),
        ("003_4795dc1a3905ca09.txt", "utf-8", "Nation plans more international cooperation to chase fugitives"),
        (
            "004_c3e3b934a24fe749.txt",
            "utf-8",
            "CRI在线收听:China faces chances and challenges in global anti-corruption cooperation",
        ),
    ]


def test_read_folder_gives_text_and_hash_of_the_very_bytes() -> None:
    for document in read_folder(SEEDS)[0].documents:
        data = (SEEDS / document.document_id).read_bytes()
        assert document.text.encode() == data
        assert document.source_sha256 == sha256(data).hexdigest()


def test_read_folder_names_files_by_their_relative_path_in_order(tmp_path: Path) -> None:
    (tmp_path / "b" / "c.txt").mkdir(parents=True)  # a folder, whatever its name
    for name in ("b/c.txt/z.md", "b/a b.TXT", "c.markdown", "a.text"):
        (tmp_path / name).write_text(f"Some text in {name}.")
    corpus, skipped = read_folder(tmp_path)
    assert [document.document_id for document in corpus.documents] == [
        "a.text",
        "b/a b.TXT",
        "b/c.txt/z.md",
        "c.markdown",
    ]
    assert skipped == ()


def test_read_folder_passes_over_hidden_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in ("a.txt", ".hidden.txt", ".git/b.txt"):
        (tmp_path / name).write_text("Some text.")
    corpus, skipped = read_folder(tmp_path)
    assert [document.document_id for document in corpus.documents] == ["a.txt"]
    assert skipped == ()


def test_read_folder_says_why_a_file_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, good=b"Some text.", empty=b"", blank=b" \r\n\t", mark=codecs.BOM_UTF8, zip=gzip.compress(b"Some"))
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    (tmp_path / "page.pdf").write_text("<html>Not found</html>")
    (tmp_path / "old.docx").write_bytes(OLD_OFFICE + b"x" * 1000)
    (tmp_path / "locked.docx").write_bytes(OLD_OFFICE + b"x" * 1000 + "EncryptedPackage".encode("utf-16-le"))
    assert reasons(tmp_path) == {
        "blank.txt": "no_text",
        "empty.txt": "empty",
        "locked.docx": "encrypted",
        "mark.txt": "no_text",
        "old.docx": "unsupported",
        "page.pdf": "damaged",
        "table.xlsx": "unsupported",
        "zip.txt": "binary",
    }


def test_read_folder_passes_over_what_other_programs_left(tmp_path: Path) -> None:
    for folder in ("__MACOSX", "CVS", ".hg", "kept"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("Some text.")
    (tmp_path / "~$a.docx").write_bytes(b"lock")
    corpus, skipped = read_folder(tmp_path)
    assert [document.document_id for document in corpus.documents] == ["kept/a.txt"]
    assert skipped == ()


def test_read_folder_decides_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(pdf([[CRANES]]))
    (tmp_path / "b.pdf").write_bytes(docx([FERRY]))
    (tmp_path / "c.html").write_bytes(epub({"a.xhtml": XHTML.format(CRANES)}))
    corpus, skipped = read_folder(tmp_path)
    assert [(document.text, document.decoded.split(",")[0]) for document in corpus.documents] == [
        (CRANES, "pdf named .txt"),
        (FERRY, "docx named .pdf"),
        (CRANES, "epub named .html"),
    ]
    assert skipped == ()


def test_read_folder_goes_on_after_every_bad_file(tmp_path: Path) -> None:
    write(tmp_path, good=b"Some text.")
    for suffix in (".docx", ".eml", ".epub", ".html", ".odt", ".pdf"):
        (tmp_path / f"cut{suffix}").write_bytes(
            {".pdf": b"%PDF-1.7", ".eml": b"x", ".html": b"<"}.get(suffix, b"PK\3\4")
        )
    assert reasons(tmp_path) == {
        "cut.docx": "damaged",
        "cut.eml": "damaged",
        "cut.epub": "damaged",
        "cut.html": "no_text",
        "cut.odt": "damaged",
        "cut.pdf": "damaged",
    }


def test_read_folder_goes_on_after_half_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "run_confined", lambda *args: b'{"text": "Som')
    (write(tmp_path, good=b"Some text.") / "a.html").write_text(CRANES)
    assert reasons(tmp_path) == {"a.html": "crashed"}


def test_read_folder_reads_equal_files_once(tmp_path: Path) -> None:
    write(tmp_path, b=b"Some text.", a=b"Some text.", c=b"Other text.", d=b"Some text.")
    corpus, skipped = read_folder(tmp_path)
    assert [document.document_id for document in corpus.documents] == ["a.txt", "c.txt"]
    assert [(one.path, one.reason) for one in skipped] == [("b.txt", "duplicate"), ("d.txt", "duplicate")]
    assert all("'a.txt'" in one.detail for one in skipped)


@pytest.mark.parametrize(
    ("include", "exclude", "found"),
    [
        ((), (), "a.md a.txt x/a.txt x/y/a.md"),
        (["*.txt"], (), "a.txt x/a.txt"),
        (["x/*"], (), "x/a.txt x/y/a.md"),
        (["x"], (), "x/a.txt x/y/a.md"),
        (["x/"], ["x/y/"], "x/a.txt"),
        (["**/*.md"], (), "a.md x/y/a.md"),
        (["x/**/a.*"], (), "x/a.txt x/y/a.md"),
        (["[!x]*"], (), "a.md a.txt"),
        ((), ["*.txt", "x/y/*"], "a.md"),
        (["a.txt"], ["b.txt"], "a.txt"),
    ],
)
def test_read_folder_takes_what_the_patterns_say(
    tmp_path: Path, include: list[str], exclude: list[str], found: str
) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    for name in ("a.txt", "a.md", "x/a.txt", "x/y/a.md"):
        (tmp_path / name).write_text(name)
    corpus, skipped = read_folder(tmp_path, include=include, exclude=exclude)
    assert [document.document_id for document in corpus.documents] == found.split()
    assert skipped == ()


def test_read_folder_says_when_the_patterns_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoDocumentsError, match="0 skipped: nothing matches the patterns"):
        read_folder(write(tmp_path, a=b"Some text."), include=["*.pdf"])


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bytes that are given to a parser from now on."""
    given: list[bytes] = []
    run_confined = documents.run_confined
    monkeypatch.setattr(documents, "run_confined", lambda *args: given.append(args[2]) or run_confined(*args))
    return given


def test_read_folder_parses_nothing_that_it_knows(tmp_path: Path, parsed: list[bytes]) -> None:
    (tmp_path / "a.html").write_text(CRANES)
    (tmp_path / "b.html").write_text(FERRY)
    before = read_folder(tmp_path)[0].documents
    (tmp_path / "b.html").write_text("Some text.")
    parsed.clear()
    corpus, _ = read_folder(tmp_path, known=known_of(before, ()))
    assert parsed == [b"Some text."]
    assert corpus.documents[0] is before[0]
    older = replace(before[0], decoded="html in utf-8, lxml 1.0, rules 1")
    assert read_folder(tmp_path, known=known_of([older], ()))[0].documents[0] == before[0]
    assert sorted(parsed[1:]) == sorted([CRANES.encode(), b"Some text."])


def test_read_folder_parses_no_twin_no_moved_file_and_no_failure_again(tmp_path: Path, parsed: list[bytes]) -> None:
    for name, text in {"a.html": CRANES, "b.html": CRANES, "c.html": "<p>-</p>", "d.pdf": "%PDF-1.4 no pdf"}.items():
        (tmp_path / name).write_text(text)
    corpus, skipped = read_folder(tmp_path)
    assert len(parsed) == 4
    assert [(one.path, one.reason) for one in skipped] == [
        ("b.html", "duplicate"),
        ("c.html", "no_text"),
        ("d.pdf", "damaged"),
    ]
    parsed.clear()
    assert read_folder(tmp_path, known=known_of(corpus.documents, skipped)) == (corpus, skipped)
    (tmp_path / "a.html").unlink()
    (tmp_path / "c.html").rename(tmp_path / "c.htm")
    moved, again = read_folder(tmp_path, known=known_of(corpus.documents, skipped))
    assert moved.documents == (replace(corpus.documents[0], document_id="b.html"),)
    assert parsed == [b"<p>-</p>"]  # as .htm, it might have been read otherwise
    assert [one.path for one in again] == ["c.htm", "d.pdf"]


@pytest.mark.parametrize("reason", sorted(documents.PASSING))
def test_read_folder_tries_again_what_failed_for_a_reason_that_passes(
    reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.html").write_text(CRANES)
    (tmp_path / "b.txt").write_text("Some text.")

    def fail(*_: object) -> bytes:
        raise documents.UnreadableError(reason, "is too much")

    with monkeypatch.context() as patch:
        patch.setattr(documents, "run_confined", fail)
        corpus, skipped = read_folder(tmp_path)
    assert [(one.path, one.reason) for one in skipped] == [("a.html", reason)]
    corpus, skipped = read_folder(tmp_path, known=known_of(corpus.documents, skipped))
    assert [document.document_id for document in corpus.documents] == ["a.html", "b.txt"]


def test_read_folder_reads_so_many_files_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_FILES", 2)
    write(tmp_path, a=b"1", b=b"2", c=b"3", d=b"4")
    (tmp_path / "a.png").write_bytes(b"not counted")
    corpus, skipped = read_folder(tmp_path)
    assert [document.document_id for document in corpus.documents] == ["a.txt", "b.txt"]
    assert [(one.path, one.reason) for one in skipped] == [("a.png", "unsupported"), ("c.txt", "too_many")]
    assert skipped[1].detail.startswith("and 1 more are over the 2 files")


def test_read_folder_goes_so_deep_and_no_deeper(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 33)
    deep.mkdir(parents=True)
    (deep / "a.txt").write_text("Too deep.")
    (deep.parent / "a.txt").write_text("Deep.")
    corpus, skipped = read_folder(tmp_path)
    assert [document.text for document in corpus.documents] == ["Deep."]
    assert [(one.path, one.reason) for one in skipped] == [("/".join(["d"] * 33), "too_deep")]


def test_read_folder_opens_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(write(tmp_path, good=b"Some text.") / "pipe.txt")
    assert reasons(tmp_path) == {"pipe.txt": "not_regular"}


def test_read_folder_reads_no_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 10)
    write(tmp_path, just=b"0123456789", over=b"0123456789a")
    assert reasons(tmp_path) == {"over.txt": "too_large"}


def test_read_folder_follows_no_link_out_and_no_loop(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder, a=b"Some text.")
    write(tmp_path, outside=b"Private text.")
    (folder / "again.txt").symlink_to("a.txt")
    (folder / "gone.txt").symlink_to("nothing.txt")
    (folder / "loop").symlink_to(".")
    (folder / "ring.txt").symlink_to("ring.txt")
    (folder / "out.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "up").symlink_to("..")
    corpus, _ = read_folder(folder)
    assert [document.document_id for document in corpus.documents] == ["a.txt"]
    assert reasons(folder) == {
        "again.txt": "link",
        "gone.txt": "missing",
        "loop": "link",
        "out.txt": "symlink_outside",
        "ring.txt": "missing",
        "up": "symlink_outside",
    }


def test_read_folder_reads_a_link_to_a_hidden_file_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()  # as mounted configuration folders look
    (tmp_path / "..data" / "a.txt").write_text("Some text.")
    (tmp_path / "a.txt").symlink_to("..data/a.txt")
    assert [document.document_id for document in read_folder(tmp_path)[0].documents] == ["a.txt"]


def test_read_folder_skips_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    write(tmp_path, good=b"Some text.")
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"Some text.")
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    assert reasons(tmp_path) == {"caf\\xe9.txt": "bad_name"}


def test_read_folder_reports_what_it_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, good=b"Some text.", secret=b"Some text.")
    (tmp_path / "closed").mkdir()
    read_bytes, iterdir = Path.read_bytes, Path.iterdir  # tests may run as root, who may read everything

    def refuse(path: Path) -> None:
        if path.stem in ("secret", "closed"):
            raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", lambda path: refuse(path) or read_bytes(path))
    monkeypatch.setattr(Path, "iterdir", lambda path: refuse(path) or iterdir(path))
    assert reasons(tmp_path) == {"closed": "permission", "secret.txt": "permission"}


def test_read_folder_without_documents_says_what_it_found(tmp_path: Path) -> None:
    with pytest.raises(NoDocumentsError, match=r"has no readable \.csv, .*0 skipped: it is empty"):
        read_folder(tmp_path)
    write(tmp_path, a=b"", b=b"", c=b"\0")
    with pytest.raises(NoDocumentsError, match=r"3 skipped: 2 empty, 1 binary"):
        read_folder(tmp_path)


def test_read_folder_refuses_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NoDocumentsError, match="does not exist; name a folder"):
        read_folder(tmp_path / "nothing")
    with pytest.raises(NoDocumentsError, match="is a file; name a folder"):
        read_folder(write(tmp_path, a=b"Some text.") / "a.txt")


@pytest.mark.parametrize(
    "text", ["one\r\ntwo\rthree\nfour", "a\u2028b\x85c\vd\fe", "e\u0301 \U0001f468\u200d\U0001f469 \ufb01"]
)
def test_read_document_changes_no_character(tmp_path: Path, text: str) -> None:
    write(tmp_path, a=text.encode())
    assert read_document(tmp_path / "a.txt", "a").text == text


@pytest.mark.parametrize(
    ("data", "text", "decoded"),
    [
        (codecs.BOM_UTF8 + b"caf\xc3\xa9", "café", "utf-8-sig"),
        (codecs.BOM_UTF16_LE + "café".encode("utf-16-le"), "café", "utf-16"),
        (codecs.BOM_UTF16_BE + "café".encode("utf-16-be"), "café", "utf-16"),
        (codecs.BOM_UTF32_LE + "café".encode("utf-32-le"), "café", "utf-32"),
        (codecs.BOM_UTF32_BE + "café".encode("utf-32-be"), "café", "utf-32"),
        (FRENCH.encode("cp1252"), FRENCH, "cp1252 (detected)"),
        (RUSSIAN.encode("cp1251"), RUSSIAN, "cp1251 (detected)"),
    ],
)
def test_read_document_records_how_it_decoded(tmp_path: Path, data: bytes, text: str, decoded: str) -> None:
    document = read_document(write(tmp_path, a=data) / "a.txt", "a")
    assert (document.text, document.decoded) == (text, decoded)
    assert data.decode(document.decoded.split()[0]) == text  # anybody can do it again


@pytest.mark.parametrize(
    "data",
    [
        b"caf\xe9",  # too short to tell one codec from another
        (FRENCH + "\u20ac").encode() + b"\xff",  # UTF-8 with one damaged byte
        codecs.BOM_UTF16_LE + b"a\0\0\xd8",  # half of a surrogate pair
        b"caf\xed\xa0\x80",  # a surrogate in UTF-8
    ],
)
def test_read_document_guesses_no_character(tmp_path: Path, data: bytes) -> None:
    assert reason_for(tmp_path, data) == "undecodable"


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"Some text with a NUL\0 in it.",
        b"{\\rtf1 Some text.}",
        "UTF-16 without a mark".encode("utf-16-le"),
        b"\x01\x02\x03\x04abcdefgh",
    ],
)
def test_read_document_refuses_binary_files(tmp_path: Path, data: bytes) -> None:
    assert reason_for(tmp_path, data) == "binary"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".md"])
def test_read_document_reads_tables_of_text_as_the_text_they_are(tmp_path: Path, suffix: str) -> None:
    text = 'name,note\r\nAna,"says ""hello"", and\ngoes"\r\n'
    (tmp_path / f"a{suffix}").write_bytes(text.encode())
    assert read_document(tmp_path / f"a{suffix}", "a").text == text


def test_read_document_takes_a_title_the_file_states_or_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<title>Stated</title><h1>First</h1><p>Text.")
    (tmp_path / "b.html").write_text("<h1>First</h1><p>Text.")
    assert [read_document(tmp_path / name, name).title for name in ("a.html", "b.html")] == ["Stated", "First"]


def test_read_document_names_the_types_it_can_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocumentError, match=r"'a.doc' is not a \.csv, \.docx, .*, \.xhtml file"):
        read_document(tmp_path / "a.doc", "a.doc")


def test_read_document_shows_an_odd_name_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocumentError, match=r"^'a\\nb.txt' is gone"):
        read_document(tmp_path / "a\nb.txt", "a\nb.txt")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("A title\n\nThe text.", "A title"),
        ("\n\n  A title \nThe text.", "A title"),
        ("## Is it true? ##\nThe text.", "Is it true?"),
        ("# C#\nThe text.", "C#"),
        ("It is a sentence.\nThe text.", ""),
        ("\u201cIs it true?\u201d\nThe text.", ""),
        ("Only one line", ""),
        ("A line of a paragraph that a program\nwrapped.", ""),
        ("x" * 151 + "\nThe text.", ""),
        ("---\ntitle: A\n---\nThe text.", ""),
        ("", ""),
    ],
)
def test_find_title_takes_only_what_looks_like_one(text: str, title: str) -> None:
    assert find_title(text) == title


@pytest.mark.parametrize(
    ("selection", "held"),
    [
        (Selection(), "abcd"),
        (Selection(("reports/*",)), "ab"),
        (Selection(since="2014"), "ab"),
        (Selection(since="2014-06"), "b"),
        (Selection(until="2014"), "ac"),
        (Selection(since="2014-05-03", until="2014-05-03"), "a"),
        (Selection(("*c.txt",), until="2013"), "c"),
    ],
)
def test_selection_holds_by_pattern_and_by_the_documents_own_date(selection: Selection, held: str) -> None:
    dates = {"reports/a.txt": "2014-05-03", "reports/b.txt": "2015-01-01", "c.txt": "2013-12-31", "d.txt": None}
    documents = [Document(name, "x", "", "", "utf-8", date=date) for name, date in dates.items()]
    assert "".join(one.document_id[-5] for one in documents if selection.holds(one)) == held


@pytest.mark.parametrize("bound", ["last year", "14-05-03", "2014-13", "2014-02-32", "2014-5"])
def test_selection_refuses_what_is_no_date(bound: str) -> None:
    with pytest.raises(ValueError, match="expected a day, month or year such as"):
        Selection(until=bound)
