"""A grammar of C functions all members of which compile, and random ones."""

from __future__ import annotations

import random
import subprocess

# Names are declared in the head, and no two tokens can be read as one: so every member compiles.
GRAMMAR = r"""
start: HEAD function
HEAD: "int data[64], a, b, i, n, best, total;\nint get(int x);\n"
function: "int get" ("_" DIGIT+)? "(int x)" _S block _S
block: "{" _S (statement _S)* "}"
statement: (assignment | call | return) ";"
         | selection | loop | block
selection: "if" _S condition _S block _S ("else" _S block | "else " _S selection)?
loop: ("while" _S condition | "for" _S "(" steps ")") _S block
steps: assignment ";" _S either ";" _S assignment
condition: "(" either ")"
assignment: place _S ("=" | "+=" | "-=" | "*=") _S either
return: "return " either
either: both (_S "||" _S both)*
both: equality (_S "&&" _S equality)*
equality: comparison (_S ("==" | "!=") _S comparison)*
comparison: sum (_S ("<=" | ">=" | "<" | ">") _S sum)*
sum: product (_S ("+" | "-") _S product)*
product: atom (_S ("*" | "/" | "%") _S atom)*
atom: place | call | NUMBER | "(" either ")" | "!" atom | "(-" atom ")"
place: NAME | "data[" either "]"
call: "get(" either ")"
NAME: "a" | "b" | "i" | "n" | "x" | "best" | "total"
NUMBER: "0" | /[1-9][0-9]{0,8}/
DIGIT: /[0-9]/
_S: /[ \n]*/
"""
HEAD = "int data[64], a, b, i, n, best, total;\nint get(int x);\n"
_NAMES = ("a", "b", "i", "n", "x", "best", "total")


def function(rng: random.Random, number: int) -> str:
    """A random function."""
    body = "".join(f"    {statement(rng, 2)}\n" for _ in range(rng.randint(2, 5)))
    return f"int get_{number}(int x) {{\n{body}    return {expression(rng, 2)};\n}}\n"


def statement(rng: random.Random, depth: int) -> str:
    """A random statement."""
    kind = rng.choice(("assign", "assign", "assign", "if", "for", "call") if depth else ("assign",))
    if kind == "assign":
        place = rng.choice((*_NAMES, f"data[{expression(rng, 0)}]"))
        return f"{place} {rng.choice(('=', '+=', '-='))} {expression(rng, 2)};"
    if kind == "call":
        return f"get({expression(rng, 1)});"
    inner = statement(rng, depth - 1)
    if kind == "if":
        return f"if ({expression(rng, 1)} < {expression(rng, 1)}) {{ {inner} }}"
    return f"for (i = 0; i < {expression(rng, 0)}; i += 1) {{ {inner} }}"


def expression(rng: random.Random, depth: int) -> str:
    """A random expression."""
    if not depth or rng.random() < 0.3:
        return rng.choice((*_NAMES, str(rng.randint(0, 99))))
    sides = expression(rng, depth - 1), expression(rng, depth - 1)
    if rng.random() < 0.2:
        return f"({sides[0]} + {sides[1]})"
    return f"{sides[0]} {rng.choice(('+', '-', '*', '%'))} {sides[1]}"


def compiles(text: str) -> bool:
    """Whether the compiler takes it."""
    command = ["gcc", "-fsyntax-only", "-w", "-x", "c", "-"]
    return subprocess.run(command, input=text.encode(), capture_output=True).returncode == 0
