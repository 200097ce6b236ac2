"""The work that is measured, one file each."""
