"""Texts become rows: the same ones for the same words, whatever their case and accents."""

import subprocess
import sys

import numpy as np
import pytest

from edge.decide.words import MAX_CHARACTERS, STYLE, rows

WIDTH = 512


def test_words_of_a_text_are_of_one_length() -> None:
    found = rows(["red shoes", "a very much longer query about red shoes", "x"], WIDTH)
    assert found.dtype == np.float32
    assert np.linalg.norm(found[:, STYLE:], axis=1) == pytest.approx(1, abs=1e-6)


def test_case_and_accents_change_no_word() -> None:
    plain, accented = rows(["cafe creme zurich", "Café CRÈME Zürich"], WIDTH)
    assert np.array_equal(plain[STYLE:], accented[STYLE:])
    composed, apart = rows(["ü", "u\u0308"], WIDTH)
    assert np.array_equal(composed[STYLE:], apart[STYLE:])


def test_order_of_words_counts_a_little() -> None:
    one, turned, other = rows(["dog house", "house dog", "blue sky"], WIDTH)[:, STYLE:]
    assert 0.8 < one @ turned < 1
    assert abs(one @ other) < 0.3


def test_style_says_how_it_is_written() -> None:
    quiet, loud = rows(["no more", "What? 12 Things You Won't Believe!"], WIDTH)[:, :STYLE]
    assert loud[0] > quiet[0]
    assert quiet[3:6].tolist() == [0, 0, 0]
    assert loud[3:6].tolist() == [0.5, 1, 1]
    assert loud[6] > quiet[6] == 0


@pytest.mark.parametrize("text", ["", " ", "?!", "\0", "\ud800", "\n\n", "日本語 検索", "🙂"])
def test_odd_texts_are_rows_of_numbers(text: str) -> None:
    assert np.isfinite(rows([text], WIDTH)).all()


def test_what_a_text_has_beyond_is_not_read() -> None:
    long = "word " * MAX_CHARACTERS
    assert np.array_equal(rows([long], WIDTH), rows([long[:MAX_CHARACTERS]], WIDTH))


def test_another_process_makes_the_same_rows() -> None:
    code = f"from edge.decide.words import rows; print(rows(['red Schuhe 42'], {WIDTH}).tobytes().hex())"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == rows(["red Schuhe 42"], WIDTH).tobytes().hex()


def test_no_text_gives_no_row() -> None:
    assert rows([], WIDTH).shape == (0, WIDTH)
