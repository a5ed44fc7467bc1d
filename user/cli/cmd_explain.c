// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass explain: name by name, what was decided about a path.
 *
 * What passes, to which object, and which generation of the policy decided is read from
 * the kernel's inode. The verdict, the requests and the reason why a name could not pass
 * are those that the trace points told while the name was looked up here; where the
 * kernel knew the name already, there was no verdict. Only the number of a rule is not
 * the kernel's: it keeps none, so the attached rules are asked again, with the
 * attributes of the object.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd.h"
#include "lib.h"
#include "ruleset.h"
#include "trace.h"

/* One name of the path, as it was found. */
struct name {
	char path[PATH_MAX];	/* within the mount */
	int err;		/* of looking it up, or 0 */
	bool judged;		/* a verdict was seen */
	int32_t verdict;
	uint32_t requests;	/* to the server, to look it up */
	char fallback[32];	/* why it cannot pass, or "" */
	struct stat st;
	struct trace_state state;
	bool no_policy;		/* is attached */
	unsigned int line;	/* of the rule, 0: none */
	const char *rule;
	uint32_t opens[8];	/* rules that may decide about an open, by their number */
	size_t nr_opens;
};

struct explain {
	struct fusepass_mount mount;
	struct trace *trace;
	struct name *name;	/* that is looked up */
	bool no_policy;
	struct fusepass_rules *rules;	/* or NULL */
	struct ruleset set;
	struct rules_tables tables;
	uint32_t dir;		/* where it is in the patterns for paths */
	struct json j;
};

static void watch(const struct trace_event *e, const char *path, void *arg)
{
	struct explain *x = arg;
	struct name *n = x->name;

	if (!n || e->pid != (uint32_t)getpid())
		return;
	if (e->kind == TRACE_FALLBACK)
		snprintf(n->fallback, sizeof(n->fallback), "%.31s", e->name);
	if (!path || strcmp(path, n->path))
		return;
	if (e->kind == TRACE_VERDICT) {
		n->judged = true;
		n->verdict = e->result;
	}
	n->requests += e->kind == TRACE_REQUEST;
}

/* Rules ---------------------------------------------------------------------- */

static void rules_attributes(struct rules_eval *e, const struct stat *st)
{
	time_t now = time(NULL);

	e->value[RULES_TYPE] = 1ULL << (st->st_mode >> 12 & 15);
	e->value[RULES_SIZE] = st->st_size;
	e->value[RULES_MODE] = st->st_mode & 07777;
	e->value[RULES_UID] = st->st_uid;
	e->value[RULES_GID] = st->st_gid;
	e->value[RULES_AGE] = now > st->st_mtime ? now - st->st_mtime : 0;
}

static void find_rule(struct explain *x, struct name *n)
{
	struct rules_eval e = { .t = x->tables.cells, .mask = x->tables.mask };
	const char *last = strrchr(n->path, '/') + 1;
	struct rules_decision d;
	uint32_t nr;

	if (!x->rules)
		return;
	rules_attributes(&e, &n->st);
	if (!*last)
		rules_judge_root(&e, e.mask, NULL, &d);
	else
		rules_judge(&e, e.mask, NULL, x->dir, (const unsigned char *)last,
			    strlen(last), &d);
	x->dir = d.next;
	if (d.rule == RULES_NONE)
		return;
	nr = rules_number(&x->tables, d.rule);
	if (nr >= x->set.nr)
		return;
	n->line = x->set.rules[nr].line;
	n->rule = x->set.rules[nr].text;
}

static void add_opens(struct explain *x, struct name *n, uint32_t list, uint32_t end)
{
	const uint32_t one[] = { list - RULES_ONE, 0 };
	const uint32_t *p = list & RULES_ONE ? one : x->tables.cells + (list & x->tables.mask);

	for (; *p && *p < end && n->nr_opens < ARRAY_SIZE(n->opens); p++)
		n->opens[n->nr_opens++] = rules_number(&x->tables, *p);
}

static int by_number(const void *a, const void *b)
{
	uint32_t v = *(const uint32_t *)a, w = *(const uint32_t *)b;

	return v < w ? -1 : v > w;
}

/* The inode's cookie has them; see rules_judge_open(). */
static void find_opens(struct explain *x, struct name *n)
{
	uint64_t cookie = n->state.cookie;
	uint32_t end = cookie & 0xffff;

	if (!x->rules || !x->tables.opens || !S_ISREG(n->st.st_mode) || !cookie)
		return;
	add_opens(x, n, cookie >> 40, end);
	add_opens(x, n, cookie >> 16 & 0xffffff, end);
	add_opens(x, n, x->tables.cells[RULES_ANY_OPEN], end);
	qsort(n->opens, n->nr_opens, sizeof(*n->opens), by_number);
}

