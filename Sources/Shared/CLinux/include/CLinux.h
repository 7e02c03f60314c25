// What Swift cannot call itself: macros, variadic functions, thread-locals, and code that must run between fork and
// exec.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "CLinuxChild.h"
#include "CLinuxDaemon.h"
#include "CLinuxFiles.h"
#include "CLinuxGuest.h"
#include "CLinuxHost.h"

// ---- The event loop that runs on this thread (NULL on others).

extern _Thread_local void *clinux_thread_loop;

static inline void *clinux_current_loop(void) { return clinux_thread_loop; }
static inline void clinux_set_current_loop(void *loop) { clinux_thread_loop = loop; }

// ---- epoll. All return 0 or a count, or -errno.

int clinux_epoll_create(void);
int clinux_epoll_control(int epoll, int operation, int fd, uint32_t events, void *data);
// timeout in nanoseconds; negative waits for ever. EINTR counts as "no events".
int clinux_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t timeout);
static inline void *clinux_event_data(const struct epoll_event *event) { return event->data.ptr; }
static inline uint32_t clinux_event_bits(const struct epoll_event *event) { return event->events; }

int clinux_eventfd(void);
int clinux_eventfd_signal(int fd);

// ---- Clocks, in nanoseconds.

int64_t clinux_monotonic(void);
int64_t clinux_monotonic_coarse(void);

// ---- Descriptors. All new ones are close-on-exec. A descriptor or 0, or -errno.

int clinux_open(const char *path, int flags, mode_t mode);
int clinux_duplicate(int fd);
int clinux_pipe(int ends[2], bool nonblocking);
int clinux_set_nonblocking(int fd, bool on);

// ---- UNIX sockets. Counts, or -errno.

#define CLINUX_MAX_DESCRIPTORS 253 // the kernel's SCM_MAX_FD

// A stream socket, close-on-exec and non-blocking.
int clinux_unix_socket(void);
int clinux_unix_pair(int fds[2]);
int clinux_unix_bind(int fd, const char *path, size_t length);
int clinux_unix_connect(int fd, const char *path, size_t length);
int clinux_accept(int fd);
// Receives bytes and up to CLINUX_MAX_DESCRIPTORS descriptors (close-on-exec). *truncated: control data was lost.
ssize_t clinux_receive(int fd, void *buffer, size_t length, int *descriptors, int *count, bool *truncated);
ssize_t clinux_send(int fd, const void *buffer, size_t length, const int *descriptors, int count);
ssize_t clinux_send_two(int fd, const void *first, size_t first_length, const void *second, size_t second_length);
int clinux_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid);
// The security label of the peer, without a NUL. Length or -errno.
ssize_t clinux_peer_security(int fd, char *buffer, size_t length);

// ---- Threads and processors

// Names the calling thread; the kernel keeps 15 bytes.
void clinux_set_thread_name(const char *name);
// How many the calling thread may use.
int clinux_cpu_count(void);
