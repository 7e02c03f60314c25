// After the fork only async-signal-safe calls are made: other threads may have held any lock at that moment. Ids and
// groups are set with raw system calls, as the C library would try to do it for threads that the child does not have.
#define _GNU_SOURCE
#include "CLinuxChild.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct channel {
    int status;  // the child writes reports
    int release; // the child waits for a byte
};

// ---- In the child

static void tell(const struct channel *channel, int stage, int error) {
    struct clinux_report report = {.stage = stage, .error = error};
    while (write(channel->status, &report, sizeof report) < 0 && errno == EINTR) {}
}

static void fail(const struct channel *channel, int stage) {
    tell(channel, stage, errno);
    _exit(127);
}

static void wait_for_parent(const struct channel *channel) {
    char byte;
    ssize_t count;
    do { count = read(channel->release, &byte, 1); } while (count < 0 && errno == EINTR);
    if (count != 1) _exit(127); // the parent gave up, or is gone
}

// Signals as a fresh process has them. All are blocked until here, so that no handler of the parent runs. By the raw
// call, as the C library does not let anyone touch its own two.
static void reset_signals(void) {
    const char standard[64] = {0}; // the kernel's struct sigaction: SIG_DFL, no flags, an empty mask
    for (int signal = 1; signal < NSIG; signal++) syscall(SYS_rt_sigaction, signal, standard, NULL, (size_t)(NSIG / 8));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_range_of(int first, int last) {
    if (first > last || syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0) return;
    struct rlimit limit;
    rlim_t end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1 << 20 ? limit.rlim_cur : 1 << 20;
    for (int fd = first; fd <= last && (rlim_t)fd < end; fd++) close(fd);
}

// Closed at once and not only by exec: a child that waits for its handshake must not hold the pipes of another one
// that was being started at the same moment.
static void close_all_but(int32_t *kept, int count) {
    for (int i = 1; i < count; i++) {
        for (int j = i; j > 0 && kept[j - 1] > kept[j]; j--) {
            int32_t swapped = kept[j];
            kept[j] = kept[j - 1];
            kept[j - 1] = swapped;
        }
    }
    int next = 3;
    for (int i = 0; i < count; i++) {
        close_range_of(next, kept[i] - 1);
        if (kept[i] >= next) next = kept[i] + 1;
    }
    close_range_of(next, INT32_MAX);
}

static bool is_mapped(const struct clinux_child *child, int fd) {
    for (int i = 0; i < child->descriptor_count; i++) {
        if (child->targets[i] == fd) return true;
    }
    return false;
}

static int move_above(int *fd, int floor) {
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, floor);
    if (moved < 0) return -1;
    *fd = moved;
    return 0;
}

// Every source is first copied above all targets, so that no target overwrites a source that is still needed.
static int map_descriptors(const struct clinux_child *child, struct channel *channel) {
    int floor = 3;
    for (int i = 0; i < child->descriptor_count; i++) {
        if (child->targets[i] >= floor) floor = child->targets[i] + 1;
    }
    if (move_above(&channel->status, floor) < 0 || move_above(&channel->release, floor) < 0) return -1;
    for (int i = 0; i < child->descriptor_count; i++) {
        child->scratch[i] = child->sources[i];
        if (move_above(&child->scratch[i], floor) < 0) return -1;
    }
    for (int i = 0; i < child->descriptor_count; i++) {
        if (dup2(child->scratch[i], child->targets[i]) < 0) return -1;
    }
    int kept = child->descriptor_count;
    for (int i = 0; i < kept; i++) child->scratch[i] = child->targets[i];
    child->scratch[kept++] = channel->status;
    child->scratch[kept++] = channel->release;
    close_all_but(child->scratch, kept);
    for (int fd = 0; fd < 3; fd++) {
        if (is_mapped(child, fd)) continue;
        int null = open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
        if (null < 0 || (null != fd && dup2(null, fd) < 0)) return -1;
        if (null > 2) close(null);
    }
    return 0;
}

static size_t format_id(char *text, int32_t id) {
    char reversed[12];
    size_t length = 0;
    do { reversed[length++] = (char)('0' + id % 10); } while ((id /= 10) > 0);
    for (size_t i = 0; i < length; i++) text[i] = reversed[length - 1 - i];
    return length;
}

