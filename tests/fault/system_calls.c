/* The C library's own inline checks would be defined twice. */
#undef _FORTIFY_SOURCE
#define _GNU_SOURCE
#include "fault/system_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Also in shared libraries, whatever the tree's default is. */
#define STAND_IN __attribute__((visibility("default")))

static char under[PATH_MAX];
static size_t under_length;
static long kill_before;
static int torn_writes, log_to = -1;
static atomic_bool watching;
static atomic_long made;

void picket_watch_calls(const char* folder, long kill_at, int torn, int log) {
  under_length = (size_t)snprintf(under, sizeof under, "%s/", folder);
  kill_before = kill_at;
  torn_writes = torn;
  log_to = log;
  atomic_store(&watching, 1);
}

long picket_calls_made(void) { return atomic_load(&made); }

static void end_now(void) { syscall(SYS_kill, getpid(), SIGKILL); }

/* Whether this is the call to die at; dies unless half of it shall be done first. */
static int counted(const char* name, const char* path, int writes) {
  if (strncmp(path, under, under_length) != 0) return 0;
  const long number = atomic_fetch_add(&made, 1) + 1;
  if (log_to >= 0) {
    char line[PATH_MAX + 64];
    const int length = snprintf(line, sizeof line, "%s %s\n", name, path + under_length);
    (void)!syscall(SYS_write, log_to, line, (size_t)length);
  }
  if (number != kill_before) return 0;
  if (writes && torn_writes) return 1;
  end_now();
  return 0;
}

static int by_fd(const char* name, int fd, int writes) {
  if (!atomic_load(&watching)) return 0;
  const int before = errno;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  int die = 0;
  if (length > 0) {
    path[length] = '\0';
    die = counted(name, path, writes);
  }
  errno = before;
  return die;
}

static void by_path(const char* name, int folder, const char* path) {
  if (!atomic_load(&watching) || path == NULL) return;
  const int before = errno;
  if (path[0] == '/') {
    counted(name, path, 0);
  } else {
    char link[64] = "/proc/self/cwd", whole[PATH_MAX];
    if (folder != AT_FDCWD) snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    const ssize_t length = readlink(link, whole, sizeof whole - 1);
    if (length > 0 && (size_t)length + strlen(path) + 2 < sizeof whole) {
      whole[length] = '/';
      strcpy(whole + length + 1, path);
      counted(name, whole, 0);
    }
  }
  errno = before;
}

/* Open files. */
static int open_at(int folder, const char* path, int flags, mode_t mode) {
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0) by_path("open", folder, path);
  return (int)syscall(SYS_openat, folder, path, flags, mode);
}
#define MODE_OF(flags, mode)                                  \
  mode_t mode = 0;                                            \
  if (((flags) & O_CREAT) != 0 || ((flags) & O_TMPFILE) == O_TMPFILE) { \
    va_list more;                                             \
    va_start(more, flags);                                    \
    mode = va_arg(more, mode_t);                              \
    va_end(more);                                             \
  }
