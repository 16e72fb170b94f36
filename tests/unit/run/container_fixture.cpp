#include "container_fixture.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"

namespace kiln::testing {

namespace {

const std::unique_ptr<Runner> the_runner = Runner::start(WithoutRoot::stay);
constexpr char kBusybox[] = "/bin/busybox";

}  // namespace

Runner& runner() { return *the_runner; }

const std::string& no_containers() {
  static const std::string reason = [] {
    if (!fs::exists(kBusybox)) return std::string("no ") + kBusybox + " (Debian: busybox-static)";
    try {
      const TempDir folder;
      const HomeLayout home = HomeLayout::open(folder.path() / "home");
      runner().runtime(home);
      return std::string();
    } catch (const Error& error) {
      return error.message();
    }
  }();
  return reason;
}

ContainerFixture::ContainerFixture() : home(HomeLayout::open(top.path() / "home")), image(top.path() / "image") {
  for (const char* folder : {"bin", "etc", "tmp", "work"}) make_directories(image / folder);
  fs::permissions(image / "tmp", static_cast<fs::perms>(01777));
  fs::copy_file(kBusybox, image / "bin/busybox");
  for (const char* applet :
       {"sh",   "cat",   "echo", "ls", "id",       "sleep",    "ip",   "touch", "mkdir", "rm", "env", "kill",
        "stat", "mount", "grep", "nc", "hostname", "readlink", "true", "chmod", "seq",   "ln", "dd",  "df"}) {
    fs::create_symlink("busybox", image / "bin" / applet);
  }
}

RunRequest ContainerFixture::request(const std::string& script) {
  const fs::path folder = top.path() / ("upper-" + std::to_string(++count_));
  upper = {folder / "fs", folder / "work", folder / "scratch"};
  for (const fs::path& part : {upper.fs, upper.work, upper.scratch}) make_directories(part);
  RunRequest result;
  result.lowers = {image};
  result.upper = upper;
  result.argv = {"/bin/sh", "-c", script};
  result.env = {"PATH=/bin"};
  return result;
}

RunResult ContainerFixture::run(const std::string& script) { return run(request(script)); }

RunResult ContainerFixture::run(const RunRequest& request) {
  output.clear();
  return runner().run(
      home, request, [this](std::string_view bytes) { output += bytes; }, cancel);
}

std::vector<std::string> ContainerFixture::upper_names() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(upper.fs)) {
    names.push_back(entry.path().lexically_relative(upper.fs).native() +
                    (entry.is_directory() && !entry.is_symlink() ? "/" : ""));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string ContainerFixture::upper_text(const std::string& path) const { return read_file(upper.fs / path); }

}  // namespace kiln::testing
