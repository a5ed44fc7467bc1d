// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusepass top: operations per second that pass and that are asked, what the policy
 * answers, and the directories with the most requests to the server.
 *
 * Counts are the kernel's, read every interval; directories come from the trace points
 * (trace.c), where these may be used. What is shown is made once, by line() or as JSON;
 * on a terminal ncurses shows it.
 */
#include <errno.h>
#include <inttypes.h>
#include <ncurses.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "prom.h"
#include "trace.h"

#define NR_MOUNTS	32
#define NR_DIRS		512

struct top_mount {
	struct fusepass_mount mount;
	struct fusepass_status before, now;
};

struct top_dir {
	uint32_t connection;
	char *path;
	uint64_t asked, failed;
};

struct top {
	struct fusepass_mount only;	/* of one mount, if it has a mountpoint */
	struct top_mount mounts[NR_MOUNTS];
	size_t nr;
	struct top_dir dirs[NR_DIRS];
	size_t nr_dirs;
	uint64_t failed;		/* requests, since the last look */
	struct trace *trace;		/* or NULL */
	char no_trace[256];		/* why not */
	double interval, elapsed;	/* seconds */
	struct timespec last;
	bool batch, by_asked, curses, done;
};

/* Collecting ----------------------------------------------------------------- */

static struct top_dir *find_dir(struct top *t, uint32_t connection,
				const char *path, size_t len)
{
	struct top_dir *d;

	for (size_t i = 0; i < t->nr_dirs; i++) {
		d = &t->dirs[i];
		if (d->connection == connection && strlen(d->path) == len &&
		    !memcmp(d->path, path, len))
			return d;
	}
	if (t->nr_dirs == NR_DIRS)
		return NULL;
	d = &t->dirs[t->nr_dirs];
	*d = (struct top_dir){ .connection = connection, .path = strndup(path, len) };
	if (d->path)
		t->nr_dirs++;
	return d->path ? d : NULL;
}

static void count_request(const struct trace_event *e, const char *path, void *arg)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	struct top *t = arg;
	struct top_dir *d;

	t->failed += e->result < 0;
	if (!path)
		d = find_dir(t, e->connection, "(not known)", 11);
	else
		d = find_dir(t, e->connection, path, slash > path ? slash - path : 1);
	if (!d)
		return;
	d->asked++;
	d->failed += e->result < 0;
}

static void forget_dirs(struct top *t)
{
	while (t->nr_dirs)
		free(t->dirs[--t->nr_dirs].path);
	t->failed = 0;
}

static struct top_mount *find_mount(struct top *t, uint32_t connection)
{
	struct top_mount *m;

	for (size_t i = 0; i < t->nr; i++)
		if (t->mounts[i].mount.connection == connection)
			return &t->mounts[i];
	if (t->nr == NR_MOUNTS)
		return NULL;
	m = &t->mounts[t->nr];
	*m = (struct top_mount){ .mount = { 0 } };
	if (fusepass_mount_by_connection(connection, &m->mount))
		m->mount.connection = connection;
	if (fusepass_status_read(connection, &m->now, sizeof(m->now))) {
		fusepass_mount_clear(&m->mount);
		return NULL;
	}
	t->nr++;
	return m;
}

static void look_at(struct top *t, uint32_t connection)
{
	struct top_mount *m = find_mount(t, connection);
	struct fusepass_status now;

	if (!m || fusepass_status_read(connection, &now, sizeof(now)))
		return;
	m->before = m->now;
	m->now = now;
}

static void drop_mounts(struct top *t)
{
	while (t->nr)
		fusepass_mount_clear(&t->mounts[--t->nr].mount);
}

/* A mount that is gone is known by its number: then all are found anew. */
static int look(struct top *t)
{
	_cleanup_free_ uint32_t *ids = NULL;
	struct timespec now;
	int nr;

	clock_gettime(CLOCK_MONOTONIC, &now);
	t->elapsed = now.tv_sec - t->last.tv_sec + (now.tv_nsec - t->last.tv_nsec) / 1e9;
	t->last = now;
	if (t->only.mountpoint) {
		look_at(t, t->only.connection);
		return 0;
	}
	nr = prom_connections(&ids);
	if (nr >= 0 && (size_t)nr < t->nr)
		drop_mounts(t);
	for (int i = 0; i < nr; i++)
		look_at(t, ids[i]);
	return nr < 0 ? nr : 0;
}

