// The bare limit of a proxy: for each client a connection of its own to the socket behind, and every byte that one of
// the two brings is written to the other, with one recv and one send; nothing is looked at. As many threads, each with
// an epoll set, as the machine has processors.
// usage: rpcrelay SOCKET BEHIND
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUFFER = 65536, MOST_THREADS = 64 };

// One direction; its peer is the other one.
struct end {
    int fd;
    struct end *peer;
};

static int unix_socket(const char *path, struct sockaddr_un *address, int flags) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strncpy(address->sun_path, path, sizeof address->sun_path - 1);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

static int listen_at(const char *path) {
    struct sockaddr_un address;
    int fd = unix_socket(path, &address, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) return -1;
    return fd;
}

static int connect_to(const char *path) {
    struct sockaddr_un address;
    int fd = unix_socket(path, &address, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
    return fd;
}

static int write_all(int fd, const uint8_t *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = send(fd, bytes, length, MSG_NOSIGNAL);
        if (count < 0) return -1;
        bytes += count;
        length -= (size_t)count;
    }
    return 0;
}

static void *serve(void *argument) {
    int epoll = (int)(intptr_t)argument;
    uint8_t *buffer = malloc(BUFFER);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            struct end *end = events[i].data.ptr;
            ssize_t count = recv(end->fd, buffer, BUFFER, MSG_DONTWAIT);
            if (count > 0 && write_all(end->peer->fd, buffer, (size_t)count) == 0) continue;
            // Both ends stay open until the other has seen it too: a benchmark's clients are few.
            epoll_ctl(epoll, EPOLL_CTL_DEL, end->fd, NULL);
            shutdown(end->peer->fd, SHUT_RDWR);
        }
    }
    return NULL;
}

static void add(int epoll, struct end *end) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};
    epoll_ctl(epoll, EPOLL_CTL_ADD, end->fd, &event);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int listener = listen_at(arguments[1]);
    if (listener < 0) {
        perror(arguments[1]);
        return 1;
    }
    long threads = sysconf(_SC_NPROCESSORS_ONLN);
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    int sets[MOST_THREADS];
    for (long i = 0; i < threads; i++) {
        pthread_t thread;
        sets[i] = epoll_create1(EPOLL_CLOEXEC);
        if (sets[i] < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)sets[i]) != 0) return 1;
    }
    for (long turn = 0;; turn++) {
        int front = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        int back = front < 0 ? -1 : connect_to(arguments[2]);
        struct end *ends = back < 0 ? NULL : calloc(2, sizeof *ends);
        if (!ends) {
            perror(arguments[2]);
            if (front >= 0) close(front);
            continue;
        }
        ends[0] = (struct end){.fd = front, .peer = &ends[1]};
        ends[1] = (struct end){.fd = back, .peer = &ends[0]};
        add(sets[turn % threads], &ends[0]);
        add(sets[turn % threads], &ends[1]);
    }
}
