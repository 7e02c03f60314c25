// epoll as Swift can call it: the C library's module map leaves it out, and its event is a packed union.
#pragma once
#include <stdint.h>
#include <sys/epoll.h>

static inline int bench_epoll_add(int epoll, int fd, uint32_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static inline int bench_epoll_wait(int epoll, uint32_t *tags, int capacity, int milliseconds) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, capacity < 256 ? capacity : 256, milliseconds);
    for (int i = 0; i < count; i++) tags[i] = events[i].data.u32;
    return count;
}