// Stays open across exec: the lock lives as long as the process.
static int take_pid_file(const char *path) {
    for (;;) {
        struct stat here, there;
        int fd = open(path, O_RDWR | O_CREAT, 0644);
        if (fd < 0) return -1;
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fstat(fd, &here) < 0 || fcntl(fd, F_SETLK, &lock) < 0) return -1;
        if (stat(path, &there) < 0 || here.st_ino != there.st_ino || here.st_dev != there.st_dev) {
            close(fd); // somebody removed or replaced it between our open and lock
            continue;
        }
        char text[12];
        size_t length = format_id(text, (int32_t)syscall(SYS_getpid));
        return ftruncate(fd, 0) < 0 || write(fd, text, length) != (ssize_t)length ? -1 : 0;
    }
}

static int set_limits(const struct clinux_child *child) {
    for (int i = 0; i < child->limit_count; i++) {
        struct rlimit limit = {.rlim_cur = child->limits[i].soft, .rlim_max = child->limits[i].hard};
        if (setrlimit((__rlimit_resource_t)child->limits[i].resource, &limit) < 0) return -1;
    }
    return 0;
}

static int enter_cgroup(const char *procs) {
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int result = write(fd, "0", 1) == 1 ? 0 : -1; // 0 is the writer itself
    int saved = errno;
    close(fd);
    errno = saved;
    return result;
}

// The peer sees the process that connects as the one that it talks to. Waits for a place in the peer's queue.
static int connect_socket(int fd, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
    memcpy(address.sun_path, path, length);
    int flags = fcntl(fd, F_GETFL), result;
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) return -1;
    do { result = connect(fd, (struct sockaddr *)&address, sizeof address); } while (result < 0 && errno == EINTR);
    int saved = errno;
    fcntl(fd, F_SETFL, flags);
    errno = saved;
    return result;
}

static int limit_bounding_set(uint64_t kept) {
    for (int capability = 0; capability < 64; capability++) {
        if (kept >> capability & 1) continue;
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM) return -1;
    }
    return 0;
}

static int set_capability_sets(uint64_t kept) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    for (int half = 0; half < 2; half++) {
        uint32_t wanted = (uint32_t)(kept >> 32 * half) & data[half].permitted;
        data[half].effective = data[half].permitted = data[half].inheritable = wanted;
    }
    if (syscall(SYS_capset, &header, data) < 0) return -1;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (int capability = 0; capability < 64; capability++) {
        if (!(data[capability / 32].permitted >> capability % 32 & 1)) continue;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0) return -1;
    }
    return 0;
}

static int set_user(const struct clinux_child *child) {
    if (syscall(SYS_setgroups, (size_t)child->group_count, child->groups) < 0) return -1;
    if (syscall(SYS_setresgid, child->gid, child->gid, child->gid) < 0) return -1;
    return syscall(SYS_setresuid, child->uid, child->uid, child->uid) < 0 ? -1 : 0;
}

static int prepare_capabilities(uint64_t kept) {
    if (limit_bounding_set(kept) < 0) return -1;
    return kept != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ? -1 : 0;
}

static void set_credentials(const struct clinux_child *child, const struct channel *channel) {
    uint64_t kept = child->capabilities;
    if (child->set_capabilities && prepare_capabilities(kept) < 0) fail(channel, CLINUX_STAGE_CAPABILITIES);
    if (child->set_user && set_user(child) < 0) fail(channel, CLINUX_STAGE_CREDENTIALS);
    if (child->set_capabilities && set_capability_sets(kept) < 0) fail(channel, CLINUX_STAGE_CAPABILITIES);
    if (!child->no_new_privileges) return;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail(channel, CLINUX_STAGE_CAPABILITIES);
}

