// What running guests needs from C: extended attributes, processor sets, tap devices. Included by CLinux.h.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Extended attributes of a path, symbolic links followed. A length or 0, or -errno.
ssize_t clinux_xattr_get(const char *path, const char *name, void *value, size_t size);
int clinux_xattr_set(const char *path, const char *name, const void *value, size_t size);
int clinux_xattr_remove(const char *path, const char *name);

// The processors a thread may use, bit 0 of the first byte being processor 0. 0 or a count of bytes, or -errno.
int clinux_affinity_set(pid_t thread, const uint8_t *map, size_t size);
int clinux_affinity_get(pid_t thread, uint8_t *map, size_t size);

// A tap device with virtio headers. `name` ("vnet%d" or a full name) is replaced by the one the kernel gave; it has room
// for 16 bytes. A close-on-exec descriptor or -errno.
int clinux_tap_open(char *name, bool multiqueue);
// 0 or -errno.
int clinux_link_set_mac(const char *name, const uint8_t mac[6]);
int clinux_link_set_up(const char *name, bool up);
int clinux_link_set_mtu(const char *name, int mtu);
int clinux_bridge_add(const char *bridge, const char *port);
int clinux_bridge_remove(const char *bridge, const char *port);

// When the machine was started, in seconds since the epoch, as libvirt reckons it; 0 when unknown.
uint64_t clinux_boot_time(void);
// Sends a signal through a pid descriptor; opens one. 0, a descriptor, or -errno.
int clinux_pid_open(pid_t pid);
int clinux_pid_signal(int pid_descriptor, int signal);
