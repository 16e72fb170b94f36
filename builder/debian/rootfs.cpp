#include "builder/debian/rootfs.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/temp_dir.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/debian/apt_root.hpp"
#include "builder/debian/rootfs_hooks.hpp"

// The way from a lock to a tar.
//
// Every .deb of the lock becomes a repository of its own in a scratch folder, and mmdebstrap's `custom`
// variant installs all of them by name and version. Its other variants ask apt which packages belong to the
// variant, and make other bytes for the same packages. Documentation is not left out by mmdebstrap's
// --dpkgopt=path-exclude, which sends each package through a Python program (10 s for 120 packages), but by
// dpkg's configuration and one removal between extraction and installation. Most of the time goes into
// creating files: on a tmpfs 13 s, on ext4 20.

namespace kiln {

namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

void write_script(const fs::path& path, std::string_view text) {
  const Fd file = create_file(path, 0755);
  write_all(file, text, path.string());
  if (::fchmod(file.get(), 0755) != 0) throw_errno("change the mode of", path.string());
}

void open_to_everyone(const fs::path& folder) {
  if (::chmod(folder.c_str(), 0755) != 0) throw_errno("change the mode of", folder.string());
}

bool is_root() { return ::geteuid() == 0; }

std::string output_of(std::vector<std::string> argv, const CancelToken& cancel) {
  const Command command{.argv = std::move(argv), .environment = {}, .working_directory = {}, .stdin_bytes = {}};
  return std::string(trim(run_command(command, cancel).stdout_bytes));
}

// Error{machine} with the one command that helps, where mmdebstrap's unshare mode cannot work for this user.
void require_user_namespaces(const CancelToken& cancel) {
  if (!find_program("newuidmap") || !find_program("newgidmap")) {
    throw Error(Category::machine,
                "a base image cannot be built by an ordinary user without 'newuidmap'; run 'sudo apt-get "
                "install uidmap'");
  }
  const auto allowed = read_file_if_exists("/proc/sys/kernel/unprivileged_userns_clone");
  if (allowed && trim(*allowed) == "0") {
    throw Error(Category::machine,
                "a base image cannot be built by an ordinary user because this kernel forbids user namespaces; run "
                "'sudo sysctl -w kernel.unprivileged_userns_clone=1'");
  }
  const auto uid = std::to_string(::geteuid());
  const std::string user = output_of({"id", "-un"}, cancel);
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
    const std::string text = read_file_if_exists(file).value_or("");
    const auto lines = split(text, '\n');
    const bool has_range = std::any_of(lines.begin(), lines.end(), [&](std::string_view line) {
      return line.starts_with(uid + ":") || (!user.empty() && line.starts_with(user + ":"));
    });
    if (!has_range) {
      throw Error(
          Category::machine,
          fmt::format("a base image cannot be built by user '{0}' because '{1}' gives no range of IDs; run 'sudo "
                      "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {0}'",
                      user.empty() ? uid : user, file));
    }
  }
}

// mmdebstrap runs the image's own programs, by qemu where this machine cannot, and asks arch-test which it
// is.
void require_architecture(const DebianSpec& spec, const CancelToken& cancel) {
  const std::string native = output_of({"dpkg", "--print-architecture"}, cancel);
  if (spec.architecture == native || find_program("arch-test")) return;
  throw Error(Category::machine, fmt::format("a base image for {} cannot be built on this {} machine as it is; run "
                                             "'apt-get install arch-test qemu-user-static binfmt-support'",
                                             spec.architecture, native));
}

// Memory that can be used without anybody being killed for it.
std::uint64_t available_memory() {
  std::uint64_t available = 0;
  const std::string memory = read_file_if_exists("/proc/meminfo").value_or("");
  for (const std::string_view line : split(memory, '\n')) {
    if (!line.starts_with("MemAvailable:")) continue;
    const std::string_view number = trim(line.substr(13, line.rfind(' ') - 13));
    available = parse_unsigned(number).value_or(0) * 1024;
  }
  for (const char* limit : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const std::string text = read_file_if_exists(limit).value_or("");
    if (const auto bytes = parse_unsigned(trim(text))) available = std::min(available, *bytes);
  }
  return available;
}

