/* Faults of a disk and of a clock, in front of the C library: preloaded into a server's process.
 *
 * A fault is on as long as a file of its name lies in the folder $SHIM_FOLDER:
 *   full         statvfs and fstatvfs find no room
 *   unsynced     fsync and fdatasync fail with EIO
 *   unflushed    fsync and fdatasync do nothing and say that they did: a disk that lies
 *   slow         fsync and fdatasync take so many milliseconds longer as the file says
 *   unwritable   pwrite to a file whose name ends as the file says stores half, then fails: ENOSPC
 *   clock        the wall clock is ahead by so many seconds as the file says
 * Every fsync and fdatasync that succeeds adds a byte to the file "synced".
 *
 * A *point* is a call that changes what lies in the folder $SHIM_STORE: create, write, ftruncate,
 * fsync, unlink, rename, link. A process looks at its first point which of these files there are:
 *   points       each point adds a line to it
 *   kill         "N before|half|after": the process is killed at the point that adds the Nth line;
 *                then this file is removed
 *   undo         each point adds what undoes it: see power.py, which then plays a power cut
 *
 * What happens inside here goes to the kernel directly, or it would come back here.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HALVED_BYTES_MIN 512 /* a disk stores whole sectors */
#define REAL(name) __extension__({ \
    static __typeof__(&name) found; \
    if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    found; })

/* ---------------------------------------------------------------- files that say what is on */

static int place(const char *name, char *path) {
    const char *folder = getenv("SHIM_FOLDER");
    return folder && snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

static int open_at(const char *name, int flags) {
    char path[PATH_MAX];
    return place(name, path) ? (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600) : -1;
}

/* Whether a fault is on; what its file says. errno stays as it was. */
static int fault(const char *name, char *says, size_t size) {
    int before = errno, descriptor = open_at(name, O_RDONLY);
    if (descriptor >= 0) {
        ssize_t length = syscall(SYS_read, descriptor, says, size - 1);
        says[length > 0 ? length : 0] = 0;
        syscall(SYS_close, descriptor);
    }
    errno = before;
    return descriptor >= 0;
}

/* ---------------------------------------------------------------- points */

enum moment { NEVER, BEFORE, HALF, AFTER };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static struct {
    int looked, points, undo; /* descriptors; -1 for none */
    long passed, fatal;
    enum moment moment;
} plan;

/* Whether the path lies in the store. */
static int ours(const char *path) {
    const char *store = getenv("SHIM_STORE");
    size_t length = store ? strlen(store) : 0;
    return length && strncmp(path, store, length) == 0 && (path[length] == '/' || !path[length]);
}

static int path_of(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    int before = errno;
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    errno = before;
    path[length > 0 ? length : 0] = 0;
    return length > 0 && ours(path);
}

static void look(void) {
    char says[64], when[16] = "", lines[4096];
    plan.looked = 1;
    plan.points = open_at("points", O_RDWR | O_APPEND);
    for (ssize_t length; (length = syscall(SYS_read, plan.points, lines, sizeof lines)) > 0;)
        while (length--) plan.passed += lines[length] == '\n';
    plan.undo = open_at("undo", O_WRONLY | O_APPEND);
    if (!fault("kill", says, sizeof says)) return;
    sscanf(says, "%ld %15s", &plan.fatal, when);
    plan.moment = !strcmp(when, "half") ? HALF : !strcmp(when, "after") ? AFTER : BEFORE;
}

static void die_at(enum moment moment) {
    char path[PATH_MAX];
    if (plan.moment != moment || plan.passed != plan.fatal) return;
    if (place("kill", path)) syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* Every point is between these two. */
static void enter(const char *call, const char *path, size_t count) {
    int before = errno;
    pthread_mutex_lock(&turn);
    if (!plan.looked) look();
    plan.passed++;
    if (plan.points >= 0) dprintf(plan.points, "%s %s %zu\n", call, strrchr(path, '/') + 1, count);
    die_at(BEFORE);
    errno = before;
}

static void leave(void) {
    die_at(AFTER);
    pthread_mutex_unlock(&turn);
}

/* ---------------------------------------------------------------- what a power cut undoes */

struct undo {
    uint64_t inode;
    int64_t at, size; /* of the file, before */
    uint32_t bytes, name_bytes;
    char kind[8];
};

static void note(const char *kind, struct undo undo, const char *name, const void *bytes) {
    strncpy(undo.kind, kind, sizeof undo.kind);
    undo.name_bytes = name ? strlen(name) : 0;
    size_t whole = sizeof undo + undo.name_bytes + undo.bytes;
    char *record = malloc(whole);
    memcpy(record, &undo, sizeof undo);
    memcpy(record + sizeof undo, name, undo.name_bytes);
    memcpy(record + sizeof undo + undo.name_bytes, bytes, undo.bytes);
    if (syscall(SYS_write, plan.undo, record, whole) != (ssize_t)whole) abort();
    free(record);
}

static uint64_t inode_of(const char *path) {
    struct stat found;
    return syscall(SYS_newfstatat, AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) ? 0 : found.st_ino;
}

/* The bytes from `at` on are about to be changed, up to `count` of them. */
static void remember_bytes(int descriptor, off_t at, size_t count) {
    struct stat found;
    if (plan.undo < 0 || syscall(SYS_fstat, descriptor, &found)) return;
    struct undo undo = {.inode = found.st_ino, .at = at, .size = found.st_size};
    off_t there = found.st_size > at ? found.st_size - at : 0;
    undo.bytes = there < (off_t)count ? there : (off_t)count;
    char *bytes = malloc(undo.bytes + 1);
    if (syscall(SYS_pread64, descriptor, bytes, undo.bytes, at) != (ssize_t)undo.bytes) abort();
    note("bytes", undo, NULL, bytes);
    free(bytes);
}

static void remember_name(const char *kind, const char *path) {
    if (plan.undo >= 0) note(kind, (struct undo){.inode = inode_of(path)}, path, NULL);
}

/* The file loses this name; it is kept under another, for its inode to live on. */
static void remember_loss(const char *path) {
    static int count;
    char name[64], held[PATH_MAX];
    if (plan.undo < 0 || !inode_of(path)) return;
    snprintf(name, sizeof name, "held-%d-%d", getpid(), count++);
    if (place(name, held) && syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, held, 0) == 0)
        remember_name("lost", path);
}

/* ---------------------------------------------------------------- calls on descriptors */

static int sync_with(long call, const char *name, int descriptor) {
    char says[32], path[PATH_MAX];
    int result = 0, stored = path_of(descriptor, path);
    if (fault("unsynced", says, sizeof says)) { errno = EIO; return -1; }
    if (fault("slow", says, sizeof says)) {
        long milliseconds = atol(says);
        struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    if (stored) enter(name, path, 0);
    if (!fault("unflushed", says, sizeof says)) {
        result = syscall(call, descriptor);
        if (stored && result == 0) remember_name("synced", path);
    }
    if (stored) leave();
    int counter = open_at("synced", O_WRONLY | O_CREAT | O_APPEND);
    if (counter >= 0) {
        if (syscall(SYS_write, counter, ".", 1) != 1) abort();
        syscall(SYS_close, counter);
    }
    return result;
}

int fsync(int descriptor) { return sync_with(SYS_fsync, "fsync", descriptor); }
int fdatasync(int descriptor) { return sync_with(SYS_fdatasync, "fdatasync", descriptor); }

static int refuses(const char *path) {
    char ending[64];
    if (!fault("unwritable", ending, sizeof ending)) return 0;
    size_t length = strlen(path), tail = strlen(ending);
    return length >= tail && strcmp(path + length - tail, ending) == 0;
}

ssize_t pwrite64(int descriptor, const void *data, size_t count, off64_t at) {
    char path[PATH_MAX];
    if (!path_of(descriptor, path)) return syscall(SYS_pwrite64, descriptor, data, count, at);
    if (refuses(path)) {
        if (count >= HALVED_BYTES_MIN)
            return syscall(SYS_pwrite64, descriptor, data, count / 2, at);
        errno = ENOSPC;
        return -1;
    }
    enter("pwrite", path, count);
    remember_bytes(descriptor, at, count);
    if (plan.moment == HALF && plan.passed == plan.fatal)
        syscall(SYS_pwrite64, descriptor, data, count / 2, at);
    die_at(HALF);
    ssize_t result = syscall(SYS_pwrite64, descriptor, data, count, at);
    leave();
    return result;
}

ssize_t pwrite(int descriptor, const void *data, size_t count, off_t at) {
    return pwrite64(descriptor, data, count, at);
}

int ftruncate64(int descriptor, off64_t length) {
    char path[PATH_MAX];
    if (!path_of(descriptor, path)) return syscall(SYS_ftruncate, descriptor, length);
    enter("ftruncate", path, length);
    remember_bytes(descriptor, length, SSIZE_MAX);
    int result = syscall(SYS_ftruncate, descriptor, length);
    leave();
    return result;
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

/* ---------------------------------------------------------------- calls on names */

static int open_with(const char *path, int flags, int mode) {
    if (!(flags & O_CREAT) || !ours(path) || inode_of(path))
        return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    enter("create", path, 0);
    int result = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (result >= 0) remember_name("made", path);
    leave();
    return result;
}

#define OPEN(name)                                   \
    int name(const char *path, int flags, ...) {     \
        va_list rest;                                \
        va_start(rest, flags);                       \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0; \
        va_end(rest);                                \
        return open_with(path, flags, mode);         \
    }

OPEN(open)
OPEN(open64)

int unlink(const char *path) {
    if (!ours(path)) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    enter("unlink", path, 0);
    remember_loss(path);
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    leave();
    return result;
}

int link(const char *path, const char *other) {
    if (!ours(other)) return syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, other, 0);
    enter("link", other, 0);
    int result = syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, other, 0);
    if (result == 0) remember_name("linked", other);
    leave();
    return result;
}

int rename(const char *path, const char *other) {
    if (!ours(other)) return syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, 0);
    enter("rename", other, 0);
    remember_loss(other);
    remember_loss(path);
    int result = syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, 0);
    if (result == 0) remember_name("linked", other);
    leave();
    return result;
}

/* ---------------------------------------------------------------- room and time */

#define STATVFS(name, record, type)                                 \
    int name(type argument, struct record *found) {                 \
        char says[8];                                               \
        int result = REAL(name)(argument, found);                   \
        if (result == 0 && fault("full", says, sizeof says))        \
            found->f_bfree = found->f_bavail = 0;                   \
        return result;                                              \
    }

STATVFS(statvfs, statvfs, const char *)
STATVFS(fstatvfs, statvfs, int)
STATVFS(statvfs64, statvfs64, const char *)
STATVFS(fstatvfs64, statvfs64, int)

int clock_gettime(clockid_t clock, struct timespec *now) {
    char says[32];
    int result = REAL(clock_gettime)(clock, now);
    if (result || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
    if (fault("clock", says, sizeof says)) now->tv_sec += atol(says);
    return 0;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    *now = (struct timeval){found.tv_sec, found.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}
