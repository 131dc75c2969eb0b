# SPDX-License-Identifier: MIT
"""chat_serv under valgrind: the server's own tests, with less."""
import os
import shutil
import subprocess
import sys

from chatlab import SERV, skip_all

ERROR = 99  # no exit code of chat_serv
SERVER = ["Talk", "Probe", "Leave.test_q_alone_leaves",
          "Leave.test_sigterm_says_goodbye",
          "Leave.test_vanishing_peers_do_not_kill_the_server",
          "Crowd.test_more_than_max_clients_are_refused",
          "Crowd.test_who_does_not_read_is_dropped_and_stalls_nobody"]
WEB = ["Sniff.test_http_behind_lines_is_a_reset_and_never_said",
       "Hooks.test_every_kind_reaches_lines_and_pages",
       "Paths.test_pipelined_requests_are_answered_in_order"]
ROOMS = ["Commands.test_names_and_direct_messages",
         "Frames.test_the_rules_of_the_protocol",
         "Json.test_a_nick_is_its_tokens",
         "Json.test_errors_keep_the_connection",
         "Limits.test_rooms_of_a_connection_and_of_the_server"]
LOG = ["Requests.test_json_and_every_kind_of_answer",
       "Hangup.test_a_renamed_file_is_begun_anew"]
SORRY = ["Http.test_a_browser_gets_a_page_that_reloads_itself",
         "Http.test_a_request_in_pieces_and_a_bad_one",
         "Lines.test_who_is_silent_is_told_as_well",
         "Probes.test_probes_leave_no_trace_but_their_count"]


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
    for script, tests in (("server.py", SERVER), ("web.py", WEB),
                          ("rooms.py", ROOMS), ("log.py", LOG),
                          ("sorry.py", SORRY)):
        path = os.path.join(os.path.dirname(__file__), script)
        code = subprocess.run(
            [sys.executable, "-B", path, *tests], check=False,
            env=dict(os.environ, CHAT_WRAP=wrap, CHAT_SCALE="0.2")).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
