/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of fusepass run: cmd_run.c waits for the mount and attaches the policy;
 * run_server.c is a process that starts the server, stays as long as that runs and cleans up.
 */
#ifndef FUSEPASS_RUN_H
#define FUSEPASS_RUN_H

#include <limits.h>

#include "cmd.h"
#include "redirect.h"

struct run {
	struct cmd_knobs knobs;
	const char *policy_name;
	const char *backing;
	const char *options;	/* of the mount, if it is made here */
	const char *path;	/* of the mount point, as it was given */
	char mountpoint[PATH_MAX];	/* absolute */
	char **server;		/* its program and arguments */

	int device;		/* by /dev/fd/N: to be handed over; or -1 */
	bool watched;		/* its calls are answered by @redirect */
	struct redirect redirect;

	uint32_t before;	/* what was mounted at the mount point, or 0 */
	uint32_t connection;	/* of the server; 0: not mounted yet */
	struct fusepass_policy *policy;

	int supervisor;		/* socket to it */
	pid_t supervisor_pid;
};

/* What the two processes tell each other. */
enum run_what {
	/* from the supervisor */
	RUN_NO_SERVER,		/* errno */
	RUN_REFUSED,		/* it does not take /dev/fd/N */
	RUN_ENDED,		/* status of wait(2) of the server's first process */
	RUN_BACKGROUND,		/* that has ended, and left others that go on */
	/* to it */
	RUN_MOUNTED,		/* number of the connection */
	RUN_STOP,
};

struct run_note {
	enum run_what what;
	uint32_t value;
};

bool run_tell(int fd, enum run_what what, uint32_t value);

/* The mount that the server has made, or has: sets @r->connection. */
bool run_find_mount(struct run *r);
/* Removes it, if it is there still. */
void run_unmount(const struct run *r);

/* What the supervisor does; it ends when the server has ended. */
void run_supervise(struct run *r, int front);

#endif
