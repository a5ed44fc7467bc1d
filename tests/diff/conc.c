// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conc [OPTION...] TREE VIEW: is a view of a tree as good as the tree itself, while
 * both are changed at the same moment? See conc.h for the parts and conc.sh for runs
 * with a mount. Prints TAP; the exit status is 1 when a test failed.
 *
 * Two bind mounts of one directory pass all of it, which shows that nothing is asked
 * for that a native file system does not do:
 *
 *     mkdir tree view; mount --bind tree view; conc --seconds 60 tree view
 */
#include "conc.h"

#include <fnmatch.h>
#include <getopt.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct conc_options conc = {
	.seconds = 20, .procs = 3, .patience = 60, .round = -1,
};

/* Output ------------------------------------------------------------------------- */

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_line("# ", fmt, ap);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_line("Bail out! ", fmt, ap);
	va_end(ap);
	_exit(2);
}

bool wanted(const char *name)
{
	return !conc.only || !fnmatch(conc.only, name, 0);
}

bool planted(const char *what)
{
	return conc.plant && !strcmp(conc.plant, what);
}

const char *const side_text[CONC_SIDES] = { "tree", "view" };

/* Processes and time ---------------------------------------------------------------- */

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

bool wait_for_process(pid_t pid, int *status)
{
	uint64_t until = now_ns() + conc.patience * 1000000000ULL;
	int got;

	while (waitpid(pid, status ? status : &got, WNOHANG) != pid) {
		if (now_ns() > until)
			return false;
		usleep(1000);
	}
	return true;
}

static void say_file(pid_t pid, const char *name)
{
	char path[64], text[4096], *p = text, *line;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	while ((line = strsep(&p, "\n")))
		if (*line)
			say("   %s: %.200s", name, line);
}

void say_where(pid_t pid)
{
	say_file(pid, "stat");
	say_file(pid, "wchan");
	say_file(pid, "syscall");
	say_file(pid, "stack");
}

void pin_to_cpu(unsigned int cpu)
{
	static long n;
	cpu_set_t set;

	if (!n)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	CPU_ZERO(&set);
	CPU_SET(cpu % n, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot stay on a CPU: %s", errno_text(errno));
}

void spin(unsigned int loops)
{
	for (volatile unsigned int i = 0; i < loops; i++)
		;
}

void become_user(uid_t uid)
{
	static uid_t now;

	if (uid == now)
		return;
	if ((now && setresuid(-1, 0, -1)) || setresgid(-1, uid, -1) ||
	    setresuid(-1, uid, -1))
		die("cannot become user %u: %s", uid, errno_text(errno));
	/* Its /proc/self belongs to it again. */
	if (uid)
		prctl(PR_SET_DUMPABLE, 1);
	now = uid;
}

/* Random numbers ------------------------------------------------------------------------ */

/* As splitmix64 does. */
uint64_t rng_next(struct rng *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

void rng_init(struct rng *r, uint64_t a, uint64_t b, uint64_t c)
{
	r->state = a;
	r->state = rng_next(r) ^ b;
	r->state = rng_next(r) ^ c;
}

unsigned int rng_below(struct rng *r, unsigned int n)
{
	return (rng_next(r) >> 32) * n >> 32;
}

/* Options -------------------------------------------------------------------------------- */

static const char usage[] =
"Usage: conc [OPTION...] TREE VIEW\n"
"Processes in the directory TREE and others in VIEW, which shows the same, change\n"
"the same names at the same moment.\n"
"  --seconds N      of all of it; what --only leaves out is not waited for (20)\n"
"  --procs N        processes on each side (3)\n"
"  --seed N         what is random begins with it (the time)\n"
"  --round N        only this round of random calls, again and again\n"
"  --only PATTERN   only these: duel_NAME, duels_of_any_two, storm_NAME, work\n"
"  --patience N     seconds until a call counts as hanging (60)\n"
"  --served         a server does part of it: compare what that can know\n"
"  --hidden         names with 'h' in front are hidden in VIEW\n"
"  --save FILE      write down which errnos there were\n"
"  --reference FILE mark those that are not in there\n"
"  --plant WHAT     do a misdeed: errno, name, content, suid, kept, link, duel, view,\n"
"                   storm\n";

enum { OPT_SECONDS = 1, OPT_PROCS, OPT_SEED, OPT_ROUND, OPT_ONLY, OPT_PATIENCE,
       OPT_SERVED, OPT_HIDDEN, OPT_SAVE, OPT_REFERENCE, OPT_PLANT, OPT_HELP };

static const struct option long_options[] = {
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "procs", required_argument, NULL, OPT_PROCS },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "round", required_argument, NULL, OPT_ROUND },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "patience", required_argument, NULL, OPT_PATIENCE },
	{ "served", no_argument, NULL, OPT_SERVED },
	{ "hidden", no_argument, NULL, OPT_HIDDEN },
	{ "save", required_argument, NULL, OPT_SAVE },
	{ "reference", required_argument, NULL, OPT_REFERENCE },
	{ "plant", required_argument, NULL, OPT_PLANT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*end || !*text)
		die("not a number: %s", text);
	return n;
}

