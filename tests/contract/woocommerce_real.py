"""python -m tests.contract.woocommerce_real URL CONSUMER_KEY CONSUMER_SECRET [--only WORD]

Says of each trap whether this WooCommerce has it as the fake has. For a TEST shop: it makes orders
and a product, and deletes them. The key needs Read/Write.
"""

from __future__ import annotations

import argparse
import sys

from tests.contract.woocommerce_traps import Shop, run


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("secret")
    parser.add_argument("--only", default="", help="checks with this in their name")
    chosen = parser.parse_args(arguments)
    failed = count = 0
    for outcome in run(Shop(chosen.url, chosen.key, chosen.secret), chosen.only):
        count += 1
        failed += bool(outcome.flaw)
        print("differs" if outcome.flaw else "ok     ", outcome.name.replace("_", " "), flush=True)
        if outcome.flaw:
            print("        ", outcome.flaw)
    print(f"{count} checks, {failed} differ")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
