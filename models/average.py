"""The old name of `models.training.average`: it goes on there.

python -m models.training.average NETWORK WEIGHTS --with OTHER --share 0.5 --data PATH... --out DIR
"""

from __future__ import annotations

import sys

from models.training.average import main

if __name__ == "__main__":
    print("models.average is models.training.average now; going on there", file=sys.stderr)
    sys.exit(main())
