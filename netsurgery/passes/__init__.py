"""Rewrites: functions from Net to Net, one file each, named for what they do."""
