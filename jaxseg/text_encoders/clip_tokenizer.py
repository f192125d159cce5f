"""CLIP's tokens of texts: byte pairs, by the `tokenizers` library.

The merges are OpenAI's, https://github.com/openai/CLIP (clip_merges.LICENSE).
"""

import functools
import gzip
import html
from collections.abc import Sequence
from importlib import resources

import numpy as np

from jaxseg.config import ConfigError

# A word of letters, one digit, or other signs; and English endings.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_END_OF_WORD = "</w>"
_START, _END = "<start_of_text>", "<end_of_text>"


def tokenize(texts: Sequence[str], context_length: int = 77) -> np.ndarray:
    """The tokens of texts, as CLIP numbers them.

    Args:
        texts: English, capitals or not.
        context_length: the most tokens of a text, its start and end counted; what a
            longer one has more is cut off.

    Returns:
        (N, L) int32, L that of the longest text: a start, the tokens, the end, which is
        the largest number, and zeros.

    Raises:
        ConfigError: if the library is not installed.
    """
    tokenizer = _tokenizer()
    start, end = (tokenizer.token_to_id(token) for token in (_START, _END))
    cleaned = [html.unescape(html.unescape(text)).strip() for text in texts]
    found = [
        [start, *encoding.ids[: context_length - 2], end]
        for encoding in tokenizer.encode_batch(cleaned, add_special_tokens=False)
    ]
    tokens = np.zeros((len(found), max(map(len, found))), np.int32)
    for row, ids in zip(tokens, found, strict=True):
        row[: len(ids)] = ids
    return tokens


@functools.cache
def _tokenizer():
    try:
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    except ImportError as error:
        raise ConfigError(
            "model.text_encoder: names of classes become tokens by the package "
            "`tokenizers`, which is not installed: pip install 'jaxseg[text]'"
        ) from error
    merges = _merges()
    letters = list(_letters_of_bytes().values())
    words = [*letters, *(letter + _END_OF_WORD for letter in letters)]
    words += [first + second for first, second in merges]
    numbers = {word: i for i, word in enumerate([*words, _START, _END])}
    tokenizer = Tokenizer(models.BPE(numbers, merges, end_of_word_suffix=_END_OF_WORD))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _merges():
    packed = resources.files("jaxseg.text_encoders") / "clip_merges.txt.gz"
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines()
    return [tuple(line.split(" ")) for line in lines]


def _letters_of_bytes():
    """Of each byte the letter that stands for it: itself where it can be printed."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {
        byte: chr(256 + i) for i, byte in enumerate(others)
    }