static void take_number(int opt)
{
	uint64_t n = number(optarg);

	switch (opt) {
	case OPT_SECONDS:
		conc.seconds = n;
		break;
	case OPT_PROCS:
		conc.procs = n;
		break;
	case OPT_SEED:
		conc.seed = n;
		break;
	case OPT_ROUND:
		conc.round = n;
		break;
	case OPT_PATIENCE:
		conc.patience = n;
		break;
	}
}

static void take_option(int opt)
{
	switch (opt) {
	case OPT_ONLY:
		conc.only = optarg;
		break;
	case OPT_SERVED:
		conc.served = true;
		break;
	case OPT_HIDDEN:
		conc.hidden = true;
		break;
	case OPT_SAVE:
		conc.save = optarg;
		break;
	case OPT_REFERENCE:
		conc.reference = optarg;
		break;
	case OPT_PLANT:
		conc.plant = optarg;
		break;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	case '?':
		exit(2);
	default:
		take_number(opt);
	}
}

static void parse(int argc, char **argv)
{
	int opt;

	conc.seed = now_ns();
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take_option(opt);
	if (argc - optind != CONC_SIDES || !conc.procs)
		die("two directories are needed, and processes; see --help");
	for (int s = 0; s < CONC_SIDES; s++) {
		conc.path[s] = argv[optind + s];
		conc.top[s] = open(conc.path[s], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (conc.top[s] < 0)
			die("%s: %s", conc.path[s], errno_text(errno));
	}
}

/* Both have to show the same directory; a test of two different ones would prove nothing. */
static void check_sides(void)
{
	struct stat tree, view;

	if (fstat(conc.top[TREE], &tree) || fstat(conc.top[VIEW], &view) ||
	    tree.st_ino != view.st_ino)
		die("%s does not show %s", conc.path[VIEW], conc.path[TREE]);
}

/* Each of the three phases that are wanted has the same. */
static unsigned int share_of_time(void)
{
	int phases = !!duels_wanted() + !!storms_wanted() + wanted("work");

	return conc.seconds / (phases ? phases : 1);
}

int main(int argc, char **argv)
{
	unsigned int share;

	parse(argc, argv);
	check_sides();
	umask(0);
	if (setgroups(0, NULL))
		die("cannot leave all groups: %s", errno_text(errno));
	say("seed %llu, %u seconds, %u processes on each side",
	    (unsigned long long)conc.seed, conc.seconds, conc.procs);
	share = share_of_time();
	duels_run(share);
	storms_run(share);
	work_run(share);
	if (!tap_count())
		die("nothing is called %s", conc.only);
	return tap_done();
}
