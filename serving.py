"""What serves: `server` for granian (scripts/serve.py), `app` for any server that speaks WSGI.

`flask` commands load `wsgi.py` and none of this: they keep no tenants file, and are there to say what keeps a server
from starting.
"""

import gc

from portal import begin_serving
from portal.server import RsgiServer
from portal.settings import Settings
from wsgi import app

begin_serving(app)
settings: Settings = app.extensions["settings"]
# A stream of a chat keeps its thread while somebody reads; pages have threads of their own besides.
server = RsgiServer(
    app, threads=settings.threads + settings.chat_streams, body_seconds=settings.body_seconds
)
gc.collect()
gc.freeze()  # what was built at start-up lives for good: the collector need not walk it on every request
