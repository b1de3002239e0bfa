"""What a WSGI server imports."""

import gc

import demo
from portal import create_app

app = create_app()
demo.init_app(app)
gc.collect()
gc.freeze()  # what was built at start-up lives for good: the collector need not walk it on every request
