// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the policy kit has its files: beside the program, in an installed tree or in a
 * build directory. And the compiler.
 */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cmd.h"
#include "kit.h"

extern char **environ;

#define NR_DIRS	3
/* What is included: headers of fusepass, and types of the kernel. */
static const char *const include_dirs[NR_DIRS][2] = {
	{ "../include", "../share/fusepass/policies" },
	{ "../../include", "../.." },
	{ "../include", "../include/fusepass" },
};
static const char *const template_dirs[] = {
	"../share/fusepass/templates", "../../bpf/templates",
};

int kit_program(char *path)
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (len < 0)
		return -errno;
	path[len] = '\0';
	return 0;
}

/* @name in the directory @dir, which begins at that of the program. */
static int beside(const char *dir, const char *name, char *path)
{
	char exe[PATH_MAX];
	int ret = kit_program(exe);

	if (ret)
		return ret;
	*strrchr(exe, '/') = '\0';
	if (snprintf(path, PATH_MAX, "%s/%s/%s", exe, dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return access(path, R_OK) ? -errno : 0;
}

int kit_template(const char *file, char *path)
{
	int ret = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(template_dirs) && ret; i++)
		ret = beside(template_dirs[i], file, path);
	return ret;
}

/* "-IDIR" for both kinds of headers. */
static int include_options(char option[2][PATH_MAX + 2])
{
	char path[PATH_MAX];

	for (size_t i = 0; i < NR_DIRS; i++) {
		if (beside(include_dirs[i][1], "vmlinux.h", path))
			continue;
		*strrchr(path, '/') = '\0';
		sprintf(option[1], "-I%s", path);
		if (beside(include_dirs[i][0], "fusepass.bpf.h", path))
			continue;
		*strrchr(path, '/') = '\0';
		sprintf(option[0], "-I%s", path);
		return 0;
	}
	return -ENOENT;
}

static int run(char **argv, int out)
{
	posix_spawn_file_actions_t actions;
	int ret, status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, out, 2);
	ret = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (ret)
		return -ret;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* $BPF_CFLAGS, separated by blanks. */
static size_t add_flags(char *flags, char **argv, size_t max)
{
	char *save, *word;
	size_t nr = 0;

	for (word = strtok_r(flags, " \t\n", &save); word && nr < max;
	     word = strtok_r(NULL, " \t\n", &save))
		argv[nr++] = word;
	return nr;
}

int kit_compile(const char *source, const char *object, FILE **said)
{
	char include[2][PATH_MAX + 2];
	char *argv[64] = {
		getenv("CLANG") ?: "clang", "-O2", "-g", "-target", "bpf",
		"-mcpu=v3", "-Wall", include[0], include[1],
	};
	_cleanup_free_ char *flags = strdup(getenv("BPF_CFLAGS") ?: "");
	size_t nr = 9;
	int ret = include_options(include);

	if (ret || !flags)
		return ret ?: -ENOMEM;
	nr += add_flags(flags, argv + nr, 48);
	argv[nr++] = "-c";
	argv[nr++] = (char *)source;
	argv[nr++] = "-o";
	argv[nr++] = (char *)object;
	*said = tmpfile();
	if (!*said)
		return -errno;
	ret = run(argv, fileno(*said));
	rewind(*said);
	return ret;
}
