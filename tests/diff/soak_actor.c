// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The processes that do the operations. Each has credentials of its own, for
 * good, so that capabilities and groups are what they are for any process; it
 * does an operation on both sides, so that its locks and umask are the same
 * there. A byte on a socket says that there is an operation, or a result, in
 * the memory that it shares with the run.
 */
#include "soak.h"

#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	uid_t uid;
	gid_t gid, group;	/* group: one more, 0 for none */
	bool powerless;		/* root without capabilities */
} who[ACTORS] = {
	{ .uid = 0 },
	{ .uid = 1000, .gid = 1000 },
	{ .uid = 1001, .gid = 1000 },
	{ .uid = 1002, .gid = 1002, .group = 1000 },
	{ .uid = 1003, .gid = 1003 },
	{ .uid = 0, .powerless = true },
};

bool actor_is_powerless(int64_t a)
{
	return who[a].powerless;
}

static const op_fn functions[] = {
#define FN(name, weight) do_##name,
	SOAK_OPS(FN)
#undef FN
};

/* Passing open files ---------------------------------------------------------- */

union fds_message {
	char room[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

/* One byte; with two files if fds is given. */
static bool send_byte(int sock, const int fds[2])
{
	struct iovec iov = { "", 1 };
	union fds_message m = { "" };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fds) {
		m.align.cmsg_len = CMSG_LEN(2 * sizeof(int));
		m.align.cmsg_level = SOL_SOCKET;
		m.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&m.align), fds, 2 * sizeof(int));
		msg.msg_control = &m;
		msg.msg_controllen = sizeof(m);
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1;
}

static bool receive_byte(int sock, int fds[2])
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union fds_message m;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &m, .msg_controllen = sizeof(m) };
	struct cmsghdr *c;
	ssize_t n;

	fds[0] = fds[1] = -1;
	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	c = n == 1 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c)
		memcpy(fds, CMSG_DATA(c), 2 * sizeof(int));
	return n == 1;
}

/* In the actor ------------------------------------------------------------------ */

static void drop_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	if (syscall(SYS_capset, &h, none))
		die("capset: %s", strerrorname_np(errno));
}

