"""`python -m edge.agent`."""

import sys

from edge.agent.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
