#define _GNU_SOURCE
#include "CLinuxDaemon.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

pid_t clinux_thread_id(void) { return gettid(); }

pid_t clinux_fork(void) {
    pid_t child = fork();
    return child < 0 ? -errno : child;
}

// Segments that are never written are as the file has them: dropping their pages loses nothing.
static int drop_code(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    (void)context;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(page - 1);
        if (end > start) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void clinux_forget_start(void) {
    malloc_trim(0);
    dl_iterate_phdr(drop_code, NULL);
}

static void fill(sigset_t *set, const int *signals, int count) {
    sigemptyset(set);
    for (int i = 0; i < count; i++) sigaddset(set, signals[i]);
}

int clinux_signal_descriptor(const int *signals, int count) {
    sigset_t set;
    fill(&set, signals, count);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int clinux_block_signals(const int *signals, int count) {
    sigset_t set;
    fill(&set, signals, count);
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int clinux_replace_program(char *const *arguments, const int *signals, int count, int restart_signal) {
    sigset_t set, before;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, action;
    fill(&set, signals, count);
    sigaction(restart_signal, &ignore, &action);
    pthread_sigmask(SIG_UNBLOCK, &set, &before);
    execvp(arguments[0], arguments);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(restart_signal, &action, NULL);
    return -error;
}

int clinux_read_signal(int fd) {
    struct signalfd_siginfo info;
    ssize_t length;
    do { length = read(fd, &info, sizeof info); } while (length < 0 && errno == EINTR);
    if (length < 0) return errno == EAGAIN ? 0 : -errno;
    return length == sizeof info ? (int)info.ssi_signo : 0;
}

int clinux_memory_file(const char *name, const void *bytes, size_t length) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -errno;
    for (size_t done = 0; done < length;) {
        ssize_t count = write(fd, (const char *)bytes + done, length - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            int error = errno;
            close(fd);
            return -error;
        }
        done += (size_t)count;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return fd;
}

void clinux_options_begin(void) { optind = 0; }

int clinux_options_next(int count, char *const *arguments, const char *letters, const struct option *options,
                        const char **argument) {
    int letter = getopt_long(count, arguments, letters, options, NULL);
    *argument = optarg;
    return letter;
}

int clinux_options_rest(void) { return optind; }
