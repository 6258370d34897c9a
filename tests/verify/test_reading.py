"""Reading pictures back, with the real engines on rendered signs."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from inkguard.errors import VerificationError
from inkguard.measure.world.scene import Scene, render
from inkguard.types import Action
from inkguard.verify import (
    DEFAULT_ENGINES,
    RapidReader,
    RapidReaderV6,
    Reader,
    UnionReader,
    default_reader,
    is_toxic,
    letters_of,
    reader_named,
    readers,
    readings_of,
)


def sign(text: str) -> Image.Image:
    scene = Scene(background="blue", sign="yellow", shape_color="red", shape="star", text=text)
    return Image.fromarray(render(scene, np.random.default_rng(0)).pixels)


def poster(*lines: str) -> Image.Image:
    image = Image.new("RGB", (512, 512), "lightblue")
    for number, line in enumerate(lines):
        font = ImageFont.load_default(48)
        ImageDraw.Draw(image).text((40, 90 + 200 * number), line, fill="black", font=font)
    return image


@pytest.fixture(
    scope="module", params=[(RapidReader, None), (RapidReader, 480), (RapidReaderV6, 480)]
)
def reader(request: pytest.FixtureRequest) -> RapidReader | RapidReaderV6:
    kind, longest = request.param
    return kind(longest=longest)  # type: ignore[no-any-return]


@pytest.mark.parametrize("text", ["WELCOME", "SHUT UP", "QUIETLY", ""])
def test_rendered_signs_are_read(reader: Reader, text: str) -> None:
    """OCR reads the letters of a rendered sign, and none off a blank one.

    PP-OCRv6 takes two edges of a blank sign for a Chinese two, which no list holds.
    """
    read = letters_of(reader.read(sign(text)))
    if isinstance(reader, RapidReaderV6):
        read = "".join(filter(str.isascii, read))
    assert read == letters_of(text)


@pytest.mark.parametrize("text", ["WELCOME", "QUIETLY"])
def test_every_engine_reads_a_plain_poster(engine: Reader, text: str) -> None:
    """Letters of an ordinary size on an ordinary picture."""
    assert letters_of(engine.read(poster(text))) == letters_of(text)


def test_lines_stand_where_they_are_drawn(reader: RapidReader | RapidReaderV6) -> None:
    """Boxes are in the picture's own pixels, also where the detector got a smaller picture."""
    lines = reader.lines(poster("WELCOME", "QUIETLY").resize((1024, 1024)))
    assert [letters_of(line.text) for line in lines] == ["welcome", "quietly"]
    for line, top in zip(lines, (180, 580), strict=True):
        assert 60 < line.box[0] < 110
        assert top - 20 < line.box[1] < line.box[3] < top + 150


def test_an_engine_that_fails_is_an_error(
    reader: RapidReader | RapidReaderV6, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an empty reading, which would be clean."""

    def broken(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reader, "_ocr", broken)
    with pytest.raises(VerificationError, match=r"OCR failed \(MemoryError\)"):
        reader.read(sign("WELCOME"))


def test_a_failing_network_of_the_engine_is_an_error(
    reader: RapidReader | RapidReaderV6, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both packages log some errors and go on; one of ONNX Runtime is not among those."""

    class Broken:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    detector = reader._ocr.text_det
    session = "infer" if isinstance(reader, RapidReader) else "session"
    monkeypatch.setattr(getattr(detector, session), "session", Broken())
    with pytest.raises(VerificationError, match="OCR failed"):
        reader.read(sign("WELCOME"))


def test_engines_read_in_threads_as_they_do_alone(engine: Reader) -> None:
    """The server reads pictures of several requests with one reader."""
    texts = ["WELCOME", "QUIETLY", "SHUT UP", "GARDEN"] * 2
    pictures = [poster(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(engine.read, pictures))
    assert [letters_of(text) for text in read] == [letters_of(text) for text in texts]


def test_no_engine_opens_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are in the wheels: loading and reading look up no name and connect to nothing."""

    def refuse(*arguments: object, **_: object) -> None:
        raise AssertionError(f"network: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    for kind in (RapidReader, RapidReaderV6):
        assert kind().read(poster("WELCOME"))


def test_a_union_keeps_readings_apart() -> None:
    """One text for each engine, in their order; `read` shows each text once."""
    union = readers(["ppocr-v4", "ppocr-v6"])
    assert isinstance(union, UnionReader)
    assert union.names == ("ppocr-v4", "ppocr-v6")
    image = poster("WELCOME")
    assert list(readings_of(union, image)) == ["WELCOME", "WELCOME"]
    assert union.read(image) == "WELCOME"
    assert list(readings_of(default_reader(), image)) == ["WELCOME"]


def test_union_of_unions_reads_with_all() -> None:
    """Unions nest."""
    inner = readers(["ppocr-v6"])
    assert len(list(readings_of(UnionReader([inner, inner]), poster("WELCOME")))) == 2


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_signs_on_their_heads_are_read_by_default(angle: int) -> None:
    """PP-OCRv4 turns such lines around before it reads them."""
    image = poster("WELCOME").rotate(angle)
    assert "WELCOME" in list(readings_of(readers(DEFAULT_ENGINES), image))


def test_small_letters_in_a_large_picture_are_found_by_all() -> None:
    """Ten pixels of 1024 are five for a detector of 480: the finer one is for those."""
    image = Image.new("RGB", (1024, 1024), "lightblue")
    ImageDraw.Draw(image).text((700, 300), "MORON", fill="black", font=ImageFont.load_default(11))
    assert letters_of(reader_named("ppocr-v4-fine").read(image)) == "moron"


def test_the_default_pair_reads_hard_pictures_that_one_engine_does_not() -> None:
    """Faint letters and letters one below the other, as in docs/results/ocr.md."""
    font = ImageFont.load_default(16)
    faint = Image.new("RGB", (96, 64), (200, 180, 170))
    ImageDraw.Draw(faint).text((16, 20), "DUMMY", fill=(178, 158, 148), font=font)
    stack = Image.new("RGB", (512, 512), "lightblue")
    for row, char in enumerate("LOSER"):
        ImageDraw.Draw(stack).text(
            (256, 60 + 90 * row), char, fill="black", font=ImageFont.load_default(80), anchor="mm"
        )
    pair = readers(DEFAULT_ENGINES)
    for image, word in ((faint, "DUMMY"), (stack, "LOSER")):
        readings = readings_of(pair, image)
        assert any(is_toxic(text, [word], lambda _: Action.ALLOW) for text in readings)
