"""String formats against the standard library's own readers, and against tables."""

import calendar
import datetime
import ipaddress
import json
import random
import re
import shutil
import subprocess
import uuid

import idna
import pytest

from grammars.sampling import walk
from lipogram.grammars import Grammar, compile, formats

SAMPLES = 25


def automaton_of(name, side="inside"):
    return compile(Grammar({"start": getattr(formats.find(name), side)}, "start"))


def _fits(pattern):
    return lambda text: re.fullmatch(pattern, text)[0]


# format: a reader that raises for what is not valid
READERS = {
    "date": datetime.date.fromisoformat,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uuid": lambda text: uuid.UUID(
        _fits("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")(text)
    ),
    "email": lambda text: _fits(r"(?s).+@[^@]+")(text),
    "json-pointer": _fits(r"(?s)(/([^~/]|~[01])*)*"),
}


@pytest.mark.parametrize("name", READERS)
def test_random_texts_of_a_format_can_be_read(name):
    automaton = automaton_of(name)
    chooser = random.Random(name)
    for text in [automaton.shortest(automaton.start())] + [
        walk(automaton, chooser, 40) for _ in range(SAMPLES)
    ]:
        READERS[name](text.decode())


@pytest.mark.parametrize("name", ["date", "ipv4", "ipv6"])
def test_mutated_texts_are_taken_as_the_reader_takes_them(name):
    automaton = automaton_of(name)
    chooser = random.Random(name)
    letters = {"date": "0123459-", "ipv4": "01259.", "ipv6": "0f1:."}[name]
    for _ in range(300):
        text = walk(automaton, chooser, 40).decode()
        at = chooser.randrange(len(text) + 1)
        text = text[:at] + chooser.choice(letters) + text[at + chooser.choice([0, 1, 1]) :]
        try:
            READERS[name](text)
            valid = name != "date" or re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
        except ValueError:
            valid = False
        assert automaton.accepts(text.encode()) == valid, text


def test_leap_days_are_those_of_the_calendar():
    automaton = automaton_of("date")
    state = automaton.start()
    for year in range(1, 10_000):
        text = f"{year:04}-02-29"
        assert (automaton.walk(state, text.encode()) is not None) == calendar.isleap(year), text


def test_leap_seconds_are_at_the_end_of_a_day_in_utc():
    automaton = automaton_of("time")
    chooser = random.Random(1)
    for _ in range(3_000):
        minute, offset = chooser.randrange(1440), chooser.randrange(-1439, 1440)
        if chooser.random() < 0.7:
            minute = (1439 + offset) % 1440
        sign, away = "-" if offset < 0 else "+", abs(offset)
        text = f"{minute // 60:02}:{minute % 60:02}:60{sign}{away // 60:02}:{away % 60:02}"
        assert automaton.accepts(text.encode()) == ((minute - offset) % 1440 == 1439), text


def _hostile_walk(automaton, chooser, length):
    """A member with as many characters beyond ASCII as there may be."""
    state, text = automaton.start(), bytearray()
    for _ in range(length):
        following = sorted(automaton.next_bytes(state))
        beyond = [byte for byte in following if byte >= 0x80]
        if not following:
            break
        text.append(chooser.choice(beyond if beyond and chooser.random() < 0.85 else following))
        state = automaton.step(state, text[-1])
    return (bytes(text) + automaton.shortest(state)).decode()


def test_international_host_names_are_those_of_idna():
    automaton = automaton_of("idn-hostname")
    chooser = random.Random(2)
    for length in [6, 20, 60, 150] * 100:
        idna.encode(_hostile_walk(automaton, chooser, length))


def _is_a_label(text):
    try:
        return idna.encode(idna.decode(text)).decode() == text
    except idna.IDNAError:
        return False


def test_labels_in_punycode_are_those_of_idna():
    automaton = automaton_of("hostname")
    blocks = [(0x80, 0x500), (0x590, 0x700), (0x900, 0x950), (0x2000, 0x2040), (0x3000, 0x3110),
              (0x4DF0, 0x4E10), (0x9FF0, 0xA010), (0xABF0, 0xAC10), (0xD790, 0xD7B0)]  # fmt: skip
    characters = [chr(point) for start, end in blocks for point in range(start, end)]
    chooser = random.Random(3)
    around = ["", "a", "l", "1", "all", "-", "A"]
    labels = {c + other for c in characters for other in chooser.sample(characters, 12)}
    labels |= {
        c + other for c in characters for other in characters if abs(ord(c) - ord(other)) < 3
    }
    labels |= {a + c + b for c in characters for a in around for b in around}
    accepted = 0
    for label in labels:
        text = "xn--" + label.encode("punycode").decode()
        if automaton.accepts(text.encode()):
            accepted += 1
            assert _is_a_label(text), (label, text)
            assert automaton.accepts(f"a.{text}".encode())
    assert accepted > 3_000


