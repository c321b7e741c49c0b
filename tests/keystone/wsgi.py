"""Keystone's application for a WSGI server."""

import sys

# Keystone parses the command line of whatever process it runs in, and gives up on a server's own options.
sys.argv = sys.argv[:1]

from keystone.wsgi.api import application  # noqa: E402,F401
