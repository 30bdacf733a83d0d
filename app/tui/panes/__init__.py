"""The three panes: chat, diff and tool log. Each is rebuilt at any time from the session state."""