static void run_child(const struct clinux_child *child, struct channel channel) {
    if (child->new_session && setsid() < 0) fail(&channel, CLINUX_STAGE_SESSION);
    if (child->new_group && setpgid(0, 0) < 0) fail(&channel, CLINUX_STAGE_SESSION);
    if (map_descriptors(child, &channel) < 0) fail(&channel, CLINUX_STAGE_DESCRIPTORS);
    if (child->daemonize) {
        tell(&channel, CLINUX_STAGE_PID, (int32_t)syscall(SYS_getpid));
        wait_for_parent(&channel); // it takes a pidfd while this id is certainly ours
    }
    if (child->pid_file && take_pid_file(child->pid_file) < 0) fail(&channel, CLINUX_STAGE_PID_FILE);
    if (child->directory && chdir(child->directory) < 0) fail(&channel, CLINUX_STAGE_DIRECTORY);
    if (child->file_mask >= 0) umask((mode_t)child->file_mask);
    if (set_limits(child) < 0) fail(&channel, CLINUX_STAGE_LIMITS);
    if (child->affinity && syscall(SYS_sched_setaffinity, 0, (size_t)child->affinity_size, child->affinity) < 0) {
        fail(&channel, CLINUX_STAGE_AFFINITY);
    }
    if (child->cgroup_procs && enter_cgroup(child->cgroup_procs) < 0) fail(&channel, CLINUX_STAGE_CGROUP);
    if (child->connection >= 0 && connect_socket(child->connection, child->connection_path) < 0) {
        fail(&channel, CLINUX_STAGE_CONNECTION);
    }
    if (child->handshake) {
        tell(&channel, CLINUX_STAGE_HANDSHAKE, 0);
        wait_for_parent(&channel);
    }
    set_credentials(child, &channel);
    reset_signals();
    execve(child->executable, child->arguments, child->environment);
    fail(&channel, CLINUX_STAGE_EXEC);
}

// ---- In the parent

void clinux_child_wait(int pidfd) {
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR) {}
}

// A fork that also gives a pidfd, and runs no fork handlers.
static pid_t fork_with_pidfd(int *pidfd) {
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    if (pidfd) {
        arguments.flags = CLONE_PIDFD;
        arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid >= 0 || errno != ENOSYS) return pid;
    pid = _Fork();
    if (pid > 0 && pidfd) *pidfd = clinux_pidfd_open(pid);
    return pid;
}

static void fork_again(const struct clinux_child *child, struct channel channel) {
    pid_t pid = fork_with_pidfd(NULL);
    if (pid < 0) fail(&channel, CLINUX_STAGE_FORK);
    if (pid > 0) _exit(0);
    run_child(child, channel);
}

static ssize_t read_report(int fd, struct clinux_report *report) {
    ssize_t count;
    do { count = read(fd, report, sizeof *report); } while (count < 0 && errno == EINTR);
    return count;
}

static void close_both(int fds[2]) {
    close(fds[0]);
    close(fds[1]);
}

// The first child is gone at once; the second one tells its id and waits.
static int adopt_daemon(struct clinux_started *started, struct clinux_report *report) {
    clinux_child_wait(started->pidfd);
    close(started->pidfd);
    started->pidfd = -1;
    if (read_report(started->status, report) != (ssize_t)sizeof *report) {
        *report = (struct clinux_report){.stage = CLINUX_STAGE_FORK, .error = ESRCH};
    }
    if (report->stage != CLINUX_STAGE_PID) return -report->error;
    started->pid = report->error;
    started->pidfd = clinux_pidfd_open(started->pid);
    if (started->pidfd < 0 || write(started->release, "", 1) != 1) {
        report->stage = CLINUX_STAGE_FORK;
        report->error = started->pidfd < 0 ? -started->pidfd : EPIPE;
        return -report->error;
    }
    return 0;
}

int clinux_child_start(
    const struct clinux_child *child, struct clinux_started *started, struct clinux_report *report) {
    int status[2], release[2];
    *report = (struct clinux_report){.stage = CLINUX_STAGE_FORK};
    if (pipe2(status, O_CLOEXEC) < 0) return report->error = errno, -errno;
    if (pipe2(release, O_CLOEXEC) < 0) {
        report->error = errno;
        close_both(status);
        return -report->error;
    }
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    started->pidfd = -1;
    started->pid = fork_with_pidfd(&started->pidfd);
    int error = errno;
    if (started->pid == 0) {
        struct channel channel = {.status = status[1], .release = release[0]};
        close(status[0]);
        close(release[1]);
        if (child->daemonize) fork_again(child, channel);
        run_child(child, channel);
    }
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    close(status[1]);
    close(release[0]);
    started->status = status[0];
    started->release = release[1];
    int result = 0;
    if (started->pid < 0) {
        report->error = error;
        result = -error;
    } else if (child->daemonize) {
        result = adopt_daemon(started, report);
    }
    if (result < 0) {
        if (started->pidfd >= 0) close(started->pidfd);
        close(status[0]);
        close(release[1]);
    }
    return result;
}

int clinux_child_reap(int pidfd, int32_t *status) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do { result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG); } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    if (info.si_pid == 0) return 0;
    *status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
    return 1;
}

int clinux_pidfd_open(int32_t pid) {
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

int clinux_pidfd_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}