// The repository: the .deb files by their digest, a Packages index of them, and the Release file without
// which mmdebstrap does not know the suite.
void write_repository(const DebianLock& lock, const PackageStore& store, const fs::path& folder,
                      const CancelToken& cancel) {
  make_directories(folder);
  open_to_everyone(folder);
  std::vector<std::string> stanzas(lock.packages.size());
  ThreadPool pool;
  pool.parallel_for(lock.packages.size(), [&](std::size_t i) {
    cancel.check();
    const LockedPackage& package = lock.packages[i];
    const fs::path from = store.path_of(package);
    if (!store.verify(package)) {
      throw Error(Category::machine,
                  fmt::format("package '{}' {} is not in the package store '{}', or was damaged there "
                              "and has been removed; run the build again",
                              package.name, package.version, store.directory().string()));
    }
    const std::string name = package.sha256 + ".deb";
    // The user that a user namespace maps to must be able to read it, so an ordinary user's files are copied.
    std::error_code not_linked = std::make_error_code(std::errc::operation_not_permitted);
    if (is_root()) fs::create_hard_link(from, folder / name, not_linked);
    if (not_linked) {
      fs::copy_file(from, folder / name);
      fs::permissions(folder / name, fs::perms(0644));
    }
    const CommandResult control = run_command(
        {.argv = {"dpkg-deb", "--field", from.string()}, .environment = {}, .working_directory = {}, .stdin_bytes = {}},
        cancel);
    if (control.exit_code != 0) {
      throw Error(Category::machine,
                  fmt::format("package '{}' {} cannot be read by dpkg-deb", package.name, package.version))
          .set_detail(printable(control.stderr_bytes));
    }
    stanzas[i] = fmt::format("{}\nFilename: ./{}\nSize: {}\nSHA256: {}\n\n", trim(control.stdout_bytes), name,
                             package.size_bytes, package.sha256);
  });
  std::string index;
  for (const std::string& stanza : stanzas) index += stanza;
  for (const auto& [name, text] : {std::pair<std::string, std::string>{"Packages", index},
                                   {"Release", fmt::format("Suite: {0}\nCodename: {0}\n", lock.spec.suite)}}) {
    const Fd file = create_file(folder / name, 0644);
    write_all(file, text, name);
    if (::fchmod(file.get(), 0644) != 0) throw_errno("change the mode of", name);
  }
}

// POSIX.1-1988 header of the empty folder "./dev/". mmdebstrap writes either all device nodes or no /dev at
// all; a container runtime needs the folder to mount on.
std::string dev_header(UnixSeconds epoch) {
  std::array<char, 512> block{};
  const auto put = [&](std::size_t at, std::string_view text) {
    std::memcpy(block.data() + at, text.data(), text.size());
  };
  put(0, "./dev/");
  put(100, "0000755");
  put(108, "0000000");
  put(116, "0000000");
  put(124, "00000000000");
  put(136, fmt::format("{:011o}", epoch));
  put(148, "        ");
  put(156, "5");
  put(257, std::string_view("ustar\0"
                            "00",
                            8));
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  return {block.data(), block.size()};
}

// The last lines of a stream, for the error's detail.
class LastLines {
 public:
  void add(std::string_view bytes) {
    text_ += bytes;
    if (text_.size() > 2 * kKept) text_.erase(0, text_.size() - kKept);
  }
  std::string lines() const {
    const std::string_view end = std::string_view(text_).substr(text_.size() > kKept ? text_.size() - kKept : 0);
    std::vector<std::string> kept;
    for (const std::string_view line : split(end, '\n')) {
      if (!trim(line).empty()) kept.push_back(printable(line));
    }
    if (kept.size() > 40) kept.erase(kept.begin(), kept.end() - 40);
    return join(kept, "\n");
  }
  bool contains(std::string_view words) const { return text_.find(words) != std::string::npos; }

 private:
  static constexpr std::size_t kKept = 8192;
  std::string text_;
};

// A file that is removed unless it was finished.
class UnfinishedFile {
 public:
  explicit UnfinishedFile(fs::path path) : path_(std::move(path)) {}
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;
  ~UnfinishedFile() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove(path_, ignored);
  }
  const fs::path& path() const noexcept { return path_; }
  fs::path keep() noexcept { return std::exchange(path_, {}); }

 private:
  fs::path path_;
};

Command mmdebstrap_command(const DebianLock& lock, const fs::path& scratch, const fs::path& tar,
                           std::uint64_t tmpfs_bytes) {
  std::vector<std::string> include;
  for (const LockedPackage& package : lock.packages) include.push_back(package.name + "=" + package.version);

  // $1: the tar, to append to; $2: bytes of tmpfs, 0 for none; then mmdebstrap and its arguments.
  static constexpr std::string_view kRootScript = R"(set -eu
umask 022
tar=$1 bytes=$2
shift 2
hostname localhost 2>/dev/null || echo localhost > /proc/sys/kernel/hostname
if [ "$bytes" != 0 ]; then mount -t tmpfs -o "mode=0755,size=$bytes" kiln "$TMPDIR"; fi
exec "$@" >> "$tar")";
  static constexpr std::string_view kUserScript = R"(set -eu
