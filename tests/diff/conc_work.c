// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many processes at a time, some on the view and some on the tree, with random calls
 * on a few names. It goes in rounds: the tree is made anew, all of them work for a
 * while and end, and then is looked at what has to hold when nothing moves. What a
 * process does is determined by the seed, the round and its number; how that of
 * several meets is not, so a round that went wrong is best done again many times
 * (--round).
 *
 * In every other round, only calls are made of which one knows what they do to the
 * number of names. If one of them succeeds that could not, the sum is wrong in the end.
 */
#include "conc_duel.h"
#include "conc_work.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	WORKERS = 32,
	RECENT = 64,		/* calls of each that are kept */
	FINDINGS = 12,
	FINDING_TEXT = 3000,
	ROUND_MS = 2500,	/* at most */
	ROUNDS = 8,		/* at least, unless that makes them too short */
};

struct event {
	struct call call;
	int err;
	uint64_t begin, end;	/* end 0: not over */
};

/* Results of a worker, in memory that all see. */
struct worker {
	enum conc_side side;
	uid_t uid;
	unsigned int number;
	_Atomic unsigned int calls;
	struct event recent[RECENT];
	long names;		/* added and taken in this round */
	uint32_t histogram[CALL_KINDS][CONC_ERRNOS];
};

enum finding_kind { ILLEGAL_ERRNO, BROKEN, NOT_KEPT, FINDING_KINDS };

/* The first of a kind is told in the line of its test, too. */
enum { FIRST_TEXT = 400 };

static struct crowd {
	_Atomic bool stop;
	int round;
	struct mixture mix;	/* of this round */
	_Atomic unsigned int found[FINDING_KINDS];
	_Atomic unsigned int findings;
	char first[FINDING_KINDS][FIRST_TEXT];
	char finding[FINDINGS][FINDING_TEXT];
	_Atomic bool ready[FINDINGS];
	struct worker worker[WORKERS];
} *crowd;

static const uid_t uids[] = { 0, 1000, 1001 };

static unsigned int workers(void)
{
	return 2 * conc.procs;
}

/* Findings -------------------------------------------------------------------------- */

static void put(char *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void put(char *buf, const char *fmt, ...)
{
	size_t at = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + at, FINDING_TEXT - at, fmt, ap);
	va_end(ap);
}

static void put_event(char *buf, const struct worker *w, const struct event *e,
		      uint64_t since)
{
	char text[CONC_TEXT];

	call_text(&e->call, text, sizeof(text));
	put(buf, "worker %u, uid %u, on the %s: %s = %s", w->number, w->uid,
	    side_text[w->side], text,
	    e->end ? errno_text(e->err) : "not over");
	put(buf, ", from %+lld us", (long long)(e->begin - since) / 1000);
	if (e->end)
		put(buf, " to %+lld us", (long long)(e->end - since) / 1000);
}

/* Calls of the others at that moment. They go on meanwhile, so this is a guess. */
static void put_others(char *buf, const struct worker *w, const struct event *e)
{
	for (unsigned int i = 0; i < workers(); i++) {
		const struct worker *o = &crowd->worker[i];

		for (int k = 0; o != w && k < RECENT; k++) {
			struct event x = o->recent[k];

			if (!x.begin || x.begin > e->end ||
			    (x.end && x.end < e->begin))
				continue;
			put(buf, "\n   at that time ");
			put_event(buf, o, &x, e->begin);
		}
	}
}

static void found(struct worker *w, const struct event *e,
		  enum finding_kind kind, const char *what)
{
	unsigned int n = atomic_fetch_add(&crowd->findings, 1);
	char text[FINDING_TEXT] = "";

	put(text, "round %d: %s: ", crowd->round, what);
	put_event(text, w, e, e->begin);
	if (!atomic_fetch_add(&crowd->found[kind], 1))
		snprintf(crowd->first[kind], FIRST_TEXT, ": %s", text);
	if (n >= FINDINGS)
		return;
	strcpy(crowd->finding[n], text);
	put_others(crowd->finding[n], w, e);
	atomic_store(&crowd->ready[n], true);
}

/* Those that were not told yet; lines of theirs become comments. */
static void tell_findings(void)
{
	static unsigned int told;

	for (; told < FINDINGS && crowd->ready[told]; told++) {
		char *p = crowd->finding[told], *line;

		while ((line = strsep(&p, "\n")))
			say("%s", line);
	}
}

