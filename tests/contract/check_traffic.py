"""By hand: ``python -m tests.contract.check_traffic EXCHANGES.json … --system jira``.

The files hold what the control door of a sandbox tells under ``/_control/exchanges``, or what the plugin
``tests.contract.recording`` wrote. Ends with 1 when anything is wrong.
"""

import argparse
import sys
from pathlib import Path

from .documents import WHY_NOT, are_here
from .systems import SYSTEMS, contract
from .traffic import check, read


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="check_traffic", description="Judge recorded traffic by the vendors' documents."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="EXCHANGES.json")
    parser.add_argument("--system", required=True, choices=SYSTEMS)
    options = parser.parse_args(arguments)
    if not are_here():
        parser.error(WHY_NOT)
    exchanges = [exchange for file in options.files for exchange in read(file)]
    report = check(contract(options.system), exchanges)
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
