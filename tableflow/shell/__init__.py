"""What people type at: the command line, and how results are shown."""
