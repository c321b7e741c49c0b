"""Runs the functions called test_* of a script."""

import sys
import traceback


def main(names):
    """Runs every test_* and says what failed."""
    tests = [(name, test) for name, test in names.items() if name.startswith("test_")]
    failed = 0
    for name, test in tests:
        try:
            test()
        except Exception:
            failed += 1
            print(f"FAILED {name}", file=sys.stderr)
            traceback.print_exc()
        else:
            print(f"ok {name}")
    sys.exit(1 if failed or not tests else 0)