umask 022
tar=$1
shift 2
exec "$@" >> "$tar")";

  Command command;
  if (is_root()) {
    command.argv = {"unshare",      "--mount", "--pid", "--fork", "--kill-child=KILL",
                    "--mount-proc", "--uts",   "--ipc", "--net",  "--"};
  }
  const std::vector<std::string> rest = {
      "sh", "-c", std::string(is_root() ? kRootScript : kUserScript), "kiln", tar.string(), std::to_string(tmpfs_bytes),
      "mmdebstrap", is_root() ? "--mode=root" : "--mode=unshare", "--variant=custom", "--format=tar",
      "--architectures=" + lock.spec.architecture, "--include=" + join(include, ","),
      // apt would run the image's hooks on this machine's cache
      "--skip=output/dev,chroot/policy-rc.d,cleanup/apt", "--setup-hook=" + (scratch / "setup").string(),
      "--extract-hook=" + (scratch / "extract").string(), "--customize-hook=" + (scratch / "customize").string(),
      lock.spec.suite, "-", "deb [trusted=yes] copy://" + percent_encode((scratch / "repository").string()) + " ./"};
  command.argv.insert(command.argv.end(), rest.begin(), rest.end());
  command.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                         "HOME=/nonexistent",
                         "LC_ALL=C.UTF-8",
                         "TZ=UTC",
                         "DEBIAN_FRONTEND=noninteractive",
                         "TMPDIR=" + (scratch / "tmp").string(),
                         fmt::format("SOURCE_DATE_EPOCH={}", lock.epoch)};
  return command;
}

}  // namespace

fs::path build_rootfs(const DebianLock& lock, const PackageStore& store, const fs::path& work_dir, Log& log,
                      const CancelToken& cancel, const std::function<void(std::string_view)>& on_output) {
  if (!find_program("mmdebstrap")) {
    throw Error(Category::machine,
                "'mmdebstrap' is missing, and base images are made by it; run 'apt-get install mmdebstrap'");
  }
  require_architecture(lock.spec, cancel);
  if (!is_root()) require_user_namespaces(cancel);
  if (lock.packages.empty()) throw Error(Category::usage, "a base image of no packages cannot be built");

  // The IDs that an ordinary user's namespace maps to cannot enter that user's home.
  const TempDir scratch = is_root() ? TempDir(fs::absolute(work_dir), "rootfs-") : TempDir();
  open_to_everyone(scratch.path());
  write_repository(lock, store, scratch.path() / "repository", cancel);
  write_script(scratch.path() / "setup", setup_hook());
  write_script(scratch.path() / "extract", extract_hook());
  write_script(scratch.path() / "customize", customize_hook(lock.spec));
  make_directories(scratch.path() / "tmp");
  fs::permissions(scratch.path() / "tmp", is_root() ? fs::perms(0755) : fs::perms(01777));

  UnfinishedFile unfinished(fs::absolute(work_dir) / "rootfs.tar");
  const fs::path& tar = unfinished.path();
  {
    const Fd file = create_file(tar);
    write_all(file, dev_header(lock.epoch), tar.string());
  }

  std::uint64_t package_bytes = 0;
  for (const LockedPackage& package : lock.packages) package_bytes += package.size_bytes;
  // xz packs programs four- to fivefold, data up to fifteenfold.
  const std::uint64_t half = available_memory() / 2;
  const std::uint64_t tmpfs_bytes = is_root() && 16 * package_bytes + 128 * kMebibyte <= half ? half : 0;

  log.debug(fmt::format("installing {} Debian packages with mmdebstrap{}", lock.packages.size(),
                        tmpfs_bytes ? " on a tmpfs" : ""));
  LastLines tail;
  const CommandResult result =
      run_command(mmdebstrap_command(lock, scratch.path(), tar, tmpfs_bytes), cancel, [&](std::string_view bytes) {
        tail.add(bytes);
        if (on_output) on_output(bytes);
      });
  if (result.exit_code != 0) {
    if (tail.contains("unshare: unshare failed") || tail.contains("unshare: mount")) {
      throw Error(Category::machine,
                  "a base image cannot be built because this machine lets even root make no namespaces; in a "
                  "container, "
                  "start it with '--privileged'")
          .set_detail(tail.lines());
    }
    throw Error(Category::build, fmt::format("mmdebstrap could not install the {} packages of Debian {} (exit code {})",
                                             lock.packages.size(), lock.spec.suite, result.exit_code))
        .set_detail(tail.lines());
  }
  return unfinished.keep();
}

}  // namespace kiln
