"""Style sheets (``*.tcss``) and colour themes (``*.toml``), one sheet per screen or pane."""
