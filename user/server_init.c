// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What libfuse does not know of the protocol, at its two hooks for I/O.
 *
 * The read hook sees every request before libfuse: it counts, notes what the
 * kernel offers in INIT, and lets the operations that libfuse has no slot for
 * enter by the door of STATFS, whose handler gets nodeid and nothing else and
 * may reply with any bytes. The write hook completes the reply to INIT.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server.h"

__thread const struct proto_in_header *server_request;
__thread uint32_t server_setxattr_flags;

/* The opcode behind a STATFS that is none. */
static __thread uint32_t real_opcode;

static void note_init(struct server *srv, const struct proto_in_header *in)
{
	const struct proto_init_in *arg = (const void *)(in + 1);

	srv->kernel_minor = arg->minor;
	srv->offered = arg->flags;
	if (arg->flags & PROTO_INIT_EXT)
		srv->offered |= (uint64_t)arg->flags2 << 32;
	srv->init_unique = in->unique;
}

/*
 * setxattr_flags came with SETXATTR_EXT; libfuse expects the argument to end
 * before them. Returns the new length of the request.
 */
static ssize_t shorten_setxattr(struct proto_in_header *in, ssize_t len)
{
	struct proto_setxattr_in *arg = (void *)(in + 1);
	char *ext = (char *)&arg->setxattr_flags;
	size_t extra = sizeof(arg->setxattr_flags) + sizeof(arg->padding);

	server_setxattr_flags = arg->setxattr_flags;
	memmove(ext, ext + extra, len - (ext + extra - (char *)in));
	in->len -= extra;
	return len - extra;
}

static bool is_extra(uint32_t opcode)
{
	return opcode == PROTO_OP_SYNCFS || opcode == PROTO_OP_TMPFILE ||
	       opcode == PROTO_OP_STATX ||
	       opcode == PROTO_OP_COPY_FILE_RANGE_64;
}

static ssize_t note_request(struct server *srv, struct proto_in_header *in,
			    ssize_t len)
{
	server_request = in;
	real_opcode = in->opcode;
	if (in->opcode < PROTO_OP_MAX)
		srv->requests[in->opcode]++;
	if (in->opcode == PROTO_OP_INIT)
		note_init(srv, in);
	else if (in->opcode == PROTO_OP_SETXATTR &&
		 (srv->offered & PROTO_INIT_SETXATTR_EXT))
		len = shorten_setxattr(in, len);
	else if (is_extra(in->opcode))
		in->opcode = PROTO_OP_STATFS;
	return len;
}

/* A cancellation point of libfuse's workers: nothing may be held here. */
static ssize_t io_read(int fd, void *buf, size_t len, void *userdata)
{
	ssize_t got = read(fd, buf, len);

	if (got < (ssize_t)sizeof(struct proto_in_header))
		return got;
	return note_request(userdata, buf, got);
}

static void complete_init(struct server *srv, struct proto_init_out *out)
{
	uint64_t want = PROTO_INIT_EXT | PROTO_INIT_PASSTHROUGH;

	if (!srv->no_inode_passthrough)
		want |= PROTO_INIT_PASSTHROUGH_INO;
	if (srv->offered & PROTO_INIT_SETXATTR_EXT)
		out->flags |= PROTO_INIT_SETXATTR_EXT;
	if ((srv->offered & want) != want)
		return;
	srv->inode_passthrough = !srv->no_inode_passthrough;
	out->flags |= (uint32_t)want;
	out->flags2 |= want >> 32;
	out->max_stack_depth = srv->stack_depth;
	out->minor = srv->kernel_minor < PROTO_MINOR ?
		     srv->kernel_minor : PROTO_MINOR;
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct proto_out_header *out = iov[0].iov_base;
	struct server *srv = userdata;

	if (srv->init_unique && out->unique == srv->init_unique) {
		srv->init_unique = 0;
		if (count == 2 && !out->error &&
		    iov[1].iov_len == sizeof(struct proto_init_out))
			complete_init(srv, iov[1].iov_base);
	}
	return writev(fd, iov, count);
}

int server_io_attach(struct server *srv)
{
	static const struct fuse_custom_io io = {
		.writev = io_writev,
		.read = io_read,
	};

	return fuse_session_custom_io(srv->se, &io, fuse_session_fd(srv->se));
}

void server_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want |= conn->capable & (FUSE_CAP_DONT_MASK | FUSE_CAP_POSIX_ACL);
	/*
	 * The kernel clears suid and sgid by itself then. It does not where OPEN
	 * truncates, and only the kernel knows whether the caller has CAP_FSETID.
	 */
	conn->want &= ~(FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_ATOMIC_O_TRUNC);
	conn->max_write = 1 << 20;
	conn->max_background = 64;
}

static void extra_syncfs(fuse_req_t req)
{
	fuse_reply_err(req, syncfs(server_of(req)->root_fd) ? EIO : 0);
}

/* libfuse's STATFS, and what comes disguised as it. */
void server_extra(fuse_req_t req, fuse_ino_t nodeid)
{
	switch (real_opcode) {
	case PROTO_OP_SYNCFS:
		extra_syncfs(req);
		break;
	case PROTO_OP_TMPFILE:
		file_tmpfile(req, nodeid);
		break;
	case PROTO_OP_STATX:
		attr_statx(req, nodeid);
		break;
	case PROTO_OP_COPY_FILE_RANGE_64:
		file_copy_range_64(req, nodeid);
		break;
	default:
		attr_statfs(req, nodeid);
		break;
	}
}
