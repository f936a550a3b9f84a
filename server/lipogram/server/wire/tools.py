"""Tools in `/v1/chat/completions`: what may be called, and how the client chooses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lipogram.server.wire.common import Request

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class Function(Request):
    """A function whose arguments are a JSON object of the schema `parameters`."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Request):
    """A tool that is called with JSON arguments."""

    type: Literal["function"]
    function: Function


class ToolGrammar(Request):
    """The grammar of a custom tool's input."""

    syntax: Literal["lark", "regex", "gbnf"]
    definition: str


class TextFormat(Request):
    """Input that is any text."""

    type: Literal["text"]


class GrammarFormat(Request):
    """Input that obeys a grammar."""

    type: Literal["grammar"]
    grammar: ToolGrammar


class Custom(Request):
    """A tool whose input is text."""

    name: Name
    description: str | None = None
    format: Annotated[TextFormat | GrammarFormat, Field(discriminator="type")] | None = None


class CustomTool(Request):
    """A tool that is called with text."""

    type: Literal["custom"]
    custom: Custom


Tool = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]


class Named(Request):
    """The name of a tool."""

    name: str


class ChosenFunction(Request):
    """This function is to be called."""

    type: Literal["function"]
    function: Named


class ChosenCustom(Request):
    """This custom tool is to be called."""

    type: Literal["custom"]
    custom: Named


Chosen = Annotated[ChosenFunction | ChosenCustom, Field(discriminator="type")]


class Allowed(Request):
    """The tools that may be called, and whether one must be."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[Chosen], Field(min_length=1, max_length=128)]


class ChosenAllowed(Request):
    """Only these tools may be called."""

    type: Literal["allowed_tools"]
    allowed_tools: Allowed


ToolChoice = (
    Literal["none", "auto", "required"]
    | Annotated[ChosenFunction | ChosenCustom | ChosenAllowed, Field(discriminator="type")]
)


class CalledFunction(Request):
    """A function that an earlier turn called, with its JSON arguments."""

    name: str
    arguments: str


class FunctionCall(Request):
    """An earlier call of a function."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class CalledCustom(Request):
    """A custom tool that an earlier turn called, with its input."""

    name: str
    input: str


class CustomCall(Request):
    """An earlier call of a custom tool."""

    id: str
    type: Literal["custom"]
    custom: CalledCustom


PastCall = Annotated[FunctionCall | CustomCall, Field(discriminator="type")]
