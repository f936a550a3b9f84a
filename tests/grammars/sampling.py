"""Random members of a compiled grammar, for judges that know nothing of lipogram."""


def walk(automaton, chooser, length):
    """A member: up to `length` random bytes, mostly printable ones, then a shortest ending."""
    state = automaton.start()
    text = bytearray()
    for _ in range(length):
        following = sorted(automaton.next_bytes(state))
        if not following or (automaton.is_complete(state) and chooser.random() < 0.2):
            break
        printable = [byte for byte in following if 0x20 <= byte < 0x7F]
        text.append(
            chooser.choice(printable if printable and chooser.random() < 0.9 else following)
        )
        state = automaton.step(state, text[-1])
    return bytes(text) + automaton.shortest(state)
