"""What a server imports: `server` for granian (scripts/serve.py), `app` for any server that speaks WSGI."""

import gc

from portal import create_app, require_fit_database
from portal.server import RsgiServer
from portal.settings import Settings

app = create_app()
require_fit_database(app)
settings: Settings = app.extensions["settings"]
if settings.demo:
    import demo

    demo.init_app(app)
# A stream of a chat keeps its thread while somebody reads; pages have threads of their own besides.
server = RsgiServer(
    app, threads=settings.threads + settings.chat_streams, body_seconds=settings.body_seconds
)
gc.collect()
gc.freeze()  # what was built at start-up lives for good: the collector need not walk it on every request
