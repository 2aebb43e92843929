"""Fixtures that need no model: three documents, toys that read them, and an assistant made of both."""

import pytest
from toys import ToyEncoder, ToyReader, toy_assistant, toy_documents

from qa.assistant import Assistant
from qa.datatypes import Document

__all__ = ["ToyEncoder", "ToyReader", "toy_assistant", "toy_documents"]


@pytest.fixture
def documents() -> list[Document]:
    """ferry.txt, harbour.txt, museum.txt; one passage each."""
    return toy_documents()


@pytest.fixture
def assistant(documents: list[Document]) -> Assistant:
    """Toys over the three documents, without a calibration."""
    return toy_assistant(documents)
