// A file system over a folder, by FUSE, one of whose calls fails: as a disk that cannot be read or written at one place
// answers the kernel, and through it also what is mapped, read ahead or written later.
//
//   faulty_fs FOLDER MOUNTPOINT CALL:N:ERRNO LOG     (absolute paths) the Nth CALL (counted from 1) fails, none with N
//   = 0; in the foreground until it is
//                                                    unmounted. A byte that could not be read once is never read,
//                                                    others fail once.
//
// CALL: open, create, read, write, fsync, rename, mkdir, unlink. At the end LOG has a line "CALL COUNT" for each, and
// "hit" where one failed.
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace {

std::string folder, log_file, failing_call;
long failing_number = 0;
int failing_errno = EIO;
std::atomic<bool> has_failed{false};
std::map<std::string, std::atomic<long>> counts;

// 0, or the error that this call answers.
int fault(const char* call) {
  const long number = ++counts.at(call);
  if (failing_call != call || number != failing_number) return 0;
  has_failed = true;
  return -failing_errno;
}

std::string real(const char* path) { return folder + path; }
int answer(int result) { return result < 0 ? -errno : 0; }

int get_attributes(const char* path, struct stat* status, fuse_file_info*) {
  return answer(lstat(real(path).c_str(), status));
}

int read_link(const char* path, char* text, size_t size) {
  const ssize_t length = readlink(real(path).c_str(), text, size - 1);
  if (length < 0) return -errno;
  text[length] = '\0';
  return 0;
}

int make_node(const char* path, mode_t mode, dev_t device) { return answer(mknod(real(path).c_str(), mode, device)); }

int make_folder(const char* path, mode_t mode) {
  if (const int error = fault("mkdir")) return error;
  return answer(mkdir(real(path).c_str(), mode));
}

int remove_file(const char* path) {
  if (const int error = fault("unlink")) return error;
  return answer(unlink(real(path).c_str()));
}

int remove_folder(const char* path) { return answer(rmdir(real(path).c_str())); }
int make_link(const char* target, const char* path) { return answer(symlink(target, real(path).c_str())); }

int rename_file(const char* from, const char* to, unsigned flags) {
  if (const int error = fault("rename")) return error;
  return answer(renameat2(AT_FDCWD, real(from).c_str(), AT_FDCWD, real(to).c_str(), flags));
}

int make_hard_link(const char* from, const char* to) { return answer(link(real(from).c_str(), real(to).c_str())); }
int change_mode(const char* path, mode_t mode, fuse_file_info*) { return answer(chmod(real(path).c_str(), mode)); }
int change_owner(const char* path, uid_t uid, gid_t gid, fuse_file_info*) {
  return answer(lchown(real(path).c_str(), uid, gid));
}
int change_size(const char* path, off_t size, fuse_file_info*) { return answer(truncate(real(path).c_str(), size)); }
int change_times(const char* path, const timespec times[2], fuse_file_info*) {
  return answer(utimensat(AT_FDCWD, real(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
}

int open_file(const char* path, fuse_file_info* info) {
  if (const int error = fault("open")) return error;
  const int file = open(real(path).c_str(), info->flags);
  info->fh = static_cast<uint64_t>(file);
  return answer(file);
}

int create_file(const char* path, mode_t mode, fuse_file_info* info) {
  if (const int error = fault("create")) return error;
  const int file = open(real(path).c_str(), info->flags, mode);
  info->fh = static_cast<uint64_t>(file);
  return answer(file);
}

// The kernel tries again to read what it is asked for.
std::mutex bad_mutex;
std::string bad_path;
off_t bad_at = 0;

bool is_bad(const char* path, size_t size, off_t at) {
  const std::lock_guard lock(bad_mutex);
  return bad_path == path && at <= bad_at && bad_at < at + static_cast<off_t>(size);
}

int read_file(const char* path, char* bytes, size_t size, off_t at, fuse_file_info* info) {
  if (is_bad(path, size, at)) return -failing_errno;
  if (const int error = fault("read")) {
    const std::lock_guard lock(bad_mutex);
    bad_path = path;
    bad_at = at;
    return error;
  }
  const ssize_t got = pread(static_cast<int>(info->fh), bytes, size, at);
  return got < 0 ? -errno : static_cast<int>(got);
}

int write_file(const char*, const char* bytes, size_t size, off_t at, fuse_file_info* info) {
  if (const int error = fault("write")) return error;
  const ssize_t put = pwrite(static_cast<int>(info->fh), bytes, size, at);
  return put < 0 ? -errno : static_cast<int>(put);
}

int sync_file(const char*, int, fuse_file_info* info) {
  if (const int error = fault("fsync")) return error;
  return answer(fsync(static_cast<int>(info->fh)));
}

int sync_folder(const char*, int, fuse_file_info*) { return fault("fsync"); }
int release_file(const char*, fuse_file_info* info) { return answer(close(static_cast<int>(info->fh))); }
int get_space(const char* path, struct statvfs* space) { return answer(statvfs(real(path).c_str(), space)); }

int read_folder(const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*, fuse_readdir_flags) {
  DIR* opened = opendir(real(path).c_str());
  if (opened == nullptr) return -errno;
  while (const dirent* entry = readdir(opened))
    fill(buffer, entry->d_name, nullptr, 0, static_cast<fuse_fill_dir_flags>(0));
  closedir(opened);
  return 0;
}

void write_log(void*) {
  FILE* log = std::fopen(log_file.c_str(), "w");
  for (const auto& [call, count] : counts) std::fprintf(log, "%s %ld\n", call.c_str(), count.load());
  if (has_failed) std::fputs("hit\n", log);
  std::fclose(log);
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) return 2;
  folder = words[1];
  log_file = words[4];
  for (const char* call : {"open", "create", "read", "write", "fsync", "rename", "mkdir", "unlink"}) counts[call] = 0;
  const std::string wanted = words[3];
  const size_t first = wanted.find(':');
  failing_call = wanted.substr(0, first);
  failing_number = std::strtol(wanted.c_str() + first + 1, nullptr, 10);
  failing_errno = std::atoi(wanted.c_str() + wanted.rfind(':') + 1);
  umask(0);
  fuse_operations calls{};
  calls.getattr = get_attributes;
  calls.readlink = read_link;
  calls.mknod = make_node;
  calls.mkdir = make_folder;
  calls.unlink = remove_file;
  calls.rmdir = remove_folder;
  calls.symlink = make_link;
  calls.rename = rename_file;
  calls.link = make_hard_link;
  calls.chmod = change_mode;
  calls.chown = change_owner;
  calls.truncate = change_size;
  calls.utimens = change_times;
  calls.open = open_file;
  calls.create = create_file;
  calls.read = read_file;
  calls.write = write_file;
  calls.fsync = sync_file;
  calls.fsyncdir = sync_folder;
  calls.release = release_file;
  calls.statfs = get_space;
  calls.readdir = read_folder;
  calls.destroy = write_log;
  std::string name = "faulty_fs", foreground = "-f", options = "-oallow_other,default_permissions,dev,suid",
              mount = words[2];
  char* given[] = {name.data(), foreground.data(), options.data(), mount.data(), nullptr};
  return fuse_main(4, given, &calls, nullptr);
}
