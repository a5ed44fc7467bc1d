/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers what a server asks the system for when it mounts by itself. */
#ifndef FUSEPASS_REDIRECT_H
#define FUSEPASS_REDIRECT_H

#include "lib.h"

struct redirect {
	const struct lib_kind *kind;	/* what the server gets in place of fuse */
	bool refuse;			/* it has a mount: it must not make one */
	bool refused;			/* and it has tried to */
};

/*
 * In the server's process, before it runs: from here on its mounts, and if it gets another
 * kind of FUSE its openings of devices, wait for redirect_answer() in another process.
 * Returns the descriptor that is for that one, or -errno.
 */
int redirect_install(const struct redirect *r);

/* Answers one call. False: nobody is left who could ask. */
bool redirect_answer(struct redirect *r, int listener);

#endif
