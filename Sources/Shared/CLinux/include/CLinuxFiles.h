// File calls that the Glibc module does not have. A count, a descriptor or 0, or -errno.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// ---- Locks. length 0: to the end. wait: block until the lock is free.

enum clinux_lock { CLINUX_LOCK_SHARED, CLINUX_LOCK_EXCLUSIVE, CLINUX_LOCK_NONE };
// Record locks belong to the process, and closing any descriptor of the file releases them.
int clinux_record_lock(int fd, enum clinux_lock kind, int64_t start, int64_t length, bool wait);
// These belong to the open file: descriptors that are passed on keep them.
int clinux_file_lock(int fd, enum clinux_lock kind, int64_t start, int64_t length, bool wait);
// The process that holds a conflicting record lock; 0: nobody (or an open file's lock, which has no process).
int clinux_record_lock_holder(int fd, int64_t start, int64_t length);

// ---- Extended attributes of the path itself, not of what a link points at.

ssize_t clinux_get_attribute(const char *path, const char *name, void *value, size_t size);
int clinux_set_attribute(const char *path, const char *name, const void *value, size_t size);
int clinux_remove_attribute(const char *path, const char *name);

// ---- Content
/// Brings a file's data to its device and waits. 1: done, and the file system puts it before every later change of its
/// directories; 0: this file system does not promise that; -errno.
int clinux_order_data(int fd);

int clinux_allocate(int fd, int mode, int64_t offset, int64_t length);
int clinux_clone_file(int destination, int source); // FICLONE
ssize_t clinux_copy_range(int source, int destination, size_t length); // from and to the current positions
ssize_t clinux_splice(int source, int destination, size_t length);     // non-blocking, from and to current positions
ssize_t clinux_tee(int source, int destination, size_t length);
int clinux_file_contains(int fd, const void *bytes, size_t length); // 1, 0 or -errno; a file that nobody cuts
int clinux_block_device_size(int fd, uint64_t *bytes);
int clinux_rename_exclusive(const char *from, const char *to); // fails with EEXIST instead of replacing

// ---- Device numbers

uint64_t clinux_device(uint32_t major, uint32_t minor);
uint32_t clinux_device_major(uint64_t device);
uint32_t clinux_device_minor(uint64_t device);

// ---- File systems and namespaces

int clinux_file_system_type(const char *path, int64_t *type); // a magic number of <linux/magic.h>
int clinux_unshare(int flags);
int clinux_unshare_mounts(void); // and nothing propagates in or out afterwards
int clinux_enter_namespace(int fd, int kind);


// ---- Limits of another process. UINT64_MAX: unlimited.

int clinux_set_limit(int32_t pid, int32_t resource, uint64_t soft, uint64_t hard);
int clinux_get_limit(int32_t pid, int32_t resource, uint64_t *soft, uint64_t *hard);
