"""Parent watch: a worker process does not outlive the one that has started it."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Ends this process when its parent does, also by a signal that cannot be caught.

    Not by prctl(PR_SET_PDEATHSIG): that is sent when the thread ends that has started
    this process, and grain starts it in a thread of its own.
    """
    parent = multiprocessing.parent_process()

    def watch():
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()
