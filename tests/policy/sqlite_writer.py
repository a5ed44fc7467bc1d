#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two writers of one sqlite database, for lock_test.c.

    sqlite_writer.py MODE COUNT DB OTHER [DB OTHER]...

Makes the database DB with that journal mode. Then two processes do COUNT transactions
each, one by the path DB and one by OTHER, which lead to the same file. What a transaction
reads and what it writes depend on each other, so that two that run at a time show. Any
error of sqlite but "busy", which it waits out by itself, ends a writer with a status. In
the end all transactions are in the database, and it is whole.
"""

import os
import sqlite3
import sys


def connect(path):
    return sqlite3.connect(path, timeout=120, isolation_level=None)


def create(path, mode):
    db = connect(path)
    got = db.execute(f"PRAGMA journal_mode={mode}").fetchone()[0]
    if got != mode:
        sys.exit(f"journal mode is {got}, not {mode}")
    db.execute("CREATE TABLE counter (n INTEGER)")
    db.execute("CREATE TABLE log (n INTEGER PRIMARY KEY, who TEXT, i INTEGER)")
    db.execute("INSERT INTO counter VALUES (0)")
    db.close()


def write(path, who, count):
    db = connect(path)
    for i in range(count):
        db.execute("BEGIN IMMEDIATE")
        n = db.execute("SELECT n FROM counter").fetchone()[0]
        db.execute("INSERT INTO log VALUES (?, ?, ?)", (n, who, i))
        db.execute("UPDATE counter SET n = ?", (n + 1,))
        db.execute("COMMIT")
    db.close()


def start(path, who, count, go):
    """A writer that begins when the other end of the pipe is closed."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.close(go[1])
        os.read(go[0], 1)
        write(path, who, count)
        status = 0
    except sqlite3.Error as e:
        print(f"# writer {who} of {path}: {e}", flush=True)
    finally:
        os._exit(status)


def check(path, count):
    db = connect(path)
    n = db.execute("SELECT n FROM counter").fetchone()[0]
    each = db.execute("SELECT who, count(*), max(i) FROM log GROUP BY who ORDER BY who")
    want = [(who, count, count - 1) for who in "ab"]
    got = each.fetchall()
    if n != 2 * count or got != want:
        sys.exit(f"{n} were counted, not {2 * count}; in the log are {got}")
    good = db.execute("PRAGMA integrity_check").fetchone()[0]
    if good != "ok":
        sys.exit(f"the database is not whole: {good}")
    db.close()


def pair(mode, count, path, other):
    print(f"# {mode}: {path} and {other}", flush=True)
    create(path, mode)
    go = os.pipe()
    pids = [start(path, "a", count, go), start(other, "b", count, go)]
    os.close(go[1])
    status = [os.waitpid(pid, 0)[1] for pid in pids]
    os.close(go[0])
    if any(status):
        sys.exit(f"writers of {path} and {other} ended with {status}")
    check(path, count)
    os.unlink(path)


def main():
    mode, count, *paths = sys.argv[1:]
    for i in range(0, len(paths), 2):
        try:
            pair(mode, int(count), paths[i], paths[i + 1])
        except sqlite3.Error as e:
            sys.exit(f"{paths[i]}: {e}")


main()