SCRIPTS = ["\xdf\xf6", "\u03ac\u03ce", "\u0430\u045f", "\u05d0\u05ea", "\u0620\u063f",
           "\u3041\u3096", "\u30a1\u30fa", "\u4e00\u9ffc", "\uac00\ud7a3"]  # fmt: skip


@pytest.mark.parametrize(("first", "last"), SCRIPTS)
def test_labels_in_punycode_of_two_letters_of_a_script(first, last):
    automaton = automaton_of("hostname")
    chooser = random.Random(first)
    accepted = 0
    for _ in range(500):
        label = "".join(chr(chooser.randint(ord(first), ord(last))) for _ in range(2))
        accepted += automaton.accepts(b"xn--" + label.encode("punycode"))
    assert accepted > 350


def test_random_host_names_with_labels_in_punycode_are_those_of_idna():
    automaton = automaton_of("hostname")
    chooser = random.Random(4)
    for before in ["xn--", "a1.xn--", "xn--p1ai.xn--", "xn--4db.xn--"] * 150:
        state, text = automaton.walk(automaton.start(), before.encode()), bytearray(before.encode())
        for _ in range(chooser.choice([2, 4, 8])):
            following = sorted(automaton.next_bytes(state))
            if following:
                text.append(chooser.choice(following))
                state = automaton.step(state, text[-1])
        name = (bytes(text) + automaton.shortest(state)).decode().lower()
        assert idna.encode(idna.decode(name)).decode() == name


