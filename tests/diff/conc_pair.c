// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two processes of a duel. They meet at a barrier, each on a CPU of its own, and
 * one of them then waits a little before it begins. Who has started them sleeps
 * meanwhile, and starts them anew if one never comes back.
 */
#include "conc_duel.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Memory that all three see. */
static struct ring {
	_Atomic unsigned int turn, arrived, done[2], counter;
	pid_t starter;
	struct duel duel;
	char start[CONC_TEXT];
	struct meeting meeting;
	struct part part[2];
} *ring;

static pid_t pids[2];

const struct part *pair_part(int who)
{
	return &ring->part[who];
}

/* Waiting ----------------------------------------------------------------------- */

/* Spins for a moment, and sleeps then: the other ones may need this CPU. */
static bool reaches(_Atomic unsigned int *what, unsigned int value)
{
	const struct timespec moment = { .tv_nsec = 100000000 };
	unsigned int now;

	for (int i = 0; i < 2000; i++)
		if (atomic_load(what) >= value)
			return true;
	now = atomic_load(what);
	if (now < value)
		syscall(SYS_futex, what, FUTEX_WAIT, now, &moment, NULL, 0);
	return atomic_load(what) >= value;
}

static void set(_Atomic unsigned int *what, unsigned int value)
{
	atomic_store(what, value);
	syscall(SYS_futex, what, FUTEX_WAKE, 2, NULL, NULL, 0);
}

/* Both go on at the same moment, so nobody sleeps. */
static void meet(unsigned int turn)
{
	atomic_fetch_add(&ring->arrived, 1);
	for (unsigned int i = 0; atomic_load(&ring->arrived) < 2 * turn; i++)
		if (i % 4096 == 4095)
			sched_yield();
}

/* One of the two ------------------------------------------------------------------- */

static void take_hold(struct hands *h, const char *hold)
{
	struct call c = { .kind = CALL_open_write };
	size_t len = hold ? strlen(hold) : 0;

	if (!len)
		return;
	if (hold[0] == '+') {
		c.kind = CALL_open_tmpfile;
		c.mode = 0640;
		hold++;
	} else if (hold[len - 1] == '/') {
		c.kind = CALL_open_dir;
	}
	snprintf(c.path, sizeof(c.path), "%s", hold);
	must(!call_do(h, &c), "cannot open what is to be held");
}

void hands_prepare(struct hands *h, enum conc_side side, uid_t uid, const char *hold)
{
	hands_clear(h);
	hands_init(h, arena_top[side]);
	h->hidden = conc.hidden && side == VIEW;
	become_user(uid);
	must(!fchdir(h->top), "chdir");
	take_hold(h, hold);
}

/* So that the names are known there, as they were when it began. */
static void warm_up(const char *start)
{
	char list[CONC_TEXT + 20], *p = list, *name;
	struct stat st;

	snprintf(list, sizeof(list), "%s a b c d e d/y e/y", start);
	while ((name = strsep(&p, " "))) {
		name[strcspn(name, "=>")] = '\0';
		if (*name)
			lstat(name, &st);
	}
}

static void do_step(struct hands *h, const struct script *s, int i,
		    struct part *part)
{
	part->end[i] = 0;
	part->begin[i] = atomic_fetch_add(&ring->counter, 1);
	part->err[i] = call_do(h, &s->step[i]);
	part->end[i] = atomic_fetch_add(&ring->counter, 1);
	snprintf(part->got[i], sizeof(part->got[i]), "%.63s", h->got);
	if (h->broken[0])
		memcpy(part->broken, h->broken, sizeof(part->broken));
}

static void take_turn(struct hands *h, int who, unsigned int turn)
{
	const struct meeting *m = &ring->meeting;
	const struct script *s = &ring->duel.script[who];

	hands_prepare(h, m->side[who], s->uid, s->hold);
	if (m->warm[who])
		warm_up(ring->start);
	meet(turn);
	spin(m->delay[who]);
	for (int i = 0; i < s->steps; i++)
		do_step(h, s, i, &ring->part[who]);
	set(&ring->done[who], turn);
}

/*
 * Until it is killed, or its starter is: a change of user makes the kernel forget what
 * the death of a parent is to do.
 */
static void __attribute__((noreturn)) pair_main(int who)
{
	struct hands h;

	pin_to_cpu(who);
	hands_init(&h, arena_top[TREE]);
	for (unsigned int turn = 1;; turn++) {
		while (!reaches(&ring->turn, turn))
			if (getppid() != ring->starter)
				_exit(1);
		take_turn(&h, who, turn);
	}
}

/* Starting the processes ------------------------------------------------------------------ */

static void start_both(void)
{
	memset(ring, 0, sizeof(*ring));
	ring->starter = getpid();
	fflush(stdout);
	for (int who = 0; who < 2; who++) {
		pids[who] = fork();
		must(pids[who] >= 0, "fork");
		if (!pids[who])
			pair_main(who);
	}
}

static void end_both(void)
{
	for (int who = 0; who < 2; who++)
		kill(pids[who], SIGKILL);
	for (int who = 0; who < 2; who++)
		must(wait_for_process(pids[who], NULL), "a process cannot be killed");
}

void pair_start(void)
{
	if (!ring)
		ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(ring != MAP_FAILED, "mmap");
	start_both();
}

void pair_stop(void)
{
	end_both();
}

static void tell_hanging(int who)
{
	const struct script *s = &ring->duel.script[who];
	char text[CONC_TEXT];

	for (int i = 0; i < s->steps; i++)
		if (ring->part[who].begin[i] && !ring->part[who].end[i]) {
			call_text(&s->step[i], text, sizeof(text));
			say("never ends on the %s: %s",
			    side_text[ring->meeting.side[who]], text);
		}
	say_where(pids[who]);
}

static bool both_end(unsigned int turn)
{
	uint64_t end = now_ns() + conc.patience * 1000000000ULL;

	for (int who = 0; who < 2; who++)
		while (!reaches(&ring->done[who], turn))
			if (now_ns() > end) {
				tell_hanging(who);
				return false;
			}
	return true;
}

bool pair_fight(const struct duel *d, const struct meeting *m)
{
	unsigned int turn = ring->turn + 1;

	ring->duel = *d;
	ring->meeting = *m;
	snprintf(ring->start, sizeof(ring->start), "%s", d->start);
	memset(ring->part, 0, sizeof(ring->part));
	set(&ring->turn, turn);
	if (both_end(turn))
		return true;
	end_both();
	start_both();
	return false;
}

void pair_in_order(const struct duel *d, unsigned int order)
{
	int steps = d->script[0].steps + d->script[1].steps, next[2] = { 0, 0 };
	struct hands h[2];

	for (int who = 0; who < 2; who++) {
		const struct script *s = &d->script[who];

		hands_init(&h[who], arena_top[TREE]);
		hands_prepare(&h[who], TREE, s->uid, s->hold);
	}
	for (int i = 0; i < steps; i++) {
		int who = order >> i & 1;

		become_user(d->script[who].uid);
		do_step(&h[who], &d->script[who], next[who]++, &ring->part[who]);
	}
	become_user(0);
	for (int who = 0; who < 2; who++)
		hands_clear(&h[who]);
}
