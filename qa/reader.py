"""A question and passages -> scored spans, with extractive question-answering models.

The shipped reader is two: a small one skims every passage, and the large one reads those that promise most. A span has
a score from each, and what both like is likelier right than what either does.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embeddings.encoder import ModelNotFoundError, fingerprint, model_folder, reading_model
from embeddings.runtime import INPUTS, Network, Source, TorchNetwork, network, padded
from qa.chunking import sentence_around, sentences_in, whole_clusters
from qa.datatypes import Passage, ScoredSpan, Span
from qa.decode import best_spans

DEFAULT_READER = str(Path(__file__).parent / "reader_model")
SKIMMER = "skimmer"  # the folder, in a reader's, of the smaller one that skims for it
READ_WHOLE = 4  # passages that are read after skimming, at most
PROMISE = 6.0  # logits: a passage is read if its best span when skimmed is at most so far behind the best
MAX_LENGTH = 192  # word pieces of question + passage in one window, as in training
STRIDE = 48  # word pieces that neighbouring windows of a long passage share
MAX_QUESTION = 64  # word pieces; of a longer question, or a long conversation, only the end is read
MAX_ANSWER = 48  # word pieces
TOKENS_PER_BATCH = 4096
BREAKS = dict.fromkeys(map(ord, "\v\f\x1c\x1d\x1e\x1f\x85"), " ")  # the tokenizer drops them, and joins two words
Logits = NDArray[np.float32]


class Window(NamedTuple):
    """One piece of one passage as the model sees it."""

    passage: int
    encoding: Any  # tokenizers.Encoding


class Reader:
    """A span reader: any transformers checkpoint for question answering that has a fast tokenizer.

    If its folder holds another in `skimmer`, that one skims all passages, and this one reads the most promising only.
    """

    def __init__(self, name: str = DEFAULT_READER, *, runtime: Literal["compiled", "torch"] = "compiled") -> None:
        """Name the checkpoint: the shipped one, a folder, or a hub name. Its weights are loaded when first used.

        runtime: compiled for this processor (in bfloat16 where it computes in it), or the reference, torch in float32.
        Raises ModelNotFoundError.
        """
        self.folder = model_folder(name)
        if not (self.folder / "config.json").exists():
            raise ModelNotFoundError(
                f"{self.folder} holds no config.json; name the folder of a transformers checkpoint"
            )
        self.name = "quotewise-reader" if name == DEFAULT_READER else name
        self.fingerprint = fingerprint(self.folder)
        self.runtime = runtime
        skimmer = self.folder / SKIMMER
        skims = skimmer.is_dir() or name == DEFAULT_READER  # if that one has lost its own, it says so
        self._skimmer = Reader(str(skimmer), runtime=runtime) if skims else None
        self._tokenizing = threading.Lock()  # a tokenizer's truncation is set for all threads

    @cached_property
    def _network(self) -> Network:
        """The model and its tokenizer, loaded on first use."""
        if self.runtime == "torch":
            return TorchNetwork(_checkpoint(self.folder))
        return network(f"reader-{self.fingerprint}", partial(_checkpoint, self.folder), exact=False)

    def read(self, question: str, passages: Sequence[Passage], *, k: int = 3) -> list[ScoredSpan]:
        """Return up to k spans of every window of each passage that is not only skimmed, best first over all of them.

        A span's score is its start and end logit minus the same sum for "not here" in the same window, so scores
        compare across passages: 0 means as likely as no answer, higher is better. Spans are of one sentence, and in it
        of whole words and whole grapheme clusters; those of one window do not overlap.
        """
        if self._skimmer:
            skimmed = self._skimmer._offered(question, passages, k=k)
            read = _promising(skimmed)
            offered = self._offered(question, [passages[at] for at in read], k=k)
            spans = [
                replace(span, skim_score=_skim_score(span, skimmed[at]))
                for at, found in zip(read, offered, strict=True)
                for span in found
            ]
        else:
            spans = [span for found in self._offered(question, passages, k=k) for span in found]
        return sorted(spans, key=lambda span: -span.score)

    def _offered(self, question: str, passages: Sequence[Passage], *, k: int) -> list[list[ScoredSpan]]:
        """Up to k spans of every window of each passage, in the order of passages."""
        offered: list[list[ScoredSpan]] = [[] for _ in passages]
        windows = self._windows(question, passages) if passages else []
        for at, start, end in sorted(self._logits(windows), key=itemgetter(0)):  # so that ties keep one order
            number, encoding = windows[at]
            offered[number] += _spans(passages[number], encoding, start, end, k=k)
        return offered

    def _windows(self, question: str, passages: Sequence[Passage]) -> list[Window]:
        tokenizer = self._network.tokenizer
        with self._tokenizing:
            tokenizer.encode_special_tokens = True  # "</s>" in a document is four characters
            tokenizer.no_truncation()
            pieces = tokenizer.encode(question, add_special_tokens=False).offsets[-MAX_QUESTION:]
            question = question[pieces[0][0] :] if pieces else ""
            tokenizer.enable_truncation(max_length=MAX_LENGTH, stride=STRIDE, strategy="only_second")
            encodings = tokenizer.encode_batch([(question, passage.text.translate(BREAKS)) for passage in passages])
        return [
            Window(number, window)
            for number, encoding in enumerate(encodings)
            for window in (encoding, *encoding.overflowing)
        ]

    def _logits(self, windows: list[Window]) -> list[tuple[int, Logits, Logits]]:
        """Run the model over windows of like length together; (window number, start, end), arrays of (seq_len,)."""
        results = []
        order = sorted(range(len(windows)), key=lambda at: len(windows[at].encoding.ids))
        while order:
            size = max(1, TOKENS_PER_BATCH // len(windows[order[-1]].encoding.ids))
            rows, order = order[-size:], order[:-size]
            starts, ends = self._network.run(padded([windows[at].encoding for at in rows]))
            for at, start, end in zip(rows, starts, ends, strict=True):
                length = len(windows[at].encoding.ids)
                results.append((at, start[:length], end[:length]))
        return results


def _checkpoint(folder: Path) -> Source:
    """Load a question-answering checkpoint as a network that returns start and end logits, (n_rows, length) each."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    class StartsAndEnds(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arrays: Any) -> tuple[Any, Any]:
            hidden = self.model.base_model(**dict(zip(inputs, arrays, strict=True)))[0]
            head = self.model.qa_outputs  # written out as products and sums, its arithmetic stays in float32
            logits = (hidden.unsqueeze(2) * head.weight).sum(-1) + head.bias
            return logits[..., 0], logits[..., 1]

    with reading_model(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, report = AutoModelForQuestionAnswering.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if missing := report["missing_keys"]:  # transformers would fill them with random numbers, and only warn
        raise ModelNotFoundError(
            f"{folder} is no question-answering checkpoint ({', '.join(sorted(missing))} missing); "
            "name one that was trained for it"
        )
    if not tokenizer.is_fast:
        raise ValueError(f"{folder} has no fast tokenizer, so no offsets; use a checkpoint with tokenizer.json")
    tokenizer.backend_tokenizer.no_padding()
    known = getattr(model.config, "type_vocab_size", 0) > 1  # mpnet and others know no token types
    inputs = INPUTS if known else INPUTS[:2]
    return Source(StartsAndEnds(model), inputs, tokenizer.backend_tokenizer, {})


def _promising(skimmed: Iterable[Sequence[ScoredSpan]]) -> list[int]:
    """The numbers of the passages to read, the most promising first, of the spans that each offered when skimmed."""
    promises = [(max(span.score for span in found), number) for number, found in enumerate(skimmed) if found]
    best = sorted(promises, key=lambda one: (-one[0], one[1]))[:READ_WHOLE]
    return [number for promise, number in best if promise >= best[0][0] - PROMISE]


def _skim_score(span: ScoredSpan, skimmed: Sequence[ScoredSpan]) -> float:
    """The best score of what overlaps a span, of the spans its passage offered when skimmed; else the worst of them.

    What a window did not offer scored no better than the worst that it did.
    """
    return max(
        (other.score for other in skimmed if other.span.overlaps(span.span)),
        default=min(other.score for other in skimmed),
    )


def _spans(passage: Passage, encoding: Any, start: Logits, end: Logits, *, k: int) -> list[ScoredSpan]:
    is_context = np.array([sequence == 1 for sequence in encoding.sequence_ids])
    null = float(start[0] + end[0])
    words, offsets = encoding.word_ids, encoding.offsets
    begins = [sentence.start - passage.span.start for sentence in sentences_in(passage)][1:]
    sentence = np.searchsorted(begins, [offset[0] for offset in offsets], side="right")
    sentence[~is_context] = -1
    found: list[ScoredSpan] = []
    for first, last, score in best_spans(start, end, sentence, k=k, max_tokens=MAX_ANSWER):
        while sentence[first - 1] == sentence[first] and words[first - 1] == words[first]:
            first -= 1
        while last + 1 < len(words) and sentence[last + 1] == sentence[last] and words[last + 1] == words[last]:
            last += 1
        span = Span(passage.span.start + offsets[first][0], passage.span.start + offsets[last][1])
        edge = sentence_around(passage.document, Span(span.start, span.start + 1)).end
        span = Span(span.start, min(span.end, edge))  # a word of over 100 letters is one piece, and may cross it
        span = whole_clusters(passage.document, span)
        if not any(span.overlaps(better.span) for better in found):  # pieces of one word are no two places
            found.append(ScoredSpan(passage.document, span, score - null))
    return found
