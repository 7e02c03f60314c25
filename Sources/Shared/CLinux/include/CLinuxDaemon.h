// What a daemon's start needs from C. Included by CLinux.h.
#pragma once
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

// The kernel's number of this thread, as log lines show it.
pid_t clinux_thread_id(void);

// Fork before any thread exists: 0 in the child, the child's pid in the parent, or -errno.
pid_t clinux_fork(void);

// A close-on-exec, non-blocking descriptor for the signals that clinux_block_signals blocks.
int clinux_signal_descriptor(const int *signals, int count);
// Blocks these signals in this thread and all it starts later. 0 or -errno.
int clinux_block_signals(const int *signals, int count);
// The number of the next pending signal, 0 when there is none, or -errno.
int clinux_read_signal(int fd);

// Replaces the process's program: its pid, what is not close-on-exec and the environment stay. The signals are unblocked
// for the new program, and restart_signal is ignored until that asks for it, so that it cannot end a program that
// starts. Returns -errno on failure, with everything as it was.
int clinux_replace_program(char *const *arguments, const int *signals, int count, int restart_signal);

// Bytes in a close-on-exec memfd, sealed against change. A descriptor or -errno.
int clinux_memory_file(const char *name, const void *bytes, size_t length);

// Gives back what only the start needed: freed memory, and pages of code. Code that still runs comes back by itself.
void clinux_forget_start(void);

// ---- getopt_long, whose state is global. One parse at a time, begun with clinux_options_begin.

void clinux_options_begin(void);
// The next option's letter or value, '?' after a message for a wrong one, -1 at the end. *argument: its argument, if any.
int clinux_options_next(int count, char *const *arguments, const char *letters, const struct option *options,
                        const char **argument);
// The index of the first argument that is no option.
int clinux_options_rest(void);
