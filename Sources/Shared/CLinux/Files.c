#define _GNU_SOURCE
#include "CLinuxFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define RESULT(call) ({ __typeof__(call) r_ = (call); r_ < 0 ? -errno : r_; })
#define RETRY(call) \
    ({ __typeof__(call) r_; do { r_ = (call); } while (r_ < 0 && errno == EINTR); r_ < 0 ? -errno : r_; })

// ---- Locks

static struct flock describe_lock(enum clinux_lock kind, int64_t start, int64_t length) {
    short type = kind == CLINUX_LOCK_SHARED ? F_RDLCK : kind == CLINUX_LOCK_EXCLUSIVE ? F_WRLCK : F_UNLCK;
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

int clinux_record_lock(int fd, enum clinux_lock kind, int64_t start, int64_t length, bool wait) {
    struct flock lock = describe_lock(kind, start, length);
    return RETRY(fcntl(fd, wait ? F_SETLKW : F_SETLK, &lock));
}

int clinux_file_lock(int fd, enum clinux_lock kind, int64_t start, int64_t length, bool wait) {
    struct flock lock = describe_lock(kind, start, length);
    return RETRY(fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock));
}

int clinux_record_lock_holder(int fd, int64_t start, int64_t length) {
    struct flock lock = describe_lock(CLINUX_LOCK_EXCLUSIVE, start, length);
    if (fcntl(fd, F_GETLK, &lock) < 0) return -errno;
    return lock.l_type == F_UNLCK || lock.l_pid < 0 ? 0 : lock.l_pid;
}

// ---- Extended attributes

ssize_t clinux_get_attribute(const char *path, const char *name, void *value, size_t size) {
    return RESULT(lgetxattr(path, name, value, size));
}

int clinux_set_attribute(const char *path, const char *name, const void *value, size_t size) {
    return RESULT(lsetxattr(path, name, value, size, 0));
}

int clinux_remove_attribute(const char *path, const char *name) { return RESULT(lremovexattr(path, name)); }

// ---- Content

int clinux_order_data(int fd) {
    struct statfs system;
    if (fstatfs(fd, &system) < 0) return -errno;
    if (system.f_type != EXT4_SUPER_MAGIC && system.f_type != XFS_SUPER_MAGIC) return 0;
    int all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    return sync_file_range(fd, 0, 0, all) < 0 ? -errno : 1;
}

int clinux_allocate(int fd, int mode, int64_t offset, int64_t length) {
    return RETRY(fallocate(fd, mode, offset, length));
}

int clinux_clone_file(int destination, int source) { return RESULT(ioctl(destination, FICLONE, source)); }

ssize_t clinux_copy_range(int source, int destination, size_t length) {
    return RETRY(copy_file_range(source, NULL, destination, NULL, length, 0));
}

ssize_t clinux_splice(int source, int destination, size_t length) {
    return RETRY(splice(source, NULL, destination, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

ssize_t clinux_tee(int source, int destination, size_t length) {
    return RETRY(tee(source, destination, length, SPLICE_F_NONBLOCK));
}

int clinux_file_contains(int fd, const void *bytes, size_t length) {
    struct stat status;
    if (fstat(fd, &status) < 0) return -errno;
    if (status.st_size <= 0) return 0;
    void *start = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (start == MAP_FAILED) return -errno;
    int result = memmem(start, (size_t)status.st_size, bytes, length) != NULL;
    munmap(start, (size_t)status.st_size);
    return result;
}

int clinux_block_device_size(int fd, uint64_t *bytes) { return RESULT(ioctl(fd, BLKGETSIZE64, bytes)); }

int clinux_rename_exclusive(const char *from, const char *to) {
    return RESULT(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));
}

// ---- Device numbers

uint64_t clinux_device(uint32_t major_number, uint32_t minor_number) { return makedev(major_number, minor_number); }
uint32_t clinux_device_major(uint64_t device) { return major(device); }
uint32_t clinux_device_minor(uint64_t device) { return minor(device); }

// ---- File systems and namespaces

int clinux_file_system_type(const char *path, int64_t *type) {
    struct statfs status;
    if (statfs(path, &status) < 0) return -errno;
    *type = status.f_type;
    return 0;
}

int clinux_unshare(int flags) { return RESULT(unshare(flags)); }

int clinux_unshare_mounts(void) {
    if (unshare(CLONE_NEWNS) < 0) return -errno;
    return RESULT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

int clinux_enter_namespace(int fd, int kind) { return RESULT(setns(fd, kind)); }

// ---- Limits

int clinux_set_limit(int32_t pid, int32_t resource, uint64_t soft, uint64_t hard) {
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return RESULT(prlimit(pid, (__rlimit_resource_t)resource, &limit, NULL));
}

int clinux_get_limit(int32_t pid, int32_t resource, uint64_t *soft, uint64_t *hard) {
    struct rlimit limit;
    if (prlimit(pid, (__rlimit_resource_t)resource, NULL, &limit) < 0) return -errno;
    *soft = limit.rlim_cur;
    *hard = limit.rlim_max;
    return 0;
}
