/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares what a mount shows with the directory that a policy would show. */
#ifndef FUSEPASS_PROBE_H
#define FUSEPASS_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum probe_kind {
	PROBE_ONLY_MOUNT,
	PROBE_ONLY_BACKING,
	PROBE_TYPE,
	PROBE_SIZE,
	PROBE_TARGET,
	PROBE_OWNER,		/* or mode */
	PROBE_CONTENT,
	PROBE_UNREADABLE,	/* no difference, but not compared either */
	PROBE_NR,
};

#define PROBE_EXAMPLES	8

struct probe_finding {
	uint64_t count;
	char *examples[PROBE_EXAMPLES];	/* "/" is the root of the mount */
};

struct probe {
	/* Limits, by the caller. */
	uint64_t max_names;
	uint64_t max_depth;	/* 0: the root directory only */
	uint64_t max_files;	/* whose bytes are compared */
	uint64_t seconds;

	/* What was found. */
	struct probe_finding found[PROBE_NR];
	uint64_t names, directories, files;
	uint64_t beneath;	/* names that are on other file systems */
	bool complete;		/* no limit was met and everything could be read */

	/* Inside. */
	int mount_fd, backing_fd;
	dev_t mount_dev, backing_dev;
	time_t end;
	struct probe_queue {
		char **paths;
		size_t nr, done;
	} queue;
	char **sample;		/* up to @max_files of */
	uint64_t candidates;
	uint64_t random;
};

/* 0 or -errno. */
int probe_run(struct probe *p, int mount_fd, int backing_fd);
void probe_clear(struct probe *p);
uint64_t probe_differences(const struct probe *p);
const char *probe_kind_name(enum probe_kind kind);	/* "only on the mount" */
const char *probe_kind_effect(enum probe_kind kind);	/* "a policy would hide them" */

/*
 * The short form, for whoever is about to attach a policy: looks at the root directory for
 * two seconds at most. A line about what differs, or "": nothing, not known, or the server is
 * ours. Valid until the next call.
 */
const char *probe_warning(const char *path, const char *backing);

#endif
