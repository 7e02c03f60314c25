// Starting child processes: everything between fork and exec.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct clinux_limit {
    int32_t resource; // RLIMIT_*
    uint64_t soft, hard; // UINT64_MAX: unlimited
};

struct clinux_child {
    const char *executable;
    char *const *arguments;   // NULL-terminated, the name first
    char *const *environment; // NULL-terminated
    const char *directory;    // NULL: the parent's
    // Descriptor sources[i] becomes targets[i]; everything else is closed. 0, 1 and 2 are /dev/null unless mapped.
    const int32_t *sources;
    const int32_t *targets;
    int32_t *scratch; // room for `descriptor_count` + 2 numbers
    int32_t descriptor_count;
    const struct clinux_limit *limits;
    int32_t limit_count;
    int32_t file_mask; // umask; -1: the parent's
    bool new_session;
    bool new_group;
    bool daemonize; // fork twice: the child belongs to init
    bool handshake; // stop before credentials change until the parent lets it go on
    bool set_user;
    uint32_t uid, gid;
    const uint32_t *groups;
    int32_t group_count;
    bool set_capabilities;
    uint64_t capabilities; // what is left of them, if `set_capabilities`
    bool no_new_privileges;
    const uint8_t *affinity; // a cpu_set_t of affinity_size bytes, or NULL
    int32_t affinity_size;
    const char *cgroup_procs; // NULL, or the file to write the child's id to
    int32_t connection;       // one of `targets`, a UNIX socket that the child connects, or -1
    const char *connection_path;
    const char *pid_file;     // NULL, or the file to write the child's id to and keep locked
};

// Where a child failed.
enum clinux_stage {
    CLINUX_STAGE_FORK = 1,
    CLINUX_STAGE_SESSION,
    CLINUX_STAGE_DESCRIPTORS,
    CLINUX_STAGE_PID_FILE,
    CLINUX_STAGE_DIRECTORY,
    CLINUX_STAGE_LIMITS,
    CLINUX_STAGE_AFFINITY,
    CLINUX_STAGE_CGROUP,
    CLINUX_STAGE_CONNECTION,
    CLINUX_STAGE_HANDSHAKE, // with error 0: the child waits to be released
    CLINUX_STAGE_CREDENTIALS,
    CLINUX_STAGE_CAPABILITIES,
    CLINUX_STAGE_EXEC,
    CLINUX_STAGE_PID, // `error` is the id of a daemonized child
};

// What a child tells on its status pipe. The end of the pipe means that exec succeeded.
struct clinux_report {
    int32_t stage;
    int32_t error;
};

struct clinux_started {
    int32_t pid;
    int32_t pidfd;
    int32_t status;  // reading end of the status pipe; the caller reads the reports that are left
    int32_t release; // writing end: one byte lets a child with handshake go on; closing it ends the child
};

// Forks. 0, or -errno (nothing is left behind then, and *report says where).
int clinux_child_start(
    const struct clinux_child *child, struct clinux_started *started, struct clinux_report *report);

// Waits for the end of a direct child that is about to end.
void clinux_child_wait(int pidfd);
// Asks for the end of a direct child. 1: *status is a wait status. 0: still running. -ECHILD: not ours.
int clinux_child_reap(int pidfd, int32_t *status);
int clinux_pidfd_open(int32_t pid);
int clinux_pidfd_signal(int pidfd, int signal);
