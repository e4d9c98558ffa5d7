"""The command line. `main` is what `rsvlm` and `python -m rsvlm_core` run.

A command is a module of this package with `NAME`, `HELP`, `EXAMPLE`, `add(parser)`, and either `run(args)` or
`OP`, `params(args)` and `show(summary)`, where `OP` is a job of `rsvlm_core.jobs`. Nothing heavy is imported to
parse arguments or to print help.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Parse arguments, do the command.

    Args:
        argv: Without the program's name; None takes the process's.

    Returns:
        The exit status: 0 done, 2 wrong usage or unusable input, 3 stopped by the user, 1 a bug.
    """
    import sys

    from rsvlm_core.cli.parser import parse
    from rsvlm_core.cli.run import run
    from rsvlm_core.cli.streams import mend_streams

    mend_streams()
    try:
        command, args = parse(sys.argv[1:] if argv is None else argv)
    except SystemExit as end:  # argparse has said what there is to say
        return end.code if isinstance(end.code, int) else 2
    return run(command, args)
