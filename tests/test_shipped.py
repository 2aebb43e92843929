"""The shipped reader and encoder over the five shipped articles: what a user meets who has just installed it."""

import json
import os
import random
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from test_assistant import assert_contract, citations

from embeddings.encoder import DEFAULT_MODEL, model_folder
from qa.assistant import Assistant
from qa.cli import EXAMPLES, shipped_documents
from qa.confidence import UNCALIBRATED_THRESHOLD
from qa.datatypes import Reply
from qa.reader import Reader

pytestmark = pytest.mark.model
ROOT = Path(__file__).parent.parent
SEEDS = shipped_documents()

ASKED = [  # written for this test, in the words of the articles; not from eval/questions.jsonl
    ("How many corrupt fugitives are still at large abroad?", "946"),
    ("Who is the director of the CCDI's International Cooperation Bureau?", "Liu Jianchao"),
    ("When did China launch a massive crackdown on corruption?", "November 2012"),
    ("How many people were brought back to China from abroad in 2013?", "762"),
    ("How much cash was hidden in a corrupt official's flat?", "31 million"),
    ("Who is a political researcher with the Chinese Academy of Governance?", "Kong Xinfeng"),
    ("How many corrupt fugitives are still at large in foreign countries?", "946"),
    ("Where did APEC adopt the Beijing Declaration on Fighting Corruption?", "Beijing"),
]
EVERY = ["Who wrote Hamlet?", *(question for question, _ in ASKED), *EXAMPLES]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the index of the articles lies."""
    return tmp_path_factory.mktemp("shipped") / "index"


@pytest.fixture(scope="module")
def shipped(index: Path) -> Assistant:
    """What `qa ask` makes without any option."""
    return Assistant.from_folder(SEEDS, index=index)


def from_eval(count: int) -> list[str]:
    """Some questions of eval/questions.jsonl, always the same, without those that follow up on others."""
    lines = (ROOT / "eval" / "questions.jsonl").read_text(encoding="utf-8").split("\n")
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line]
    questions = [row["question"] for row in rows if row["kind"] != "follow_up"]
    return random.Random(0).sample(questions, count)


def assert_exact(reply: Reply, folder: Path = SEEDS) -> int:
    """Every citation slices out of its file's bytes, decoded as UTF-8; return how many there were."""
    found = citations(reply)
    for citation in found:
        data = citation.to_dict()
        source = (folder / data["document_id"]).read_bytes()
        text = source.decode("utf-8")
        assert text[data["start"] : data["end"]] == data["quote"] != ""
        assert text[data["context_start"] :].startswith(data["context"])
        assert data["context_start"] <= data["start"] < data["end"] <= data["context_start"] + len(data["context"])
        assert text[: data["start"]].endswith(data["prefix"])
        assert text[data["end"] :].startswith(data["suffix"])
        assert data["source_sha256"] == sha256(source).hexdigest()
    return len(found)


def said(reply: Reply) -> tuple[Any, ...]:
    """What a reply says, without its numbers."""
    places = [(c.document.document_id, c.span, c.sentence) for c in citations(reply)]
    return reply.status, [answer.text for answer in reply.answers], places


def test_the_calibration_is_that_of_the_shipped_reader(shipped: Assistant) -> None:
    assert shipped.calibration is not None
    assert 0 < shipped.calibration.threshold < 1


@pytest.mark.parametrize(("question", "expected"), ASKED)
def test_a_plain_question_is_answered(shipped: Assistant, question: str, expected: str) -> None:
    reply = shipped.ask(question)
    assert reply.status == "answered"
    assert expected in reply.answers[0].text
    assert_exact(reply)


@pytest.mark.parametrize("question", ["What is the boiling point of mercury?", "Who wrote Hamlet?"])
def test_a_question_about_something_else_is_refused(shipped: Assistant, question: str) -> None:
    reply = shipped.ask(question)
    assert (reply.status, reply.answers) == ("no_answer", ())


def test_no_citation_is_misquoted(shipped: Assistant) -> None:
    replies = shipped.ask_many(from_eval(30))
    assert sum(map(assert_exact, replies)) >= 30  # answers or near misses; no question is left without a place
    for reply in replies:
        assert_contract(json.loads(json.dumps(reply.to_dict(), allow_nan=False)))


def test_asking_alone_and_together_gives_the_same(shipped: Assistant) -> None:
    questions = [*EVERY, *from_eval(12)]
    for alone, together in zip(map(shipped.ask, questions), shipped.ask_many(questions), strict=True):
        assert said(alone) == said(together)
        for one, other in zip(alone.answers, together.answers, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-3)
            assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


