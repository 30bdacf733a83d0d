"""What the model may do: read, edit and run, under policy, inside the workspace."""
