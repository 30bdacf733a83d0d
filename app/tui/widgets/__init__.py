"""Small widgets around the panes: prompt, cost bar, provider switcher, approval question."""
