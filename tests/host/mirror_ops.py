# SPDX-License-Identifier: GPL-2.0-or-later
"""File system operations whose outcome must not depend on who serves them.

    mirror_ops.py DIR [ROUNDS]

Works in DIR/t, which it makes, and prints one line per claim: its name, a tab,
and what was seen - results, attributes, errno names. The caller compares two
runs, one natively and one on a mount (tests/host/server.sh). Needs root, as it
takes other ids. ROUNDS (200) is how often what may race is repeated.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
FS_IOC_FSGETXATTR = 0x801C581F
USER, GROUP, OTHER_GROUP = 1000, 1001, 555
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
CASES = []


def case(f):
    CASES.append(f)
    return f


def outcome(f, *args):
    try:
        return f(*args)
    except OSError as e:
        return errno.errorcode[e.errno]


def check(ret):
    if ret < 0:
        raise OSError(ctypes.get_errno(), "")
    return ret


def rename2(old, new, flags):
    return check(libc.renameat2(AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), flags))


def link_fd(fd, name):
    path = "/proc/self/fd/%d" % fd
    return check(libc.linkat(AT_FDCWD, path.encode(), AT_FDCWD, name.encode(), 0x400))


def write(path, data=b"x", flags=os.O_CREAT | os.O_WRONLY, mode=0o666):
    fd = os.open(path, flags, mode)
    os.write(fd, data)
    os.close(fd)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def attrs(path):
    s = os.lstat(path)
    return oct(s.st_mode), s.st_nlink, s.st_uid, s.st_gid, s.st_size


def as_user(f, groups=(), uid=USER, gid=GROUP):
    """Runs f in a child with other ids; its outcome as text."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)
        os.write(w, repr(outcome(f)).encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        text = f.read().decode()
    os.waitpid(pid, 0)
    return text


def acl(uid, perm=6):
    entries = [(1, 7, 0xFFFFFFFF), (2, perm, uid), (4, 5, 0xFFFFFFFF),
               (16, 7, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


# Names ----------------------------------------------------------------------

@case
def rename_noreplace_fails_if_target_exists():
    write("a", b"aaa")
    write("b", b"bb")
    return outcome(rename2, "a", "b", 1), outcome(rename2, "a", "c", 1)


@case
def rename_exchange_swaps_files():
    write("x1", b"1")
    write("x2", b"22")
    return rename2("x1", "x2", 2), read("x1"), read("x2")


@case
def rename_exchange_swaps_file_and_directory():
    os.mkdir("xd")
    write("xf")
    return rename2("xd", "xf", 2), attrs("xd"), attrs("xf")


@case
def rename_whiteout_leaves_a_whiteout():
    write("wa")
    return outcome(rename2, "wa", "wb", 4), outcome(attrs, "wa"), outcome(attrs, "wb")


@case
def whiteout_belongs_to_the_caller():
    os.mkdir("ww")
    os.chmod("ww", 0o777)
    return as_user(lambda: (write("ww/a"), rename2("ww/a", "ww/b", 4))), \
        outcome(attrs, "ww/a")


@case
def rename_of_a_file_over_a_directory_fails():
    write("rf")
    os.mkdir("rd")
    return outcome(os.rename, "rf", "rd"), outcome(os.rename, "rd", "rd/y")


@case
def renamed_file_stays_open():
    write("o1", b"1")
    fd = os.open("o1", os.O_RDONLY)
    os.rename("o1", "o2")
    write("o1", b"2")
    return os.pread(fd, 1, 0), read("o1"), os.fstat(fd).st_ino == os.stat("o2").st_ino


@case
def working_directory_can_be_renamed():
    os.makedirs("cw/a")
    os.chdir("cw/a")
    try:
        os.rename("../../cw", "../../cw2")
        write("in")
        return os.path.basename(os.path.dirname(os.getcwd()))
    finally:
        os.chdir("../..")


@case
def create_exclusive_fails_if_name_exists():
    write("ce")
    return outcome(os.open, "ce", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


@case
def hard_link_counts():
    write("h1")
    os.link("h1", "h2")
    return attrs("h1"), os.stat("h1").st_ino == os.stat("h2").st_ino


@case
def hard_link_to_a_symlink():
    os.symlink("nowhere", "s1")
    os.link("s1", "s2", follow_symlinks=False)
    return os.readlink("s2"), attrs("s2")


@case
def long_names_and_targets():
    write("n" * 255)
    os.symlink("y" * 4095, "sl")
    return outcome(write, "n" * 256), len(os.readlink("sl"))


@case
def removing_the_wrong_kind_fails():
    os.makedirs("ne/x")
    write("nf")
    return outcome(os.rmdir, "ne"), outcome(os.unlink, "ne"), outcome(os.rmdir, "nf")


@case
def special_files():
    os.mkfifo("fifo")
    os.mknod("chr", 0o20666, os.makedev(1, 3))
    os.mknod("chr2", 0o20666, os.makedev(300, 70000))
    os.mknod("reg", 0o100666)
    return [attrs(n) + (os.stat(n).st_rdev,) for n in ("fifo", "chr", "chr2", "reg")]


@case
def unix_socket_accepts_connections():
    s, c = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    s.bind("sock")
    s.listen(1)
    return outcome(c.connect, "sock"), attrs("sock")


@case
def listing_is_complete():
    os.mkdir("many")
    for i in range(ROUNDS * 10):
        write("many/%04d" % i)
    return sorted(os.listdir("many")) == ["%04d" % i for i in range(ROUNDS * 10)]


@case
def removing_while_listing_removes_all():
    with os.scandir("many") as entries:
        for e in entries:
            os.unlink(e.path)
    return os.listdir("many")


@case
def reused_inode_numbers_do_not_mix_files():
    wrong = 0
    for i in range(ROUNDS):
        write("re", b"%d" % i)
        fd = os.open("re", os.O_RDONLY)
        wrong += os.pread(fd, 9, 0) != b"%d" % i
        os.unlink("re")
        if i % 2:
            os.close(fd)
    return wrong


# Files without a name -------------------------------------------------------

@case
def unlinked_file_keeps_working():
    fd = os.open("u", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"hello")
    os.unlink("u")
    os.fchmod(fd, 0o600)
    os.ftruncate(fd, 2)
    os.pwrite(fd, b"zz", 5)
    os.setxattr(fd, "user.q", b"1")
    s = os.fstat(fd)
    return os.pread(fd, 10, 0), s.st_nlink, oct(s.st_mode), s.st_size, \
        os.getxattr(fd, "user.q"), outcome(link_fd, fd, "relink")


@case
def unlinked_directory_is_empty():
    os.mkdir("ud")
    fd = os.open("ud", os.O_RDONLY)
    os.rmdir("ud")
    return os.fstat(fd).st_nlink, os.listdir(fd), \
        outcome(lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=fd))


@case
def tmpfile_can_be_linked():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b"tmp")
    before = os.fstat(fd)
    link_fd(fd, "linked")
    return oct(before.st_mode), before.st_nlink, read("linked"), os.fstat(fd).st_nlink


@case
def exclusive_tmpfile_cannot_be_linked():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o640)
    return outcome(link_fd, fd, "exclusive")


# Contents -------------------------------------------------------------------

@case
def appends_of_two_files_do_not_overlap():
    f1 = os.open("ap", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    f2 = os.open("ap", os.O_WRONLY | os.O_APPEND)
    for _ in range(3):
        os.write(f1, b"1")
        os.write(f2, b"2")
    return read("ap")


@case
def append_can_be_set_and_cleared():
    fd = os.open("ap", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(fd, b"1234")
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)
    os.pwrite(fd, b"b", 1)
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    os.pwrite(fd, b"e", 0)
    return read("ap")


@case
def mapping_of_a_file_for_appending_does_not_append():
    fd = os.open("ap", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(fd, b"1234")
    with mmap.mmap(fd, 4) as m:
        m[1:2] = b"b"
        m.flush()
    os.fsync(fd)
    return read("ap")


@case
def holes_are_holes():
    fd = os.open("hole", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 1 << 20)
    os.pwrite(fd, b"d" * 4096, 512 << 10)
    return os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 512 << 10, os.SEEK_HOLE), \
        os.stat("hole").st_blocks, outcome(os.lseek, fd, 600 << 10, os.SEEK_DATA)


@case
def fallocate_and_punch():
    fd = os.open("hole", os.O_RDWR)
    os.posix_fallocate(fd, 0, 8192)
    blocks = os.stat("hole").st_blocks
    check(libc.fallocate(fd, 3, ctypes.c_long(512 << 10), ctypes.c_long(4096)))
    return blocks, os.stat("hole").st_blocks


@case
def copy_file_range_copies():
    f1 = os.open("cr1", os.O_CREAT | os.O_RDWR)
    f2 = os.open("cr2", os.O_CREAT | os.O_RDWR)
    os.pwrite(f2, b"copyme", 0)
    return os.copy_file_range(f2, f1, 6, 0, 3), os.pread(f1, 20, 0)


@case
def direct_io():
    fd = os.open("hole", os.O_RDWR | os.O_DIRECT)
    out, back = mmap.mmap(-1, 8192), mmap.mmap(-1, 4096)
    out[:3] = b"abc"
    return os.pwrite(fd, out, 0), os.preadv(fd, [back], 0), bytes(back[:3])


@case
def shared_mapping_writes():
    fd = os.open("mm", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 8192)
    m = mmap.mmap(fd, 8192)
    m[0:5] = b"hello"
    m.flush()
    return os.pread(fd, 5, 0)


@case
def program_runs():
    write("prog", b"#!/bin/sh\necho ran\n", mode=0o777)
    return os.popen("./prog").read()


@case
def record_lock_excludes():
    write("lk")
    fd = os.open("lk", os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    pid = os.fork()
    if pid == 0:
        other = os.open("lk", os.O_RDWR)
        os._exit(outcome(fcntl.lockf, other, fcntl.LOCK_EX | fcntl.LOCK_NB) == "EAGAIN")
    return os.waitpid(pid, 0)[1]


# Attributes -----------------------------------------------------------------

@case
def times_have_nanoseconds():
    write("t")
    seen = []
    for ns in ((1, 999999999), (-5_000_000_001, -7_000_000_003)):
        os.utime("t", ns=ns)
        seen.append((os.stat("t").st_atime_ns, os.stat("t").st_mtime_ns))
    return seen


@case
def symlink_has_owner_and_times():
    os.symlink("t", "st")
    os.utime("st", ns=(123456789, 987654321), follow_symlinks=False)
    os.lchown("st", 12, 13)
    return attrs("st"), os.lstat("st").st_mtime_ns


@case
def truncation():
    write("tr", b"123456")
    os.truncate("tr", 100)
    return attrs("tr"), outcome(os.truncate, ".", 1)


@case
def file_flags():
    write("ff")
    fd = os.open("ff", os.O_RDONLY)
    buf, ext = bytearray(4), bytearray(28)
    fcntl.ioctl(fd, FS_IOC_GETFLAGS, buf)
    flags = struct.unpack("I", buf)[0]
    fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("I", flags | 0x80))
    fcntl.ioctl(fd, FS_IOC_GETFLAGS, buf)
    fcntl.ioctl(fd, FS_IOC_FSGETXATTR, ext)
    return hex(flags), buf.hex(), ext.hex(), outcome(fcntl.ioctl, fd, 0x12345678, buf)


@case
def immutable_needs_a_capability():
    write("im")
    os.chown("im", USER, GROUP)
    arg = struct.pack("I", 0x10)
    return as_user(lambda: fcntl.ioctl(os.open("im", os.O_RDONLY), FS_IOC_SETFLAGS, arg))


@case
def extended_attributes():
    write("xa")
    os.setxattr("xa", "user.a", b"1")
    os.setxattr("xa", "user.b", b"x" * 3000)
    return sorted(os.listxattr("xa")), os.getxattr("xa", "user.a"), \
        len(os.getxattr("xa", "user.b")), \
        outcome(os.setxattr, "xa", "user.a", b"1", os.XATTR_CREATE), \
        outcome(os.setxattr, "xa", "user.z", b"1", os.XATTR_REPLACE), \
        outcome(os.getxattr, "xa", "user.zz"), os.removexattr("xa", "user.a"), \
        outcome(os.setxattr, "xa", "user.big", b"x" * 70000), os.listxattr("xa")


@case
def symlink_attributes():
    os.symlink("xa", "xs")
    return outcome(lambda: os.setxattr("xs", "user.a", b"1", follow_symlinks=False)), \
        os.setxattr("xs", "trusted.a", b"1", follow_symlinks=False), \
        os.getxattr("xs", "trusted.a", follow_symlinks=False)


@case
def trusted_attributes_are_hidden_from_users():
    write("ta")
    os.setxattr("ta", "trusted.t", b"1")
    return os.listxattr("ta"), as_user(lambda: os.listxattr("ta"))


@case
def write_clears_file_capabilities():
    write("cap")
    os.setxattr("cap", "security.capability",
                struct.pack("<IIIII", 0x02000001, 0x400, 0, 0, 0))
    before = os.listxattr("cap")
    write("cap", b"q", os.O_WRONLY)
    return before, os.listxattr("cap")


# Permissions ----------------------------------------------------------------

@case
def objects_belong_to_the_caller():
    os.mkdir("w")
    os.chmod("w", 0o777)
    return as_user(lambda: (write("w/f"), os.mkdir("w/d"), os.symlink("x", "w/s"),
                            os.mkfifo("w/p"), [attrs("w/" + n) for n in "fdsp"]))


@case
def umask_is_applied():
    return as_user(lambda: (os.umask(0o077), write("w/um"), attrs("w/um")))


@case
def group_comes_from_a_setgid_directory():
    os.mkdir("sg")
    os.chown("sg", 0, OTHER_GROUP)
    os.chmod("sg", 0o2777)
    return as_user(lambda: (write("sg/f"), os.mkdir("sg/d"), attrs("sg/f"), attrs("sg/d"))), \
        as_user(lambda: (os.umask(0), os.close(os.open("sg/g", os.O_CREAT, 0o2777)),
                         attrs("sg/g"))), \
        as_user(lambda: (os.umask(0), os.close(os.open("sg/h", os.O_CREAT, 0o2777)),
                         attrs("sg/h")), [OTHER_GROUP])


@case
def private_objects_are_private():
    write("pf", b"secret", mode=0o600)
    os.makedirs("pd/d")
    os.chmod("pd", 0o700)
    return [as_user(f) for f in (
        lambda: read("pf"), lambda: attrs("pf"), lambda: os.truncate("pf", 0),
        lambda: os.stat("pd/d").st_mode, lambda: os.listdir("pd"),
        lambda: os.chmod("pf", 0o666), lambda: os.chown("pf", USER, GROUP),
        lambda: os.unlink("pf"), lambda: os.mknod("w/c", 0o20666, os.makedev(1, 3)))]


@case
def supplementary_groups_count():
    write("gr", mode=0o640)
    os.chown("gr", 0, OTHER_GROUP)
    os.mkdir("gw")
    os.chown("gw", 0, OTHER_GROUP)
    os.chmod("gw", 0o770)
    return as_user(lambda: read("gr")), as_user(lambda: read("gr"), [OTHER_GROUP]), \
        as_user(lambda: (write("gw/f"), attrs("gw/f")), [OTHER_GROUP])


@case
def sticky_directory_protects():
    os.mkdir("sticky")
    os.chmod("sticky", 0o1777)
    write("sticky/r")
    return as_user(lambda: os.unlink("sticky/r")), \
        as_user(lambda: os.rename("sticky/r", "sticky/q"))


@case
def changes_by_a_user_clear_suid_and_sgid():
    seen = []
    for change in (lambda: write("su", b"y", os.O_WRONLY), lambda: os.truncate("su", 0),
                   lambda: os.close(os.open("su", os.O_WRONLY | os.O_TRUNC)),
                   lambda: os.posix_fallocate(os.open("su", os.O_WRONLY), 0, 4096)):
        write("su")
        os.chown("su", USER, GROUP)
        os.chmod("su", 0o6777)
        seen.append((as_user(change), attrs("su")))
    return seen


@case
def changes_by_root_keep_suid_but_chown_clears_it():
    os.chmod("su", 0o6777)
    write("su", b"y", os.O_WRONLY)
    kept = attrs("su")
    os.chown("su", USER, OTHER_GROUP)
    return kept, attrs("su")


@case
def sgid_needs_membership():
    return as_user(lambda: (os.chmod("su", 0o2777), attrs("su"))), \
        as_user(lambda: (os.chmod("su", 0o2777), attrs("su")), [OTHER_GROUP])


@case
def chgrp_to_an_own_group():
    write("cg")
    os.chown("cg", USER, GROUP)
    os.chmod("cg", 0o6755)
    return as_user(lambda: os.chown("cg", -1, OTHER_GROUP)), \
        as_user(lambda: (os.chown("cg", -1, OTHER_GROUP), attrs("cg")), [OTHER_GROUP])


@case
def acl_grants_and_denies():
    write("ac", b"y")
    os.setxattr("ac", "system.posix_acl_access", acl(1007))
    return attrs("ac"), as_user(lambda: read("ac"), uid=1007, gid=1007), \
        as_user(lambda: read("ac"), uid=1008, gid=1008)


@case
def acl_set_by_a_non_member_clears_sgid():
    write("as")
    os.chown("as", USER, OTHER_GROUP)
    os.chmod("as", 0o2775)
    return as_user(lambda: (os.setxattr("as", "system.posix_acl_access", acl(1007)),
                            attrs("as")))


@case
def default_acl_overrides_the_umask():
    os.mkdir("ad")
    os.setxattr("ad", "system.posix_acl_default", acl(1000))
    old = os.umask(0o077)
    write("ad/f")
    os.mkdir("ad/d")
    os.umask(old)
    return attrs("ad/f"), attrs("ad/d"), \
        os.getxattr("ad/f", "system.posix_acl_access").hex(), \
        os.getxattr("ad/d", "system.posix_acl_default").hex()


def main():
    os.chdir(sys.argv[1])
    os.mkdir("t")
    os.chdir("t")
    os.umask(0o022)
    for f in CASES:
        print("%s\t%r" % (f.__name__, outcome(f)), flush=True)


main()
