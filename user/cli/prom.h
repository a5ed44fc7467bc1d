/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fusepass stat --prometheus, in prom.c. */
#ifndef FUSEPASS_PROM_H
#define FUSEPASS_PROM_H

#include "fusepass.h"

/* All connections of this machine that FUSE counts for, in an array; -errno. */
int prom_connections(uint32_t **list);
/* Prints metrics of one mount, or of all for NULL. Returns an exit status. */
int prom_show(const struct fusepass_mount *only);

#endif
