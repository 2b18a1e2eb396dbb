/* A shim between a program and its C library: counts the calls that write under one folder, and at call number k fails,
 * kills the program, or tears a write. A layer in Python could not reach what SQLite does.
 *
 * FAULTS_UNDER  the folder (a prefix of paths); without it nothing is counted
 * FAULTS_LOG    a file that gets a line for each counted call: number, name, path
 * FAULTS_MODE   fail (call k fails with FAULTS_ERRNO), gone (k and all after it), before and after (SIGKILL around call k),
 *               torn (half of write k is written, then SIGKILL), slow (every fsync waits FAULTS_DELAY milliseconds)
 * FAULTS_AT     k, counted from 1
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long counted;

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int is_mode(const char *word) {
    const char *mode = getenv("FAULTS_MODE");
    return mode && !strcmp(mode, word);
}

static int is_under(const char *path) {
    const char *under = getenv("FAULTS_UNDER");
    return under && *under && !strncmp(path, under, strlen(under));
}

static int path_of(int file, char *into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, into, PATH_MAX - 1);
    if (length < 0) return 0;
    into[length] = 0;
    return 1;
}

static void note(long number, const char *name, const char *path) {
    const char *log = getenv("FAULTS_LOG");
    if (!log) return;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, name, path);
    int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0) return;
    syscall(SYS_write, file, line, length);
    syscall(SYS_close, file);
}

enum { PASS, FAIL, KILL_AFTER, TEAR };

/* Counts one call and says what is to become of it. */
static int judge(const char *name, const char *path) {
    if (!is_under(path)) return PASS;
    int saved = errno;
    long number = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    note(number, name, path);
    errno = saved;
    if (is_mode("slow") && (!strcmp(name, "fsync") || !strcmp(name, "fdatasync"))) {
        long wait = atol(getenv("FAULTS_DELAY"));
        struct timespec pause = {wait / 1000, wait % 1000 * 1000000};
        nanosleep(&pause, NULL);
        return PASS;
    }
    const char *at = getenv("FAULTS_AT");
    if (!at) return PASS;
    long k = atol(at);
    int here = number == k || (is_mode("gone") && number >= k);
    if (!here) return PASS;
    if (is_mode("fail") || is_mode("gone")) {
        const char *wanted = getenv("FAULTS_ERRNO");
        errno = wanted ? atoi(wanted) : EIO;
        return FAIL;
    }
    if (is_mode("before")) die();
    if (is_mode("after")) return KILL_AFTER;
    if (is_mode("torn")) return TEAR;
    return PASS;
}

static int judge_file(const char *name, int file) {
    char path[PATH_MAX];
    if (!getenv("FAULTS_UNDER") || !path_of(file, path)) return PASS;
    return judge(name, path);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define CARRY_OUT(type, verdict, call) \
    int verdict_ = (verdict); \
    if (verdict_ == FAIL) return -1; \
    type result = (call); \
    if (verdict_ == KILL_AFTER) die(); \
    return result

ssize_t write(int file, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int verdict = judge_file("write", file);
    if (verdict == TEAR) { real(file, data, size / 2); die(); }
    CARRY_OUT(ssize_t, verdict, real(file, data, size));
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t place) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    int verdict = judge_file("pwrite", file);
    if (verdict == TEAR) { real(file, data, size / 2, place); die(); }
    CARRY_OUT(ssize_t, verdict, real(file, data, size, place));
}

ssize_t pwrite(int file, const void *data, size_t size, off_t place) { return pwrite64(file, data, size, place); }

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    CARRY_OUT(ssize_t, judge_file("writev", file), real(file, parts, count));
}

int fsync(int file) {
    REAL(int, "fsync", int);
    CARRY_OUT(int, judge_file("fsync", file), real(file));
}

int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    CARRY_OUT(int, judge_file("fdatasync", file), real(file));
}

int ftruncate64(int file, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    CARRY_OUT(int, judge_file("ftruncate", file), real(file, size));
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    CARRY_OUT(int, judge("rename", to), real(from, to));
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    CARRY_OUT(int, judge("mkdir", path), real(path, mode));
}

int rmdir(const char *path) {
    REAL(int, "rmdir", const char *);
    CARRY_OUT(int, judge("rmdir", path), real(path));
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    CARRY_OUT(int, judge("unlink", path), real(path));
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    char whole[2 * PATH_MAX], base[PATH_MAX];
    if (path[0] == '/' || !path_of(folder, base)) snprintf(whole, sizeof whole, "%s", path);
    else snprintf(whole, sizeof whole, "%s/%s", base, path);
    CARRY_OUT(int, judge(flags & AT_REMOVEDIR ? "rmdir" : "unlink", whole), real(folder, path, flags));
}

#define OPENED(name) \
    mode_t mode = 0; \
    if (flags & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
    int verdict = flags & O_CREAT ? judge(name, path) : PASS

int open(const char *path, int flags, ...) {
    REAL(int, "open", const char *, int, ...);
    OPENED("open");
    CARRY_OUT(int, verdict, real(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    OPENED("open");
    CARRY_OUT(int, verdict, real(path, flags, mode));
}

int openat(int folder, const char *path, int flags, ...) {
    REAL(int, "openat", int, const char *, int, ...);
    OPENED("open");
    CARRY_OUT(int, verdict, real(folder, path, flags, mode));
}
