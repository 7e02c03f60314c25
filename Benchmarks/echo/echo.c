// The bare limit: one thread with one epoll set answers each message of the load generator with a reply of the
// length that CONNECT_GET_LIB_VERSION has, and looks at nothing but the message's length and serial.
// usage: rpcecho SOCKET
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 1024, BUFFER = 8192, HEADER = 28, REPLY = 36 };

struct client {
    size_t have;
    uint8_t bytes[BUFFER];
};

static struct client clients[CLIENTS];

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) return -1;
    return fd;
}

// Appends the replies to all whole messages; returns their length.
static size_t answer(struct client *client, uint8_t *out, size_t room) {
    size_t at = 0, written = 0;
    while (client->have - at >= HEADER && room - written >= REPLY) {
        uint32_t words[9];
        memcpy(words, client->bytes + at, HEADER);
        uint32_t length = ntohl(words[0]);
        if (length < HEADER || length > BUFFER || client->have - at < length) break;
        words[0] = htonl(REPLY);
        words[4] = htonl(1);
        words[7] = 0;
        words[8] = htonl(9000000);
        memcpy(out + written, words, REPLY);
        written += REPLY;
        at += length;
    }
    memmove(client->bytes, client->bytes + at, client->have - at);
    client->have -= at;
    return written;
}

static void serve(int fd) {
    struct client *client = &clients[fd];
    uint8_t out[BUFFER * 2];
    ssize_t count = recv(fd, client->bytes + client->have, BUFFER - client->have, 0);
    if (count <= 0) {
        close(fd);
        client->have = 0;
        return;
    }
    client->have += (size_t)count;
    size_t length = answer(client, out, sizeof out);
    if (length > 0 && send(fd, out, length, MSG_NOSIGNAL) < 0) perror("send");
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    int listener = listen_at(arguments[1]);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || epoll < 0) {
        perror(arguments[1]);
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != listener) {
                serve(events[i].data.fd);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) continue;
            if (fd >= CLIENTS) {
                close(fd);
                continue;
            }
            event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
    }
}
