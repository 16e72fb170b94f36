// A library for LD_PRELOAD that lets a program's calls of the C library fail, one at a time, and moves its clock:
//
//   KILN_FAULT=CALL:N:ERRNO   the Nth call of this kind, and it alone, fails with this errno (a number). CALL is one of
//   those below KILN_FAULT_LOG=FILE       at the end, how many calls of that kind there were: "CALL COUNT FAILED\n",
//   FAILED 1 where one failed KILN_CLOCK_SHIFT=SECONDS  what the wall clock is wrong by; after KILN_CLOCK_JUMP calls it
//   goes back to what it is
//
// Only in a program that is called kiln: what it starts inherits the environment, and works.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

struct Fault {
  std::string call;
  long number = 0;
  int error = 0;
  std::atomic<long> calls{0};
  std::atomic<bool> failed{false};
  long shift = 0;
  long jump_after = -1;
  std::atomic<long> clock_calls{0};

  Fault() {
    if (std::strcmp(program_invocation_short_name, "kiln") != 0) return;
    if (const char* text = std::getenv("KILN_FAULT")) {
      const std::string all = text;
      const std::size_t first = all.find(':');
      const std::size_t second = all.find(':', first + 1);
      call = all.substr(0, first);
      number = std::atol(all.substr(first + 1, second).c_str());
      error = std::atoi(all.substr(second + 1).c_str());
    }
    if (const char* text = std::getenv("KILN_CLOCK_SHIFT")) shift = std::atol(text);
    if (const char* text = std::getenv("KILN_CLOCK_JUMP")) jump_after = std::atol(text);
  }
  ~Fault() {
    const char* log = std::getenv("KILN_FAULT_LOG");
    if (call.empty() || !log) return;
    if (std::FILE* file = std::fopen(log, "w")) {
      std::fprintf(file, "%s %ld %d\n", call.c_str(), calls.load(), failed ? 1 : 0);
      std::fclose(file);
    }
  }
};

Fault& fault() {
  static Fault one;
  return one;
}

// Whether this call is the one that fails; errno is set then.
bool fails(const char* call) {
  Fault& it = fault();
  if (it.call != call || ++it.calls != it.number) return false;
  it.failed = true;
  errno = it.error;
  return true;
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// The standard streams are not the machine's disk.
bool is_a_file(int fd) { return fd > 2; }

}  // namespace

extern "C" {

int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  static auto* const next = real<int(const char*, int, ...)>("open64");
  return fails("open") ? -1 : next(path, flags, mode);
}

int openat64(int folder, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  static auto* const next = real<int(int, const char*, int, ...)>("openat64");
  return fails("open") ? -1 : next(folder, path, flags, mode);
}

ssize_t read(int fd, void* buffer, size_t size) {
  static auto* const next = real<ssize_t(int, void*, size_t)>("read");
  return is_a_file(fd) && fails("read") ? -1 : next(fd, buffer, size);
}

ssize_t pread64(int fd, void* buffer, size_t size, off64_t at) {
  static auto* const next = real<ssize_t(int, void*, size_t, off64_t)>("pread64");
  return fails("read") ? -1 : next(fd, buffer, size, at);
}

ssize_t write(int fd, const void* buffer, size_t size) {
  static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
  return is_a_file(fd) && fails("write") ? -1 : next(fd, buffer, size);
}

ssize_t pwrite64(int fd, const void* buffer, size_t size, off64_t at) {
  static auto* const next = real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
  return fails("write") ? -1 : next(fd, buffer, size, at);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  static auto* const next = real<ssize_t(int, const struct iovec*, int)>("writev");
  return is_a_file(fd) && fails("write") ? -1 : next(fd, parts, count);
}

int fsync(int fd) {
  static auto* const next = real<int(int)>("fsync");
  return fails("sync") ? -1 : next(fd);
}

int fdatasync(int fd) {
  static auto* const next = real<int(int)>("fdatasync");
  return fails("sync") ? -1 : next(fd);
}

int syncfs(int fd) noexcept {
  static auto* const next = real<int(int)>("syncfs");
  return fails("sync") ? -1 : next(fd);
}

int rename(const char* from, const char* to) noexcept {
  static auto* const next = real<int(const char*, const char*)>("rename");
  return fails("rename") ? -1 : next(from, to);
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  static auto* const next = real<int(int, const char*, int, const char*)>("renameat");
  return fails("rename") ? -1 : next(from_folder, from, to_folder, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const next = real<int(const char*, mode_t)>("mkdir");
  return fails("mkdir") ? -1 : next(path, mode);
}

int mkdirat(int folder, const char* path, mode_t mode) noexcept {
  static auto* const next = real<int(int, const char*, mode_t)>("mkdirat");
  return fails("mkdir") ? -1 : next(folder, path, mode);
}

int ftruncate64(int fd, off64_t size) noexcept {
  static auto* const next = real<int(int, off64_t)>("ftruncate64");
  return fails("write") ? -1 : next(fd, size);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  static auto* const next = real<int(int, int, off64_t, off64_t)>("fallocate64");
  return fails("write") ? -1 : next(fd, mode, at, size);
}

int clock_gettime(clockid_t clock, struct timespec* time) noexcept {
  static auto* const next = real<int(clockid_t, struct timespec*)>("clock_gettime");
  const int result = next(clock, time);
  Fault& it = fault();
  if (result == 0 && clock == CLOCK_REALTIME && it.shift != 0) {
    if (it.jump_after < 0 || it.clock_calls++ < it.jump_after) time->tv_sec += it.shift;
  }
  return result;
}

time_t time(time_t* result) noexcept {
  struct timespec now {};
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