def test_the_compiled_reader_reads_as_torch_does(shipped: Assistant) -> None:
    torch_one, same = Reader(runtime="torch"), []
    for question in [*EVERY, *from_eval(20)]:
        for passage in [hit.passage for hit in shipped.retriever.retrieve(question, k=4)]:
            (ours,), (theirs,) = (one.read(question, [passage], k=1) for one in (shipped.reader, torch_one))
            same.append(ours.span == theirs.span)
            assert abs(ours.score - theirs.score) < 1  # logits, in bfloat16: 0.51 at most measured, half under 0.05
            assert abs(ours.skim_score - theirs.skim_score) < 1
    assert len(same) >= 100
    assert sum(same) >= 0.95 * len(same)  # 129 of 132 measured in bfloat16


def test_another_reader_may_be_named_and_gives_scores_without_confidence(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertForQuestionAnswering

    place = tmp_path / "tiny"
    AutoTokenizer.from_pretrained(model_folder(DEFAULT_MODEL)).save_pretrained(place)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertForQuestionAnswering(BertConfig(vocab_size=30_522, **sizes)).save_pretrained(place)
    assistant = Assistant.from_folder(SEEDS, index=tmp_path / "index", reader=str(place))
    reply = assistant.ask(ASKED[0][0])
    assert reply.manifest.reader.startswith(str(place))
    assert (assistant.calibration, assistant.threshold) == (None, UNCALIBRATED_THRESHOLD)
    assert_exact(reply)
    assert all(answer.confidence is None for answer in reply.answers)


def test_asking_again_gives_the_same(shipped: Assistant, index: Path) -> None:
    anew = Assistant.open(index)
    for question in EVERY[:4]:
        first, second, third = shipped.ask(question), shipped.ask(question), anew.ask(question)
        assert (first.answers, first.status) == (second.answers, second.status)
        assert said(first) == said(third)


def test_asking_needs_no_network(shipped: Assistant, index: Path, tmp_path: Path) -> None:
    """With a machine that has no network at all, and nothing that tells the libraries so."""
    program = f"""
import socket, sys
def refuse(*_, **__): raise AssertionError("the network was used")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
from qa.cli import main
sys.exit(main(["ask", {ASKED[0][0]!r}, "--json", "--index", sys.argv[1]]) or
         main(["ask", {ASKED[0][0]!r}, "--docs", {str(SEEDS)!r}, "--json", "--index", sys.argv[2]]))
"""
    told_offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
    env = {name: value for name, value in os.environ.items() if name not in told_offline}
    env |= {"HF_HOME": str(tmp_path / "hub"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, index, tmp_path / "index"], env=env, capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert "the network was used" not in done.stderr
    first, rest = json.JSONDecoder().raw_decode(done.stdout)
    assert first["answers"] == json.loads(done.stdout[rest:])["answers"]
    assert (first["status"], first["manifest"]) == (shipped.ask(ASKED[0][0]).status, shipped.manifest.to_dict())


def test_an_unrelated_document_or_more_passages_change_hardly_any_reply(shipped: Assistant, tmp_path: Path) -> None:
    """At most two of a hundred questions may be answered now and not then, or the other way round."""
    folder = Path(shutil.copytree(SEEDS, tmp_path / "documents"))
    (folder / "bread.txt").write_text(
        "Baking bread at home\n\nMix 500 grams of flour with 350 millilitres of water, some salt and some yeast.\n"
        "Let the dough rest for two hours, fold it twice and bake it for 45 minutes at 230 degrees.\n"
        "A crust that sings while it cools is a good sign, says the baker Maria Lund.\n",
        encoding="utf-8",
    )
    questions = from_eval(100)
    before = shipped.ask_many(questions)
    after = Assistant.from_folder(folder, index=tmp_path / "index").ask_many(questions)
    for other in (after, shipped.ask_many(questions, k=24)):
        pairs = zip(before, other, strict=True)
        changed = [b.question for b, a in pairs if "no_answer" in {b.status, a.status} and b.status != a.status]
        assert len(changed) <= 2, changed
    for reply in after:
        assert_exact(reply, folder)


def test_the_articles_are_left_as_they_were(shipped: Assistant) -> None:
    assert {path.name for path in SEEDS.iterdir() if path.suffix == ".txt"} == {
        document.document_id for document in shipped.corpus.documents
    }
    for document in shipped.corpus.documents:
        source = (SEEDS / document.document_id).read_bytes()
        assert document.text == source.decode("utf-8")
        assert document.source_sha256 == sha256(source).hexdigest()
