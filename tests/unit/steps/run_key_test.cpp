#include "builder/steps/run_key.hpp"

#include <doctest/doctest.h>

#include "builder/cache/step_key.hpp"
#include "registry/oci/image_config.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

RunCommand sample() {
  RunCommand command;
  command.argv = {"/bin/sh", "-c", "make"};
  command.env = {"PATH=/bin", "A=1"};
  command.working_dir = "/app";
  command.user = {7, 8, {9, 10}, "/home/app"};
  command.platform = oci::Platform::parse("linux/amd64");
  return command;
}

ImageLayer layer(const std::string& content, const std::string& key = "", int line = 0) {
  ImageLayer made;
  made.value.diff_id = oci::sha256_of(content);
  made.key = key;
  made.file = "Dockerfile";
  made.line = line;
  made.text = "COPY x";
  return made;
}

ResolvedMount mount_of(dockerfile::MountType type, const std::string& target) {
  ResolvedMount mount;
  mount.options.type = type;
  mount.options.target = target;
  return mount;
}

const RawInput* find_input(const std::vector<RawInput>& inputs, const std::string& name) {
  for (const RawInput& input : inputs) {
    if (input.name == name) return &input;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("the key of a RUN has the fields that the grammar lists, in its order") {
  const ImageLayers below = {layer("base")};
  const StepIdentity identity = run_identity(sample(), below, {});
  CHECK(identity.key == StepKeyBuilder("run")
                            .text("platform", "linux/amd64")
                            .list("parents", {oci::sha256_of("base").str()})
                            .number("user.uid", 7)
                            .number("user.gid", 8)
                            .list("user.groups", {"9", "10"})
                            .text("cwd", "/app")
                            .list("env", {"A=1", "PATH=/bin"})
                            .list("argv", {"/bin/sh", "-c", "make"})
                            .text("network", "host")
                            .text("security", "sandbox")
                            .list("hosts", {})
                            .list("ulimits", {})
                            .number("shm", 64 << 20)
                            .finish());
}

TEST_CASE("a network that is recorded makes another key, and a log of the machine's network does not") {
  RunCommand command = sample();
  RunSettings log;
  log.network_log = true;
  const std::string usual = run_identity(command, {}, {}).key;
  CHECK(run_identity(command, {}, log).key == usual);
  command.network = RunNetwork::recorded;
  CHECK(run_identity(command, {}, {}).key != usual);
}

TEST_CASE("mounts, a script, hosts, limits and rewritten times add their fields") {
  RunCommand command = sample();
  command.script = ScriptFile{"/dev/pipes/x", "print(1)"};
  using dockerfile::MountType;
  command.mounts = {mount_of(MountType::tmpfs, "/t"), mount_of(MountType::cache, "/c"),
                    mount_of(MountType::secret, "/s"), mount_of(MountType::ssh, "/a")};
  command.mounts[0].options.size_bytes = 5;
  command.mounts[0].options.read_only = false;
  command.mounts[1].options.id = "wheels";
  command.mounts[2].options.id = "token";
  command.mounts[2].options.environment = "TOKEN";
  command.mounts[3].options.id = "default";
  command.extra_hosts = {{"db", "10.0.0.1"}};
  command.limits = {{"nofile", 1, 2}};
  command.rewrite_times = 5;
  CHECK(run_identity(command, {}, {}).key == StepKeyBuilder("run")
                                                 .text("platform", "linux/amd64")
                                                 .list("parents", {})
                                                 .number("user.uid", 7)
                                                 .number("user.gid", 8)
                                                 .list("user.groups", {"9", "10"})
                                                 .text("cwd", "/app")
                                                 .list("env", {"A=1", "PATH=/bin"})
                                                 .list("argv", {"/bin/sh", "-c", "make"})
                                                 .text("heredoc", "print(1)")
                                                 .list("mount", {"tmpfs", "/t", "5"})
                                                 .list("mount", {"cache", "/c", "wheels"})
                                                 .list("mount", {"secret", "/s", "token", "TOKEN"})
                                                 .list("mount", {"ssh", "/a", "default"})
                                                 .text("network", "host")
                                                 .text("security", "sandbox")
                                                 .list("hosts", {"db:10.0.0.1"})
                                                 .list("ulimits", {"nofile=1:2"})
                                                 .number("shm", 64 << 20)
                                                 .number("times", 5)
                                                 .finish());
}

TEST_CASE("a RUN whose layer is cut has the cut in its key, and the time of all its files in place of the latest") {
  RunCommand command = sample();
  command.rewrite_times = 5;
  command.cutting = LayerCutting{64, 60, {7, 8}};
  const StepIdentity identity = run_identity(command, {}, {});
  CHECK(identity.key == StepKeyBuilder("run")
                            .text("platform", "linux/amd64")
                            .list("parents", {})
                            .number("user.uid", 7)
                            .number("user.gid", 8)
                            .list("user.groups", {"9", "10"})
                            .text("cwd", "/app")
                            .list("env", {"A=1", "PATH=/bin"})
                            .list("argv", {"/bin/sh", "-c", "make"})
                            .text("network", "host")
                            .text("security", "sandbox")
                            .list("hosts", {})
                            .list("ulimits", {})
                            .number("shm", 64 << 20)
                            .number("times", 7)
                            .list("layers", {"package", "2", "64"})
                            .finish());
  REQUIRE(find_input(identity.inputs, "layers"));
  CHECK(find_input(identity.inputs, "layers")->value == "by package, at most 64");

  command.cutting->times.sources.reset();
  CHECK(run_identity(command, {}, {}).key != identity.key);
}

TEST_CASE("a bind mount is in the key by the tree that it shows, told from that tree's root") {
  RunCommand command = sample();
  command.mounts = {mount_of(dockerfile::MountType::bind, "/in")};
  command.mounts[0].options.source = "file";
  const auto source = std::make_shared<InlineSource>(std::map<std::string, std::string>{{"file", "text"}});
  command.mounts[0].source = source;
  FileEntry entry = *source->lookup("file");
  const std::string tree = StepKeyBuilder("tree").entry("", entry).finish();
  const StepIdentity identity = run_identity(command, {}, {});
  const RawInput* mount = find_input(identity.inputs, "mount bind /in");
  REQUIRE(mount);
  CHECK(mount->value == "ro");
  CHECK(find_input(identity.inputs, "file file"));
  CHECK(identity.key == StepKeyBuilder("run")
                            .text("platform", "linux/amd64")
                            .list("parents", {})
                            .number("user.uid", 7)
                            .number("user.gid", 8)
                            .list("user.groups", {"9", "10"})
                            .text("cwd", "/app")
                            .list("env", {"A=1", "PATH=/bin"})
                            .list("argv", {"/bin/sh", "-c", "make"})
                            .list("mount", {"bind", "/in", "ro", tree})
                            .text("network", "host")
                            .text("security", "sandbox")
                            .list("hosts", {})
                            .list("ulimits", {})
                            .number("shm", 64 << 20)
                            .finish());
}

TEST_CASE("inputs tell variables by who gave them, and layers of a base as one") {
  RunCommand command = sample();
  command.args = {"A"};
  ImageLayers below = {layer("base 1"), layer("base 2"), layer("copy", std::string(64, 'a'), 3)};
  StepIdentity identity = run_identity(command, below, {});
  CHECK(find_input(identity.inputs, "ARG A"));
  CHECK(find_input(identity.inputs, "ENV PATH"));
  const RawInput* base = find_input(identity.inputs, "base image");
  REQUIRE(base);
  CHECK(base->value == oci::chain_id({oci::sha256_of("base 1"), oci::sha256_of("base 2")}).str());
  const RawInput* parent = find_input(identity.inputs, "parent layer 1");
  REQUIRE(parent);
  CHECK(parent->about == "COPY x, Dockerfile:3");
  command.profile_keys = {"A"};
  identity = run_identity(command, below, {});
  CHECK(find_input(identity.inputs, "profile A"));
}

TEST_CASE("a RUN that is not allowed or mounts what is not there has no key") {
  RunCommand command = sample();
  command.security = RunSecurity::insecure;
  CHECK(error_of([&] { run_identity(command, {}, {}); }) ==
        "usage: RUN --security=insecure is not allowed; pass --allow security.insecure");
  command = sample();
  command.mounts = {mount_of(dockerfile::MountType::bind, "/in")};
  command.mounts[0].options.source = "missing";
  command.mounts[0].source = std::make_shared<InlineSource>(std::map<std::string, std::string>());
  CHECK(error_of([&] { run_identity(command, {}, {}); }) == "build: '/missing' is not in a heredoc");
}