static void become(int a)
{
	struct rlimit size = { FILE_MAX, FILE_MAX };

	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	umask(022);
	if (setrlimit(RLIMIT_FSIZE, &size) ||
	    setgroups(who[a].group ? 1 : 0, &who[a].group) ||
	    setresgid(who[a].gid, who[a].gid, who[a].gid) ||
	    setresuid(who[a].uid, who[a].uid, who[a].uid))
		die("cannot become user %u: %s", who[a].uid,
		    strerrorname_np(errno));
	if (who[a].powerless)
		drop_capabilities();
	/* Its /proc/self belongs to it again. */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* The directory in which paths begin; a file or nothing is an error. */
static bool enter(struct doing *d)
{
	int dir = d->op->shared ? d->side->shared : d->side->top;

	if (d->op->dir)
		dir = d->side->slot[d->op->dir - 1].fd;
	if (!fchdir(dir))
		return true;
	put(d, "result", -errno);
	put(d, "fchdir", -errno);
	return false;
}

static bool has_slot2(int64_t kind)
{
	return kind == OP_splice || kind == OP_sendfile || kind == OP_copy ||
	       kind == OP_clone || kind == OP_dedupe;
}

static int slots_seen(struct doing *d, int fd[2])
{
	const struct op *op = d->op;

	if (op_uses_path(op) || op->kind == OP_umask || op->shared)
		return 0;
	fd[0] = fd_of(d, op->slot);
	fd[1] = fd_of(d, op->slot2);
	return has_slot2(op->kind) && op->slot != op->slot2 ? 2 : 1;
}

/* Does it, with a look at the open files before and after. */
static void do_on_side(struct doing *d)
{
	struct look before[2];
	int fd[2], n = slots_seen(d, fd);

	d->res->values = d->res->looks = 0;
	for (int i = 0; i < n; i++)
		look_at(fd[i], "", AT_EMPTY_PATH, &before[i]);
	if (!op_uses_path(d->op) || enter(d))
		functions[d->op->kind](d);
	for (int i = 0; i < n; i++) {
		struct look *after = &d->res->look[d->res->looks++];

		look_at(fd_of(d, i ? d->op->slot2 : d->op->slot), "",
			AT_EMPTY_PATH, after);
		after->changed = look_changes(&before[i], after);
	}
}

static bool can_be_planted(const struct op *op)
{
	switch (op->kind) {
	case OP_mkdir:
	case OP_mknod:
	case OP_symlink:
	case OP_unlink:
	case OP_rmdir:
	case OP_chmod:
	case OP_set_xattr:
		return op_uses_path(op);
	}
	return false;
}

static void do_both(struct channel *ch, struct side side[2])
{
	struct doing native = { &ch->op, &side[NATIVE], &ch->res[NATIVE] };
	struct doing mount = { &ch->op, &side[MOUNT], &ch->res[MOUNT] };

	ch->planted = false;
	if (ch->op.shared) {
		do_on_side(&mount);
		ch->res[NATIVE] = ch->res[MOUNT];
		return;
	}
	do_on_side(&native);
	if (ch->plant && can_be_planted(&ch->op) &&
	    native.res->values && native.res->value[0].v >= 0)
		ch->planted = true;
	if (ch->planted || ch->op.left_out)
		ch->res[MOUNT] = ch->res[NATIVE];
	else
		do_on_side(&mount);
}

/* A file that is given keeps being ours as well. */
void do_give(struct doing *d)
{
	struct slot *s = slot_of(d, d->op->slot);

	s->given = s->fd >= 0;
	put(d, "result", s->given ? 0 : -EBADF);
}

static void adopt(struct side side[2], int64_t slot, const int fds[2])
{
	for (int s = 0; s < 2; s++) {
		slot_clear(&side[s].slot[slot]);
		side[s].slot[slot].fd = fds[s];
		side[s].slot[slot].given = true;
	}
}

static bool actor_serve(int sock, struct channel *ch, struct side side[2])
{
	int fds[2], give[2];

	if (!receive_byte(sock, fds))
		return false;
	if (ch->op.kind == OP_adopt) {
		adopt(side, ch->op.slot2, fds);
		return send_byte(sock, NULL);
	}
	do_both(ch, side);
	give[0] = side[NATIVE].slot[ch->op.slot].fd;
	give[1] = side[MOUNT].slot[ch->op.slot].fd;
	return send_byte(sock, ch->op.kind == OP_give && give[0] >= 0 &&
			 give[1] >= 0 ? give : NULL);
}

static void __attribute__((noreturn))
actor_main(int a, int sock, struct channel *ch, const int top[SIDES], int shared)
{
	static struct side side[2];

	for (int s = 0; s < 2; s++) {
		side[s].top = top[s];
		side[s].shared = shared;
		for (int i = 0; i < SLOTS; i++)
			side[s].slot[i].fd = -1;
	}
	become(a);
	while (actor_serve(sock, ch, side))
		;
	_exit(0);
}

/* In the run ----------------------------------------------------------------------- */

static void actor_start(struct actor *actor, int a, const int top[SIDES],
			int shared)
{
	int sock[2];

	actor->ch = mmap(NULL, sizeof(*actor->ch), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (actor->ch == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		die("actor: %s", strerrorname_np(errno));
	fflush(stdout);
	actor->pid = fork();
	if (actor->pid < 0)
		die("fork: %s", strerrorname_np(errno));
	if (!actor->pid) {
		close(sock[0]);
		actor_main(a, sock[1], actor->ch, top, shared);
	}
	close(sock[1]);
	actor->sock = sock[0];
}

void actors_start(struct actors *all, const int top[SIDES], int shared,
		  unsigned int patience)
{
	all->patience = patience;
	for (int a = 0; a < ACTORS; a++)
		actor_start(&all->actor[a], a, top, shared);
}

void actors_stop(struct actors *all)
{
	for (int a = 0; a < ACTORS; a++) {
		close(all->actor[a].sock);
		kill(all->actor[a].pid, SIGKILL);
	}
	for (int a = 0; a < ACTORS; a++) {
		waitpid(all->actor[a].pid, NULL, 0);
		munmap(all->actor[a].ch, sizeof(*all->actor[a].ch));
	}
}

static bool tell(struct actors *all, struct actor *actor, const int *fds,
		 int got[2])
{
	struct pollfd p = { .fd = actor->sock, .events = POLLIN };

	return send_byte(actor->sock, fds) &&
	       poll(&p, 1, all->patience * 1000) == 1 &&
	       receive_byte(actor->sock, got);
}

/* The second half of a give. */
static bool hand_over(struct actors *all, const struct op *op, int fds[2])
{
	struct actor *to = &all->actor[op->how];
	int none[2];
	bool good;

	to->ch->op.kind = OP_adopt;
	to->ch->op.slot2 = op->slot2;
	good = tell(all, to, fds, none);
	close(fds[0]);
	close(fds[1]);
	return good;
}

bool actors_do(struct actors *all, const struct op *op, bool plant)
{
	struct actor *actor = &all->actor[op->actor];
	int fds[2];

	op_copy(&actor->ch->op, op);
	actor->ch->plant = plant;
	if (!tell(all, actor, NULL, fds))
		return false;
	return op->kind != OP_give || fds[0] < 0 || hand_over(all, op, fds);
}
