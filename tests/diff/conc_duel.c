// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Duels. How one may end is not written down anywhere: both scripts are done
 * natively first, one step after the other, in each possible order; what that gave
 * (what the calls returned, and what the directory holds afterwards) is what the
 * duel may give. Numbers drawn from one counter before and after each step tell in
 * addition which orders are excluded, because one step had ended before the other
 * began.
 *
 * One of the two begins a little later. That delay is moved towards where the winner
 * changes, since there the steps meet.
 */
#include "conc_duel.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ORDERS = 20,		/* of three steps and three */
	OUTCOMES = 24,
	CONFIGS = 3,
	TOLD = 4,		/* different outcomes that are printed */
	DELAY_MAX = 1 << 17,	/* turns of a loop */
};

/* On which side each of the two is. */
static const enum conc_side config_side[CONFIGS][2] = {
	{ TREE, VIEW }, { VIEW, TREE }, { VIEW, VIEW },
};
/* How often which of them. */
static const int config_of[] = { 0, 0, 0, 1, 1, 1, 2 };

struct outcome {
	char text[STATE_TEXT];
	unsigned int orders;	/* bit n: order n gives it */
};

/* A duel that is being fought. */
struct fight {
	const struct duel *duel;
	const char *start;
	int orders;
	unsigned int order[ORDERS];	/* bit n set: step n is the second's */
	struct outcome may[OUTCOMES];
	int outcomes;
	struct delay {
		int center, step;	/* positive: the first one waits */
		bool later;		/* where it was moved to last */
	} delay[CONFIGS];
	unsigned long fought, wrong, differs;
	bool hangs;
	char told[TOLD][STATE_TEXT];
	int tellings;
};

/* How it may end --------------------------------------------------------------------- */

static void put_script(char *buf, const struct script *s, const struct part *part)
{
	char text[CONC_TEXT];

	for (int i = 0; i < s->steps; i++) {
		call_text(&s->step[i], text, sizeof(text));
		arena_put(buf, "%s%s = %s", i ? ", " : "", text, errno_text(part->err[i]));
		if (!part->err[i] && part->got[i][0])
			arena_put(buf, " \"%s\"", part->got[i]);
	}
}

static void put_outcome(char *buf, const struct duel *d, enum conc_side side)
{
	char state[STATE_TEXT];

	buf[0] = '\0';
	put_script(buf, &d->script[0], pair_part(0));
	arena_put(buf, " | ");
	put_script(buf, &d->script[1], pair_part(1));
	arena_describe(state, side);
	arena_put(buf, " | then%s", state);
}

static int all_orders(const struct duel *d, unsigned int order[ORDERS])
{
	int steps = d->script[0].steps + d->script[1].steps, n = 0;

	for (unsigned int bits = 0; bits < 1U << steps; bits++)
		if (__builtin_popcount(bits) == d->script[1].steps)
			order[n++] = bits;
	return n;
}

static struct outcome *find_outcome(struct fight *f, const char *text)
{
	for (int i = 0; i < f->outcomes; i++)
		if (!strcmp(f->may[i].text, text))
			return &f->may[i];
	return NULL;
}

static void learn(struct fight *f)
{
	f->orders = all_orders(f->duel, f->order);
	for (int i = 0; i < f->orders; i++) {
		char text[STATE_TEXT];
		struct outcome *o;

		arena_start(f->start);
		pair_in_order(f->duel, f->order[i]);
		put_outcome(text, f->duel, TREE);
		o = find_outcome(f, text);
		if (!o) {
			o = &f->may[f->outcomes++];
			strcpy(o->text, text);
			o->orders = 0;
		}
		o->orders |= 1U << i;
	}
}

/* How it ended -------------------------------------------------------------------------- */

/* Does an order agree with which steps had ended before others began? */
static bool order_agrees(unsigned int order, int steps)
{
	int next[2] = { 0, 0 };
	unsigned int latest = 0;	/* begin of any step before this one */

	for (int i = 0; i < steps; i++) {
		int who = order >> i & 1, n = next[who]++;
		const struct part *p = pair_part(who);

		if (p->end[n] < latest)
			return false;
		if (p->begin[n] > latest)
			latest = p->begin[n];
	}
	return true;
}

static bool possible(const struct fight *f, const struct outcome *o)
{
	int steps = f->duel->script[0].steps + f->duel->script[1].steps;

	for (int i = 0; i < f->orders; i++)
		if (o->orders >> i & 1 && order_agrees(f->order[i], steps))
			return true;
	return false;
}

static void tell(struct fight *f, int config, const char *why, const char *text)
{
	for (int i = 0; i < f->tellings; i++)
		if (!strcmp(f->told[i], text))
			return;
	if (f->tellings == TOLD)
		return;
	strcpy(f->told[f->tellings++], text);
	say("%s, first on the %s, second on the %s, from \"%s\": %s", why,
	    side_text[config_side[config][0]], side_text[config_side[config][1]],
	    f->start, text);
}

/* Natively the tree is asked; a mount has to show the same as soon as all is over. */
static void compare_views(struct fight *f, int config)
{
	char tree[STATE_TEXT], view[STATE_TEXT], both[STATE_TEXT] = "";

	arena_describe(tree, TREE);
	if (planted("view"))
		mkdir("planted", 0700);
	arena_describe(view, VIEW);
	if (!strcmp(tree, view))
		return;
	f->differs++;
	arena_put(both, "tree%s || view%s", tree, view);
	tell(f, config, "the view does not show what the tree has", both);
}

static void move_delay(struct delay *d, bool later)
{
	if (d->later == later)
		d->step = d->step < DELAY_MAX / 4 ? d->step * 2 : d->step;
	else
		d->step = d->step > 128 ? d->step / 4 : 32;
	d->later = later;
	d->center += later ? d->step : -d->step;
	if (abs(d->center) > DELAY_MAX)
		d->center = later ? DELAY_MAX : -DELAY_MAX;
}

