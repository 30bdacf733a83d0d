"""The Textual user interface.

``TEXTUAL_FPS`` is read by Textual at import time: 60 frames a second make a key press wait up to
17 ms for its echo while an answer streams; 240 makes it 4 ms for the same painting work.
"""

import os

os.environ.setdefault("TEXTUAL_FPS", "240")
