"""Entry point of ``python -P -m patchbay``; the console script is the normal way in."""

import sys

from patchbay.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
