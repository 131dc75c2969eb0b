#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""report.py - from the bench's figures to a table, results.json and plots

	report.py FIGURES.tsv OUTPUT_DIRECTORY

Every figure is the median of its rounds with the smallest and the largest. A
ratio is the median of the ratios within each round, since the rounds are
interleaved: what disturbs the machine for a minute disturbs both sides.
"""
import collections
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

ORDER = ["none", "nftables", "l4lb", "haproxy", "nginx", "pen"]
GIB = 1 << 30

# (workload, figure, title, digits): rows of the table
ROWS = [
    ("req1", "per_s", "requests/s, 1 connection, one core", 0),
    ("req64", "per_s", "requests/s, 64 connections", 0),
    ("req512", "per_s", "requests/s, 512 connections", 0),
    ("req1", "p50_us", "  latency p50 us, 1", 0),
    ("req1", "p99_us", "  latency p99 us, 1", 0),
    ("req64", "p50_us", "  latency p50 us, 64", 0),
    ("req64", "p99_us", "  latency p99 us, 64", 0),
    ("req512", "p50_us", "  latency p50 us, 512", 0),
    ("req512", "p99_us", "  latency p99 us, 512", 0),
    ("conn", "per_s", "new connections/s", 0),
    ("conn", "p50_us", "  whole connection p50 us", 0),
    ("conn", "p99_us", "  whole connection p99 us", 0),
    ("conn", "stalled", "  slower than 200 ms", 0),
    ("conn", "failed", "  failed", 0),
    ("bulk1_up_on", "gbit_s", "bulk Gbit/s, 1 stream up", 2),
    ("bulk1_down_on", "gbit_s", "bulk Gbit/s, 1 stream down", 2),
    ("bulk8_up_on", "gbit_s", "bulk Gbit/s, 8 streams up", 2),
    ("bulk8_down_on", "gbit_s", "bulk Gbit/s, 8 streams down", 2),
    ("bulk1_up_off", "gbit_s", "  offloads off, 1 up", 2),
    ("bulk1_down_off", "gbit_s", "  offloads off, 1 down", 2),
    ("bulk8_up_off", "gbit_s", "  offloads off, 8 up", 2),
    ("bulk8_down_off", "gbit_s", "  offloads off, 8 down", 2),
    ("rtt", "p50_us", "echo of one byte us, one core, p50", 1),
    ("rtt", "p99_us", "                               p99", 1),
    ("rtt", "added_p50_us", "  added to none's p50", 1),
    ("rtt", "added_p99_us", "  added to none's p99", 1),
    ("rtt_apart", "p50_us", "echo, balancer on its core, p50", 1),
    ("rtt_apart", "p99_us", "                            p99", 1),
    ("rtt_apart", "added_p50_us", "  added to none's p50", 1),
    ("rtt_apart", "added_p99_us", "  added to none's p99", 1),
    ("req64", "user_per_m", "CPU s per million requests: user", 2),
    ("req64", "system_per_m", "                            system", 2),
    ("req64", "machine_per_m", "                     whole machine", 2),
    ("conn", "user_per_k", "CPU ms per 1000 connections: user", 1),
    ("conn", "system_per_k", "                           system", 1),
    ("conn", "softirq_per_k", "          softirq, whole machine", 1),
    ("conn", "machine_per_k", "                   whole machine", 1),
    ("bulk1_up_on", "user_per_gib", "CPU s per GiB, 1 up: user", 3),
    ("bulk1_up_on", "system_per_gib", "                   system", 3),
    ("bulk1_up_on", "softirq_per_gib", "  softirq, whole machine", 3),
    ("bulk1_up_on", "machine_per_gib", "           whole machine", 3),
    ("bulk1_up_off", "user_per_gib", "CPU s per GiB, off: user", 3),
    ("bulk1_up_off", "system_per_gib", "                  system", 3),
    ("bulk1_up_off", "machine_per_gib", "           whole machine", 3),
    ("mem", "per_connection", "bytes per idle connection", 0),
    ("mem", "fixed_mib", "  fixed part, MiB", 1),
]

LOSS_WORKLOADS = ["req1", "req64", "req512", "conn",
                  "bulk1_up_on", "bulk1_down_on", "bulk8_up_on",
                  "bulk8_down_on", "bulk1_up_off", "bulk1_down_off",
                  "bulk8_up_off", "bulk8_down_off", "rtt", "rtt_apart"]

# What the project promises: (text, workload, figure, rival, test, limit)
TARGETS = [
    ("requests/s, 64", "req64", "per_s", "haproxy", ">=", 1.25),
    ("requests/s, 64", "req64", "per_s", "nginx", ">=", 1.05),
    ("connections/s", "conn", "per_s", "haproxy", ">=", 1.25),
    ("connections/s", "conn", "per_s", "nginx", ">=", 1.05),
    ("bulk 1 up", "bulk1_up_on", "gbit_s", "haproxy", ">=", 1.25),
    ("bulk 1 up", "bulk1_up_on", "gbit_s", "nginx", ">=", 1.05),
    ("bulk 1 down", "bulk1_down_on", "gbit_s", "haproxy", ">=", 1.25),
    ("bulk 1 down", "bulk1_down_on", "gbit_s", "nginx", ">=", 1.05),
    ("bulk 1 up, offloads off", "bulk1_up_off", "gbit_s", "haproxy", ">=", 1),
    ("bulk 1 down, offloads off", "bulk1_down_off", "gbit_s", "haproxy",
     ">=", 1),
    ("p99 latency, 64", "req64", "p99_us", "haproxy", "<=", 1),
    ("added round trip, one core", "rtt", "added_p50_us", "haproxy", "<=", 1),
    ("added round trip, own core", "rtt_apart", "added_p50_us", "haproxy",
     "<=", 1),
    ("bytes a connection", "mem", "per_connection", "haproxy", "<=", 0.1),
]


class Figures:
    """values[contestant][workload][name][round], and what else was said"""

    def __init__(self, path):
        self.values = collections.defaultdict(
            lambda: collections.defaultdict(
                lambda: collections.defaultdict(dict)))
        self.machine, self.versions, self.absent = {}, {}, []
        with open(path, encoding="utf-8") as file:
            for line in file:
                round_, who, workload, name, value = \
                    line.rstrip("\n").split("\t")
                if workload == "machine":
                    self.machine[name] = value
                elif workload == "version":
                    self.versions[name] = value
                elif workload == "absent":
                    self.absent.append(name)
                else:
                    self.values[who][workload][name][int(round_)] = \
                        float(value)
        self.who = [w for w in ORDER if w in self.values] + \
            sorted(w for w in self.values if w not in ORDER)
        self.derive()

    def derive(self):
        for who in self.who:
            for workload, figures in list(self.values[who].items()):
                self.per_unit(figures, "bytes", GIB, 1, "gib")
                if workload == "conn":
                    self.per_unit(figures, "count", 1000, 1000, "k")
                if workload.startswith("req"):
                    self.per_unit(figures, "count", 1e6, 1, "m")
            self.added_rtt(who)
            self.memory_slope(who)

    @staticmethod
    def per_unit(figures, count, unit, scale, suffix):
        """CPU seconds (times @scale) per @unit of @count."""
        if count not in figures:
            return
        for source, name in (("cpu_user_s", "user"),
                             ("cpu_system_s", "system"),
                             ("machine_softirq_s", "softirq"),
                             ("machine_busy_s", "machine")):
            for round_, seconds in figures.get(source, {}).items():
                n = figures[count].get(round_)
                if n:
                    figures[f"{name}_per_{suffix}"][round_] = \
                        seconds * scale * unit / n

    def added_rtt(self, who):
        direct = self.values["none"]["rtt"] if "none" in self.values else {}
        for workload in ("rtt", "rtt_apart"):
            mine = self.values[who][workload]
            for name in ("p50_us", "p99_us"):
                for round_, us in list(mine[name].items()):
                    if who != "none" and round_ in direct.get(name, {}):
                        mine["added_" + name][round_] = \
                            us - direct[name][round_]

    def memory_slope(self, who):
        """Least squares over what was held; all rivals at 1000 to 9000."""
        points = [(int(name[5:]), v[1])
                  for name, v in self.values[who]["mem"].items()
                  if name.startswith("held_")]
        among = [p for p in points if 1000 <= p[0] <= 9000]
        if len(among) >= 2:
            self.values[who]["mem"]["per_connection"][1] = slope(among)
        among = [p for p in points if p[0] >= 9000]
        if len(among) >= 2:
            self.values[who]["mem"]["per_connection_50000"][1] = slope(among)
        zero = [p[1] for p in points if p[0] == 0]
        if zero:
            self.values[who]["mem"]["fixed_mib"][1] = zero[0] / (1 << 20)

    def rounds(self, who, workload, name):
        return self.values[who][workload][name] \
            if who in self.values else {}

    def summary(self, who, workload, name):
        values = list(self.rounds(who, workload, name).values())
        if not values:
            return None
        return statistics.median(values), min(values), max(values)

    def ratio(self, who, rival, workload, name):
        mine = self.rounds(who, workload, name)
        its = self.rounds(rival, workload, name)
        both = [mine[r] / its[r] for r in mine if its.get(r)]
        return statistics.median(both) if both else None


def slope(points):
    x = statistics.mean(p[0] for p in points)
    y = statistics.mean(p[1] for p in points)
    return sum((p[0] - x) * (p[1] - y) for p in points) / \
        sum((p[0] - x) ** 2 for p in points)


# --- the table ---------------------------------------------------------------

def table(f):
    lines = ["", "median (smallest-largest) of the rounds", ""]
    width = 21
    lines.append(" " * 38 + "".join(f"{w:>{width}}" for w in f.who))
    for workload, name, title, digits in ROWS:
        cells = [f.summary(w, workload, name) for w in f.who]
        if not any(cells):
            continue
        lines.append(f"{title:<38}" + "".join(
            f"{cell(c, digits):>{width}}" for c in cells))
    return lines


def cell(c, digits):
    if c is None:
        return "-"
    if c[1] == c[2]:
        return f"{c[0]:.{digits}f}"
    return f"{c[0]:.{digits}f} ({c[1]:.{digits}f}-{c[2]:.{digits}f})"


def ratios(f):
    lines = ["", "ratios to haproxy / to none (medians within the rounds)", ""]
    who = [w for w in f.who if w != "none"]
    lines.append(" " * 38 + "".join(f"{w:>16}" for w in who))
    for workload, name, title, _ in ROWS:
        cells = []
        for w in who:
            pair = [f.ratio(w, rival, workload, name)
                    for rival in ("haproxy", "none")]
            cells.append(" / ".join("-" if r is None else f"{r:.2f}"
                                    for r in pair))
        if any(c != "- / -" for c in cells):
            lines.append(f"{title:<38}" + "".join(f"{c:>16}" for c in cells))
    return lines


def targets(f):
    out = []
    for text, workload, name, rival, test, limit in TARGETS:
        r = f.ratio("l4lb", rival, workload, name)
        if r is None:
            continue
        r = round(r, 3)
        met = r >= limit if test == ">=" else r <= limit
        out.append({"what": text, "rival": rival, "ratio": r,
                    "wanted": f"{test} {limit}", "met": met})
    return out


def target_lines(f):
    found = targets(f)
    if not found:
        return []
    return ["", "l4lb against what it promises"] + [
        f"  {'met  ' if t['met'] else 'SHORT'} {t['what']:<28}"
        f"{t['ratio']:8.2f} x {t['rival']:<8} (wanted {t['wanted']})"
        for t in found]


def losses(f):
    lines = []
    for workload in LOSS_WORKLOADS:
        drops = f.rounds("l4lb", workload, "ring_drops")
        if drops:
            lines.append(f"  {workload:<16}" +
                         " ".join(f"{int(d):>8}" for d in drops.values()))
    return ["", "l4lb: frames dropped by the ring, a round each"] + lines \
        if lines else []


def curve(f, who):
    """[(offered, carried)] packets a second"""
    figures = f.values[who]["overload"] if who in f.values else {}
    return sorted((figures[n][1], figures["carried_" + n[8:]][1])
                  for n in figures if n.startswith("offered_")
                  and 1 in figures["carried_" + n[8:]])


def overload_lines(f):
    lines = []
    for who in f.who:
        points = curve(f, who)
        if points:
            lines += ["", f"{who}: offered -> carried, thousand packets/s",
                      "  " + "  ".join(f"{o / 1e3:.0f}->{c / 1e3:.0f}"
                                       for o, c in points)]
    return lines


def flow_lines(f):
    figures = f.values["l4lb"]["flows"] if "l4lb" in f.values else {}
    lines = []
    for n in ("1000", "100000"):
        got = {name: figures[f"{name}_{n}"].get(1) for name in (
            "opened", "lost_opening", "cpu_ns_per_packet",
            "one_packet_each_carried", "established")
            if f"{name}_{n}" in figures}
        if got:
            lines.append(f"  {n:>6} flows: " + ", ".join(
                f"{name.replace('_', ' ')} {v:.0f}"
                for name, v in got.items() if v is not None))
    slope50k = f.summary("l4lb", "mem", "per_connection_50000")
    if slope50k:
        lines.append(f"  bytes a connection between 9,000 and 50,000: "
                     f"{slope50k[0]:.0f}")
    return ["", "l4lb with many flows"] + lines if lines else []


# --- results.json ------------------------------------------------------------

def results(f):
    out = {"machine": f.machine, "versions": f.versions, "absent": f.absent,
           "targets": targets(f), "figures": {}}
    for who in f.who:
        for workload, figures in f.values[who].items():
            for name, rounds in figures.items():
                if not rounds:
                    continue
                median, low, high = f.summary(who, workload, name)
                entry = {"median": median, "min": low, "max": high,
                         "rounds": list(rounds.values())}
                for rival in ("haproxy", "none"):
                    r = f.ratio(who, rival, workload, name)
                    if r is not None and who != rival:
                        entry["ratio_to_" + rival] = round(r, 4)
                out["figures"].setdefault(workload, {}).setdefault(
                    name, {})[who] = entry
    return out


# --- plots -------------------------------------------------------------------

COLOUR = {"none": "#9e9e9e", "nftables": "#7b6fb0", "l4lb": "#c0392b",
          "haproxy": "#2e7dba", "nginx": "#3a9d5d", "pen": "#d68910"}

HEAD = """set terminal pngcairo size {size} font 'sans,10' background '#ffffff'
set output '{file}'
set style line 11 lc rgb '#707070'
set border 3 ls 11
set tics nomirror
set grid ytics lc rgb '#e0e0e0'
set key outside bottom center horizontal
set pointintervalbox 0
set bars small
"""


def gnuplot(script):
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def bars(f, groups, ylabel, scale=1.0):
    """One panel: groups of (label, workload, figure), a bar a contestant."""
    data, plots = [], []
    who = [w for w in f.who
           if any(f.summary(w, g[1], g[2]) for g in groups)]
    if not who:
        return ""
    width = 0.8 / len(who)
    for i, w in enumerate(who):
        rows = []
        for x, (_, workload, name) in enumerate(groups):
            s = f.summary(w, workload, name)
            if s:
                rows.append(f"{x + (i - (len(who) - 1) / 2) * width} "
                            f"{s[0] / scale} {s[1] / scale} {s[2] / scale}")
        block = re.sub(r"\W", "_", f"D{i}")
        data.append(f"${block} << E\n" + "\n".join(rows) + "\nE")
        plots.append(f"${block} using 1:2:({width * 0.92}) with boxes "
                     f"fs solid lc rgb '{COLOUR.get(w, '#000000')}' title '{w}', "
                     f"${block} using 1:2:3:4 with yerrorbars "
                     f"pt 0 lc rgb '#303030' notitle")
    tics = ", ".join(f"'{g[0]}' {x}" for x, g in enumerate(groups))
    return "\n".join(data) + f"""
