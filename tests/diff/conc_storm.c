// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Storms: two processes or three, each of which does its script again and again as fast as it
 * can. What a step may give is written down beside it; it is what it gives natively.
 * A step that is wrong once in ten thousand times is found here.
 */
#include "conc_duel.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONFIGS = 3 };

/* Where each of them is. */
static const enum conc_side config_side[CONFIGS][STORM_PROCESSES] = {
	{ TREE, VIEW, VIEW }, { VIEW, TREE, VIEW }, { VIEW, VIEW, VIEW },
};

/* Results of the two, in memory that their parent sees too. */
static struct sky {
	_Atomic int ready;	/* have opened what they hold */
	_Atomic bool go, stop;
	struct strand {
		uint32_t count[SCRIPT_STEPS][CONC_ERRNOS];
		long names;
		uint32_t broken;
		char text[160];	/* the last that was broken */
	} strand[STORM_PROCESSES];
} *sky;

static void do_step(struct hands *h, const struct call *c, int i, struct strand *s)
{
	enum conc_names names = call_info[c->kind].names;
	int err = call_do(h, c);

	if (planted("storm") && s->count[i][0] == 100)
		err = ESTALE;
	s->count[i][err < CONC_ERRNOS ? err : CONC_ERRNOS - 1]++;
	if (!err && names != MAYBE)
		s->names += names;
	if (h->broken[0]) {
		s->broken++;
		memcpy(s->text, h->broken, sizeof(s->text));
	}
}

static void __attribute__((noreturn))
blow(const struct storm *storm, int who, enum conc_side side)
{
	struct hands h;
	struct rng rng;

	pin_to_cpu(who);
	hands_init(&h, arena_top[side]);
	hands_prepare(&h, side, storm->script[who].uid, storm->script[who].hold);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rng_init(&rng, conc.seed, who, 3);
	sky->ready++;
	while (!sky->go)
		sched_yield();
	while (!sky->stop) {
		for (int i = 0; i < storm->script[who].steps; i++) {
			const struct storm_step *s = &storm->script[who].step[i];

			if (s->pause)
				spin(rng_below(&rng, s->pause));
			do_step(&h, &s->call, i, &sky->strand[who]);
		}
		/* Else the two go in step, or one of them has the lock all the time. */
		spin(rng_below(&rng, 1 << rng_below(&rng, 13)));
	}
	_exit(0);
}

static int processes(const struct storm *storm)
{
	return storm->script[2].steps ? 3 : 2;
}

/* False: it did not end; it is killed then. */
static bool ends(const struct storm *storm, int who, pid_t pid)
{
	int status;

	if (wait_for_process(pid, &status)) {
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			die("storm %s: a process died", storm->name);
		return true;
	}
	say("number %d does not end:", who + 1);
	say_where(pid);
	kill(pid, SIGKILL);
	must(wait_for_process(pid, NULL), "a process cannot be killed");
	return false;
}

/* How many of the processes never ended. */
static unsigned long let_blow(const struct storm *storm, int config, uint64_t ns)
{
	pid_t pid[STORM_PROCESSES];
	unsigned long hang = 0;

	memset(sky, 0, sizeof(*sky));
	fflush(stdout);
	for (int who = 0; who < processes(storm); who++) {
		pid[who] = fork();
		must(pid[who] >= 0, "fork");
		if (!pid[who])
			blow(storm, who, config_side[config][who]);
	}
	while (sky->ready < processes(storm))
		usleep(100);
	sky->go = true;
	usleep(ns / 1000);
	sky->stop = true;
	for (int who = 0; who < processes(storm); who++)
		hang += !ends(storm, who, pid[who]);
	return hang;
}

/* Judging -------------------------------------------------------------------------- */

static bool is_allowed(const struct storm_step *s, int err)
{
	if (!err)
		return true;
	for (int i = 0; i < STORM_ERRNOS; i++)
		if (s->may[i] == err)
			return true;
	return false;
}

