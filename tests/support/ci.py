"""Whether this is CI, which has fifteen minutes for what `make test` takes its time for."""

import os
from typing import Final

IN_CI: Final = bool(os.environ.get("CI"))