NODE = """
const texts = JSON.parse(require("fs").readFileSync(0));
for (const text of texts) { new RegExp(text); new RegExp(text, "u"); }
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_random_regular_expressions_are_those_of_node():
    automaton = automaton_of("regex")
    chooser = random.Random(5)
    texts = []
    for before in ["", "(a)", "(a|b)*\\1", "(?<q>x)", "(?<q>x)\\k<q>", "("] * 100:
        state, text = automaton.walk(automaton.start(), before.encode()), bytearray(before.encode())
        for _ in range(chooser.choice([3, 8, 16])):
            following = sorted(automaton.next_bytes(state))
            telling = [byte for byte in following if byte in b"\\()[]{}01k<q>?*|"]
            text.append(
                chooser.choice(telling if telling and chooser.random() < 0.6 else following)
            )
            state = automaton.step(state, text[-1])
        texts.append((bytes(text) + automaton.shortest(state)).decode())
    assert sum("\\1" in text for text in texts) > 50
    subprocess.run(["node", "-e", NODE], input=json.dumps(texts), text=True, check=True)


TABLE = {
    "time": (
        [
            "00:00:00Z",
            "23:59:59.123+05:30",
            "23:59:60Z",
            "12:00:00z",
            "08:30:06.283185-00:00",
            "01:29:60+01:30",
            "15:59:60.5-08:00",
            "00:29:60-23:30",
        ],
        [
            "24:00:00Z",
            "12:00:60Z",
            "12:00Z",
            "12:00:00",
            "12:00:00.Z",
            "1:00:00Z",
            "12:00:00+24:00",
            "23:59:60+01:00",
            "23:58:60.5Z",
        ],
    ),
    "date-time": (
        [
            "1963-06-19T08:30:06.283185Z",
            "2024-02-29t23:59:59z",
            "1990-12-31T15:59:59.123-08:00",
            "1998-12-31T15:59:60.123-08:00",
            "1998-12-31T23:59:60Z",
        ],
        [
            "1963-06-19 08:30:06Z",
            "2023-02-29T00:00:00Z",
            "2020-01-01T00:00:00",
            "2020-1-01T00:00:00Z",
            "1998-12-31T23:59:60+01:00",
        ],
    ),
    "duration": (
        ["P4DT12H30M5S", "P4Y", "PT0S", "P1M", "PT1M", "PT36H", "P1Y2M3D", "P2W", "PT1H2M"],
        ["P", "PT", "P1DT", "4DT1H", "P2D1Y", "P1Y2D", "P1D2H", "P2S", "P1Y2W", "P1", "PT1H2S"],
    ),
    "hostname": (
        [
            *["a", "example.com", "a-b.c1", "1.2", "a" * 63, "xn-1"],
            *["xn--mnchen-3ya.de", "xn--strae-oqa", "xn--p1ai", "xn--fiqs8s", "xn--qxam.xn--ueb"],
            *["xn--parallel-koa", "xn--vek778f", "xn--k8j5u", "xn--qmbc", "0a.xn--p1ai"],
        ],
        [
            *[
                "",
                "-a",
                "a-",
                "a..b",
                "a.",
                "a_b",
                "a" * 64,
                ".".join(["a" * 50] * 6),
                "xn--a",
                "é",
            ],
            *["xn--al-0ea", "xn--vek", "xn--7a", "xn--example-", "xn--0ca24w", "0a.xn--qmbc"],
        ],
    ),
    "email": (
        ["a@b.c", "a.b+c@d", '"a b"@c', "a@[127.0.0.1]", "a@[IPv6:::1]"],
        ["a", "@b", "a@", ".a@b", "a.@b", "a..b@c", "a@b@c", "a b@c", "a@[256.0.0.1]", "a@b c"],
    ),
    "uri": (
        [
            "http://a.b/c?d=e#f",
            "urn:x:y",
            "mailto:a@b",
            "http://[::1]:80/",
            "tel:+1-2",
            "http://u:p@h",
        ],
        [
            "",
            "a",
            "//a/b",
            "/a",
            "http:// a",
            "http://a b",
            "1a:b",
            "http://[::1",
            "a:%zz",
            "a:é",
            "a:\\",
        ],
    ),
    "uri-reference": (
        ["", "a", "//a/b", "/a?b#c", "#f", "../x"],
        ["\\a", "a b", "%zz", "a:b:c#d#e", "1a:b"],
    ),
    "iri": (["http://é.b/ü?d=e#f"], ["é", "http://a b", "//é"]),
    "idn-hostname": (
        [
            "실례.테스트",
            "l·l",
            "α͵β",
            "א׳ב",
            "・ぁ",
            "ب٠ب",
            "۰0",
            "क्‍ष",
            "بي‌بي",
            "a。b",
            "straße.de",
        ],
        [
            "",
            "a·l",
            "α͵S",
            "׳ב",
            "・a",
            "ب٠۰",
            "क‍ष",
            "a..b",
            "aא",
            "0a.א",
            "-é",
            "é-",
            "cafe\u0301",
            "É",
            "é" * 40,
            "xn--aé",
        ],
    ),
    "idn-email": (
        ["실례@실례.테스트", '"δοκιμή"@example.com', "a@b"],
        ["a@", "@é", "a b@é", "a@-é"],
    ),
    "uri-template": (
        ["a/{b}/c", "{+x,y*}{?z:3}", "", "a'b", "a\U0001f600b"],
        ["{", "a}", "{a", "{!a}", "{a:0}"],
    ),
    "relative-json-pointer": (["0", "1/a", "0#", "10/~0"], ["/a", "01", "-1/a", "1#a", "", "+1"]),
    "regex": (
        [
            "^a.b$",
            "a*b+",
            r"\d\.",
            "[az]",
            r"([abc])+\s+$",
            "(?<name>x)",
            "(?<=a+)b",
            "[]",
            "[^]",
            r"\cA",
            "a{2,3}?|(?:b(c|d))",
            "[a-z0-9_-]{1,}",
            r"^\u00e9\b",
            r"(?<n>a)b\k<n>+",
            r"^(['`]).*\1$",
        ],
        [
            "(",
            "*",
            "a**",
            "[",
            "\\",
            "a{2,1}",
            "(?P<n>a)",
            "(?i)a",
            "(?#c)",
            r"\a",
            "[z-a]",
            "a{",
            "(?<n>a)(?<n>b)",
            "(?<=a)*",
            r"(?<n>a)\k<m>",
            r"(?:a)\1",
            r"(a)\10",
        ],
    ),
    "ipv6": (
        ["::", "::1", "1::", "a:b:c:d:e:f:1.2.3.4", "::ffff:1.2.3.4"],
        [":", "1:", "::1%eth0", "1::2::3", "12345::"],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_table(name):
    automaton = automaton_of(name)
    valid, invalid = TABLE[name]
    assert [text for text in valid if not automaton.accepts(text.encode())] == []
    assert [text for text in invalid if automaton.accepts(text.encode())] == []


@pytest.mark.parametrize("name", sorted(formats.NAMES))
def test_inside_is_within_outside(name):
    inside, outside = automaton_of(name), automaton_of(name, "outside")
    chooser = random.Random(name)
    for _ in range(8):
        assert outside.accepts(walk(inside, chooser, 30))


def test_unknown_formats_are_none():
    assert formats.find("colour") is None