/* The state of a worker's own. */
struct self {
	struct worker *w;
	struct picker picker;
	struct hands hands;
};

static unsigned int one_of(struct self *s, unsigned int n)
{
	return rng_below(&s->picker.rng, n);
}

/* A worker ------------------------------------------------------------------------------ */

static void record(struct self *s, struct event *e)
{
	struct worker *w = s->w;
	enum conc_names names = call_info[e->call.kind].names;

	w->histogram[e->call.kind][e->err < CONC_ERRNOS ? e->err : CONC_ERRNOS - 1]++;
	if (!e->err && names != MAYBE)
		w->names += names;
	if (!errno_is_legal(e->call.kind, e->err))
		found(w, e, ILLEGAL_ERRNO, "no native file system gives this");
	if (s->hands.broken[0])
		found(w, e, BROKEN, s->hands.broken);
}

static void misbehave_in_call(struct self *s, struct event *e)
{
	struct conc_file *f = &s->hands.file[s->w->calls % CONC_FILES];

	if (planted("errno") && s->w->calls == 1000)
		e->err = ESTALE;
	if (planted("name") && s->w->calls % 1000 == 0)
		s->w->names++;
	if (planted("content") && f->fd >= 0 && f->writable &&
	    pwrite(f->fd, "planted", 8, 0) != 8)
		die("cannot misbehave: %s", errno_text(errno));
}

static void do_one(struct self *s)
{
	struct worker *w = s->w;
	struct event *e = &w->recent[w->calls % RECENT];

	e->begin = e->end = 0;
	pick_call(&s->picker, &e->call);
	e->begin = now_ns();
	e->err = call_do(&s->hands, &e->call);
	e->end = now_ns();
	misbehave_in_call(s, e);
	record(s, e);
	w->calls++;
}

/* That a name which nobody touches is there, and is what it was. */
static void look_at_kept(struct self *s)
{
	struct event e = { .call = { .kind = CALL_open_read } };
	char text[100];
	ssize_t n;
	int fd;

	snprintf(e.call.path, CONC_PATH, "d%d/" KEEP, one_of(s, 2));
	e.begin = now_ns();
	fd = open(e.call.path, O_RDONLY | O_CLOEXEC);
	e.err = fd < 0 ? errno : 0;
	n = fd < 0 ? 0 : read(fd, text, sizeof(text));
	e.end = now_ns();
	if (n != strlen(KEEP_TEXT) || memcmp(text, KEEP_TEXT, n))
		found(s->w, &e, NOT_KEPT, "what nobody changes is not there");
	if (fd >= 0)
		close(fd);
}

static void wait_a_little(struct self *s)
{
	switch (one_of(s, 64)) {
	case 0:
		sched_yield();
		break;
	case 1 ... 8:
		spin(one_of(s, 1 << one_of(s, 13)));
	}
}

