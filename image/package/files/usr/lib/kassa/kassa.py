"""Starts the command line. Debian's libraries first; what Debian lacks comes from bundled/."""

import signal
import sys

# Ctrl-C while it still imports ends it without a traceback; commands that listen do so later.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Python was started with -S: neither /usr/local nor a user's own packages are looked at.
sys.path += ["/usr/lib/kassa", "/usr/lib/python3/dist-packages", "/usr/lib/kassa/bundled"]
sys.argv[0] = "kassa"

from appliance.cli import main  # noqa: E402

sys.exit(main())
