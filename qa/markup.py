"""An element tree of a web page, a Word or an OpenDocument text -> the text that a reader of it sees, in order.

Paragraphs and rows of tables are parted by a blank line, the cells of a row by a tab. What the format says is not text
of the document (scripts, styles, navigation, forms' controls, deleted words, comments) is left out. Parses no bytes.
"""

import re
from dataclasses import dataclass, field

from lxml import etree

GAPS = ("", " ", "\t", "\n", "\n\n")  # what may part two characters: of several, the widest counts
BLANKS = re.compile(r"[ \t\n\r\f]+")


@dataclass(frozen=True)
class Markup:
    """What the elements of a format mean, by their names without namespace."""

    blocks: frozenset[str]
    cells: frozenset[str]
    dropped: frozenset[str]
    marks: dict[str, str] = field(default_factory=dict)  # elements that stand for a character
    notes: frozenset[str] = frozenset()  # go to the end, for they would cut a sentence in two
    verbatim: frozenset[str] = frozenset()  # blanks in these are kept
    only: frozenset[str] | None = None  # text stands in these alone; None: everywhere


HTML = Markup(
    blocks=frozenset(
        "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption "
        "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu ol p pre search section summary "
        "table tbody tfoot thead tr ul".split()
    ),
    cells=frozenset({"td", "th"}),
    dropped=frozenset(
        "audio button canvas datalist head iframe nav noscript object script select style svg template textarea "
        "video".split()
    ),
    marks={"br": "\n"},
    verbatim=frozenset({"pre"}),
)
WORD = Markup(
    blocks=frozenset({"p", "tr", "tbl"}),
    cells=frozenset({"tc"}),
    dropped=frozenset({"Fallback", "del", "moveFrom", "pPr", "rPr", "sectPr", "tblPr"}),
    marks={"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011"},
    verbatim=frozenset({"t"}),
    only=frozenset({"t"}),
)
OPEN_DOCUMENT = Markup(
    blocks=frozenset({"p", "h", "list-item", "table", "table-row"}),
    cells=frozenset({"table-cell"}),
    dropped=frozenset(
        {"annotation", "covered-table-cell", "desc", "note-citation", "sequence-decls", "tracked-changes"}
    ),
    marks={"s": " ", "tab": "\t", "line-break": "\n"},
    notes=frozenset({"note-body"}),
)


class Flow:
    """Characters in order; of the gaps between two of them only the widest is kept, and none at either end."""

    def __init__(self, markup: Markup) -> None:
        self.markup = markup
        self.pieces: list[str] = []
        self.gap = ""
        self.cells: list[int] = []  # where the open ones begin
        self.verbatim = 0  # open elements that keep their blanks

    @property
    def text(self) -> str:
        """All characters so far."""
        return "".join(self.pieces)

    def read(self, root: etree._Element) -> None:
        """Add the text of an element tree, as a paragraph of its own; without recursion, for trees can be deep."""
        left_out, notes, markup = None, [], self.markup
        apart = markup.dropped | markup.notes
        walk = etree.iterwalk(root, events=("start", "end"))
        self.separate("\n\n")
        for event, element in walk:
            name = str(element.tag).rpartition("}")[2]
            if event == "end":
                if element is not left_out:
                    self.close(name)
                text = element.tail if markup.only is None and element is not root else None
            elif name in apart or "hidden" in element.attrib:
                notes += [element] if name in markup.notes and element is not root else []
                left_out = element
                walk.skip_subtree()
                continue
            else:
                self.open(name)
                text = element.text if markup.only is None or name in markup.only else None
            self.add(text or "")
        self.separate("\n\n")
        for note in notes:
            for part in note:
                self.read(part)

    def open(self, name: str) -> None:
        """Begin an element."""
        self.verbatim += name in self.markup.verbatim
        mark = self.markup.marks.get(name, "")
        if name in self.markup.cells:
            self.cells.append(len(self.pieces))
        elif name in self.markup.blocks:
            if len(self.pieces) not in self.cells[-1:]:  # the first paragraph of a cell begins where the cell does
                self.separate("\n\n")
        elif mark.isspace():
            self.separate("\n\n" if mark == self.gap == "\n" else mark)  # two line breaks: how many write paragraphs
        else:
            self.put(mark)

    def close(self, name: str) -> None:
        """End an element. A cell of one paragraph is followed by a tab, one of several by a blank line."""
        self.verbatim -= name in self.markup.verbatim
        if name in self.markup.blocks:
            self.separate("\n\n")
        elif name in self.markup.cells and (inside := self.pieces[self.cells.pop() :]):
            self.gap = "\n\n" if "\n\n" in inside[1:] else "\t"

    def add(self, text: str) -> None:
        """Add text; blanks in it only separate words, unless they are to be kept. A no-break space is no blank."""
        for number, word in enumerate([text] if self.verbatim else BLANKS.split(text)):
            if number:
                self.separate(" ")
            self.put(word)

    def put(self, characters: str) -> None:
        """Add characters as they are."""
        if characters:
            self.pieces += [self.gap, characters] if self.pieces else [characters]
            self.gap = ""

    def separate(self, gap: str) -> None:
        """Part what comes from what is there, by this at least."""
        self.gap = max(self.gap, gap, key=GAPS.index)


def flatten(markup: Markup, *roots: etree._Element) -> str:
    """Return the text of the trees, one after the other."""
    flow = Flow(markup)
    for root in roots:
        flow.read(root)
    return flow.text
