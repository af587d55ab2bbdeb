"""The bridge's own folder on the path, as an installed distribution would be."""

import sys

from tests.conftest import CHECKOUT

sys.path.append(str(CHECKOUT / "contrib" / "karrio_bridge"))
