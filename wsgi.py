"""What a WSGI server imports."""

import gc

from portal import create_app

app = create_app()
if app.extensions["settings"].demo:
    import demo

    demo.init_app(app)
gc.collect()
gc.freeze()  # what was built at start-up lives for good: the collector need not walk it on every request