/* Other policies have no rules. */
static void open_rules(struct explain *x)
{
	struct fusepass_status s;

	x->no_policy = !fusepass_status_read(x->mount.connection, &s, sizeof(s)) &&
		       !s.policy[0];
	if (fusepass_rules_open(x->mount.mountpoint, &x->rules))
		return;
	if (!ruleset_parse(&x->set, "rules", fusepass_rules_text(x->rules)) &&
	    !ruleset_find_cgroups(&x->set) && !rules_build(&x->set, &x->tables))
		return;
	fusepass_rules_close(util_take_ptr(x->rules));
}

/* Looking -------------------------------------------------------------------- */

/* Returns the descriptor for the names below, or -1: there are none. */
static int look_up(struct explain *x, struct name *n, int dir, const char *name)
{
	int fd;

	x->name = n;
	n->no_policy = x->no_policy;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	n->err = fd < 0 ? -errno : 0;
	if (!n->err && fstatat(fd, "", &n->st, AT_EMPTY_PATH))
		n->err = -errno;
	trace_take(x->trace);
	if (!n->err)
		n->err = trace_inode(x->trace, fd, &n->state);
	find_rule(x, n);
	if (n->state.attached)
		find_opens(x, n);
	x->name = NULL;
	return fd;
}

/* What is told --------------------------------------------------------------- */

static bool is_stale(const struct name *n)
{
	return !n->state.registered && n->state.generation != n->state.current;
}

static const char *verdict_text(const struct name *n, char text[64])
{
	if (!n->judged)
		return n->requests ? "none, the server is asked for the name" : "known already";
	if (n->verdict == FUSEPASS_PASS)
		return "pass";
	if (n->verdict == FUSEPASS_SERVER)
		return "server";
	snprintf(text, 64, "%s", util_errno_name(-n->verdict) ?: "invalid");
	return text;
}

/* What the kernel told while it was looked up: why the verdict is not in force; or NULL. */
static const char *fallback_text(const struct name *n)
{
	static const char *const words[][2] = {
		{ "busy", "busy: it is open in a way that the server has to serve" },
		{ "conflict", "conflict: the inode has another object, or another name of it was judged otherwise" },
		{ "mount", "mount: what is beneath cannot back it, such as an automount" },
		{ "number", "number: the inode number cannot be a node, or is of another file system" },
		{ "backing", "backing: the other object that the policy chose cannot be used" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i][0], n->fallback))
			return words[i][1];
	return NULL;
}

/* Why nothing passes on it, or NULL. The inode tells, not what was told meanwhile. */
static const char *why_not(const struct name *n)
{
	if (n->state.attached && n->state.registered)
		return NULL;
	if (n->no_policy)
		return "no policy is attached";
	if (!n->state.attached)
		return fallback_text(n) ?: "no name of it was passed";
	if (is_stale(n))
		return "it was judged before the policy changed, and is judged again when a name of it is";
	if (!n->state.at_server)
		return NULL;
	if (n->judged)
		return fallback_text(n) ?: "the verdict gave it to the server";
	return "the server answers for its directory, or has another name of it";
}

/* It passes, but not as its verdict says; or NULL. */
static const char *but(const struct name *n)
{
	return why_not(n) ? NULL : fallback_text(n);
}

static bool passes(const struct name *n, uint64_t ops)
{
	return !why_not(n) && (n->state.mask & ops) == ops;
}

#define READ_OPS	(FUSE_PASSTHROUGH_OP_OPEN | FUSE_PASSTHROUGH_OP_READ)
#define WRITE_OPS	(FUSE_PASSTHROUGH_OP_OPEN | FUSE_PASSTHROUGH_OP_WRITE)

static const char *who(const struct name *n, uint64_t ops)
{
	return passes(n, ops) ? "kernel" : "server";
}