/*
 * The delay goes to where neither of the two is always first: in steps that get
 * longer as long as one of them is, and shorter when the winner changes.
 */
static void adjust(struct fight *f, int config, const struct outcome *o)
{
	unsigned int second_first = 1U << 0, first_first = 1U << (f->orders - 1);

	/* In order 0, the lowest bits are set. */
	if (!(o->orders & first_first))
		move_delay(&f->delay[config], false);
	else if (!(o->orders & second_first))
		move_delay(&f->delay[config], true);
}

/* Looking at both sides takes as long as all the rest, so it is not always done. */
static void judge(struct fight *f, int config, bool looked_at)
{
	char text[STATE_TEXT];
	struct outcome *o;

	put_outcome(text, f->duel, TREE);
	o = find_outcome(f, text);
	f->fought++;
	for (int who = 0; who < 2; who++)
		if (pair_part(who)->broken[0]) {
			f->wrong++;
			tell(f, config, pair_part(who)->broken, text);
		}
	if (!o) {
		f->wrong++;
		tell(f, config, "no order of the steps gives this", text);
	} else if (!possible(f, o)) {
		f->wrong++;
		tell(f, config, "not in the order in which it was done", text);
	} else {
		adjust(f, config, o);
	}
	if (looked_at || !o)
		compare_views(f, config);
}

static void plan_meeting(struct fight *f, int config, struct meeting *m,
			 struct rng *rng)
{
	int noise = rng_below(rng, 1 + (1 << rng_below(rng, 13)));
	int delay = f->delay[config].center;

	delay += rng_next(rng) & 1 ? noise : -noise;
	*m = (struct meeting){
		.side = { config_side[config][0], config_side[config][1] },
		.warm = { rng_next(rng) & 1, rng_next(rng) & 1 },
		.delay = { delay > 0 ? delay : 0, delay < 0 ? -delay : 0 },
	};
}

static void misbehave(void)
{
	if (planted("duel") && !fchdir(arena_top[TREE]))
		mkdir("planted", 0700);
}

/* Once. */
static void fight(struct fight *f, struct rng *rng)
{
	int config = config_of[rng_below(rng, ARRAY_SIZE(config_of))];
	struct meeting m;

	arena_start(f->start);
	plan_meeting(f, config, &m, rng);
	if (pair_fight(f->duel, &m)) {
		misbehave();
		judge(f, config, !rng_below(rng, 4));
	} else {
		f->wrong++;
		f->hangs = true;
	}
}

/* Duels ------------------------------------------------------------------------------------ */

static void fight_begin(struct fight *f, const struct duel *d)
{
	memset(f, 0, sizeof(*f));
	f->duel = d;
	f->start = d->start;
	for (int i = 0; i < CONFIGS; i++)
		f->delay[i].step = 128;
	learn(f);
}

static bool fight_end(struct fight *f)
{
	if (!f->wrong && !f->differs)
		return true;
	for (int i = 0; i < f->outcomes; i++)
		say("natively: %s", f->may[i].text);
	return false;
}

static void run_named(const struct duel *d, uint64_t ns, struct rng *rng)
{
	static struct fight f;
	uint64_t end = now_ns() + ns;
	char name[100];

	snprintf(name, sizeof(name), "duel_%s", d->name);
	if (!wanted(name))
		return;
	fight_begin(&f, d);
	while (!f.hangs && (now_ns() < end || f.fought < 10))
		fight(&f, rng);
	tap(fight_end(&f), name, "%lu times, %lu wrong, %lu shown otherwise%s",
	    f.fought, f.wrong, f.differs, f.hangs ? ", hangs" : "");
}

static void run_random(uint64_t ns, struct rng *rng)
{
	static struct fight f;
	uint64_t end = now_ns() + ns;
	unsigned long pairs = 0, fought = 0, wrong = 0, differs = 0;
	char start[CONC_TEXT];
	struct duel d;

	if (!wanted("duels_of_any_two"))
		return;
	for (; now_ns() < end; pairs++) {
		duel_random(&d, start, rng);
		fight_begin(&f, &d);
		for (int i = 0; i < 40 && !f.hangs; i++)
			fight(&f, rng);
		fight_end(&f);
		fought += f.fought;
		wrong += f.wrong;
		differs += f.differs;
	}
	tap(!wrong && !differs, "duels_of_any_two",
	    "%lu pairs, %lu times, %lu wrong, %lu shown otherwise", pairs, fought,
	    wrong, differs);
}

static size_t named_wanted(void)
{
	char name[100];
	size_t n = 0;

	for (size_t i = 0; i < duels_n; i++) {
		snprintf(name, sizeof(name), "duel_%s", duels[i].name);
		n += wanted(name);
	}
	return n;
}

/* Named ones have three quarters of the time; the others the last one. */
static void run_all(uint64_t ns, struct rng *rng)
{
	size_t named = named_wanted();
	bool others = wanted("duels_of_any_two");

	for (size_t i = 0; i < duels_n; i++)
		run_named(&duels[i], (others ? ns * 3 / 4 : ns) / (named ?: 1), rng);
	run_random(named ? ns / 4 : ns, rng);
}

size_t duels_wanted(void)
{
	return named_wanted() + wanted("duels_of_any_two");
}

void duels_run(unsigned int seconds)
{
	struct rng rng;

	if (!duels_wanted())
		return;
	rng_init(&rng, conc.seed, 0, 1);
	arena_open();
	pair_start();
	run_all(seconds * 1000000000ULL, &rng);
	pair_stop();
	arena_close();
}