/* What is shown -------------------------------------------------------------- */

struct row {
	const char *name;
	double passed, asked;
};

static double per_second(const struct top *t, uint64_t now, uint64_t before)
{
	return now > before && t->elapsed > 0 ? (now - before) / t->elapsed : 0;
}

static const struct fusepass_count *count_of(const struct fusepass_count *list,
					     size_t nr, const char *name)
{
	static const struct fusepass_count none;

	for (size_t i = 0; i < nr; i++)
		if (!strcmp(list[i].name, name))
			return &list[i];
	return &none;
}

static size_t make_rows(const struct top *t, const struct top_mount *m,
			struct row rows[64], struct row *total)
{
	size_t nr = 0;

	*total = (struct row){ .name = "total" };
	for (size_t i = 0; i < m->now.nr_ops; i++) {
		const struct fusepass_count *now = &m->now.ops[i];
		const struct fusepass_count *old = count_of(m->before.ops,
							    m->before.nr_ops, now->name);
		struct row r = {
			now->name, per_second(t, now->passed, old->passed),
			per_second(t, now->asked, old->asked),
		};

		total->passed += r.passed;
		total->asked += r.asked;
		if (r.passed || r.asked)
			rows[nr++] = r;
	}
	return nr;
}

static int by_passed(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->passed < y->passed) - (x->passed > y->passed);
}

static int by_asked(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->asked < y->asked) - (x->asked > y->asked);
}

static int dir_by_asked(const void *a, const void *b)
{
	const struct top_dir *x = a, *y = b;

	return (x->asked < y->asked) - (x->asked > y->asked);
}

static void line(const struct top *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void line(const struct top *t, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t->curses)
		/* Not wrapped: what is wider than the terminal is cut. */
		printw("%.*s\n", COLS - 1, text);
	else
		puts(text);
}

/* "pass 12 server 0 ..." per second. */
static void show_counts(const struct top *t, const char *title,
			const struct fusepass_count *now, size_t nr,
			const struct fusepass_count *old, size_t nr_old)
{
	char text[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < nr && len < sizeof(text); i++)
		len += snprintf(text + len, sizeof(text) - len, " %s %.0f", now[i].name,
				per_second(t, now[i].passed,
					   count_of(old, nr_old, now[i].name)->passed));
	line(t, "  %-10s%s", title, text);
}

static void show_mount(const struct top *t, const struct top_mount *m)
{
	struct row rows[64], total;
	size_t nr = make_rows(t, m, rows, &total);

	qsort(rows, nr, sizeof(*rows), t->by_asked ? by_asked : by_passed);
	line(t, "%s: connection %" PRIu32 ", policy %s",
	     m->mount.mountpoint ?: "(not mounted here)", m->mount.connection,
	     m->now.policy[0] ? m->now.policy : "none");
	show_counts(t, "verdicts", m->now.verdicts, m->now.nr_verdicts,
		    m->before.verdicts, m->before.nr_verdicts);
	show_counts(t, "fallbacks", m->now.fallbacks, m->now.nr_fallbacks,
		    m->before.fallbacks, m->before.nr_fallbacks);
	line(t, "  %-20s %12s %12s", "OPERATION", "PASSED/s", "ASKED/s");
	for (size_t i = 0; i < nr; i++)
		line(t, "  %-20s %12.1f %12.1f", rows[i].name, rows[i].passed,
		     rows[i].asked);
	line(t, "  %-20s %12.1f %12.1f", total.name, total.passed, total.asked);
}

static const char *mount_name(const struct top *t, uint32_t connection)
{
	for (size_t i = 0; i < t->nr; i++)
		if (t->mounts[i].mount.connection == connection)
			return t->mounts[i].mount.mountpoint ?: "";
	return "";
}