/* What only directories have is not in the mask of anything else. */
static const char *mask_text(const struct name *n, char words[RULES_MASK_TEXT])
{
	const uint64_t names = FUSE_PASSTHROUGH_OP_LOOKUP | FUSE_PASSTHROUGH_OP_OPENDIR |
		FUSE_PASSTHROUGH_OP_READDIR | FUSE_PASSTHROUGH_OP_READDIRPLUS |
		FUSE_PASSTHROUGH_OP_RELEASEDIR | FUSE_PASSTHROUGH_OP_FSYNCDIR;
	const uint64_t changes = FUSE_PASSTHROUGH_OP_MKNOD | FUSE_PASSTHROUGH_OP_MKDIR |
		FUSE_PASSTHROUGH_OP_SYMLINK | FUSE_PASSTHROUGH_OP_LINK |
		FUSE_PASSTHROUGH_OP_UNLINK | FUSE_PASSTHROUGH_OP_RMDIR |
		FUSE_PASSTHROUGH_OP_RENAME | FUSE_PASSTHROUGH_OP_RENAME2 |
		FUSE_PASSTHROUGH_OP_CREATE | FUSE_PASSTHROUGH_OP_TMPFILE;
	uint64_t mask = n->state.mask;

	if (!S_ISDIR(n->st.st_mode) && mask) {
		mask |= names;
		if ((mask | changes) == FUSE_PASSTHROUGH_OPS)
			mask |= changes;
	}
	return rules_mask_text(mask, words);
}

static void show_state(const struct name *n)
{
	char path[PATH_MAX], words[RULES_MASK_TEXT];
	const char *why = why_not(n);

	if (why)
		printf("  served by  the server: %s\n", why);
	else
		printf("  passes     %s\n", mask_text(n, words));
	if (but(n))
		printf("  but        %s\n", but(n));
	if (n->state.attached) {
		trace_path(n->state.path, n->state.parts, path);
		printf("  backing    %s, inode %" PRIu64 " on %u:%u%s\n",
		       *path ? path : "/", (uint64_t)n->state.ino, n->state.dev >> 20,
		       n->state.dev & 0xfffff,
		       n->state.registered ? ", registered by the server" : "");
	}
	if (S_ISREG(n->st.st_mode))
		printf("  read       %s\n  write      %s\n", who(n, READ_OPS),
		       who(n, WRITE_OPS));
}

static void show_opens(const struct explain *x, const struct name *n)
{
	const struct rule *r;

	for (size_t i = 0; i < n->nr_opens && passes(n, FUSE_PASSTHROUGH_OP_OPEN); i++) {
		r = &x->set.rules[n->opens[i]];
		printf("  opens      line %u, if it fits: %s\n", r->line, r->text);
	}
}

static void show_text(const struct explain *x, const struct name *n)
{
	char text[64];

	printf("%s\n", n->path);
	if (n->judged || !n->err)
		printf("  verdict    %s\n", verdict_text(n, text));
	if (n->line)
		printf("  rule       line %u: %s\n", n->line, n->rule);
	if (n->requests)
		printf("  lookup     asked the server %" PRIu32 " times\n", n->requests);
	if (n->err)
		printf("  error      %s\n", strerror(-n->err));
	else
		show_state(n);
	show_opens(x, n);
}

static void json_opens(struct json *j, const struct explain *x, const struct name *n)
{
	if (!n->nr_opens || !passes(n, FUSE_PASSTHROUGH_OP_OPEN))
		return;
	json_array_begin(j, "opens");
	for (size_t i = 0; i < n->nr_opens; i++)
		json_u64(j, NULL, x->set.rules[n->opens[i]].line);
	json_array_end(j);
}

static void json_state(struct json *j, const struct name *n)
{
	char path[PATH_MAX], words[RULES_MASK_TEXT];
	const char *why = why_not(n);

	json_u64(j, "node", n->state.node);
	json_bool(j, "attached", n->state.attached);
	if (why)
		json_string(j, "why_not", why);
	else
		json_string(j, "passes", mask_text(n, words));
	if (but(n))
		json_string(j, "but", but(n));
	if (n->state.attached) {
		trace_path(n->state.path, n->state.parts, path);
		json_string(j, "backing", *path ? path : "/");
		json_u64(j, "ino", n->state.ino);
	}
	json_string(j, "read", who(n, READ_OPS));
	json_string(j, "write", who(n, WRITE_OPS));
}

static void show_json(struct json *j, const struct explain *x, const struct name *n)
{
	char text[64];

	json_object_begin(j, NULL);
	json_string(j, "path", n->path);
	json_bool(j, "judged", n->judged);
	json_string(j, "verdict", verdict_text(n, text));
	if (n->line) {
		json_u64(j, "line", n->line);
		json_string(j, "rule", n->rule);
	}
	json_u64(j, "requests", n->requests);
	if (n->err)
		json_string(j, "failed", util_errno_name(-n->err) ?: "?");
	else
		json_state(j, n);
	json_opens(j, x, n);
	json_object_end(j);
}

