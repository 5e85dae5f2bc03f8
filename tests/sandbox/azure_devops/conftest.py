"""The vendor's client library keeps what it discovered in a file; tests must not share that file with a person."""

import os
import tempfile

os.environ["AZURE_DEVOPS_CACHE_DIR"] = tempfile.mkdtemp(prefix="azure-devops-cache-")
