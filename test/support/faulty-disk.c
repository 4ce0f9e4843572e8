/*
 * A disk that fails: preloaded into a program, it makes what changes files below DISK_FAULT_FOLDER fail with the error
 * number that the file DISK_FAULT_FILE holds, while it holds one. With -1 it hangs instead, until that is over. Reading always works.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define HANG (-1)

static int fault_now(void) {
  const char *path = getenv("DISK_FAULT_FILE");
  char text[16] = {0};
  int file = path == NULL ? -1 : REAL(open)(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  return length > 0 ? atoi(text) : 0;
}

/* The error to fail with; 0 for none. Returns once the disk does not hang. */
static int fault(void) {
  int number = fault_now();
  while (number == HANG) {
    usleep(10000);
    number = fault_now();
  }
  return number;
}

static int is_below(const char *path) {
  const char *folder = getenv("DISK_FAULT_FOLDER");
  return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

/* Whether a change of that open file is to fail; errno is set then. */
static int fails(int file) {
  char link[64], path[PATH_MAX];
  int kept = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  int number = 0;
  if (length > 0) {
    path[length] = '\0';
    number = is_below(path) ? fault() : 0;
  }
  errno = number == 0 ? kept : number;
  return number != 0;
}

/* Only a read-only file system refuses to open what is there, and only what makes a file needs room. */
static int opening_fails(const char *path, int flags) {
  if (!is_below(path)) return 0;
  int kept = errno;
  int number = fault();
  int makes = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
  int writes = (flags & (O_WRONLY | O_RDWR)) != 0;
  int refused = number == EROFS ? makes || writes : number != 0 && number != EFBIG && makes;
  errno = refused ? number : kept;
  return refused;
}

#define OPEN(name)                                          \
  int name(const char *path, int flags, ...) {              \
    mode_t mode = 0;                                        \
    if ((flags & O_CREAT) != 0) {                           \
      va_list rest;                                         \
      va_start(rest, flags);                                \
      mode = va_arg(rest, mode_t);                          \
      va_end(rest);                                         \
    }                                                       \
    if (opening_fails(path, flags)) return -1;              \
    return REAL(name)(path, flags, mode);                   \
  }
OPEN(open)
OPEN(open64)

ssize_t write(int file, const void *bytes, size_t size) {
  return fails(file) ? -1 : REAL(write)(file, bytes, size);
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
  return fails(file) ? -1 : REAL(pwrite)(file, bytes, size, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
  return fails(file) ? -1 : REAL(pwrite64)(file, bytes, size, at);
}
int ftruncate(int file, off_t size) { return fails(file) ? -1 : REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { return fails(file) ? -1 : REAL(ftruncate64)(file, size); }
int fsync(int file) { return fails(file) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return fails(file) ? -1 : REAL(fdatasync)(file); }
int mkdir(const char *path, mode_t mode) {
  int number = is_below(path) ? fault() : 0;
  if (number == 0) return REAL(mkdir)(path, mode);
  errno = number;
  return -1;
}
