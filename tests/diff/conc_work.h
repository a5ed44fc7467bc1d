/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random calls of many processes: which ones, and how often each gave what. */
#ifndef FUSEPASS_CONC_WORK_H
#define FUSEPASS_CONC_WORK_H

#include "conc.h"

/* Of which calls and names a round consists. */
struct mixture {
	bool counted;		/* only calls that tell what they do to the names */
	unsigned int names, dirs;
	bool kinds[CALL_KINDS];
};
void mixture_make(struct mixture *mix, int number, struct rng *rng);

/* The state that choices are made by. */
struct picker {
	struct rng rng;
	const struct mixture *mix;
	const struct hands *hands;
	uid_t uid;
};
void pick_call(struct picker *p, struct call *c);

struct histogram {
	uint32_t n[CONC_SIDES][CALL_KINDS][CONC_ERRNOS];
};
void histogram_tell(const struct histogram *h);
void histogram_save(const struct histogram *h, const char *path);
/* Calls that never succeeded on one of the sides; says which. */
int histogram_gaps(const struct histogram *h);

#endif
