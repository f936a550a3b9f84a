"""The string formats of JSON Schema as regular expressions over text.

Every format has an inside, a set that holds valid texts only, and an outside, a set that holds all
valid texts. They are the same where the format is regular and exactly known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase

from lipogram.grammars import hostnames, ir
from lipogram.grammars.regex import expression

_YEAR = r"(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_LEAP = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAYS = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE = rf"(?:{_YEAR}-{_DAYS}|{_LEAP}-02-29)"
_DATE_OUTSIDE = rf"(?:[0-9]{{4}}-{_DAYS}|(?:{_LEAP}|0000)-02-29)"
_HOUR = r"(?:[01][0-9]|2[0-3])"
_OFFSET = rf"(?:[Zz]|[+-]{_HOUR}:[0-5][0-9])"
_ORDINARY_TIME = rf"{_HOUR}:[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?{_OFFSET}"
_DURATION_TIME = r"T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DURATION = (
    r"P(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
    rf"(?:{_DURATION_TIME})?|{_DURATION_TIME})"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}(?:\.{_OCTET}){{3}})"
_GROUP = r"[0-9A-Fa-f]{1,4}"
_LAST = rf"(?:{_GROUP}:{_GROUP}|{_IPV4})"
_IPV6 = (
    "(?:"
    rf"(?:{_GROUP}:){{6}}{_LAST}"
    rf"|::(?:{_GROUP}:){{5}}{_LAST}"
    rf"|(?:{_GROUP})?::(?:{_GROUP}:){{4}}{_LAST}"
    rf"|(?:(?:{_GROUP}:){{0,1}}{_GROUP})?::(?:{_GROUP}:){{3}}{_LAST}"
    rf"|(?:(?:{_GROUP}:){{0,2}}{_GROUP})?::(?:{_GROUP}:){{2}}{_LAST}"
    rf"|(?:(?:{_GROUP}:){{0,3}}{_GROUP})?::{_GROUP}:{_LAST}"
    rf"|(?:(?:{_GROUP}:){{0,4}}{_GROUP})?::{_LAST}"
    rf"|(?:(?:{_GROUP}:){{0,5}}{_GROUP})?::{_GROUP}"
    rf"|(?:(?:{_GROUP}:){{0,6}}{_GROUP})?::"
    ")"
)
_HOSTNAME = hostnames.PLAIN
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_EMAIL = (
    rf"(?:{_ATEXT}+(?:\.{_ATEXT}+)*|{_QUOTED})"
    rf"@(?:{_HOSTNAME}|\[{_IPV4}\]|\[IPv6:{_IPV6}\])"
)
# What RFC 6531 adds: any character beyond ASCII in the local part, letters in the domain.
_BEYOND = r"[\u{80}-\u{10FFFF}]"
_LETTER = r"[\p{L}\p{N}]"
_IDN_LOCAL = (
    rf"(?:(?:{_ATEXT}|{_BEYOND})+(?:\.(?:{_ATEXT}|{_BEYOND})+)*"
    rf'|"(?:[ !#-\[\]-~]|{_BEYOND}|\\[ -~])*")'
)
_IDN_DOMAIN = rf"{_LETTER}(?:[\p{{L}}\p{{N}}\p{{M}}-]*[\p{{L}}\p{{N}}\p{{M}}])?"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_JSON_POINTER = r"(?:/(?:[^/~]|~[01])*)*"
_RELATIVE_POINTER = rf"(?:0|[1-9][0-9]*)(?:#|{_JSON_POINTER})"


def _regular_expressions() -> ir.Expression:
    """Patterns of ECMA-262, read in Unicode mode or not, with groups nested twice at most."""
    escape = r"\\(?:[\^$.|?*+()[\]{}/dDwWsStnvfr]|c[A-Za-z]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})"
    item = rf"(?:[^\\\]\[^-]|a-z|A-Z|a-f|A-F|0-9|{escape})"
    kinds = rf"\[\^?{item}*-?\]"
    atom = rf"(?:[^\\^$.|?*+()[\]{{}}/]|\.|{escape}|{kinds})"
    no_digit = rf"(?:[^\\^$.|?*+()[\]{{}}/0-9]|\.|{escape}|{kinds})"
    bounds = "|".join(f"{low},(?:[{low}-9]|[1-9][0-9])" for low in range(10))
    counted = rf"(?:[*+?]|\{{(?:[0-9]{{1,3}},?|{bounds})\}})\??"
    edge = r"(?:\^|\$|\\[bB])"
    pattern = rf"(?:{atom}(?:{counted})?|{edge})*"
    for _ in range(2):
        inner = rf"{pattern}(?:\|{pattern})*"
        group = rf"\((?:\?:)?{inner}\)(?:{counted})?|\(\?<?[=!]{inner}\)"
        pattern = rf"(?:{atom}(?:{counted})?|{edge}|{group})*"
    once = _pattern(rf"{pattern}(?:\|{pattern})*")
    body = _pattern(rf"{inner}\)(?:{counted})?")
    name = _pattern(r"\(\?<[A-Za-z_$][A-Za-z0-9_$]*>")
    count = _pattern(f"(?:{counted})?")
    after_number = _pattern(rf"{counted}|(?:{no_digit}(?:{counted})?|{edge}|\|)")
    # Which names agree is not regular, but for few of them, nor what the last group's number is.
    referred = [
        _referred("(", body, once, r"\1", ir.optional(ir.sequence(after_number, once))),
        *(
            _referred(f"(?<{c}>", body, once, rf"\k<{c}>", ir.sequence(count, once))
            for c in ascii_lowercase
        ),
    ]
    return ir.sequence(once, ir.optional(ir.Choice((ir.sequence(name, body, once), *referred))))


def _referred(
    group: str, body: ir.Expression, between: ir.Expression, back: str, after: ir.Expression
) -> ir.Expression:
    """A group and references back to it."""
    references = ir.Repeat(ir.sequence(ir.Literal(back.encode()), after), 1)
    return ir.sequence(ir.Literal(group.encode()), body, between, references)


def _leap_second() -> ir.Expression:
    """Times of the second 60, which is 23:59 in UTC, at every offset.

    Hours and minutes are tied to those of the offset one by one: an intersection of those ties.
    """
    digit, two, sixty = r"[0-9]", r"[0-9]{2}", r":60(?:\.[0-9]+)?"

    def tied(*pairs: str) -> ir.Expression:
        return _pattern("(?:" + "|".join(pairs) + ")")

    valid = _pattern(rf"{_HOUR}:[0-5][0-9]{sixty}[+-]{_HOUR}:[0-5][0-9]")
    # West of Greenwich hours add up to 23 and minutes to 59; no digit carries in the minutes.
    west = (
        tied(*(f"{h:02}:{two}{sixty}-{23 - h:02}:{two}" for h in range(24))),
        tied(*(f"{two}:{m}{digit}{sixty}-{two}:{5 - m}{digit}" for m in range(6))),
        tied(*(f"{two}:{digit}{m}{sixty}-{two}:{digit}{9 - m}" for m in range(10))),
    )
    # East of it the offset is one minute more than the time: the same hour, or the full next one.
    tens = tied(*(rf"{d}{digit}:{two}{sixty}\+{d}{digit}:{two}" for d in range(3)))
    units = tied(*(rf"{digit}{d}:{two}{sixty}\+{digit}{d}:{two}" for d in range(10)))
    minutes = tied(*(rf"{two}:{m:02}{sixty}\+{two}:{m + 1:02}" for m in range(59)))
    full = tied(*(rf"{h:02}:59{sixty}\+{(h + 1) % 24:02}:00" for h in range(24)))
    return ir.choice(
        _pattern(rf"23:59{sixty}[Zz]"),
        ir.Intersection((valid, *west)),
        ir.Intersection((valid, tens, units, minutes)),
        full,
    )


def _time() -> Format:
    exact = ir.choice(_pattern(_ORDINARY_TIME), _leap_second())
    return Format(exact, exact)


def _date_time() -> Format:
    """Leap seconds at offsets of full hours only: all of them would cost every user of dates."""
    leap = [r"23:59:60(?:\.[0-9]+)?[Zz]"]
    for hour in range(24):
        offsets = rf"(?:-{23 - hour:02}|\+{(hour + 1) % 24:02}):00"
        leap.append(rf"{hour:02}:59:60(?:\.[0-9]+)?{offsets}")
    inside = _pattern(rf"{_DATE}[Tt](?:{_ORDINARY_TIME}|{'|'.join(leap)})")
    any_leap = rf"{_HOUR}:[0-5][0-9]:60(?:\.[0-9]+)?{_OFFSET}"
    outside = _pattern(rf"{_DATE_OUTSIDE}[Tt](?:{_ORDINARY_TIME}|{any_leap})")
    return Format(inside, outside)


def _idn_email() -> ir.Expression:
    label = ir.Intersection((_pattern(_IDN_DOMAIN), ir.Repeat(ir.ANY_CHAR, 1, 63),
                             ir.Complement(_pattern(r"..--[^]*"))))  # fmt: skip
    labels = ir.sequence(label, ir.Repeat(ir.sequence(ir.Literal(b"."), label)))
    return ir.sequence(_pattern(f"{_IDN_LOCAL}@"), labels)


def _uri(*, international: bool, relative: bool) -> str:
    extra = r"\u00A0-\uD7FF\uF900-\uFDCF\uFDF0-\uFFEF\u{10000}-\u{1FFFD}" if international else ""
    private = r"\uE000-\uF8FF\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}" if international else ""
    unreserved = rf"A-Za-z0-9._~{extra}-"
    escape = r"%[0-9A-Fa-f]{2}"
    delimiters = r"!$&'()*+,;="
    pchar = rf"(?:[:@{delimiters}{unreserved}]|{escape})"
    segments = rf"(?:/{pchar}*)*"
    user = rf"(?:(?:[:{delimiters}{unreserved}]|{escape})*@)?"
    future = rf"[vV][0-9A-Fa-f]+\.[:{delimiters}A-Za-z0-9._~-]+"
    host = rf"(?:\[(?:{_IPV6}|{future})\]|(?:[{delimiters}{unreserved}]|{escape})*)"
    authority = rf"//{user}{host}(?::[0-9]*)?"
    absolute = rf"/(?:{pchar}+{segments})?"
    tail = rf"(?:\?(?:{pchar}|[/?{private}])*)?(?:#(?:{pchar}|[/?])*)?"
    hierarchy = rf"(?:{authority}{segments}|{absolute}|{pchar}+{segments}|)"
    full = rf"[A-Za-z][A-Za-z0-9+.-]*:{hierarchy}{tail}"
    if not relative:
        return full
    first = rf"(?:[@{delimiters}{unreserved}]|{escape})+"
    reference = rf"(?:{authority}{segments}|{absolute}|{first}{segments}|){tail}"
    return f"(?:{full}|{reference})"


def _uri_template() -> str:
    beyond = r"\u00A0-\uD7FF\uE000-\uFDCF\uFDF0-\uFFEF\u{10000}-\u{10FFFD}"
    literal = rf"(?:[!#$&'(-;=?-\[\]_a-z~{beyond}]|%[0-9A-Fa-f]{{2}})"
    character = r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})"
    name = rf"{character}(?:\.?{character})*"
    variable = rf"{name}(?::[1-9][0-9]{{0,3}}|\*)?"
    return rf"(?:{literal}|\{{[+#./;?&]?{variable}(?:,{variable})*\}})*"


@dataclass(frozen=True, slots=True)
class Format:
    """A format: texts that are certainly valid, and texts that may be."""

    inside: ir.Expression
    outside: ir.Expression

    @property
    def exact(self) -> bool:
        """Whether the two sets are the same."""
        return self.inside == self.outside


def _pattern(text: str) -> ir.Expression:
    return expression(text, dialect="ecma")


def _limited(text: str, length: int) -> ir.Expression:
    return ir.Intersection((_pattern(text), ir.Repeat(ir.ANY_CHAR, 1, length)))


def _same(text: str) -> Format:
    inside = _pattern(text)
    return Format(inside, inside)


_ANY = ir.Repeat(ir.ANY_CHAR)
_BUILDERS: dict[str, Callable[[], Format]] = {
    "date": lambda: Format(_pattern(_DATE), _pattern(_DATE_OUTSIDE)),
    "time": _time,
    "date-time": _date_time,
    "duration": lambda: _same(_DURATION),
    "uuid": lambda: _same(_UUID),
    "ipv4": lambda: _same(_IPV4),
    "ipv6": lambda: _same(_IPV6),
    "hostname": lambda: Format(hostnames.ascii_only(), _limited(hostnames.WITH_A_LABELS, 253)),
    "idn-hostname": lambda: Format(hostnames.international(), _ANY),
    "email": lambda: Format(_pattern(_EMAIL), _pattern(r"[^]*@[^]*")),
    "idn-email": lambda: Format(_idn_email(), _pattern(r"[^]*@[^]*")),
    "uri": lambda: _same(_uri(international=False, relative=False)),
    "uri-reference": lambda: _same(_uri(international=False, relative=True)),
    "iri": lambda: Format(_pattern(_uri(international=True, relative=False)), _ANY),
    "iri-reference": lambda: Format(_pattern(_uri(international=True, relative=True)), _ANY),
    "uri-template": lambda: Format(_pattern(_uri_template()), _ANY),
    "json-pointer": lambda: _same(_JSON_POINTER),
    "relative-json-pointer": lambda: _same(_RELATIVE_POINTER),
    "regex": lambda: Format(_regular_expressions(), _ANY),
}

NAMES = frozenset(_BUILDERS)


@lru_cache(maxsize=64)
def find(name: str) -> Format | None:
    """The format of this name; None where lipogram knows none."""
    builder = _BUILDERS.get(name)
    return builder() if builder else None
