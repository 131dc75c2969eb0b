# SPDX-License-Identifier: MIT
"""chat_serv against raw sockets and nc."""
import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from chatlab import CLNT, SERV, ChatTest, Output

PROBE = b"HEALTH CHECK"
# Under valgrind the same with less.
SCALE = float(os.environ.get("CHAT_SCALE", "1"))


def scaled(number):
    return max(2, int(number * SCALE))


class Talk(ChatTest):
    def test_every_line_goes_to_all_the_sender_included(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.join(server, "bob", others=[ann])
        for text in ("xin chào các bạn", "안녕하세요", "tab\there", ""):
            line = f"[ann] {text}\n".encode()
            ann.send(line)
            self.assertEqual(ann.line(), line)
            self.assertEqual(bob.line(), line)

    def test_a_line_in_pieces_is_one_line(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.join(server, "bob", others=[ann])
        for byte in b"[ann] one":
            ann.send(bytes([byte]))
        bob.send(b"[bob] between\n")
        self.assertEqual(ann.line(), b"[bob] between\n")
        ann.send(b" line\n[ann] two\n[ann] thr")
        ann.send(b"ee\n")
        self.assertEqual([bob.line() for _ in range(4)],
                         [b"[bob] between\n", b"[ann] one line\n",
                          b"[ann] two\n", b"[ann] three\n"])

    def test_telnet_and_nul_and_bad_utf8(self):
        server = self.serve()
        ann = self.join(server, "ann")
        ann.send(b"[ann] crlf\r\n\0[ann] n\0ul\n\n[ann] \xff\xfe\x80\n")
        self.assertEqual([ann.line() for _ in range(4)],
                         [b"[ann] crlf\n", b"[ann] nul\n", b"\n",
                          b"[ann] \xff\xfe\x80\n"])

    def test_overlong_line_is_split_and_harms_nobody(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.join(server, "bob", others=[ann])
        text = "한" * 5000
        ann.send(text.encode())
        bob.send(b"[bob] between\n")
        lines = []
        while b"[bob] between\n" not in lines:
            lines.append(ann.line())
        ann.send(b"\n[ann] after\n")
        while b"[ann] after\n" not in lines:
            lines.append(ann.line())
        self.assertTrue(all(len(line) <= 4097 for line in lines))
        pieces = [line[:-1].decode() for line in lines
                  if line not in (b"[bob] between\n", b"[ann] after\n")]
        self.assertTrue("".join(pieces) == text)

    def test_no_line_is_lost_mixed_or_out_of_order(self):
        """All clients see the very same stream, whole and in order."""
        clients, lines = scaled(40), scaled(250)
        server = self.serve()
        peers = []
        for i in range(clients):
            peers.append(self.join(server, f"n{i}", others=peers))
        streams = [b""] * clients

        def speak(i):
            for k in range(lines):
                peers[i].send(b"[n%d] line %d %s\n" % (i, k, b"x" * (k % 80)))
            peers[i].half_close()

        def listen(i):
            # All have left when the stopping server says goodbye.
            want, pieces, seen = clients * lines, [], 0
            while seen < want:
                piece = peers[i].socket.recv(262144)
                if not piece:
                    break
                pieces.append(piece)
                seen += piece.count(b"\n")
            streams[i] = b"".join(pieces)

        # A half-closed peer gets only what was said until then: one client
        # does not speak and hears everything.
        threads = [threading.Thread(target=speak, args=(i,))
                   for i in range(1, clients)]
        threads += [threading.Thread(target=listen, args=(i,))
                    for i in range(1, clients)]
        ear = peers[0]
        for thread in threads:
            thread.start()
        heard = [ear.line() for _ in range((clients - 1) * lines)]
        for thread in threads:
            thread.join()
        per_sender = {}
        for line in heard:
            nick, rest = line.split(b"] line ", 1)
            number = int(rest.split()[0])
            self.assertEqual(number, per_sender.get(nick, 0))
            per_sender[nick] = number + 1
            self.assertEqual(line, b"%s] line %d %s\n"
                             % (nick, number, b"x" * (number % 80)))
        self.assertEqual(set(per_sender.values()), {lines})
        whole = b"".join(heard)
        for i in range(1, clients):
            self.assertTrue(whole.startswith(streams[i]), f"client {i}")
            self.assertIn(b"[n%d] line %d " % (i, lines - 1), streams[i])


class Leave(ChatTest):
    def test_q_alone_leaves(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for word in (b"q\n", b"Q\n", b"q\r\n"):
            bob = self.join(server, "bob", others=[ann])
            bob.send(b"[bob] bye\n" + word + b"[bob] too late\n")
            self.assertEqual(ann.line(), b"[bob] bye\n")
            self.assertEqual(bob.rest(), b"[bob] bye\n")
        server.out.wait(r"^client 127.0.0.1:\d+ left, clients=1$", 3)

    def test_q_with_a_nick_is_text(self):
        server = self.serve()
        ann = self.join(server, "ann")
        ann.send(b"[ann] q\nqq\nq \n")
        self.assertEqual([ann.line() for _ in range(3)],
                         [b"[ann] q\n", b"qq\n", b"q \n"])

    def test_last_line_without_newline_and_half_close(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.connect(server)
        bob.send(b"[bob] one\n[bob] two")
        bob.half_close()
        self.assertEqual(bob.rest(), b"[bob] one\n[bob] two\n")
        self.assertEqual([ann.line(), ann.line()],
                         [b"[bob] one\n", b"[bob] two\n"])

    def test_vanishing_peers_do_not_kill_the_server(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for _ in range(20):
            bob = self.join(server, "bob", others=[ann])
            # A reset, and lines under way to the socket it hit.
            bob.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  b"\1\0\0\0\0\0\0\0")
            bob.close()
            for _ in range(5):
                ann.send(b"[ann] still here\n")
                self.assertEqual(ann.line(), b"[ann] still here\n")
        # A send that meets the reset first leaves the reader only the end.
        server.out.wait(r"(lost: .*|left), clients=\d+$", 20)

    def test_sigterm_says_goodbye(self):
        server = self.serve()
        ann = self.join(server, "ann")
        silent = self.connect(server)
        server.out.wait("came, clients=2")
        server.process.send_signal(signal.SIGTERM)
        goodbye = b"[chat_serv] the server is closing, goodbye\n"
        self.assertEqual(silent.rest(), goodbye)
        self.assertEqual(ann.rest(), goodbye)
        silent.close()
        ann.close()
        self.assertEqual(server.wait(), 0)
        server.out.wait("^closing, clients=2 probes_answered=0$")

    def test_sigterm_does_not_wait_for_the_stubborn(self):
        server = self.serve()
        ann = self.join(server, "ann")
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)  # ann does not close
        self.assertEqual(ann.rest(),
                         b"[chat_serv] the server is closing, goodbye\n")


class Crowd(ChatTest):
    def test_more_than_max_clients_are_refused(self):
        server = self.serve("--max-clients", "2")
        ann = self.join(server, "ann")
        bob = self.join(server, "bob", others=[ann])
        carl = self.connect(server)
        carl.send(b"[carl] let me in\n" * 1000)
        self.assertEqual(
            carl.rest(),
            b"[chat_serv] refused: the room is full, try again later\n")
        server.out.wait("refused: the room is full, clients=2$")
        bob.send(b"q\n")
        self.assertEqual(bob.rest(), b"")
        server.out.wait("left, clients=1$")
        self.join(server, "carl", others=[ann])

    def test_who_does_not_read_is_dropped_and_stalls_nobody(self):
        server = self.serve("--queue", "64")
        ann = self.join(server, "ann")
        deaf = self.join(server, "deaf", others=[ann], receive_buffer=4096)
        said = []
        over = threading.Event()

        def speak():
            while not over.is_set():
                line = b"[ann] %d %s\n" % (len(said), b"y" * 3000)
                said.append(line)
                ann.send(line)

        got = []

        def read_from_the_end_on():
            # It has five seconds to take the rest, ann's lines take longer.
            server.out.wait("dropped: it does not read, clients=1$")
            over.set()
            got.extend(deaf.rest().splitlines(True))

        speaker = threading.Thread(target=speak)
        dropped = threading.Thread(target=read_from_the_end_on)
        speaker.start()
        dropped.start()
        heard = 0
        while not over.is_set() or heard < len(said):
            self.assertEqual(ann.line(), said[heard])
            heard += 1
            if over.is_set():
                speaker.join()
        dropped.join()
        # What was queued arrives whole, then the notice, then the end.
        self.assertEqual(got[:-1], said[:len(got) - 1])
        self.assertEqual(got[-1], b"[chat_serv] you did not read what was "
                         b"sent, so you are dropped\n")

    def test_slow_readers_of_a_flood_lose_nothing(self):
        """Half a queue full makes the senders wait for who does read."""
        lines = scaled(3000)
        server = self.serve("--queue", "256")
        ann = self.join(server, "ann")
        slow = self.join(server, "slow", others=[ann], receive_buffer=4096)
        flood = [b"[ann] %d %s\n" % (i, b"z" * 3000) for i in range(lines)]
        speaker = threading.Thread(target=lambda: ann.send(b"".join(flood)))
        reader = threading.Thread(
            target=lambda: [ann.line() for _ in flood])
        speaker.start()
        reader.start()
        for line in flood:
            self.assertEqual(slow.line(), line)
        speaker.join()
        reader.join()

    def test_nobody_waits_for_the_deaf(self):
        """Nor for one that comes again when it has been dropped."""
        server = self.serve("--queue", "64")
        ann = self.join(server, "ann")
        longest = []
        for number in range(1, 6):
            deaf = self.join(server, "deaf", others=[ann], receive_buffer=4096)
            pattern = r"dropped: it does not read, clients=1$"
            waits = []
            while not server.out.has(pattern, number):
                line = b"[ann] %d %s\n" % (len(waits), b"y" * 1000)
                said = time.monotonic()
                ann.send(line)
                self.assertEqual(ann.line(), line)
                waits.append(time.monotonic() - said)
            deaf.close()
            longest.append(max(waits))
        # Who waits for the deaf waits a second, and each time.
        self.assertLess(min(longest), 0.8, longest)

    def test_a_burst_of_many_loses_nobody(self):
        speakers, lines = scaled(10), scaled(100)
        server = self.serve("--queue", "256")
        ear = self.join(server, "ear", receive_buffer=4096)
        peers = []
        for i in range(speakers):
            peers.append(self.join(server, f"n{i}", others=[ear] + peers))
        bursts = [b"".join(b"[n%d] %d %s\n" % (i, k, b"z" * 1000)
                           for k in range(lines)) for i in range(speakers)]

        def hear(peer, streams, i):
            streams[i] = [peer.line() for _ in range(speakers * lines)]

        streams = [None] * (speakers + 1)
        threads = [threading.Thread(target=peers[i].send, args=(bursts[i],))
                   for i in range(speakers)]
        threads += [threading.Thread(target=hear, args=(peer, streams, i))
                    for i, peer in enumerate(peers + [ear])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for stream in streams:
            self.assertTrue(stream == streams[0])
        for i in range(speakers):
            self.assertTrue(b"".join(
                line for line in streams[0]
                if line.startswith(b"[n%d] " % i)) == bursts[i])

    def test_out_of_descriptors_waits_without_spinning(self):
        server = self.serve()
        ann = self.join(server, "ann")
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        bob = self.connect(server)
        bob.send(b"[bob] hello\n")
        server.out.wait("^cannot accept clients now: ")
        ann.send(b"[ann] goes on\n")
        self.assertEqual(ann.line(), b"[ann] goes on\n")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        self.assertEqual(bob.line(), b"[bob] hello\n")

    def test_a_stuck_stdout_does_not_stop_the_chat(self):
        server = self.serve()
        ann = self.join(server, "ann")
        # Its own server, whose output nobody reads, on a pipe of one page.
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        fcntl.fcntl(writing, 1031, 4096)  # F_SETPIPE_SZ
        stuck = self.start([SERV, "--bind", "127.0.0.1", "0"], stdout=writing)
        os.close(writing)
        stuck.port = int(os.read(reading, 200).split(b"port=")[1])
        for i in range(scaled(200)):
            bob = self.join(stuck, f"bob{i}")
            bob.send(b"q\n")
            self.assertEqual(bob.rest(), b"")
            bob.close()
        stuck.process.terminate()
        self.assertEqual(stuck.wait(), 0)
        ann.close()


    def test_no_report_is_lost_unseen_on_a_nonblocking_stdout(self):
        reading, writing = os.pipe()
        fcntl.fcntl(writing, 1031, 4096)  # F_SETPIPE_SZ
        os.set_blocking(writing, False)
        stuck = self.start([SERV, "--bind", "127.0.0.1", "0"], stdout=writing)
        os.close(writing)
        stuck.port = int(os.read(reading, 200).split(b"port=")[1])
        comings = scaled(200)
        for i in range(comings):
            bob = self.join(stuck, f"bob{i}")
            bob.send(b"q\n")
            self.assertEqual(bob.rest(), b"")
            bob.close()
        out = Output(os.fdopen(reading, "rb"))
        stuck.process.terminate()
        self.assertEqual(stuck.wait(), 0)
        out.thread.join()
        lost = sum(int(line.split("=")[1]) for line in out.lines
                   if line.startswith("output stalled"))
        seen = len([line for line in out.lines if line.startswith("client")])
        self.assertEqual(seen + lost, 2 * comings)


class Name(ChatTest):
    NOTICE = (b"[chat_serv] refused: the nickname chat_serv is the server's "
              b"own, take another\n")

    def test_the_servers_name_is_not_for_clients(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for number, start in enumerate((
                "[chat_serv] ", "[chat_serv]", "[Chat_SERV] ",
                "[ chat_serv ] ", " \t[chat_serv] ", "[chat serv] ",
                "[chat-serv] ", "[chat_\u200bserv] ", "\ufeff[chat_serv] ",
                "[chat_serv\x07] ", "\x1b[chat_serv] ", "[chat\u00a0serv] ",
                "\uff3b\uff43hat_serv\uff3d "), 1):
            eve = self.connect(server)
            eve.send(f"[eve] hi\n{start}you are dropped\n[eve] more\n"
                     .encode())
            self.assertEqual(eve.rest(), b"[eve] hi\n" + self.NOTICE, start)
            self.assertEqual(ann.line(), b"[eve] hi\n")
            eve.close()
            server.out.wait(r"refused: it took the server's name, clients=1$",
                            number)
        ann.send(b"[ann] still here\n")
        self.assertEqual(ann.line(), b"[ann] still here\n")

    def test_nor_in_a_piece_of_a_long_line_or_a_last_line(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for text, said in (
                (b"x" * 4096 + b"[chat_serv] boo\n", b"x" * 4096 + b"\n"),
                (b"[chat_serv] boo", b"")):
            eve = self.connect(server)
            eve.send(text)
            eve.half_close()
            self.assertEqual(eve.rest(), said + self.NOTICE)
            if said:
                self.assertEqual(ann.line(), said)
        ann.send(b"[ann] nothing more\n")
        self.assertEqual(ann.line(), b"[ann] nothing more\n")

    def test_other_names_are_free(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for line in (b"[chat_server] hi\n", b"[chat_ser] hi\n",
                     b"[ann] [chat_serv] hi\n", b"[chat_serv\n",
                     b"chat_serv: hi\n", b"[]\n", b"[\n"):
            ann.send(line)
            self.assertEqual(ann.line(), line)


class Probe(ChatTest):
    def test_every_form_of_probe_is_echoed_to_the_prober_alone(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for probe in (PROBE, PROBE + b"\n", PROBE * 2, PROBE + b"\n" + PROBE):
            prober = self.connect(server)
            prober.send(probe)
            self.assertEqual(prober.receive(len(probe)), probe)
            prober.half_close()
            self.assertEqual(prober.rest(), b"")
        telnet = self.connect(server)
        telnet.send(PROBE + b"\r\n")
        self.assertEqual(telnet.line(), PROBE + b"\n")
        telnet.half_close()
        telnet.rest()
        ann.send(b"[ann] heard nothing\n")
        self.assertEqual(ann.line(), b"[ann] heard nothing\n")
        self.assertFalse([line for line in server.out.lines[1:]
                          if "came" in line or "left" in line][1:],
                         "probers are not announced")

    def test_a_probe_in_pieces(self):
        server = self.serve()
        ann = self.join(server, "ann")
        prober = self.connect(server)
        for byte in PROBE[:-1]:
            prober.send(bytes([byte]))
        ann.send(b"[ann] meanwhile\n")
        self.assertEqual(ann.line(), b"[ann] meanwhile\n")
        prober.send(PROBE[-1:])
        self.assertIn(PROBE, (prober.receive(12), prober.receive(0)))
        prober.send(b"\n")  # ends the probe, is no empty line
        self.assertEqual(prober.line(), b"\n")
        prober.send(b"[p] and now a line\n")
        self.assertEqual(ann.line(), b"[p] and now a line\n")

    def test_lines_after_an_open_probe_stay_whole(self):
        server = self.serve()
        ann = self.join(server, "ann")
        bob = self.join(server, "bob", others=[ann])
        bob.send(PROBE)
        self.assertEqual(bob.receive(12), PROBE)
        ann.send(b"[ann] hi\n")
        self.assertEqual(ann.line(), b"[ann] hi\n")
        self.assertEqual(bob.line(), b"\n")
        self.assertEqual(bob.line(), b"[ann] hi\n")
        bob.send(b"\n[bob] hi\n")  # the probe's newline is not echoed twice
        self.assertEqual(bob.line(), b"[bob] hi\n")
        self.assertEqual(ann.line(), b"[bob] hi\n")

    def test_a_prober_reads_its_answer_before_any_line(self):
        server = self.serve()
        ann = self.join(server, "ann")
        for _ in range(scaled(50)):
            prober = self.connect(server)
            ann.send(b"[ann] noise\n" * 10)
            prober.send(PROBE + b"\n")
            self.assertEqual(prober.line(), PROBE + b"\n")
            prober.close()
            for _ in range(10):
                ann.line()

    def test_lines_kept_back_from_a_prober_stay_whole(self):
        server = self.serve()
        ann = self.join(server, "ann")
        prober = self.connect(server)
        prober.send(PROBE)
        self.assertEqual(prober.receive(12), PROBE)
        for noise in (b"[ann] one\n", b"[ann] two\n"):
            ann.send(noise)
            self.assertEqual(ann.line(), noise)
            prober.send(PROBE)
        # It stays, so it is a client after all and gets what was said.
        lines = []
        while b"[ann] two\n" not in lines:
            lines.append(prober.line())
        self.assertIn(b"[ann] one\n", lines)

    def test_words_that_only_look_like_it_are_text(self):
        server = self.serve()
        ann = self.join(server, "ann")
        ann.send(b"[ann] HEALTH CHECK\nHEALTH CHEC\nhealth check\n")
        self.assertEqual([ann.line() for _ in range(3)],
                         [b"[ann] HEALTH CHECK\n", b"HEALTH CHEC\n",
                          b"health check\n"])


@unittest.skipUnless(shutil.which("nc"), "nc is not installed")
class Netcat(ChatTest):
    def test_nc_talks(self):
        server = self.serve()
        ann = self.join(server, "ann")
        nc = self.start(["nc", "127.0.0.1", str(server.port)])
        nc.write("[nc] chào\n")
        self.assertEqual(ann.line(), "[nc] chào\n".encode())
        ann.send(b"[ann] hi\n")
        nc.out.wait(r"^\[nc\] chào$")
        nc.out.wait(r"^\[ann\] hi$")
        nc.write("q\n")
        server.out.wait("left, clients=1")
        nc.end_input()
        nc.wait()

    def test_nc_half_closes_and_gets_the_rest(self):
        server = self.serve()
        for options in (["-N"], ["-q", "1"]):
            done = subprocess.run(
                ["nc", *options, "127.0.0.1", str(server.port)],
                input=b"[nc] one\n[nc] two", stdout=subprocess.PIPE,
                timeout=30, check=False)
            self.assertEqual(done.stdout, b"[nc] one\n[nc] two\n")

    def test_nc_probes(self):
        server = self.serve()
        done = subprocess.run(["nc", "-N", "127.0.0.1", str(server.port)],
                              input=PROBE, stdout=subprocess.PIPE,
                              timeout=30, check=False)
        self.assertEqual(done.stdout, PROBE)


class Start(ChatTest):
    def check_refusal(self, arguments, code, pattern):
        program = self.start([SERV, *arguments])
        self.assertEqual(program.wait(), code)
        self.assertEqual(len(program.err.lines), 1, program.err.lines)
        self.assertRegex(program.err.lines[0], pattern)

    def test_wrong_usage_is_one_line_and_exit_2(self):
        for arguments, pattern in (
                ([], "PORT is missing"),
                (["1", "2"], "'2' after PORT '1': give one PORT only"),
                (["65536"], "PORT '65536': give a number from 0 to 65535"),
                (["-1"], "there is no option -1;"), (["+1"], r"PORT '\+1'"),
                (["9x"], "PORT '9x'"), ([""], "PORT ''"),
                (["--max-clients", "0", "0"], "--max-clients '0'"),
                (["--queue", "1", "0"], "--queue '1'"),
                (["--nonsense", "0"], "there is no option --nonsense;"),
                (["--bind"], "option --bind needs a value;"),
                (["-m"], "option -m needs a value;"),
                (["--version=2"], "option --version takes no value;")):
            self.check_refusal(arguments, 2, "^chat_serv: .*" + pattern)

    def test_a_port_in_use_is_exit_1(self):
        server = self.serve()
        self.check_refusal([str(server.port)], 1,
                           rf"port {server.port}: Address already in use; "
                           "another program has it: choose another port")

    def test_a_foreign_address_is_exit_1(self):
        self.check_refusal(["--bind", "192.0.2.1", "0"], 1,
                           "192.0.2.1 port 0: Cannot assign .* an address of")

    def test_help_and_version(self):
        for program in (SERV, CLNT):
            for option, pattern in (("--help", b"^usage: chat_"),
                                    ("--version", rb"^chat_\w+ \d")):
                done = subprocess.run([program, option], check=True,
                                      stdout=subprocess.PIPE)
                self.assertRegex(done.stdout, pattern)

    def test_bind_names_one_address(self):
        server = self.serve("--bind", "localhost")
        self.join(server, "ann")


if __name__ == "__main__":
    unittest.main()
