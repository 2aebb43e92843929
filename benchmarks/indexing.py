"""How fast is a folder indexed, against the encoder alone; and what does scoring only the likely passages miss?

    python benchmarks/indexing.py --data DIR

DIR holds `chroma_quotes` and its five long documents. The same texts (every passage with its title, every sentence,
each once) are embedded by sentence-transformers' own `encode`, with torch, after the index is made; then every
question's ten best passages are compared with what scoring all passages gives. Prints a Markdown table.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from outside import chroma
from sentence_transformers import SentenceTransformer

from embeddings.encoder import DEFAULT_MODEL, SentenceEncoder, model_folder
from eval.report import markdown_table
from qa import retriever as retriever_module
from qa.assistant import indexed

K = 10


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the question-answering sets")
    data = parser.parse_args().data
    encoder, torch_model = SentenceEncoder(DEFAULT_MODEL), SentenceTransformer(str(model_folder(DEFAULT_MODEL)))
    encoder.encode_query(["loads the weights"])
    torch_model.encode(["loads the weights"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "documents"
        folder.mkdir()
        asked = chroma(data, folder)
        begun = time.perf_counter()
        retriever = indexed(folder, index=Path(scratch) / "index", encoder=encoder, progress=None).retriever
        ours = time.perf_counter() - begun
    texts = list(retriever._rows_and_vectors()[0])
    begun = time.perf_counter()
    encoder.encode_document(texts)
    alone = time.perf_counter() - begun
    begun = time.perf_counter()
    torch_model.encode(texts, normalize_embeddings=True)
    theirs = time.perf_counter() - begun
    likely = [{hit.passage for hit in retriever.retrieve(one.question, k=K)} for one in asked]
    retriever_module.POOL = len(retriever.passages)
    best = [{hit.passage for hit in retriever.retrieve(one.question, k=K)} for one in asked]
    recall = np.mean([len(found & wanted) / K for found, wanted in zip(likely, best, strict=True)])
    figures = {
        "passages; texts embedded": f"{len(retriever.passages):,}; {len(texts):,}",
        "s to read, cut, embed and store": f"{ours:.1f}",
        "s for our encoder alone": f"{alone:.1f}",
        "s for sentence-transformers' encode alone": f"{theirs:.1f}",
        "speed of the whole, encode = 1": f"{theirs / ours:.2f}",
        f"recall@{K} against scoring every passage": f"{recall:.4f} (n={len(asked)})",
    }
    print("\n".join(markdown_table(("figure", "value"), list(figures.items()))))


if __name__ == "__main__":
    main()