static void show_dirs(const struct top *t)
{
	if (!t->trace) {
		line(t, "directories: not known (%s)", t->no_trace);
		return;
	}
	line(t, "%-10s %-10s %s", "ASKED/s", "FAILED/s", "DIRECTORY");
	for (size_t i = 0; i < t->nr_dirs && i < 10; i++) {
		const struct top_dir *d = &t->dirs[i];
		const char *path = strcmp(d->path, "/") ? d->path : "";

		line(t, "%-10.1f %-10.1f %s%s", per_second(t, d->asked, 0),
		     per_second(t, d->failed, 0), mount_name(t, d->connection), path);
	}
}

static void show_text(const struct top *t)
{
	for (size_t i = 0; i < t->nr; i++)
		show_mount(t, &t->mounts[i]);
	if (!t->nr)
		line(t, "no FUSE mount that the kernel counts for");
	show_dirs(t);
}

static void json_double(struct json *j, const char *key, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", value);
	json_raw(j, key, text);
}

static void json_counts(struct json *j, const struct top *t, const char *key,
			const struct fusepass_count *now, size_t nr,
			const struct fusepass_count *old, size_t nr_old)
{
	json_object_begin(j, key);
	for (size_t i = 0; i < nr; i++)
		json_double(j, now[i].name,
			    per_second(t, now[i].passed,
				       count_of(old, nr_old, now[i].name)->passed));
	json_object_end(j);
}

static void json_mount(struct json *j, const struct top *t, const struct top_mount *m)
{
	struct row rows[64], total;
	size_t nr = make_rows(t, m, rows, &total);

	json_object_begin(j, NULL);
	json_string(j, "mountpoint", m->mount.mountpoint ?: "");
	json_u64(j, "connection", m->mount.connection);
	json_string(j, "policy", m->now.policy);
	json_counts(j, t, "verdicts", m->now.verdicts, m->now.nr_verdicts,
		    m->before.verdicts, m->before.nr_verdicts);
	json_counts(j, t, "fallbacks", m->now.fallbacks, m->now.nr_fallbacks,
		    m->before.fallbacks, m->before.nr_fallbacks);
	json_object_begin(j, "ops");
	for (size_t i = 0; i < nr; i++) {
		json_object_begin(j, rows[i].name);
		json_double(j, "passed", rows[i].passed);
		json_double(j, "asked", rows[i].asked);
		json_object_end(j);
	}
	json_object_end(j);
	json_object_end(j);
}

static void show_json(const struct top *t)
{
	struct json j;

	cmd_json_begin(&j);
	json_double(&j, "seconds", t->elapsed);
	json_array_begin(&j, "mounts");
	for (size_t i = 0; i < t->nr; i++)
		json_mount(&j, t, &t->mounts[i]);
	json_array_end(&j);
	json_array_begin(&j, "directories");
	for (size_t i = 0; i < t->nr_dirs; i++) {
		json_object_begin(&j, NULL);
		json_string(&j, "mountpoint", mount_name(t, t->dirs[i].connection));
		json_string(&j, "path", t->dirs[i].path);
		json_double(&j, "asked", per_second(t, t->dirs[i].asked, 0));
		json_double(&j, "failed", per_second(t, t->dirs[i].failed, 0));
		json_object_end(&j);
	}
	json_array_end(&j);
	cmd_json_end(&j);
}

/* Running -------------------------------------------------------------------- */

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	stopped = 1;
}

/* Waits for the end of the interval, and takes events meanwhile; a key ends it. */
static int wait_interval(struct top *t)
{
	struct timespec now;
	double left;
	int key = ERR;

	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = t->interval - (now.tv_sec - t->last.tv_sec) -
		       (now.tv_nsec - t->last.tv_nsec) / 1e9;
		if (left <= 0)
			break;
		if (t->trace)
			trace_poll(t->trace, left < 0.1 ? left * 1000 : 100);
		else
			usleep(left < 0.1 ? left * 1e6 : 100000);
		if (t->curses)
			key = getch();
	} while (!stopped && key == ERR);
	return key;
}

