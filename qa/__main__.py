"""python -m qa: the same program as `qa`."""

import sys

from qa.cli import main

sys.exit(main())
