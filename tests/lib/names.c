// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names N: looks up N names that do not exist, spread over the directories
 * below the current one, and says how many failed with ENOENT.
 *
 * A program and not a loop of a shell, so that what is measured is the lookups.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DIRS = 4096 };

static char *dirs[MAX_DIRS];
static size_t ndirs;

static int add_dir(const char *path, const struct stat *st, int type,
		   struct FTW *ftw)
{
	if (type == FTW_D && ndirs < MAX_DIRS)
		dirs[ndirs++] = strdup(path);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 10000, missing = 0;
	char path[4096];
	struct stat st;

	if (nftw(".", add_dir, 32, FTW_PHYS) || !ndirs) {
		perror("names: walk");
		return 1;
	}
	qsort(dirs, ndirs, sizeof(*dirs), by_name);
	for (long i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/no-such-name-%ld",
			 dirs[i % ndirs], i);
		missing += lstat(path, &st) && errno == ENOENT;
	}
	printf("%ld of %ld names in %zu directories do not exist\n", missing, n,
	       ndirs);
	return missing != n;
}
