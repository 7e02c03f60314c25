#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utmpx.h>

ssize_t clinux_xattr_get(const char *path, const char *name, void *value, size_t size) {
    ssize_t length = getxattr(path, name, value, size);
    return length < 0 ? -errno : length;
}

int clinux_xattr_set(const char *path, const char *name, const void *value, size_t size) {
    return setxattr(path, name, value, size, 0) < 0 ? -errno : 0;
}

int clinux_xattr_remove(const char *path, const char *name) {
    return removexattr(path, name) < 0 ? -errno : 0;
}

int clinux_affinity_set(pid_t thread, const uint8_t *map, size_t size) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t cpu = 0; cpu < size * 8 && cpu < CPU_SETSIZE; cpu++) {
        if (map[cpu / 8] & (1 << (cpu % 8))) CPU_SET(cpu, &set);
    }
    return sched_setaffinity(thread, sizeof set, &set) < 0 ? -errno : 0;
}

int clinux_affinity_get(pid_t thread, uint8_t *map, size_t size) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(thread, sizeof set, &set) < 0) return -errno;
    memset(map, 0, size);
    for (size_t cpu = 0; cpu < size * 8 && cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set)) map[cpu / 8] |= (uint8_t)(1 << (cpu % 8));
    }
    return 0;
}

int clinux_tap_open(char *name, bool multiqueue) {
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) return -errno;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multiqueue ? IFF_MULTI_QUEUE : 0);
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    memcpy(name, request.ifr_name, IFNAMSIZ);
    return fd;
}

static int control(unsigned long number, struct ifreq *request) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int result = ioctl(fd, number, request) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static void prepare(struct ifreq *request, const char *name) {
    memset(request, 0, sizeof *request);
    snprintf(request->ifr_name, IFNAMSIZ, "%s", name);
}

int clinux_link_set_mac(const char *name, const uint8_t mac[6]) {
    struct ifreq request;
    prepare(&request, name);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac, 6);
    return control(SIOCSIFHWADDR, &request);
}

int clinux_link_set_up(const char *name, bool up) {
    struct ifreq request;
    prepare(&request, name);
    int result = control(SIOCGIFFLAGS, &request);
    if (result < 0) return result;
    if (up) request.ifr_flags |= IFF_UP;
    else request.ifr_flags &= ~IFF_UP;
    return control(SIOCSIFFLAGS, &request);
}

int clinux_link_set_mtu(const char *name, int mtu) {
    struct ifreq request;
    prepare(&request, name);
    request.ifr_mtu = mtu;
    return control(SIOCSIFMTU, &request);
}

static int change_bridge(unsigned long number, const char *bridge, const char *port) {
    struct ifreq request;
    prepare(&request, bridge);
    request.ifr_ifindex = (int)if_nametoindex(port);
    if (request.ifr_ifindex == 0) return -ENODEV;
    return control(number, &request);
}

int clinux_bridge_add(const char *bridge, const char *port) {
    return change_bridge(SIOCBRADDIF, bridge, port);
}

int clinux_bridge_remove(const char *bridge, const char *port) {
    return change_bridge(SIOCBRDELIF, bridge, port);
}

uint64_t clinux_boot_time(void) {
    struct utmpx wanted = {.ut_type = BOOT_TIME};
    setutxent();
    struct utmpx *found = getutxid(&wanted);
    uint64_t seconds = found ? (uint64_t)found->ut_tv.tv_sec : 0;
    endutxent();
    if (seconds) return seconds;
    FILE *file = fopen("/proc/uptime", "re");
    if (!file) return 0;
    double up = 0;
    int count = fscanf(file, "%lf", &up);
    fclose(file);
    struct timeval now;
    if (count != 1 || gettimeofday(&now, NULL) < 0) return 0;
    return (uint64_t)((double)now.tv_sec + (double)now.tv_usec / 1e6 - up + 0.5);
}

int clinux_pid_open(pid_t pid) {
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int clinux_pid_signal(int pid_descriptor, int signal) {
    return syscall(SYS_pidfd_send_signal, pid_descriptor, signal, NULL, 0) < 0 ? -errno : 0;
}
