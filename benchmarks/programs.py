"""A grammar of a language like C, and random programs in it."""

from __future__ import annotations

import random

GRAMMAR = r"""
start: item+
item: function | declaration | structure | enumeration | alias
structure: "struct" NAME "{" member+ "}" ";"
member: type declarator ";"
enumeration: "enum" NAME "{" enumerator ("," enumerator)* "}" ";"
enumerator: NAME ["=" constant]
alias: "typedef" type NAME ";"
function: ["static"] type NAME "(" [parameters] ")" block
parameters: parameter ("," parameter)*
parameter: type declarator
declaration: type initialised ("," initialised)* ";"
initialised: declarator ["=" initialiser]
initialiser: assignment | "{" initialiser ("," initialiser)* "}"
declarator: pointer* NAME dimension*
pointer: "*"
dimension: "[" [conditional] "]"
type: qualifier* named
qualifier: "const" | "unsigned"
named: "int" | "char" | "double" | "void" | "long" | "struct" NAME
block: "{" statement* "}"
statement: block | declaration | simple | jump | selection | iteration
simple: [expression] ";"
jump: "return" [expression] ";" | "break" ";" | "continue" ";" | "goto" NAME ";"
selection: branch | choice
branch: "if" "(" expression ")" statement ["else" statement]
choice: "switch" "(" expression ")" "{" labelled* "}"
labelled: label statement*
label: "case" constant ":" | "default" ":"
iteration: whiles | repeats | fors
whiles: "while" "(" expression ")" statement
repeats: "do" statement "while" "(" expression ")" ";"
fors: "for" "(" beginning [expression] ";" [expression] ")" statement
beginning: declaration | [expression] ";"
expression: assignment ("," assignment)*
assignment: conditional | unary assigns assignment
assigns: "=" | "+=" | "-=" | "*=" | "/="
conditional: either ["?" expression ":" conditional]
either: both ("||" both)*
both: bits ("&&" bits)*
bits: masks ("|" masks)*
masks: equality ("&" equality)*
equality: comparison (equals comparison)*
equals: "==" | "!="
comparison: shift (compares shift)*
compares: "<" | ">" | "<=" | ">="
shift: sum (shifts sum)*
shifts: "<<" | ">>"
sum: product (adds product)*
adds: "+" | "-"
product: cast (times cast)*
times: "*" | "/" | "%"
cast: "(" type pointer* ")" cast | unary
unary: postfix | prefix cast | "sizeof" "(" type ")" | steps unary
prefix: "-" | "!" | "~" | "*" | "&"
steps: "++" | "--"
postfix: atom suffix*
suffix: index | call | steps | access
index: "[" expression "]"
call: "(" [arguments] ")"
arguments: assignment ("," assignment)*
access: "." NAME | "->" NAME
atom: NAME | constant | TEXT | "(" expression ")"
constant: NUMBER | CHARACTER
NAME: /[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /[0-9]+(\.[0-9]+)?/
CHARACTER: /'([^'\\\n]|\\.)'/
TEXT: /"([^"\\\n]|\\.)*"/
%ignore /[ \t\r\n]+/
%ignore /\/\/[^\n]*/
"""

_NAMES = ("i", "count", "best", "total", "buffer", "node", "value", "next_item", "max_size", "x")
_TYPES = ("int", "double", "char", "unsigned long", "const char", "struct node")


class _Writer:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def name(self) -> str:
        return self.rng.choice(_NAMES)

    def expression(self, depth: int) -> str:
        kind = self.rng.choice("nnkopcia" if depth else "nnk")
        if kind == "n":
            return self.name()
        if kind == "k":
            return self.rng.choice(("0", "1", "42", "3.5", "'x'", '"%d of %s\\n"'))
        left, right = self.expression(depth - 1), self.expression(depth - 1)
        match kind:
            case "o":
                operator = self.rng.choice(("+", "-", "*", "/", "<", "==", "&&", "||", "<<", "&"))
                return f"{left} {operator} {right}"
            case "p":
                return f"({left})"
            case "c":
                return f"{self.name()}({left}, {right})"
            case "i":
                return f"{self.name()}[{left}]"
        return f"{self.name()}->{self.name()}"

    def statement(self, depth: int, indent: str) -> str:
        kind = self.rng.choice("ddaaaacriwf" if depth else "daac")
        value = self.expression(2)
        match kind:
            case "d":
                return f"{indent}{self.rng.choice(_TYPES)} *{self.name()} = {value};\n"
            case "a":
                assigns = self.rng.choice(("=", "+=", "-="))
                return f"{indent}{self.name()} {assigns} {value};\n"
            case "c":
                return f"{indent}{self.name()}({value}); // {self.name()}\n"
            case "r":
                return f"{indent}return {value};\n"
        inner = "".join(
            self.statement(depth - 1, indent + "    ") for _ in range(self.rng.randint(1, 4))
        )
        head = {
            "i": f"if ({value})",
            "w": f"while ({value})",
            "f": f"for (int i = 0; i < {value}; i++)",
        }[kind]
        return f"{indent}{head} {{\n{inner}{indent}}}\n"

    def function(self) -> str:
        body = "".join(self.statement(2, "    ") for _ in range(self.rng.randint(2, 6)))
        kind, name = self.rng.choice(_TYPES), self.name()
        return f"{kind} {name}(int {self.name()}, char *{self.name()}) {{\n{body}}}\n\n"


def program(rng: random.Random, size: int) -> str:
    """Functions of together at least `size` characters."""
    writer = _Writer(rng)
    text = ""
    while len(text) < size:
        text += writer.function()
    return text.strip()
