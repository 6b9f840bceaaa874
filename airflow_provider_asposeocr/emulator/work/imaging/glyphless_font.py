"""
A font without glyphs, for invisible text in a PDF that can be searched and copied.

Invariant: every character of a document has its own code, and the font maps each code to its character. The font is
embedded, so that no reader replaces it.
"""

from __future__ import annotations

import struct

#: Largest number of entries in one section of a ToUnicode map (PDF 32000-1, 9.10.3).
_SECTION = 100
_LAST_CODE = 0xFFFF


class GlyphlessFont:
    """Assigns codes to characters, and makes the objects that describe the font in a PDF."""

    #: Width of every character, in thousandths of the font size.
    WIDTH = 500
    ASCENT = 800
    DESCENT = -200

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encode(self, text: str) -> list[int]:
        """Return one 16-bit code per character of ``text``; 0 if all 65535 codes are in use."""
        return [self._code(character) for character in text]

    def _code(self, character: str) -> int:
        if character not in self._codes and len(self._codes) < _LAST_CODE:
            self._codes[character] = len(self._codes) + 1
        return self._codes.get(character, 0)

    def to_unicode(self) -> bytes:
        """Return the map from codes to characters (a ToUnicode CMap)."""
        entries = [
            b"<%04x> <%s>" % (code, character.encode("utf-16-be", "replace").hex().encode())
            for character, code in self._codes.items()
        ]
        sections = [entries[start : start + _SECTION] for start in range(0, len(entries), _SECTION)]
        lines = [
            b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            b"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            b"/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
            b"1 begincodespacerange <0000> <ffff> endcodespacerange",
        ]
        for section in sections:
            lines += [b"%d beginbfchar" % len(section), *section, b"endbfchar"]
        lines.append(b"endcmap CMapName currentdict /CMap defineresource pop end end")
        return b"\n".join(lines)

    def glyph_map(self) -> bytes:
        """Return the map from codes to glyphs: all to the same empty one."""
        return struct.pack(">H", 1) * (len(self._codes) + 1)

    def program(self) -> bytes:
        """Return the font itself: a TrueType file with two empty glyphs."""
        return _true_type(
            {
                b"glyf": bytes(12),  # of one glyph: no contours, no instructions
                b"head": struct.pack(
                    ">IIIIHHqqhhhhHHhhh",
                    *(0x00010000, 0x00010000, 0, 0x5F0F3CF5, 0x000B, 1000, 0, 0),
                    *(0, self.DESCENT, self.WIDTH, self.ASCENT),
                    *(0, 8, 2, 0, 0),
                ),
                b"hhea": struct.pack(
                    ">IhhhHhhhhhhhhhhhH",
                    *(0x00010000, self.ASCENT, self.DESCENT, 0, self.WIDTH, 0, 0, self.WIDTH),
                    *(1, 0, 0, 0, 0, 0, 0, 0, 1),
                ),
                b"hmtx": struct.pack(">Hhh", self.WIDTH, 0, 0),
                b"loca": struct.pack(">HHH", 0, 0, 6),
                b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x00010000, 2, *([0] * 4), 2, *([0] * 8)),
            }
        )


def _true_type(tables: dict[bytes, bytes]) -> bytes:
    """Return a TrueType file; ``tables`` are sorted by name."""
    power = len(tables).bit_length() - 1
    search_range = 16 << power
    head = struct.pack(
        ">IHHHH", 0x00010000, len(tables), search_range, power, 16 * len(tables) - search_range
    )
    offset = len(head) + 16 * len(tables)
    directory, body = b"", b""
    for name, data in tables.items():
        padded = data + bytes(-len(data) % 4)
        directory += struct.pack(">4sIII", name, _checksum(padded), offset + len(body), len(data))
        body += padded
    font = head + directory + body
    adjustment = (0xB1B0AFBA - _checksum(font)) & 0xFFFFFFFF
    at = offset + body.index(struct.pack(">I", 0x5F0F3CF5)) - 4
    return font[:at] + struct.pack(">I", adjustment) + font[at + 4 :]


def _checksum(padded: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(padded) // 4}I", padded))
    return total & 0xFFFFFFFF