set ylabel '{ylabel}'
set xtics ({tics})
set xrange [-0.5:{len(groups) - 0.5}]
set yrange [0:*]
plot {', '.join(plots)}
"""


def plot_bars(f, path, panels):
    bodies = [(title, body) for title, body in panels if body]
    if not bodies:
        return
    script = HEAD.format(size=f"{460 * len(bodies)},420", file=path)
    script += f"set multiplot layout 1,{len(bodies)}\n"
    for title, body in bodies:
        script += f"set title '{title}'\n" + body
    gnuplot(script + "unset multiplot\n")


def plot_lines(path, title, xlabel, ylabel, series, extra=""):
    """series: [(name, [(x, y)])]"""
    series = [s for s in series if s[1]]
    if not series:
        return
    script = HEAD.format(size="720,460", file=path)
    script += f"set title '{title}'\nset xlabel '{xlabel}'\n" \
              f"set ylabel '{ylabel}'\nset yrange [0:*]\n"
    plots = []
    for i, (name, points) in enumerate(series):
        script += f"$S{i} << E\n" + "\n".join(
            f"{x} {y}" for x, y in points) + "\nE\n"
        plots.append(f"$S{i} with linespoints pt 7 lw 2 "
                     f"lc rgb '{COLOUR.get(name, '#000000')}' title '{name}'")
    gnuplot(script + "plot " + ", ".join(plots) + extra + "\n")


def memory_points(f, who):
    return sorted((int(n[5:]), v[1] / (1 << 20))
                  for n, v in f.values[who]["mem"].items()
                  if n.startswith("held_") and 1 in v)


def plots(f, out):
    def png(name):
        return os.path.join(out, name + ".png")

    plot_bars(f, png("throughput"), [
        ("Requests over kept connections", bars(f, [
            (f"{n}", f"req{n}", "per_s") for n in (1, 64, 512)],
            "thousand/s, by connections", 1e3)),
        ("New connections", bars(f, [("64 at once", "conn", "per_s")],
                                 "thousand/s", 1e3)),
        ("Bulk, offloads on", bars(f, [
            ("1 up", "bulk1_up_on", "gbit_s"),
            ("1 down", "bulk1_down_on", "gbit_s"),
            ("8 up", "bulk8_up_on", "gbit_s"),
            ("8 down", "bulk8_down_on", "gbit_s")], "Gbit/s")),
        ("Bulk, offloads off", bars(f, [
            ("1 up", "bulk1_up_off", "gbit_s"),
            ("1 down", "bulk1_down_off", "gbit_s"),
            ("8 up", "bulk8_up_off", "gbit_s"),
            ("8 down", "bulk8_down_off", "gbit_s")], "Gbit/s"))])
    plot_bars(f, png("latency"), [
        ("Echo of one byte, median", bars(f, [
            ("one core", "rtt", "p50_us"),
            ("balancer on its own", "rtt_apart", "p50_us")], "us")),
        ("Request, 64 connections", bars(f, [
            ("p50", "req64", "p50_us"), ("p99", "req64", "p99_us")], "us")),
        ("Whole connection", bars(f, [
            ("p50", "conn", "p50_us"), ("p99", "conn", "p99_us")], "us"))])
    plot_bars(f, png("cpu"), [
        ("CPU, 1 stream up", bars(f, [
            ("its user", "bulk1_up_on", "user_per_gib"),
            ("its system", "bulk1_up_on", "system_per_gib"),
            ("whole machine", "bulk1_up_on", "machine_per_gib")],
            "s per GiB")),
        ("CPU, new connections", bars(f, [
            ("its user", "conn", "user_per_k"),
            ("its system", "conn", "system_per_k"),
            ("whole machine", "conn", "machine_per_k")],
            "ms per 1000 connections"))])
    plot_lines(png("memory"), "User memory", "idle connections", "MiB",
               [(w, memory_points(f, w)) for w in f.who])
    plot_lines(png("overload"), "Offered and carried, 1000 flows",
               "offered, thousand packets/s", "carried, thousand packets/s",
               [(w, [(o / 1e3, c / 1e3) for o, c in curve(f, w)])
                for w in f.who],
               ", x lc rgb '#bbbbbb' dt 2 title 'all of it'")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: report.py FIGURES.tsv OUTPUT_DIRECTORY")
    f = Figures(sys.argv[1])
    out = sys.argv[2]
    about = [f"{f.machine.get('cores')} cores, {f.machine.get('cpu')}, "
             f"{f.machine.get('kernel')}, {f.machine.get('date')}",
             f.machine.get("command", ""),
             ", ".join(f"{k} {v}" for k, v in f.versions.items())]
    if f.absent:
        about.append("absent: " + ", ".join(f.absent))
    lines = about + table(f) + ratios(f) + losses(f) + overload_lines(f) + \
        flow_lines(f) + target_lines(f)
    text = "\n".join(lines) + "\n"
    print(text)
    with open(os.path.join(out, "results.txt"), "w", encoding="utf-8") as t:
        t.write(text)
    with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as j:
        json.dump(results(f), j, indent=1)
        j.write("\n")
    if shutil.which("gnuplot"):
        plots(f, out)
    else:
        print("no plots: no gnuplot here (make deps-bench)")


if __name__ == "__main__":
    main()
