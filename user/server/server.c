// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of a server: set-up, INIT, worker loop, tear-down. See server.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lib.h"
#include "server.h"

/* Operations ------------------------------------------------------------- */

static void server_init(void *userdata, struct fuse_conn_info *conn)
{
	conn->want |= conn->capable & (FUSE_CAP_DONT_MASK | FUSE_CAP_POSIX_ACL);
	/*
	 * The kernel clears suid and sgid by itself then. It does not where OPEN
	 * truncates, and only the kernel knows whether the caller has CAP_FSETID.
	 */
	conn->want &= ~(FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_ATOMIC_O_TRUNC);
	conn->max_write = 1 << 20;
	conn->max_background = 64;
}

/* libfuse's STATFS, and what comes disguised as it. */
static void server_extra(fuse_req_t req, fuse_ino_t nodeid)
{
	switch (server_opcode) {
	case PROTO_OP_SYNCFS:
		fuse_reply_err(req, syncfs(server_of(req)->root_fd) ? EIO : 0);
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

const struct fuse_lowlevel_ops server_ops = {
	.init		= server_init,
	.lookup		= name_lookup,
	.forget		= name_forget,
	.forget_multi	= name_forget_multi,
	.getattr	= attr_getattr,
	.setattr	= attr_setattr,
	.readlink	= attr_readlink,
	.mknod		= name_mknod,
	.mkdir		= name_mkdir,
	.unlink		= name_unlink,
	.rmdir		= name_rmdir,
	.symlink	= name_symlink,
	.rename		= name_rename,
	.link		= name_link,
	.open		= file_open,
	.create		= file_create,
	.read		= file_read,
	.write		= file_write,
	.flush		= file_flush,
	.release	= file_release,
	.fsync		= file_fsync,
	.opendir	= dir_open,
	.readdir	= dir_read,
	.readdirplus	= dir_read_plus,
	.releasedir	= dir_release,
	.fsyncdir	= dir_fsync,
	.statfs		= server_extra,
	.setxattr	= xattr_set,
	.getxattr	= xattr_get,
	.listxattr	= xattr_list,
	.removexattr	= xattr_remove,
	.access		= attr_access,
	.ioctl		= xattr_ioctl,
	.fallocate	= file_fallocate,
	.lseek		= file_lseek,
	.copy_file_range = file_copy_range,
};

/* Set-up ----------------------------------------------------------------- */

/* One more than the source's own depth, which only stacked ones have. */
static uint32_t stack_depth_of(int fd)
{
	static const unsigned long stacked[] = {
		0x794c7630,	/* overlayfs */
		0x65735546,	/* fuse, with passthrough */
		0xf15f,		/* ecryptfs */
	};
	struct statfs st;
	size_t i;

	for (i = 0; !fstatfs(fd, &st) && i < ARRAY_SIZE(stacked); i++)
		if ((unsigned long)st.f_type == stacked[i])
			return 2;
	return 1;
}

static int open_source(struct server *srv)
{
	srv->root_fd = open(srv->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (srv->root_fd < 0)
		return -errno;
	if (access("/proc/self/fd", X_OK))
		return -errno;
	srv->stack_depth = stack_depth_of(srv->root_fd);
	return node_table_create(srv);
}

/* The file system applies umask and groups of each caller, not ours. */
static void prepare_process(void)
{
	struct rlimit lim;

	umask(0);
	if (!geteuid())
		setgroups(0, NULL);
	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

int server_create(const struct server_options *opts, struct server **out)
{
	struct server *srv = calloc(1, sizeof(*srv));
	int ret;

	if (!srv)
		return -ENOMEM;
	srv->root_fd = -1;
	srv->timeout = opts->timeout;
	srv->debug = opts->debug;
	srv->ops = opts->ops ?: &server_ops;
	srv->no_inode_passthrough = opts->no_inode_passthrough;
	srv->source = realpath(opts->source, NULL);
	ret = srv->source ? open_source(srv) : -errno;
	if (!ret) {
		srv->mountpoint = realpath(opts->mountpoint, NULL);
		ret = srv->mountpoint ? 0 : -errno;
	}
	if (ret) {
		server_destroy(srv);
		return ret;
	}
	prepare_process();
	*out = srv;
	return 0;
}

/* Mounting --------------------------------------------------------------- */

/* May those mount for others who are not root? See mount.fuse3(8). */
static bool others_allowed(void)
{
	_cleanup_free_ char *text = NULL;
	const char *at;

	if (!geteuid())
		return true;
	if (util_file_read("/etc/fuse.conf", &text))
		return false;
	for (at = text; at; at = strchr(at, '\n')) {
		at += strspn(at, " \t\n");
		if (!strncmp(at, "user_allow_other", strlen("user_allow_other")))
			return true;
	}
	return false;
}

static int new_session(struct server *srv, const char *user)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	_cleanup_free_ char *opts = NULL, *fsname = NULL;
	int ret = 0;

	if (asprintf(&fsname, "fsname=%s", srv->source) < 0)
		return -ENOMEM;
	if (fuse_opt_add_opt(&opts, "default_permissions,subtype=fusepass") ||
	    (others_allowed() && fuse_opt_add_opt(&opts, "allow_other")) ||
	    fuse_opt_add_opt_escaped(&opts, fsname) ||
	    (*user && fuse_opt_add_opt(&opts, user)) ||
	    fuse_opt_add_arg(&args, "fusepass") ||
	    (srv->debug && fuse_opt_add_arg(&args, "-d")) ||
	    fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, opts))
		ret = -ENOMEM;
	if (!ret) {
		srv->se = fuse_session_new(&args, srv->ops, sizeof(*srv->ops),
					   srv);
		ret = srv->se ? 0 : -EINVAL;
	}
	fuse_opt_free_args(&args);
	return ret;
}

static int mount_session(struct server *srv, struct mount_args *args)
{
	const struct lib_kind *kind = lib_kind_here();

	errno = 0;
	if (kind != &lib_kinds[0])
		return server_mount_module(srv, kind, args);
	if (fuse_session_mount(srv->se, srv->mountpoint))
		return errno ? -errno : -EIO;
	return server_mount_flags(srv, args);
}

/* The mount is there afterwards, and nothing answers on it yet. */
int server_mount(struct server *srv, const char *mount_options)
{
	struct fusepass_mount m;
	struct mount_args args;
	int ret = server_mount_args(&args, mount_options);

	if (!ret)
		ret = new_session(srv, args.libfuse.text);
	if (ret)
		return ret;
	ret = mount_session(srv, &args);
	if (!ret)
		ret = io_attach(srv);
	if (!ret)
		ret = fusepass_mount_find(srv->mountpoint, &m);
	if (ret)
		return ret;
	srv->connection = m.connection;
	fusepass_mount_clear(&m);
	return 0;
}

/* Running ---------------------------------------------------------------- */

static bool init_done(const struct server *srv)
{
	return srv->kernel_minor && !srv->init_unique;
}

/* INIT alone, in this thread: whoever attaches a policy waits for it. */
static int serve_init(struct server *srv)
{
	struct fuse_buf buf = { 0 };
	int got = 0;

	while (!init_done(srv) && !fuse_session_exited(srv->se)) {
		got = fuse_session_receive_buf(srv->se, &buf);
		if (got == -EINTR)
			continue;
		if (got <= 0)
			break;
		fuse_session_process_buf(srv->se, &buf);
	}
	free(buf.mem);
	if (init_done(srv))
		return 0;
	return got < 0 ? got : -ENOTCONN;
}

static int serve_all(struct server *srv)
{
	struct fuse_loop_config *cfg = fuse_loop_cfg_create();
	int ret;

	if (!cfg)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(cfg, 0);
	ret = fuse_session_loop_mt(srv->se, cfg);
	fuse_loop_cfg_destroy(cfg);
	/* Positive: a signal asked us to end, which is no failure. */
	return ret < 0 ? ret : 0;
}

int server_run(struct server *srv, server_ready_fn ready, void *arg)
{
	struct server_ctl *ctl = NULL;
	int ret;

	if (fuse_set_signal_handlers(srv->se))
		return -EINVAL;
	ret = serve_init(srv);
	/* Policies and counts are told over it; the mount works without. */
	if (!ret)
		srv->ctl_error = server_ctl_start(srv, &ctl);
	if (!ret)
		ret = ready(srv, arg);
	if (!ret)
		ret = serve_all(srv);
	server_ctl_stop(ctl);
	fuse_remove_signal_handlers(srv->se);
	return ret;
}

void server_destroy(struct server *srv)
{
	bool gone;

	if (!srv)
		return;
	if (srv->se) {
		gone = server_mount_is_gone(srv);
		fuse_session_unmount(srv->se);
		fuse_session_destroy(srv->se);
		if (!gone)
			server_umount_module(srv);
	}
	node_table_destroy(srv);
	if (srv->root_fd >= 0)
		close(srv->root_fd);
	free(srv->source);
	free(srv->mountpoint);
	free(srv);
}