/* Returns whether to go on. */
static bool obey(struct top *t, int key)
{
	switch (key) {
	case 'q':
		return false;
	case 'P':
		t->by_asked = false;
		break;
	case 'A':
		t->by_asked = true;
		break;
	case '+':
		t->interval *= 2;
		break;
	case '-':
		t->interval = t->interval > 0.5 ? t->interval / 2 : t->interval;
		break;
	}
	return true;
}

static void screen(struct top *t)
{
	time_t now = time(NULL);
	struct tm tm;
	char clock[16];

	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	erase();
	attron(A_REVERSE);
	line(t, "fusepass top - %s  every %g s  failed/s %.1f  q quit  P/A order  +/- interval",
	     clock, t->interval, per_second(t, t->failed, 0));
	attroff(A_REVERSE);
	show_text(t);
	refresh();
}

static void run_screen(struct top *t)
{
	int key = ERR;

	t->curses = true;
	initscr();
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	curs_set(0);
	while (!stopped && obey(t, key)) {
		if (key == ERR) {
			look(t);
			qsort(t->dirs, t->nr_dirs, sizeof(*t->dirs), dir_by_asked);
			screen(t);
			forget_dirs(t);
		}
		key = wait_interval(t);
	}
	endwin();
}

static int run_once(struct top *t)
{
	int ret;

	wait_interval(t);
	ret = look(t);
	if (ret)
		return cmd_fail(ret, "watch mounts");
	qsort(t->dirs, t->nr_dirs, sizeof(*t->dirs), dir_by_asked);
	if (cmd_json)
		show_json(t);
	else
		show_text(t);
	return CMD_OK;
}

/* Of one mount, what keeps its counts from being read is told. */
static int first_look(struct top *t)
{
	struct fusepass_status s;
	int ret = 0;

	if (t->only.mountpoint)
		ret = fusepass_status_read(t->only.connection, &s, sizeof(s));
	return ret ?: look(t);
}

static int run(struct top *t)
{
	const struct sigaction sa = { .sa_handler = stop };
	int ret = first_look(t);

	if (ret)
		return cmd_fail(ret, "watch %s", t->only.mountpoint ?: "mounts");
	if (trace_start(t->only.connection, true, count_request, t, &t->trace))
		snprintf(t->no_trace, sizeof(t->no_trace), "%s", fusepass_error());
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (t->batch || cmd_json)
		ret = run_once(t);
	else if (!isatty(0) || !isatty(1))
		ret = cmd_fail_cause(ENOTTY, "--batch prints once", "top");
	else
		run_screen(t);
	trace_stop(t->trace);
	return ret;
}

static int set_interval(struct top *t, const char *text)
{
	char *end;

	t->interval = strtod(text, &end);
	if (end == text || *end || !(t->interval >= 0.1 && t->interval <= 3600))
		return cmd_usage("top: '%s' is no number of seconds", text);
	return CMD_OK;
}

static int parse(int argc, char **argv, struct top *t)
{
	static const struct option options[] = {
		CMD_COMMON_LONG,
		{ "interval", required_argument, NULL, 'i' },
		{ "batch", no_argument, NULL, 'B' },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret = CMD_OK;

	t->done = true;
	while ((c = getopt_long(argc, argv, CMD_COMMON_SHORT "i:B", options,
				NULL)) != -1) {
		if (c == 'B')
			t->batch = true;
		else if (c == 'i')
			ret = set_interval(t, optarg);
		else if (!cmd_common_option(c))
			return cmd_bad_option(c, argv);
		if (ret)
			return ret;
	}
	if (argc - optind > 1)
		return cmd_usage("top: more than one MNT");
	t->done = false;
	return CMD_OK;
}

int cmd_top(int argc, char **argv)
{
	static struct top t = { .interval = 2 };
	int ret = parse(argc, argv, &t);

	if (t.done)
		return ret;
	if (optind < argc) {
		ret = fusepass_mount_find(argv[optind], &t.only);
		if (ret)
			return cmd_fail(ret, "watch %s", argv[optind]);
	}
	ret = run(&t);
	forget_dirs(&t);
	drop_mounts(&t);
	fusepass_mount_clear(&t.only);
	return ret;
}
