#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RESULT(call) ({ __typeof__(call) r_ = (call); r_ < 0 ? -errno : r_; })
#define RETRY(call) \
    ({ __typeof__(call) r_; do { r_ = (call); } while (r_ < 0 && errno == EINTR); r_ < 0 ? -errno : r_; })

_Thread_local void *clinux_thread_loop;

// ---- epoll

int clinux_epoll_create(void) { return RESULT(epoll_create1(EPOLL_CLOEXEC)); }

int clinux_epoll_control(int epoll, int operation, int fd, uint32_t events, void *data) {
    struct epoll_event event = {.events = events, .data = {.ptr = data}};
    return RESULT(epoll_ctl(epoll, operation, fd, &event));
}

int clinux_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t timeout) {
    int count;
    if (timeout <= 0) {
        count = epoll_wait(epoll, events, capacity, timeout < 0 ? -1 : 0);
    } else {
        struct timespec limit = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
        count = epoll_pwait2(epoll, events, capacity, &limit, NULL);
    }
    if (count < 0) return errno == EINTR ? 0 : -errno;
    return count;
}

int clinux_eventfd(void) { return RESULT(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int clinux_eventfd_signal(int fd) {
    uint64_t one = 1;
    return (int)RETRY(write(fd, &one, sizeof one));
}

// ---- Clocks

static int64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clinux_monotonic(void) { return read_clock(CLOCK_MONOTONIC); }
int64_t clinux_monotonic_coarse(void) { return read_clock(CLOCK_MONOTONIC_COARSE); }

// ---- Descriptors

int clinux_open(const char *path, int flags, mode_t mode) { return RETRY(open(path, flags | O_CLOEXEC, mode)); }
int clinux_duplicate(int fd) { return RESULT(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

int clinux_pipe(int ends[2], bool nonblocking) {
    return RESULT(pipe2(ends, O_CLOEXEC | (nonblocking ? O_NONBLOCK : 0)));
}

int clinux_set_nonblocking(int fd, bool on) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    return RESULT(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

// ---- UNIX sockets

int clinux_unix_socket(void) { return RESULT(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

int clinux_unix_pair(int fds[2]) {
    return RESULT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
}

static int fill_address(struct sockaddr_un *address, const char *path, size_t length) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (length == 0) return -EINVAL;
    if (length >= sizeof address->sun_path) return -ENAMETOOLONG;
    if (memchr(path, 0, length)) return -EINVAL;
    memcpy(address->sun_path, path, length);
    return 0;
}

int clinux_unix_bind(int fd, const char *path, size_t length) {
    struct sockaddr_un address;
    int result = fill_address(&address, path, length);
    if (result < 0) return result;
    return RESULT(bind(fd, (struct sockaddr *)&address, sizeof address));
}

int clinux_unix_connect(int fd, const char *path, size_t length) {
    struct sockaddr_un address;
    int result = fill_address(&address, path, length);
    if (result < 0) return result;
    return RETRY(connect(fd, (struct sockaddr *)&address, sizeof address));
}

int clinux_accept(int fd) { return RETRY(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

union control {
    char bytes[CMSG_SPACE(sizeof(int) * CLINUX_MAX_DESCRIPTORS)];
    struct cmsghdr header;
};

static int take_descriptors(struct msghdr *message, int *descriptors) {
    int count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        int here = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + (size_t)i * sizeof(int), sizeof fd);
            if (count < CLINUX_MAX_DESCRIPTORS) descriptors[count++] = fd;
            else close(fd);
        }
    }
    return count;
}

ssize_t clinux_receive(int fd, void *buffer, size_t length, int *descriptors, int *count, bool *truncated) {
    union control control;
    struct iovec part = {.iov_base = buffer, .iov_len = length};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *count = 0;
    *truncated = false;
    ssize_t received = RETRY(recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
    if (received < 0) return received;
    if (message.msg_controllen > 0) *count = take_descriptors(&message, descriptors);
    *truncated = (message.msg_flags & MSG_CTRUNC) != 0;
    return received;
}

ssize_t clinux_send(int fd, const void *buffer, size_t length, const int *descriptors, int count) {
    if (count == 0) return RETRY(send(fd, buffer, length, MSG_NOSIGNAL | MSG_DONTWAIT));
    if (count < 0 || count > CLINUX_MAX_DESCRIPTORS) return -EINVAL;
    union control control;
    struct iovec part = {.iov_base = (void *)buffer, .iov_len = length};
    size_t size = sizeof(int) * (size_t)count;
    memset(&control, 0, sizeof control);
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), descriptors, size);
    return RETRY(sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

ssize_t clinux_send_two(int fd, const void *first, size_t first_length, const void *second, size_t second_length) {
    if (first_length == 0) return RETRY(send(fd, second, second_length, MSG_NOSIGNAL | MSG_DONTWAIT));
    struct iovec parts[2] = {
        {.iov_base = (void *)first, .iov_len = first_length}, {.iov_base = (void *)second, .iov_len = second_length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return RETRY(sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

int clinux_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

ssize_t clinux_peer_security(int fd, char *buffer, size_t length) {
    socklen_t size = (socklen_t)length;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERSEC, buffer, &size) < 0) return -errno;
    while (size > 0 && buffer[size - 1] == 0) size--;
    return (ssize_t)size;
}

// ---- Threads and processors

void clinux_set_thread_name(const char *name) { prctl(PR_SET_NAME, name); }

int clinux_cpu_count(void) {
    union { cpu_set_t set; char bytes[1024]; } all; // 8,192 processors
    memset(&all, 0, sizeof all);
    if (sched_getaffinity(0, sizeof all, &all.set) < 0) return -errno;
    return CPU_COUNT_S(sizeof all, &all.set);
}
