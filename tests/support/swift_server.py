"""Serves OpenStack Swift with its S3 interface: the proxy, an account, a container and an object server in one process.

Runs in a process of its own: `python -I swift_server.py FOLDER PORT`. It prints `ready` when it answers. What is stored
is in FOLDER, whose file system must have extended attributes; ended and started again it has it still.
"""

import sys
from pathlib import Path

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402
from swift.account.server import AccountController  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.storage_policy import POLICIES  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402
from swift.container.server import ContainerController  # noqa: E402
from swift.obj.server import ObjectController  # noqa: E402

ACCOUNT, USER, KEY = "kobza", "pbx", "secret-of-the-bucket"
"""The access key is `kobza:pbx`."""
PROXY = """
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors cache s3api tempauth copy slo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers =
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
allow_no_owner = true
s3_acl = false
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {key} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""


def main(folder: str, port: str) -> None:
    """Serve until the process is ended."""
    root = Path(folder)
    (root / "node/disk").mkdir(parents=True, exist_ok=True)
    (root / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = test\n")
    utils.set_swift_dir(str(root))
    options = {
        "devices": str(root / "node"),
        "mount_check": "false",
        "swift_dir": str(root),
        "disable_fallocate": "true",
        "fallocate_reserve": "0",
    }
    sites = (("account", AccountController), ("container", ContainerController), ("object", ObjectController))
    for name, controller in sites:
        listening = eventlet.listen(("127.0.0.1", 0))
        builder = RingBuilder(1, 1, 0)
        builder.add_dev(
            {
                "id": 0,
                "region": 0,
                "zone": 0,
                "weight": 1.0,
                "device": "disk",
                "ip": "127.0.0.1",
                "port": listening.getsockname()[1],
            }
        )
        builder.rebalance()
        builder.get_ring().save(str(root / f"{name}.ring.gz"))
        eventlet.spawn(wsgi.server, listening, controller(options), log_output=False)
    for policy in POLICIES:
        policy.object_ring = None
    config = root / "proxy.conf"
    config.write_text(PROXY.format(folder=root, account=ACCOUNT, user=USER, key=KEY))
    app = loadapp(str(config))
    listening = eventlet.listen(("127.0.0.1", int(port)))
    print("ready", flush=True)  # noqa: T201
    wsgi.server(listening, app, log_output=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
