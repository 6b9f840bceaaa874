"""
How processes reach a bucket of fake-gcs-server through gcsfs.
"""

from __future__ import annotations

import os
from typing import Any

#: The address of the server, for the processes of a test.
ADDRESS = "STORE_GCS"
#: By default gcsfs asks over gRPC what kind of bucket it has, with TLS, which no emulator has: it would wait for a minute.
SETTINGS = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}


def attach_gcs() -> Any:
    """
    Attach the bucket's file system to Airflow, if the environment names its server.

    Airflow's package for Google, which would open it, brings many more packages. It opens the same class.

    :return: The file system; ``None`` = no server is named.
    """
    if ADDRESS not in os.environ:
        return None
    import gcsfs
    from airflow.sdk.io import attach

    assert gcsfs.GCSFileSystem.__module__ == "gcsfs.core", "gcsfs was imported without its setting."
    options = {"token": "anon", "project": "tests", "skip_instance_cache": True}
    fs = gcsfs.GCSFileSystem(endpoint_url=os.environ[ADDRESS], **options)
    attach("gs", "store", fs=fs)
    return fs
