"""What a server imports: `server` for granian (scripts/serve.py), `app` for any server that speaks
WSGI.

`flask` finds `app` here too. A command is no server: it keeps no tenants file, and is there to say
what keeps a server from starting.
"""

import gc

from portal import begin_serving, create_app
from portal.cli import is_command
from portal.server import RsgiServer
from portal.settings import Settings

app = create_app()
settings: Settings = app.extensions["settings"]
if settings.demo:
    import demo

    demo.init_app(app)
if not is_command():
    begin_serving(app)
    # A stream of a chat keeps its thread while somebody reads; pages have threads of their own
    # besides.
    server = RsgiServer(
        app, threads=settings.threads + settings.chat_streams, body_seconds=settings.body_seconds
    )
    gc.collect()
    # What was built at start-up lives for good: the collector need not walk it on every request.
    gc.freeze()