static void show(struct explain *x, const struct name *n)
{
	if (cmd_json)
		show_json(&x->j, x, n);
	else
		show_text(x, n);
}

/* Along the path ------------------------------------------------------------- */

/* From the root of the mount to the end of @path, which is within it. */
static int walk(struct explain *x, const char *path)
{
	_cleanup_fd_ int dir = open(x->mount.mountpoint, O_PATH | O_CLOEXEC);
	_cleanup_free_ struct name *n = calloc(1, sizeof(*n));
	char part[NAME_MAX + 1];
	int fd, used;

	if (dir < 0 || !n)
		return dir < 0 ? -errno : -ENOMEM;
	strcpy(n->path, "/");
	fd = look_up(x, n, dir, ".");
	for (;;) {
		show(x, n);
		if (fd < 0)
			return 0;
		close(dir);
		dir = fd;
		path += strspn(path, "/");
		while (path[0] == '.' && (!path[1] || path[1] == '/'))
			path += 1 + strspn(path + 1, "/");
		if (sscanf(path, "%255[^/]%n", part, &used) != 1)
			return 0;
		path += used;
		used = strlen(n->path) > 1 ? strlen(n->path) : 0;
		memset((char *)n + sizeof(n->path), 0, sizeof(*n) - sizeof(n->path));
		if (snprintf(n->path + used, sizeof(n->path) - used, "/%s", part) >=
		    (int)sizeof(n->path) - used)
			return -ENAMETOOLONG;
		fd = look_up(x, n, dir, part);
	}
}

/*
 * The mount that an absolute path leads to, from the root on: what is beneath the mount
 * point is not looked up before it is watched.
 */
static int find_mount(const char *path, struct explain *x, char full[PATH_MAX])
{
	char part[PATH_MAX];
	size_t len = 0;
	int ret;

	if (path[0] == '/')
		snprintf(full, PATH_MAX, "%s", path);
	else if (!getcwd(part, sizeof(part)) ||
		 snprintf(full, PATH_MAX, "%s/%s", part, path) >= PATH_MAX)
		return -ENAMETOOLONG;
	do {
		len += strspn(full + len, "/");
		len += strcspn(full + len, "/");
		snprintf(part, sizeof(part), "%.*s", (int)len, full);
		ret = fusepass_mount_find(part, &x->mount);
	} while (ret == -EINVAL && full[len]);
	return ret;
}

static bool goes_up(const char *path)
{
	for (; (path = strstr(path, "/..")); path += 3)
		if (!path[3] || path[3] == '/')
			return true;
	return false;
}

static int explain(struct explain *x, const char *path, const char *full)
{
	const char *mnt = x->mount.mountpoint;
	size_t len = strcmp(mnt, "/") ? strlen(mnt) : 0;
	int ret;

	if (strncmp(full, mnt, len) || (full[len] && full[len] != '/') ||
	    goes_up(full + len))
		return cmd_fail_cause(EINVAL, "name it by the path of its mount, without links and '..'",
				      "explain %s", path);
	ret = trace_start(x->mount.connection, false, watch, x, &x->trace);
	if (ret)
		return cmd_fail(ret, "explain %s", path);
	open_rules(x);
	if (cmd_json) {
		cmd_json_begin(&x->j);
		json_string(&x->j, "mountpoint", mnt);
		json_array_begin(&x->j, "names");
	}
	ret = walk(x, full + len);
	if (cmd_json) {
		json_array_end(&x->j);
		return cmd_json_finish(&x->j, ret, "", "explain");
	}
	return ret ? cmd_fail_cause(ret, NULL, "explain %s", path) : CMD_OK;
}

int cmd_explain(int argc, char **argv)
{
	static const struct option options[] = {
		CMD_COMMON_LONG, { NULL, 0, NULL, 0 },
	};
	struct explain x = { .mount = { 0 } };
	char full[PATH_MAX];
	int c, ret;

	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT, options, NULL)) != -1)
		if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
	if (argc - optind != 1)
		return cmd_usage("explain: PATH is expected");
	ret = find_mount(argv[optind], &x, full);
	if (ret)
		return cmd_fail(ret, "explain %s", argv[optind]);
	ret = explain(&x, argv[optind], full);
	trace_stop(x.trace);
	fusepass_rules_close(x.rules);
	rules_tables_clear(&x.tables);
	ruleset_clear(&x.set);
	fusepass_mount_clear(&x.mount);
	return ret;
}
