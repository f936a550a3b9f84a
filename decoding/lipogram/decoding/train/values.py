"""Random values for the synthetic texts; half of all names are invented: copying is the skill."""

import json
import random
from collections.abc import Callable
from importlib.resources import files

_WORDS: dict[str, list[str]] = json.loads(
    files(__package__).joinpath("words.json").read_text(encoding="utf-8")
)


def _invented(rng: random.Random, low: int = 2, high: int = 3) -> str:
    syllables = (
        rng.choice(_WORDS["onsets"]) + rng.choice(_WORDS["vowels"]) + rng.choice(_WORDS["codas"])
        for _ in range(rng.randint(low, high))
    )
    return "".join(syllables).capitalize()


def _known_or_invented(rng: random.Random, known: list[str]) -> str:
    return rng.choice(known) if rng.random() < 0.5 else _invented(rng)


def person(rng: random.Random) -> str:
    """A first and a last name, sometimes with an initial."""
    first, last = _known_or_invented(rng, _WORDS["first"]), _known_or_invented(rng, _WORDS["last"])
    middle = f" {rng.choice('ABCDEFGHJKLMNPRSTW')}." if rng.random() < 0.08 else ""
    return f"{first}{middle} {last}"


def place(rng: random.Random) -> str:
    """A city, real or not."""
    return _known_or_invented(rng, _WORDS["places"])


def street(rng: random.Random) -> str:
    """A street with a number, in either order."""
    named = _known_or_invented(rng, _WORDS["last"])
    kind = rng.choice(("Street", "Road", "Avenue", "Lane"))
    if rng.random() < 0.7:
        return f"{rng.randint(1, 299)} {named} {kind}"
    return f"{named} {kind} {rng.randint(1, 299)}"


def address(rng: random.Random) -> dict[str, str]:
    """A street and a city."""
    return {"street": street(rng), "city": place(rng)}


def email(rng: random.Random) -> str:
    """An address."""
    box = _known_or_invented(rng, _WORDS["first"]).lower()
    if rng.random() < 0.5:
        box += rng.choice((".", "_", "")) + _known_or_invented(rng, _WORDS["last"]).lower()
    if rng.random() < 0.3:
        box += str(rng.randint(1, 99))
    host = rng.choice(("example", "mail", "post", _invented(rng).lower()))
    return f"{box}@{host}.{rng.choice(('com', 'org', 'net', 'io', 'de'))}"


def phone(rng: random.Random) -> str:
    """A number with separators."""
    parts = (rng.randint(1, 99), rng.randint(100, 999), rng.randint(1000, 9999))
    return (
        "{}{} {} {}".format("+" if rng.random() < 0.7 else "", *parts)
        if rng.random() < 0.5
        else "{1}-{2}".format(*parts)
    )


def occupation(rng: random.Random) -> str:
    """A line of work."""
    return rng.choice(_WORDS["occupations"])


def hobby(rng: random.Random) -> str:
    """A pastime."""
    return rng.choice(_WORDS["hobbies"])


def colour(rng: random.Random) -> str:
    """A colour."""
    return rng.choice(_WORDS["colours"])


def skill(rng: random.Random) -> str:
    """Something one can learn."""
    return rng.choice(_WORDS["skills"])


def genre(rng: random.Random) -> str:
    """A kind of book."""
    return rng.choice(_WORDS["genres"])


def product(rng: random.Random) -> str:
    """A thing, sometimes with a model name."""
    name = (
        f"{rng.choice(_WORDS['kinds'])} {rng.choice(_WORDS['things'])}"
        if rng.random() < 0.7
        else rng.choice(_WORDS["things"])
    )
    return f"{name} {_invented(rng, 1, 2)}" if rng.random() < 0.3 else name


def title(rng: random.Random) -> str:
    """The name of a work or an occasion."""
    name = f"{_known_or_invented(rng, _WORDS['topics'])} {rng.choice(_WORDS['occasions'])}"
    return f"{name} {rng.randint(2000, 2030)}" if rng.random() < 0.2 else name


def company(rng: random.Random) -> str:
    """A firm."""
    name = _known_or_invented(rng, _WORDS["last"])
    return f"{name} {rng.choice(_WORDS['suffixes'])}" if rng.random() < 0.7 else name


def code(rng: random.Random) -> str:
    """An identifier such as AB-1234."""
    letters = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=rng.randint(1, 3)))
    return f"{letters}{rng.choice(('-', '', '/'))}{rng.randint(10, 99999)}"


def flight(rng: random.Random) -> str:
    """An airline's code and a number."""
    letters = "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=2))
    return f"{letters}{rng.choice(('', ' '))}{rng.randint(10, 9999)}"


def seat(rng: random.Random) -> str:
    """A row and a letter."""
    return f"{rng.randint(1, 60)}{rng.choice('ABCDEFGHJK')}"


def date(rng: random.Random) -> str:
    """A day in one of three notations."""
    year, month, day = rng.randint(1990, 2035), rng.randint(1, 12), rng.randint(1, 28)
    return rng.choice(
        (
            f"{year}-{month:02}-{day:02}",
            f"{day} {_WORDS['months'][month - 1]} {year}",
            f"{_WORDS['months'][month - 1]} {day}",
        )
    )


def clock(rng: random.Random) -> str:
    """A time of day."""
    return (
        f"{rng.randint(0, 23):02}:{rng.choice((0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55)):02}"
    )


def money(rng: random.Random) -> float:
    """An amount whose text is its shortest decimal."""
    return round(rng.uniform(1, rng.choice((10, 100, 1000, 10000))), rng.choice((1, 2)))


def decimal(rng: random.Random) -> float:
    """A small measure."""
    return round(rng.uniform(0.1, 50), rng.choice((1, 2)))


def salary(rng: random.Random) -> int:
    """A yearly pay in whole hundreds."""
    return rng.randint(200, 1800) * 100


def flag(rng: random.Random) -> bool:
    """Yes or no."""
    return rng.random() < 0.5


MAKERS: dict[str, Callable[[random.Random], object]] = {
    make.__name__: make
    for make in (
        person, place, email, phone, occupation, hobby, colour, skill, genre, product, title,
        company, code, flight, seat, date, clock, money, decimal, salary, flag, address,
    )
}  # fmt: skip
