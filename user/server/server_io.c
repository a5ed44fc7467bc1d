// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of the protocol that libfuse does not know, at its two hooks for I/O.
 *
 * The read hook sees every request before libfuse: it counts, notes what the
 * kernel offers in INIT, and lets the operations that libfuse has no slot for
 * enter by the door of STATFS, whose handler gets nodeid and nothing else and
 * may reply with any bytes. The write hook completes the reply to INIT.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server.h"

__thread const struct proto_in_header *server_request;
__thread uint32_t server_setxattr_flags;

__thread uint32_t server_opcode;

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

static ssize_t note_request(struct server *srv, struct proto_in_header *in,
			    ssize_t len)
{
	const struct proto_init_in *init = (const void *)(in + 1);

	server_request = in;
	server_opcode = in->opcode;
	if (in->opcode < PROTO_OP_MAX)
		srv->requests[in->opcode]++;
	if (in->opcode == PROTO_OP_INIT) {
		srv->kernel_minor = init->minor;
		srv->offered = init->flags;
		if (init->flags & PROTO_INIT_EXT)
			srv->offered |= (uint64_t)init->flags2 << 32;
		srv->init_unique = in->unique;
	} else if (in->opcode == PROTO_OP_SETXATTR &&
		   (srv->offered & PROTO_INIT_SETXATTR_EXT)) {
		len = shorten_setxattr(in, len);
	} else if (in->opcode == PROTO_OP_SYNCFS || in->opcode == PROTO_OP_TMPFILE ||
		   in->opcode == PROTO_OP_STATX ||
		   in->opcode == PROTO_OP_COPY_FILE_RANGE_64) {
		in->opcode = PROTO_OP_STATFS;
	}
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

int io_attach(struct server *srv)
{
	static const struct fuse_custom_io io = {
		.writev = io_writev,
		.read = io_read,
	};

	return fuse_session_custom_io(srv->se, &io, fuse_session_fd(srv->se));
}

/* Memory for replies, one block for each thread ---------------------------- */

static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

struct thread_buffer {
	size_t size;
	char data[];
};

static void buffer_key_create(void)
{
	pthread_key_create(&buffer_key, free);
}

char *server_thread_buffer(size_t size)
{
	struct thread_buffer *b;

	pthread_once(&buffer_once, buffer_key_create);
	b = pthread_getspecific(buffer_key);
	if (b && b->size >= size)
		return b->data;
	free(b);
	b = malloc(sizeof(*b) + size);
	if (b)
		b->size = size;
	pthread_setspecific(buffer_key, b);
	return b ? b->data : NULL;
}
