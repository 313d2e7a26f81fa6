"""Whether the Hugging Face hub can be reached, so that being offline is noticed at once.

The hub's own clients retry for most of a minute before they give up.
"""

import urllib.error
import urllib.request
from functools import lru_cache

TIMEOUT = 5.0


@lru_cache(maxsize=1)
def hub_reachable() -> bool:
    """Return whether the hub answers; False too where offline mode is on (``HF_HUB_OFFLINE``)."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=TIMEOUT).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
