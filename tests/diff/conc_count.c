// SPDX-License-Identifier: GPL-2.0-or-later
/* How often each call gave what: telling, saving, comparing with a native run. */
#include "conc_work.h"

#include <string.h>

/* Results of a native run: a line for each call and errno, as it is saved. */
static bool reference_has(int kind, int err)
{
	static bool has[CALL_KINDS][CONC_ERRNOS], loaded;
	int k, e;
	FILE *f;

	if (!loaded) {
		loaded = true;
		f = fopen(conc.reference, "re");
		if (!f)
			die("%s: %s", conc.reference, errno_text(errno));
		while (fscanf(f, "%d %d", &k, &e) == 2)
			if (k >= 0 && k < CALL_KINDS && e >= 0 && e < CONC_ERRNOS)
				has[k][e] = true;
		fclose(f);
	}
	return has[kind][err];
}

static const char *mark_of(enum conc_side side, int kind, int err)
{
	if (!errno_is_legal(kind, err))
		return "!";
	if (conc.reference && side == VIEW && !reference_has(kind, err))
		return "*";
	return "";
}

static void tell_counts(const struct histogram *h, enum conc_side side, int kind)
{
	char line[CONC_TEXT] = "";
	size_t at = 0;

	for (int err = 0; err < CONC_ERRNOS; err++) {
		uint32_t n = h->n[side][kind][err];

		if (n && at < sizeof(line))
			at += snprintf(line + at, sizeof(line) - at, " %s%s %u",
				       mark_of(side, kind, err), errno_text(err), n);
	}
	say("  %-26s %s%s", side == TREE ? call_info[kind].name : "",
	    side_text[side], line);
}

void histogram_tell(const struct histogram *h)
{
	say("how often each call gave what (! never natively%s)",
	    conc.reference ? ", * not in the native run" : "");
	for (int k = 0; k < CALL_KINDS; k++)
		for (int side = 0; call_info[k].weight && side < CONC_SIDES; side++)
			tell_counts(h, side, k);
}

void histogram_save(const struct histogram *h, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die("%s: %s", path, errno_text(errno));
	for (int k = 0; k < CALL_KINDS; k++)
		for (int err = 0; err < CONC_ERRNOS; err++)
			if (h->n[TREE][k][err] + h->n[VIEW][k][err])
				fprintf(f, "%d %d\n", k, err);
	fclose(f);
}

/* One that never succeeds tests little. */
int histogram_gaps(const struct histogram *h)
{
	int n = 0;

	for (int k = 0; k < CALL_KINDS; k++)
		for (int side = 0; call_info[k].weight && side < CONC_SIDES; side++)
			if (!h->n[side][k][0]) {
				say("%s never succeeded on the %s",
				    call_info[k].name, side_text[side]);
				n++;
			}
	return n;
}
