"""The subcommands of `lipogram`, one module each: `add(subparsers)` declares it, `run` does it."""
