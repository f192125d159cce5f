"""Unix compress: `.Z` files, in which STARE's labels and others of the 1990s come."""

from input_pipeline.errors import DataError

_CLEAR = 256


def decompress_lzw(data: bytes, source: str, limit: int) -> bytes:
    """The content of a `.Z` file (LZW of 9 to 16 bits, as compress(1) writes it).

    Args:
        data: all of the file.
        source: its name, for errors.
        limit: the most bytes that are made of it.

    Raises:
        DataError: another format, a damaged file, or more than `limit` bytes.
    """
    if len(data) < 3 or data[:2] != b"\x1f\x9d" or not 9 <= data[2] & 31 <= 16:
        raise DataError(f"{source}: no file of compress (.Z).")
    most_bits, has_clear = data[2] & 31, bool(data[2] & 128)
    out = bytearray()
    table = _first_table(has_clear)
    previous = b""
    for code in _codes(data, most_bits, has_clear, lambda: len(table)):
        if code == _CLEAR and has_clear:
            table[:] = _first_table(has_clear)
            previous = b""
            continue
        if code < len(table):
            entry = table[code]
        elif code == len(table) and previous:
            entry = previous + previous[:1]
        else:
            raise DataError(f"{source}: the .Z file is damaged.")
        out += entry
        if len(out) > limit:
            raise DataError(f"{source}: decompresses to more than {limit} bytes.")
        if previous and len(table) < 1 << most_bits:
            table.append(previous + entry[:1])
        previous = entry
    return bytes(out)


def _first_table(has_clear: bool) -> list[bytes]:
    return [bytes([i]) for i in range(256)] + [b""] * has_clear


def _codes(data, most_bits, has_clear, table_size):
    """The codes. Their width changes at whole groups of eight codes only."""
    position, bits = 3 * 8, 9
    group = position  # where the group of eight codes of this width began
    end = len(data) * 8
    while position + bits <= end:
        first = position >> 3
        word = int.from_bytes(data[first : first + 4], "little")
        code = (word >> (position & 7)) & ((1 << bits) - 1)
        position += bits
        yield code
        size = table_size()
        cleared = code == _CLEAR and has_clear
        wanted = 9 if cleared else bits
        while not cleared and wanted < most_bits and size >= 1 << wanted:
            wanted += 1
        if wanted != bits or cleared:
            length = bits * 8
            position = group + -(-(position - group) // length) * length
            group, bits = position, wanted
