"""qa/spelling.py: slips of one letter are mended towards the documents' words; what may be meant so is left alone."""

import pytest

from qa.spelling import Speller, count_words

TEXTS = ["Ilse Brandt of the OECD said 300 fugitives were repatriated to Norrby.", "The fugitives' flats were sealed."]


@pytest.fixture(scope="module")
def speller() -> Speller:
    """Knows two texts."""
    return Speller(count_words(TEXTS))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("how many fugtives were repatraited", "how many fugitives were repatriated"),
        ("Who is Ilse Barndt?", "Who is Ilse Brandt?"),
        ("Were they sent to Norby?", "Were they sent to Norrby?"),
        ("what did the goverment say", "what did the government say"),  # not in the texts: an English word
        ("Fugtives abroad", "Fugitives abroad"),
    ],
)
def test_a_slip_is_mended(speller: Speller, typed: str, meant: str) -> None:
    assert speller.corrected(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "Who sealed the flats of the fugitives?",
        "What is a ferry's tonnage?",  # English, but not of the texts
        "Who is Xiuzhu Wandt?",  # a name that nobody knows is no slip
        "What does the OECB say?",
        "What do the OECBs say?",
        "Who is on the most-wanted list?",
        "wer is itt",
        "Что сказал Brandt? 3000 naïve",
        "",
        "????",
    ],
)
def test_what_may_be_meant_is_left_alone(speller: Speller, typed: str) -> None:
    assert speller.corrected(typed) == typed


def test_the_documents_words_come_first() -> None:
    assert Speller(count_words(["the dykes hold"])).corrected("are the dykkes high") == "are the dykes high"
    assert Speller(count_words(["recieving station"])).corrected("recieving") == "recieving"  # as the documents have it


def test_two_letters_are_mended_only_towards_one_word() -> None:
    assert Speller(count_words(["Interlaken"])).corrected("inetrlakex") == "interlaken"
    assert Speller(count_words(["Interlaken, Interlaker"])).corrected("inetrlakex") == "inetrlakex"


def test_a_first_letter_is_no_slip() -> None:
    assert Speller(count_words(["taping bakery"])).corrected("vaping cakery bakrey") == "vaping cakery bakery"


def test_correcting_twice_changes_nothing_more(speller: Speller) -> None:
    once = speller.corrected("how many fugtives were repatraited by Ilse Barndt")
    assert speller.corrected(once) == once
