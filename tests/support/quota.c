/* Stands for a quota on $QUOTA_ROOT that is used up while $QUOTA_ROOT/.filler exists: a write that
   makes a file longer fails with EDQUOT, unless this process has removed files of that size.
   Preloaded into the processes of a test, for want of a file system with quotas. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long freed;

static int is_used_up(void) {
    const char *root = getenv("QUOTA_ROOT");
    char filler[4096];
    if (root == NULL) return 0;
    snprintf(filler, sizeof filler, "%s/.filler", root);
    return access(filler, F_OK) == 0;
}

static int is_inside(const char *path) {
    const char *root = getenv("QUOTA_ROOT");
    return root != NULL && strncmp(path, root, strlen(root)) == 0;
}

static int is_refused(int file, off_t end) {
    char link[64], path[4096];
    struct stat status;
    if (!is_used_up()) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!is_inside(path) || fstat(file, &status) != 0) return 0;
    long more = (long)(end - status.st_size);
    if (more <= 0) return 0;
    if (more > freed) return 1;
    freed -= more;
    return 0;
}

ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "write");
    struct stat status;
    off_t at = lseek(file, 0, SEEK_CUR);
    if (at >= 0 && fstat(file, &status) == 0) {
        if (fcntl(file, F_GETFL) & O_APPEND) at = status.st_size;
        if (is_refused(file, at + (off_t)size)) {
            errno = EDQUOT;
            return -1;
        }
    }
    return real(file, data, size);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t at) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "pwrite64");
    if (is_refused(file, at + (off_t)size)) {
        errno = EDQUOT;
        return -1;
    }
    return real(file, data, size, at);
}

int unlink(const char *path) {
    static int (*real)(const char *);
    if (real == NULL) real = dlsym(RTLD_NEXT, "unlink");
    struct stat status;
    long size = is_inside(path) && stat(path, &status) == 0 ? (long)status.st_size : 0;
    int answer = real(path);
    if (answer == 0) freed += size;
    return answer;
}