static void become_worker(const struct worker *w)
{
	gid_t group = 1000;

	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	umask(0);
	pin_to_cpu(w->number + w->side);
	if (setgroups(w->uid == 1001, &group) ||
	    setresgid(w->uid, w->uid, w->uid) || setresuid(w->uid, w->uid, w->uid))
		die("cannot become user %u: %s", w->uid, errno_text(errno));
	/* Its /proc/self belongs to it again. */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void __attribute__((noreturn)) worker_main(struct worker *w)
{
	struct self s = { .w = w };

	become_worker(w);
	if (fchdir(conc.top[w->side]))
		die("worker: chdir: %s", errno_text(errno));
	hands_init(&s.hands, conc.top[w->side]);
	s.hands.hidden = conc.hidden && w->side == VIEW;
	s.picker = (struct picker){
		.mix = &crowd->mix, .hands = &s.hands, .uid = w->uid,
	};
	rng_init(&s.picker.rng, conc.seed, crowd->round + 1, w->number);
	while (!crowd->stop) {
		do_one(&s);
		if (!one_of(&s, 20))
			look_at_kept(&s);
		wait_a_little(&s);
	}
	_exit(0);
}

/* Inodes and names that nobody uses go away meanwhile. */
static void __attribute__((noreturn)) dropper_main(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* 4: nothing is written to the log about it; 2: names and inodes. */
	if (pwrite(fd, "4", 1, 0) != 1)
		_exit(1);
	while (!crowd->stop) {
		if (pwrite(fd, "2", 1, 0) != 1)
			_exit(1);
		usleep(30000);
	}
	_exit(0);
}

/* A round ------------------------------------------------------------------------------- */

static void make_kept(int dir)
{
	int fd = openat(dir, KEEP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	must(fd >= 0 && write(fd, KEEP_TEXT, strlen(KEEP_TEXT)) > 0, KEEP);
	close(fd);
}

static int make_dir(int parent, const char *name, mode_t mode)
{
	int dir;

	must(!mkdirat(parent, name, 0700) && !fchmodat(parent, name, mode, 0), name);
	dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(dir >= 0, name);
	return dir;
}

static void make_fixed(const char *name, mode_t mode, struct rng *rng)
{
	int dir;

	wipe(conc.top[TREE], name);
	dir = make_dir(conc.top[TREE], name, mode);
	make_kept(dir);
	if (rng_next(rng) & 1)
		close(make_dir(dir, "n0", 0777));
	if (rng_next(rng) & 1)
		close(make_dir(dir, "n1", 01777));
	close(dir);
}

/* One directory is like /tmp. Some names are taken from the beginning. */
static void make_tree(struct rng *rng)
{
	make_fixed("d0", 0777, rng);
	make_fixed("d1", 01777, rng);
}

/* ".." of the held directories leads here. */
static void clear_top(void)
{
	static const char *const names[] = {
		"n0", "n1", "n2", "n3", "h0", "x0", "x1",
		"nowhere",	/* made through a symlink to it */
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		wipe(conc.top[TREE], names[i]);
}

static pid_t start(void (*fn)(struct worker *w), struct worker *w)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", errno_text(errno));
	if (!pid)
		fn(w);
	return pid;
}

static void drop_in_worker_s_place(struct worker *w)
{
	dropper_main();
}

static void start_all(pid_t pid[WORKERS + 1], struct rng *rng)
{
	for (unsigned int i = 0; i < workers(); i++) {
		struct worker *w = &crowd->worker[i];

		w->number = i;
		w->side = i < conc.procs ? VIEW : TREE;
		w->uid = uids[i % conc.procs % ARRAY_SIZE(uids)];
		w->names = 0;
		memset(w->recent, 0, sizeof(w->recent));
		pid[i] = start(worker_main, w);
	}
	pid[workers()] = rng_below(rng, 4) ? 0 : start(drop_in_worker_s_place, NULL);
}

static bool ends_well(pid_t pid)
{
	int status;

	return wait_for_process(pid, &status) && WIFEXITED(status) &&
		!WEXITSTATUS(status);
}

static void tell_hanging(const struct worker *w, pid_t pid)
{
	char text[FINDING_TEXT] = "";
	const struct event *e = &w->recent[w->calls % RECENT];

	put_event(text, w, e, now_ns());
	say("round %d: did not end: %s", crowd->round, text);
	say_where(pid);
}

static bool end_all(const pid_t pid[WORKERS + 1])
{
	bool good = true;

	crowd->stop = true;
	for (unsigned int i = 0; i < workers(); i++)
		if (!ends_well(pid[i])) {
			tell_hanging(&crowd->worker[i], pid[i]);
			kill(pid[i], SIGKILL);
			good = false;
		}
	if (pid[workers()] && !ends_well(pid[workers()])) {
		say("round %d: caches could not be dropped", crowd->round);
		good = false;
	}
	return good;
}

/* Totals of all rounds so far. */
struct totals {
	bool returned, names, links, suid, kept, equal;
	int rounds;
};

static void misbehave_after_round(void)
{
	int top = conc.top[TREE];

	/* As if somebody had made them: it is not the number that is to be found. */
	if (planted("suid") && !mknodat(top, "d0/planted", S_IFREG | 0755, 0) &&
	    !fchmodat(top, "d0/planted", 04755, 0))
		crowd->worker[0].names++;
	if (planted("kept") && !unlinkat(top, "d0/" KEEP, 0))
		crowd->worker[0].names--;
}

static long names_expected(long before)
{
	for (unsigned int i = 0; i < workers(); i++)
		before += crowd->worker[i].names;
	return before;
}

static void look_at_round(struct totals *t, long before)
{
	struct census tree = take_census(TREE);
	struct census view = conc.hidden ? tree : take_census(VIEW);
	long expected = names_expected(before);
	bool names = !crowd->mix.counted || tree.names == expected;
	bool equal = conc.hidden || views_are_equal();

	if (!names)
		say("round %d: %ld names, but %ld before and what succeeded make %ld",
		    crowd->round, tree.names, before, expected);
	t->names &= names;
	t->equal &= equal;
	t->links &= tree.links_add_up && view.links_add_up;
	t->suid &= tree.nobody_s_suid && view.nobody_s_suid;
	t->kept &= tree.kept && view.kept;
}

static void round_run(struct totals *t, int number, unsigned int ms)
{
	pid_t pid[WORKERS + 1];
	struct rng rng;
	long before;

	rng_init(&rng, conc.seed, number + 1, WORKERS);
	crowd->stop = false;
	crowd->round = number;
	mixture_make(&crowd->mix, number, &rng);
	clear_top();
	make_tree(&rng);
	before = take_census(TREE).names;
	start_all(pid, &rng);
	usleep(ms * 1000);
	t->returned &= end_all(pid);
	misbehave_after_round();
	look_at_round(t, before);
	tell_findings();
	t->rounds++;
}

/* The result ------------------------------------------------------------------------ */

static unsigned int all_calls(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < workers(); i++)
		n += crowd->worker[i].calls;
	return n;
}

static const struct histogram *sum_up(void)
{
	static struct histogram h;

	for (unsigned int i = 0; i < workers(); i++) {
		const struct worker *w = &crowd->worker[i];

		for (int k = 0; k < CALL_KINDS; k++)
			for (int err = 0; err < CONC_ERRNOS; err++)
				h.n[w->side][k][err] += w->histogram[k][err];
	}
	return &h;
}

static void tell_result(const struct totals *t)
{
	const struct histogram *h = sum_up();
	int never;

	histogram_tell(h);
	if (conc.save)
		histogram_save(h, conc.save);
	never = histogram_gaps(h);
	if (crowd->findings > FINDINGS)
		say("... and %u findings more", crowd->findings - FINDINGS);
	tap(!crowd->found[ILLEGAL_ERRNO], "errnos_are_native_ones",
	    "%u calls in %d rounds, %u wrong%s", all_calls(), t->rounds,
	    crowd->found[ILLEGAL_ERRNO], crowd->first[ILLEGAL_ERRNO]);
	tap(!crowd->found[BROKEN], "what_is_read_was_written", "%u wrong%s",
	    crowd->found[BROKEN], crowd->first[BROKEN]);
	tap(!crowd->found[NOT_KEPT] && t->kept, "nothing_disappears_by_itself",
	    "%u times%s", crowd->found[NOT_KEPT], crowd->first[NOT_KEPT]);
	tap(t->names, "names_are_as_many_as_succeeded", "%d rounds", t->rounds / 2);
	tap(t->links, "link_counts_add_up", "%d rounds", t->rounds);
	tap(t->suid, "no_setuid_file_of_root", "%d rounds", t->rounds);
	tap(t->equal, "view_shows_what_the_tree_has", "%d rounds%s", t->rounds,
	    conc.hidden ? ", not compared: names are hidden" : "");
	tap(t->returned, "all_calls_return", "%d processes", workers());
	/* A server cannot give a name to what has none, and is slow. */
	if (!conc.served)
		tap(!never, "every_call_succeeds_sometimes", "%d do not", never);
}

static unsigned int round_ms(unsigned int seconds)
{
	unsigned int ms = seconds * 1000 / ROUNDS;

	return ms > ROUND_MS ? ROUND_MS : ms < 200 ? 200 : ms;
}

void work_run(unsigned int seconds)
{
	struct totals t = { true, true, true, true, true, true, 0 };
	uint64_t end = now_ns() + seconds * 1000000000ULL;

	if (!wanted("work"))
		return;
	if (workers() > WORKERS)
		die("at most %d processes on each side", WORKERS / 2);
	crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crowd == MAP_FAILED)
		die("mmap: %s", errno_text(errno));
	fflush(stdout);
	do {
		round_run(&t, conc.round >= 0 ? conc.round : t.rounds,
			  round_ms(seconds));
	} while (t.returned && (now_ns() < end || t.rounds < 2));
	tell_result(&t);
}
