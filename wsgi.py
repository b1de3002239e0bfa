"""Where `flask` finds the application for its commands; servers load `serving.py`."""

from portal import create_app
from portal.settings import Settings

app = create_app()
settings: Settings = app.extensions["settings"]
if settings.demo:
    import demo

    demo.init_app(app)
