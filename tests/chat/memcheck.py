# SPDX-License-Identifier: MIT
"""chat_serv under valgrind: the server's own tests, with fewer lines."""
import os
import shutil
import subprocess
import sys

from chatlab import SERV, skip_all

ERROR = 99  # no exit code of chat_serv
TESTS = ["Talk", "Probe", "Leave.test_q_alone_leaves",
         "Leave.test_sigterm_says_goodbye",
         "Leave.test_vanishing_peers_do_not_kill_the_server",
         "Crowd.test_more_than_max_clients_are_refused",
         "Crowd.test_who_does_not_read_is_dropped_and_stalls_nobody"]


def main():
    if not shutil.which("valgrind"):
        skip_all("valgrind is not installed")
    wrap = (f"valgrind -q --vgdb=no --leak-check=full --show-leak-kinds=all "
            f"--error-exitcode={ERROR} --errors-for-leak-kinds=all "
            f"--fair-sched=yes")
    subprocess.run([SERV, "--version"], stdout=subprocess.DEVNULL, check=True)
    # A program with sanitizers built in cannot run under valgrind.
    if subprocess.run(wrap.split() + [SERV, "--version"],
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode:
        skip_all("valgrind cannot run this build")
    tests = os.path.join(os.path.dirname(__file__), "server.py")
    return subprocess.run(
        [sys.executable, "-B", tests, *TESTS], check=False,
        env=dict(os.environ, CHAT_WRAP=wrap, CHAT_SCALE="0.2")).returncode


if __name__ == "__main__":
    sys.exit(main())
