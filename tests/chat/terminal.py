# SPDX-License-Identifier: MIT
"""A small terminal: what a person would see of a program's output."""
import codecs
import re
import unicodedata

# What readline sends with TERM=xterm.
CONTROL = re.compile(
    r"\x1b\[(?P<args>[?0-9;]*)(?P<csi>[A-Za-z@])|\x1b(?P<esc>[=>])")


class Terminal:
    """Lines of cells without end; a wide character is followed by ''."""

    def __init__(self, columns):
        self.columns = columns
        self.rows = [[]]
        self.row = self.column = 0
        self.pending = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.unknown = []

    def feed(self, data):
        text = self.pending + self.decoder.decode(data)
        self.pending = ""
        while text:
            if text[0] == "\x1b":
                match = CONTROL.match(text)
                if not match and len(text) < 16:
                    self.pending = text
                    return
                if not match:
                    self.unknown.append(text[:16])
                    text = text[1:]
                    continue
                self.control(match)
                text = text[match.end():]
            else:
                self.put(text[0])
                text = text[1:]

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.down()
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char == "\a":
            pass
        elif unicodedata.category(char) == "Cc":
            self.unknown.append(char)
        else:
            wide = unicodedata.east_asian_width(char) in "WF"
            if self.column + 1 + wide > self.columns:
                self.column = 0
                self.down()
            self.cell(self.column, char)
            if wide:
                self.cell(self.column + 1, "")
            self.column += 1 + wide

    def down(self):
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    def cell(self, column, char):
        line = self.rows[self.row]
        line.extend(" " * (column + 1 - len(line)))
        line[column] = char

    def control(self, match):
        kind, args = match["csi"], match["args"]
        number = int(args) if args.isdigit() else 0
        line = self.rows[self.row]
        if kind == "K" and number == 0:
            del line[self.column:]
        elif kind == "K":
            line.clear()
        elif kind == "J":
            del line[self.column:]
            del self.rows[self.row + 1:]
        elif kind == "C":
            self.column += number or 1
        elif kind == "D":
            self.column = max(0, self.column - (number or 1))
        elif kind == "A":
            self.row = max(0, self.row - (number or 1))
        elif kind == "P":
            del line[self.column:self.column + (number or 1)]
        elif kind == "@":
            line[self.column:self.column] = [" "] * (number or 1)
        elif kind not in ("h", "l", "m"):
            self.unknown.append(match[0])

    def lines(self):
        return ["".join(row).rstrip() for row in self.rows]
