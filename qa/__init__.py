"""Ask your documents: exact quotes with their sources, or an honest "the documents don't say"."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qa.assistant import Assistant
    from qa.datatypes import Answer, Citation, Document, Passage, Reply, Span
    from qa.documents import Selection

__all__ = ["Answer", "Assistant", "Citation", "Document", "Passage", "Reply", "Selection", "Span"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import qa` and `qa --help` load no model library."""
    if name not in __all__:
        raise AttributeError(f"module 'qa' has no attribute {name!r}")
    from importlib import import_module

    home = {"Assistant": "qa.assistant", "Selection": "qa.documents"}.get(name, "qa.datatypes")
    return getattr(import_module(home), name)
