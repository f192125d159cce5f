"""Start of `python -m jaxseg.prepare`.

A process that multiprocessing spawns imports its parent's main module, unless that is a
`__main__.py`: so those that prepare files import neither JAX nor the converters.
"""

import sys

from jaxseg.prepare import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
