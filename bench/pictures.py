"""Labelled contact sheets as grey PNG files, from numpy and zlib alone."""

import struct
import zlib

import numpy as np

# Five rows of dots, each a digit in base 36 whose most significant bit is on the left.
GLYPHS = {
    "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644", "G": "34553", "H": "55755",
    "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "HRLHH", "N": "9DB99", "O": "25552", "P": "65644",
    "Q": "25563", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "HHLRH", "X": "55255",
    "Y": "55222", "Z": "71247", "0": "75557", "1": "26227", "2": "61247", "3": "61216", "4": "55711", "5": "74616",
    "6": "34652", "7": "71244", "8": "25252", "9": "25316", ".": "00002", "-": "00700", "+": "02720", " ": "00000",
}  # fmt: skip
WHITE, BLACK = 255, 0


def write_png(path, image):
    """uint8 image, first axis downwards."""
    height, width = image.shape
    # Filter 2 (difference to the row above): enlarged voxels repeat their rows.
    rows = np.diff(image.astype(np.int16), axis=0, prepend=0).astype(np.uint8)
    lines = np.concatenate([np.full((height, 1), 2, np.uint8), rows], axis=1)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def lettering(text, scale):
    """Black on white, 5 dots high, each dot `scale` pixels wide and high."""
    columns = []
    for letter in text.upper():
        rows = [int(digit, 36) for digit in GLYPHS[letter]]
        width = max(3, max(rows).bit_length())
        dots = [[row >> bit & 1 for bit in reversed(range(width))] for row in rows]
        columns += [np.array(dots), np.zeros((5, 1), int)]
    dots = np.concatenate(columns, axis=1).astype(bool)
    return np.where(np.kron(dots, np.ones((scale, scale), bool)), BLACK, WHITE).astype(np.uint8)


def grey(values, low, high):
    """[low, high] to 0..255."""
    return np.clip(np.rint((values - low) * (255 / (high - low))), 0, 255).astype(np.uint8)


def contact_sheet(panels, columns, side, dot=3, gap=8):
    """`panels` is a list of (label, uint8 image). Each image is enlarged by whole voxels to about `side` pixels."""
    tiles = []
    for label, image in panels:
        zoom = max(1, round(side / max(image.shape)))
        picture = np.kron(image, np.ones((zoom, zoom), np.uint8))
        text = lettering(label, dot)
        tile = np.full((7 * dot + picture.shape[0], max(text.shape[1], picture.shape[1])), WHITE, np.uint8)
        tile[: text.shape[0], : text.shape[1]] = text
        tile[7 * dot :, : picture.shape[1]] = picture
        tiles.append(tile)
    height = max(tile.shape[0] for tile in tiles) + gap
    width = max(tile.shape[1] for tile in tiles) + gap
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * height + gap, columns * width + gap), WHITE, np.uint8)
    for number, tile in enumerate(tiles):
        y, x = gap + number // columns * height, gap + number % columns * width
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet
