/* Faults of a disk, in front of the C library: preloaded into a server process by conftest.py.
 *
 * A fault is on as long as a file of its name lies in the folder $SHIM_FOLDER:
 *   full         statvfs and fstatvfs find no room
 *   unsynced     fsync and fdatasync fail with EIO
 *   slow         fsync and fdatasync take so many milliseconds longer as the file says
 *   unwritable   pwrite to a file whose name ends as the file says stores half, then fails: ENOSPC
 * Every fsync and fdatasync that succeeds adds a byte to the file "synced".
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define HALVED_BYTES_MIN 512 /* a disk stores whole sectors */

static void place(const char *name, char *path) {
    snprintf(path, PATH_MAX, "%s/%s", getenv("SHIM_FOLDER"), name);
}

/* Whether a fault is on; what its file says, without the end of the line. */
static int fault(const char *name, char *says, size_t size) {
    char path[PATH_MAX];
    place(name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, says, size - 1);
    close(fd);
    says[length > 0 ? length : 0] = 0;
    return 1;
}

static int sync_with(const char *name, int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    char says[32], path[PATH_MAX];
    if (fault("unsynced", says, sizeof says)) { errno = EIO; return -1; }
    if (fault("slow", says, sizeof says)) {
        long milliseconds = atol(says);
        struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    int result = real(fd);
    place("synced", path);
    int counter = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (counter >= 0) {
        if (write(counter, ".", 1) < 0) abort();
        close(counter);
    }
    return result;
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }

/* 1: no room for this write at all; 2: for a half of it; 0: for all. */
static int refuses(int fd, size_t count) {
    char ending[64], link[64], path[PATH_MAX];
    if (!fault("unwritable", ending, sizeof ending)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    size_t tail = strlen(ending);
    if ((size_t)length < tail || strcmp(path + length - tail, ending) != 0) return 0;
    return count < HALVED_BYTES_MIN ? 1 : 2;
}

static ssize_t write_with(const char *name, int fd, const void *data, size_t count, off_t at) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, name);
    switch (refuses(fd, count)) {
    case 1: errno = ENOSPC; return -1;
    case 2: return real(fd, data, count / 2, at);
    default: return real(fd, data, count, at);
    }
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t at) {
    return write_with("pwrite", fd, data, count, at);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off_t at) {
    return write_with("pwrite64", fd, data, count, at);
}

#define STATVFS(name, record, type, argument)                   \
    int name(type argument, struct record *found) {             \
        int (*real)(type, struct record *) = dlsym(RTLD_NEXT, #name); \
        char says[8];                                           \
        int result = real(argument, found);                     \
        if (result == 0 && fault("full", says, sizeof says))    \
            found->f_bfree = found->f_bavail = 0;               \
        return result;                                          \
    }

STATVFS(statvfs, statvfs, const char *, path)
STATVFS(fstatvfs, statvfs, int, fd)
STATVFS(statvfs64, statvfs64, const char *, path)
STATVFS(fstatvfs64, statvfs64, int, fd)
