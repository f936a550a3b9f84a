"""Turns pydantic's errors into one InvalidRequest: where, what was expected, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lipogram.server.errors import InvalidRequest

_NO_SUCH_BRANCH = {"union_tag_invalid", "union_tag_not_found"}


def invalid(errors: Sequence[Mapping[str, Any]], body: object) -> InvalidRequest:
    """The error to report of those that pydantic lists.

    A union lists the errors of all its branches: one about a value of the right type is likelier
    meant than one about the type, and one deep inside likelier than one further out.
    """
    located = [(_path(error["loc"][1:], body), error) for error in errors]
    path, error = max(
        located, key=lambda entry: (not entry[1]["type"].endswith("_type"), len(entry[0]))
    )
    param = _param(path) or None
    if error["type"] == "extra_forbidden":
        return InvalidRequest(f"Unknown parameter: {param!r}.", param=param)
    if error["type"] == "missing":
        if not path:
            return InvalidRequest("expected a JSON body, found none")
        return InvalidRequest(f"Missing required parameter: {param!r}.", param=param)
    expected = str(error["msg"])
    if error["type"] in _NO_SUCH_BRANCH:
        expected = f"expected one of {error.get('ctx', {}).get('expected_tags', 'the known types')}"
    return InvalidRequest(
        f"Invalid value for {param or 'the body'!r}: {expected}; found {_shown(error['input'])}.",
        param=param,
    )


def _path(location: Sequence[int | str], body: object) -> list[int | str]:
    """The keys that lead into the body; names of union branches in `location` are left out."""
    path: list[int | str] = []
    value: Any = body
    for place, step in enumerate(location):
        is_key = isinstance(value, dict) and step in value
        is_index = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if is_key or is_index:
            value = value[step]
        elif place < len(location) - 1 or not isinstance(value, dict) or "[" in str(step):
            continue
        path.append(step)
    return path


def _param(path: Sequence[int | str]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text[:200]


def _shown(value: object) -> str:
    """A short description of what was found; never more of a text than its beginning."""
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, int | float):
        return str(value) if abs(value) < 10**30 else "a huge number"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "…")
    return "an array" if isinstance(value, list) else "an object"
