/* A disk that keeps a diary, and that can fail on request. Loaded before the C library (LD_PRELOAD), it sees what a
 * program writes to the files of one directory.
 *
 * STORAGE_DIR      the directory
 * STORAGE_JOURNAL  every write, truncation, removal and sync that succeeded is appended to this file, in their order:
 *                  kind (1 byte: w, t, u, s, or d for a sync of the directory), length of the name (1), length of
 *                  the data (4), offset (8), all little-endian; then the name and the data
 * STORAGE_CONTROL  a file with one word that says what goes wrong from now on:
 *                    space=N   files may grow by N more bytes, counted from when the word is first seen; then ENOSPC
 *                    write     writes fail with EIO
 *                    sync      syncs fail with EIO
 *                    tear=N    the Nth write from now on is written half, and the process killed in the middle of it
 *                    lie       syncs say that they succeeded, and are not in the diary
 *
 * No sync reaches the real disk: on a busy machine one may take seconds, and the power never fails in earnest.
 *
 * SQLite's index file (-shm) isn't in the diary: it is rebuilt at each start.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES 4096
#define NAME 64
#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char names[FILES][NAME]; /* by descriptor; empty when it is none of ours; "." for the directory */
static const char *dir, *control;
static int journal = -1;
static char word[32]; /* what the control file said last */
static long left;     /* the number behind its "=" */

static ssize_t real_pwrite(int fd, const void *data, size_t size, off_t at) { return syscall(SYS_pwrite64, fd, data, size, at); }
static ssize_t real_write(int fd, const void *data, size_t size) { return syscall(SYS_write, fd, data, size); }

__attribute__((constructor)) static void begin(void) {
    dir = getenv("STORAGE_DIR");
    control = getenv("STORAGE_CONTROL");
    const char *path = getenv("STORAGE_JOURNAL");
    if (path) journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD");
}

static const char *name_of(const char *path) {
    size_t length = dir ? strlen(dir) : 0;
    if (!length || strncmp(path, dir, length) != 0) return NULL;
    if (path[length] == 0) return ".";
    if (path[length] != '/' || strlen(path + length + 1) >= NAME) return NULL;
    return path + length + 1;
}

static const char *ours(int fd) { return fd >= 0 && fd < FILES && names[fd][0] ? names[fd] : NULL; }
static int is_index(const char *name) { size_t n = strlen(name); return n > 4 && strcmp(name + n - 4, "-shm") == 0; }

static void note(char kind, const char *name, uint64_t at, const void *data, uint32_t size) {
    if (journal < 0 || is_index(name)) return;
    char head[14 + NAME];
    uint8_t length = strlen(name);
    head[0] = kind; head[1] = length;
    memcpy(head + 2, &size, 4); memcpy(head + 6, &at, 8); memcpy(head + 14, name, length);
    real_write(journal, head, 14 + length);
    if (size) real_write(journal, data, size);
}

/* Whether the control file says this word. */
static int asked_to(const char *wanted) {
    if (!control) return 0;
    char now[32] = "";
    int fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) { ssize_t n = read(fd, now, 31); now[n > 0 ? n : 0] = 0; syscall(SYS_close, fd); }
    if (strcmp(now, word) != 0) {
        strcpy(word, now);
        left = strchr(now, '=') ? atol(strchr(now, '=') + 1) : 0;
    }
    return strncmp(word, wanted, strlen(wanted)) == 0;
}

static ssize_t put(int fd, const void *data, size_t size, off_t at) {
    const char *name = ours(fd);
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    if (asked_to("write")) { errno = EIO; goto out; }
    if (asked_to("space=")) {
        struct stat file;
        long grows = fstat(fd, &file) == 0 ? (long)(at + size) - file.st_size : 0;
        if (grows > left) {
            long fits = (long)size - (grows - left);
            if (left <= 0 || fits <= 0) { errno = ENOSPC; goto out; }
            size = fits; grows = left;
        }
        if (grows > 0) left -= grows;
    }
    if (asked_to("tear=") && !is_index(name) && --left == 0) {
        size_t half = (size / 2) & ~(size_t)511;
        if (half && real_pwrite(fd, data, half, at) > 0) note('w', name, at, data, half);
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    done = real_pwrite(fd, data, size, at);
    if (done > 0) note('w', name, at, data, done);
out:;
    int why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return ours(fd) ? put(fd, data, size, at) : real_pwrite(fd, data, size, at);
}
EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

EXPORT ssize_t write(int fd, const void *data, size_t size) {
    if (!ours(fd)) return real_write(fd, data, size);
    ssize_t done = put(fd, data, size, lseek(fd, 0, SEEK_CUR));
    if (done > 0) lseek(fd, done, SEEK_CUR);
    return done;
}

static int sync_with(int fd, long number) {
    const char *name = ours(fd);
    if (!name) return syscall(number, fd);
    pthread_mutex_lock(&lock);
    int done = 0, why = errno;
    if (asked_to("sync")) { done = -1; why = EIO; }
    /* What a sync keeps safe, the diary says. The machine's own disk, which others keep busy, has no part in it. */
    else if (!asked_to("lie")) note(strcmp(name, ".") ? 's' : 'd', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}
EXPORT int fsync(int fd) { return sync_with(fd, SYS_fsync); }
EXPORT int fdatasync(int fd) { return sync_with(fd, SYS_fdatasync); }

EXPORT int ftruncate64(int fd, off64_t size) {
    if (!ours(fd)) return syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int done = -1;
    if (asked_to("write")) errno = EIO;
    else done = syscall(SYS_ftruncate, fd, size);
    if (done == 0) note('t', ours(fd), size, NULL, 0);
    int why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return done;
}
EXPORT int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

EXPORT int unlink(const char *path) {
    int done = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (done == 0 && name_of(path)) { pthread_mutex_lock(&lock); note('u', name_of(path), 0, NULL, 0); pthread_mutex_unlock(&lock); }
    return done;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    int fd = syscall(SYS_openat, at, path, flags, mode);
    const char *name = name_of(path);
    if (fd >= 0 && fd < FILES) strcpy(names[fd], name && fd != journal ? name : "");
    return fd;
}
#include <stdarg.h>
#define MODE va_list more; va_start(more, flags); mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0; va_end(more)
EXPORT int open(const char *path, int flags, ...) { MODE; return opened(AT_FDCWD, path, flags, mode); }
EXPORT int open64(const char *path, int flags, ...) { MODE; return opened(AT_FDCWD, path, flags, mode); }
EXPORT int openat(int at, const char *path, int flags, ...) { MODE; return opened(at, path, flags, mode); }
EXPORT int openat64(int at, const char *path, int flags, ...) { MODE; return opened(at, path, flags, mode); }

EXPORT int close(int fd) {
    if (fd >= 0 && fd < FILES) names[fd][0] = 0;
    return syscall(SYS_close, fd);
}