static const char *places(const struct storm *storm, int config)
{
	static char text[40];

	text[0] = '\0';
	for (int who = 0; who < processes(storm); who++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			 who ? ", " : "", side_text[config_side[config][who]]);
	return text;
}

static unsigned long judge_step(const struct storm *storm, int config, int who, int i)
{
	const struct storm_step *s = &storm->script[who].step[i];
	unsigned long wrong = 0;
	char text[CONC_TEXT];

	call_text(&s->call, text, sizeof(text));
	for (int err = 0; err < CONC_ERRNOS; err++) {
		uint32_t n = sky->strand[who].count[i][err];

		if (!n || is_allowed(s, err))
			continue;
		say("%s of number %d (they are on %s): %u times %s, %u times ok", text,
		    who + 1, places(storm, config), n, errno_text(err),
		    sky->strand[who].count[i][0]);
		wrong += n;
	}
	return wrong;
}

static unsigned long judge_who(const struct storm *storm, int config, int who)
{
	const struct strand *s = &sky->strand[who];
	unsigned long wrong = s->broken;

	if (s->broken)
		say("number %d (they are on %s): %u times, the last one: %s", who + 1,
		    places(storm, config), s->broken, s->text);
	for (int i = 0; i < storm->script[who].steps; i++)
		wrong += judge_step(storm, config, who, i);
	return wrong;
}

static bool can_count(const struct storm *storm)
{
	for (int who = 0; who < STORM_PROCESSES; who++)
		for (int i = 0; i < storm->script[who].steps; i++) {
			enum call_kind k = storm->script[who].step[i].call.kind;

			if (call_info[k].names == MAYBE && k != CALL_rename)
				return false;
		}
	return !storm->replaces;
}

/* The names that are left are those of calls that succeeded, and both sides show them. */
static unsigned long judge_rest(const struct storm *storm, int before)
{
	char tree[STATE_TEXT], view[STATE_TEXT];
	unsigned long wrong = 0;
	long expected = before;

	for (int who = 0; who < STORM_PROCESSES; who++)
		expected += sky->strand[who].names;
	arena_describe(tree, TREE);
	arena_describe(view, VIEW);
	if (strcmp(tree, view)) {
		say("the view does not show what the tree has: tree%s || view%s", tree,
		    view);
		wrong++;
	}
	if (can_count(storm) && arena_names(tree) != expected) {
		say("there should be %ld names%s", expected, tree);
		wrong++;
	}
	return wrong;
}

static unsigned long times(void)
{
	unsigned long n = 0;

	for (int who = 0; who < STORM_PROCESSES; who++)
		for (int err = 0; err < CONC_ERRNOS; err++)
			n += sky->strand[who].count[0][err];
	return n;
}

static void run(const struct storm *storm, uint64_t ns)
{
	unsigned long wrong = 0, n = 0;
	char name[100], state[STATE_TEXT];

	snprintf(name, sizeof(name), "storm_%s", storm->name);
	if (!wanted(name))
		return;
	for (int config = 0; config < CONFIGS; config++) {
		arena_start(storm->start);
		arena_describe(state, TREE);
		wrong += let_blow(storm, config, ns / CONFIGS);
		for (int who = 0; who < processes(storm); who++)
			wrong += judge_who(storm, config, who);
		wrong += judge_rest(storm, arena_names(state));
		n += times();
	}
	tap(!wrong && n, name, "%lu times, %lu wrong", n, wrong);
}

size_t storms_wanted(void)
{
	char name[100];
	size_t n = 0;

	for (size_t i = 0; i < storms_n; i++) {
		snprintf(name, sizeof(name), "storm_%s", storms[i].name);
		n += wanted(name);
	}
	return n;
}

void storms_run(unsigned int seconds)
{
	size_t n = storms_wanted();

	if (!n)
		return;
	sky = mmap(NULL, sizeof(*sky), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(sky != MAP_FAILED, "mmap");
	arena_open();
	for (size_t i = 0; i < storms_n; i++)
		run(&storms[i], seconds * 1000000000ULL / n);
	arena_close();
}
