"""Recomputes scorecards: python3 -m naap_scorecard FOLDER...

One line for each folder. The exit code is 0 when every one agrees, 1 when one does not, and 2 when one cannot be checked.
"""

import sys

from . import canonical, check


def main(folders):
    """Checks each folder."""
    if not folders or any(folder.startswith("-") for folder in folders):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    worst = 0
    for folder in folders:
        code, line = check.check(folder)
        print(f"{folder}: {line}" if len(folders) > 1 else line)
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
