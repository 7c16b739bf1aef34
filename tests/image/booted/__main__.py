"""A kiosk to look at: boots the image with everything around it, and stays until Ctrl-C.

    python -m tests.image.booted build/image/amd64 build/kiosk

The second word is a new folder for its files. It prints how to log in; screen.png in the folder is
the screen, renewed every few seconds. Lines on standard input are scanned; "tap" is the customer.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from tests.image.booted.kiosk import Kiosk, Outside, Parts

SCREEN_S = 5.0


def main() -> None:
    parts, folder = Parts(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve()
    with Outside(folder, parts) as outside, Kiosk(outside) as kiosk:
        print(kiosk.how_to_log_in(), flush=True)

        def obey() -> None:
            for line in sys.stdin:
                if line.strip() == "tap":
                    outside.terminal.tap()
                else:
                    kiosk.scan(line.strip())

        threading.Thread(target=obey, daemon=True).start()
        while kiosk.machine.is_on:
            kiosk.screenshot("screen")
            time.sleep(SCREEN_S)


if __name__ == "__main__":
    main()
