/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fusepass policy new, build, verify: of the table in cmd_policy.c, in cmd_kit.c. */
#ifndef FUSEPASS_KIT_H
#define FUSEPASS_KIT_H

int cmd_policy_new(int argc, char **argv);
int cmd_policy_build(int argc, char **argv);
int cmd_policy_verify(int argc, char **argv);

/*
 * Compiles @source to @object with clang, with what a policy includes. What the compiler
 * says is in a file, which the caller closes. Returns its exit status, or -errno.
 */
int kit_compile(const char *source, const char *object, FILE **said);

/* First directory of the kit beside the program that has @file; see kit_path.c. */
int kit_template(const char *file, char *path);
/* The program itself. */
int kit_program(char *path);

#endif
