"""Several grammars of one request become one, and each stays what it is."""

from lipogram.server.combining import parse
from lipogram.server.constraints import Call, Constraint, Source

GREEDY = Source("lark", '%lipogram {"lexing": "greedy"}\nstart: A "."\nA: /[a-z]+/')


def test_lexemes_stay_lexemes():
    calls = (Call("one", "custom", GREEDY), Call("two", "custom", Source("regex", "[ab]")))
    grammar = parse(Constraint(Source("text"), calls)).grammar
    assert len(grammar.lexemes) == 2
    assert grammar.lexemes <= set(grammar.rules)
