/*
 * A disk that keeps an image of what would survive a loss of power: preloaded into a program, it copies what the program has written to a file below
 * UNSYNCED_FOLDER into the file of the same name below UNSYNCED_IMAGE when the program syncs that file, and no sooner; a write to a file that was opened with O_DSYNC syncs it. A file that was never synced is
 * not in the image. A file that is removed is gone from the image at once, which is the worse case for who removes it too early.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FILES_MAX 256
#define DESCRIPTORS_MAX 4096

/* A file, with the range of bytes that was written since it was last synced. */
struct tracked {
  char path[PATH_MAX];
  off_t from, to;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tracked files[FILES_MAX];
static int files_count = 0;
/* The index of each open file, plus 1. */
static int opened[DESCRIPTORS_MAX];
/* Whether each write to it is synced. */
static char syncs_writes[DESCRIPTORS_MAX];

static int is_below(const char *path) {
  const char *folder = getenv("UNSYNCED_FOLDER");
  return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static void image_of(const char *path, char *image) {
  snprintf(image, PATH_MAX, "%s%s", getenv("UNSYNCED_IMAGE"), path + strlen(getenv("UNSYNCED_FOLDER")));
}

static void die(const char *what) {
  fprintf(stderr, "unsynced-disk: %s: %s\n", what, strerror(errno));
  abort();
}

static struct tracked *find(const char *path) {
  for (int index = 0; index < files_count; index += 1) {
    if (strcmp(files[index].path, path) == 0) return &files[index];
  }
  if (files_count == FILES_MAX) die("too many files");
  struct tracked *file = &files[files_count++];
  snprintf(file->path, PATH_MAX, "%s", path);
  file->from = file->to = 0;
  return file;
}

static struct tracked *tracked_of(int descriptor) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX || opened[descriptor] == 0) return NULL;
  return &files[opened[descriptor] - 1];
}

static void mark(struct tracked *file, off_t from, off_t to) {
  if (file->from == file->to) {
    file->from = from;
    file->to = to;
  } else {
    if (from < file->from) file->from = from;
    if (to > file->to) file->to = to;
  }
}

static int on_opened(int descriptor, const char *path, int flags) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX || !is_below(path)) return descriptor;
  if ((flags & O_DIRECTORY) != 0) return descriptor;
  pthread_mutex_lock(&lock);
  struct tracked *file = find(path);
  opened[descriptor] = (int)(file - files) + 1;
  syncs_writes[descriptor] = (flags & O_DSYNC) != 0;
  /* What a file had before it was emptied is in the image until the next sync, which copies the file from its beginning. */
  if ((flags & O_TRUNC) != 0) mark(file, 0, 1);
  pthread_mutex_unlock(&lock);
  return descriptor;
}

#define OPEN(name)                                          \
  int name(const char *path, int flags, ...) {              \
    mode_t mode = 0;                                        \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {             \
      va_list rest;                                         \
      va_start(rest, flags);                                \
      mode = va_arg(rest, mode_t);                          \
      va_end(rest);                                         \
    }                                                       \
    return on_opened(REAL(name)(path, flags, mode), path, flags); \
  }
OPEN(open)
OPEN(open64)

int close(int descriptor) {
  pthread_mutex_lock(&lock);
  if (descriptor >= 0 && descriptor < DESCRIPTORS_MAX) opened[descriptor] = 0;
  pthread_mutex_unlock(&lock);
  return REAL(close)(descriptor);
}

static void make_folders(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(path, 0755) != 0 && errno != EEXIST) die(path);
    *slash = '/';
  }
}

static void copy_range(int from, int to, off_t at, off_t end) {
  static char bytes[1 << 16];
  while (at < end) {
    size_t size = end - at < (off_t)sizeof bytes ? (size_t)(end - at) : sizeof bytes;
    ssize_t length = pread(from, bytes, size, at);
    if (length < 0) die("read");
    if (length == 0) return;
    if (REAL(pwrite)(to, bytes, (size_t)length, at) != length) die("write");
    at += length;
  }
}

/* Brings the image of a file up to what the file has now. It stands in the image before the program hears that it is synced. */
static void bring_up_image(int descriptor) {
  int kept = errno;
  pthread_mutex_lock(&lock);
  struct tracked *file = tracked_of(descriptor);
  struct stat facts;
  if (file != NULL && fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_nlink > 0) {
    char image[PATH_MAX];
    image_of(file->path, image);
    make_folders(image);
    int target = REAL(open)(image, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    /* The program's descriptor may only be for writing. */
    int source = REAL(open)(file->path, O_RDONLY | O_CLOEXEC);
    if (target < 0 || source < 0) die(image);
    copy_range(source, target, file->from, file->to);
    if (REAL(ftruncate)(target, facts.st_size) != 0) die("truncate");
    REAL(close)(source);
    REAL(close)(target);
    file->from = file->to = 0;
  }
  pthread_mutex_unlock(&lock);
  errno = kept;
}

/* `at` below 0: at the place where the descriptor was before it wrote `written` bytes. */
static ssize_t on_written(int descriptor, ssize_t written, off_t at) {
  int kept = errno;
  pthread_mutex_lock(&lock);
  struct tracked *file = tracked_of(descriptor);
  if (file != NULL && written > 0) {
    off_t from = at >= 0 ? at : lseek(descriptor, 0, SEEK_CUR) - written;
    mark(file, from, from + written);
  }
  int is_synced = file != NULL && written > 0 && syncs_writes[descriptor];
  pthread_mutex_unlock(&lock);
  if (is_synced) bring_up_image(descriptor);
  errno = kept;
  return written;
}

ssize_t write(int file, const void *bytes, size_t size) {
  return on_written(file, REAL(write)(file, bytes, size), -1);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
  return on_written(file, REAL(writev)(file, parts, count), -1);
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
  return on_written(file, REAL(pwrite)(file, bytes, size, at), at);
}
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
  return on_written(file, REAL(pwrite64)(file, bytes, size, at), at);
}
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
  return on_written(file, REAL(pwritev)(file, parts, count, at), at);
}
ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) {
  return on_written(file, REAL(pwritev64)(file, parts, count, at), at);
}

int fsync(int file) {
  bring_up_image(file);
  return REAL(fsync)(file);
}
int fdatasync(int file) {
  bring_up_image(file);
  return REAL(fdatasync)(file);
}

static void forget(const char *path) {
  if (!is_below(path)) return;
  int kept = errno;
  char image[PATH_MAX];
  pthread_mutex_lock(&lock);
  image_of(path, image);
  REAL(unlink)(image);
  struct tracked *file = find(path);
  file->from = file->to = 0;
  pthread_mutex_unlock(&lock);
  errno = kept;
}

int unlink(const char *path) {
  int result = REAL(unlink)(path);
  if (result == 0) forget(path);
  return result;
}

int rename(const char *from, const char *to) {
  int result = REAL(rename)(from, to);
  if (result != 0 || !is_below(from) || !is_below(to)) return result;
  char image_from[PATH_MAX], image_to[PATH_MAX];
  pthread_mutex_lock(&lock);
  image_of(from, image_from);
  image_of(to, image_to);
  if (REAL(rename)(image_from, image_to) != 0) REAL(unlink)(image_to);
  struct tracked *old = find(from), *new = find(to);
  new->from = old->from;
  new->to = old->to;
  old->from = old->to = 0;
  pthread_mutex_unlock(&lock);
  return result;
}