STAND_IN int open(const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_at(AT_FDCWD, path, flags, mode);
}
STAND_IN int open64(const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_at(AT_FDCWD, path, flags, mode);
}
STAND_IN int openat(int folder, const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_at(folder, path, flags, mode);
}
STAND_IN int openat64(int folder, const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_at(folder, path, flags, mode);
}
STAND_IN int creat(const char* path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* These are not one system call: the C library's own, found once. */
#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))
typedef int (*make_temporary)(char*, int);
typedef FILE* (*open_file)(const char*, const char*);
STAND_IN int mkostemp(char* path, int flags) {
  by_path("mkostemp", AT_FDCWD, path);
  return NEXT(make_temporary, "mkostemp")(path, flags);
}
STAND_IN int mkstemp(char* path) { return mkostemp(path, 0); }
static FILE* open_stream(const char* name, const char* path, const char* mode) {
  if (strpbrk(mode, "wa+") != NULL) by_path("fopen", AT_FDCWD, path);
  return NEXT(open_file, name)(path, mode);
}
STAND_IN FILE* fopen(const char* path, const char* mode) { return open_stream("fopen", path, mode); }
STAND_IN FILE* fopen64(const char* path, const char* mode) { return open_stream("fopen64", path, mode); }

/* What is in them. */
STAND_IN ssize_t write(int fd, const void* bytes, size_t size) {
  if (by_fd("write", fd, 1)) {
    (void)!syscall(SYS_write, fd, bytes, size / 2);
    end_now();
  }
  return syscall(SYS_write, fd, bytes, size);
}
static ssize_t write_at(int fd, const void* bytes, size_t size, off_t at) {
  if (by_fd("pwrite", fd, 1)) {
    (void)!syscall(SYS_pwrite64, fd, bytes, size / 2, at);
    end_now();
  }
  return syscall(SYS_pwrite64, fd, bytes, size, at);
}
STAND_IN ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) { return write_at(fd, bytes, size, at); }
STAND_IN ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t at) { return write_at(fd, bytes, size, at); }
STAND_IN ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (by_fd("writev", fd, 1)) {
    if (count > 0) (void)!syscall(SYS_write, fd, parts[0].iov_base, parts[0].iov_len / 2);
    end_now();
  }
  return syscall(SYS_writev, fd, parts, count);
}
STAND_IN ssize_t copy_file_range(int from, off_t* at, int to, off_t* to_at, size_t size, unsigned flags) {
  by_fd("copy_file_range", to, 0);
  return syscall(SYS_copy_file_range, from, at, to, to_at, size, flags);
}
STAND_IN ssize_t sendfile(int to, int from, off_t* at, size_t size) {
  by_fd("sendfile", to, 0);
  return syscall(SYS_sendfile, to, from, at, size);
}
STAND_IN int ftruncate(int fd, off_t size) {
  by_fd("ftruncate", fd, 0);
  return (int)syscall(SYS_ftruncate, fd, size);
}
STAND_IN int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
STAND_IN int ioctl(int fd, unsigned long what, ...) {
  va_list more;
  va_start(more, what);
  void* value = va_arg(more, void*);
  va_end(more);
  by_fd("ioctl", fd, 0); /* a clone of a whole file is one */
  return (int)syscall(SYS_ioctl, fd, what, value);
}

/* Names and modes. */
STAND_IN int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  by_path("rename", to_folder, to);
  return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}
STAND_IN int renameat(int from_folder, const char* from, int to_folder, const char* to) { return renameat2(from_folder, from, to_folder, to, 0); }
STAND_IN int rename(const char* from, const char* to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
STAND_IN int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) {
  by_path("link", to_folder, to);
  return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
}
STAND_IN int link(const char* from, const char* to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
STAND_IN int symlinkat(const char* target, int folder, const char* path) {
  by_path("symlink", folder, path);
  return (int)syscall(SYS_symlinkat, target, folder, path);
}
STAND_IN int symlink(const char* target, const char* path) { return symlinkat(target, AT_FDCWD, path); }
STAND_IN int unlinkat(int folder, const char* path, int flags) {
  by_path("unlink", folder, path);
  return (int)syscall(SYS_unlinkat, folder, path, flags);
}
STAND_IN int unlink(const char* path) { return unlinkat(AT_FDCWD, path, 0); }
STAND_IN int rmdir(const char* path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
STAND_IN int remove(const char* path) {
  if (unlink(path) == 0) return 0;
  return errno == EISDIR ? rmdir(path) : -1;
}
STAND_IN int mkdirat(int folder, const char* path, mode_t mode) {
  by_path("mkdir", folder, path);
  return (int)syscall(SYS_mkdirat, folder, path, mode);
}
STAND_IN int mkdir(const char* path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
STAND_IN int fchmod(int fd, mode_t mode) {
  by_fd("chmod", fd, 0);
  return (int)syscall(SYS_fchmod, fd, mode);
}
STAND_IN int chmod(const char* path, mode_t mode) {
  by_path("chmod", AT_FDCWD, path);
  return (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}
