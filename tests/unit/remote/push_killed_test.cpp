#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "base/process.hpp"
#include "base/text.hpp"
#include "registry/remote/push.hpp"
#include "registry/store/closure.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// Pushes to the registry whose authority comes through the pipe. Runs in a process of its own.
[[noreturn]] void push_in_child(int pipe, const fs::path& home, const oci::Descriptor& image) {
  char authority[64] = {};
  if (::read(pipe, authority, sizeof authority - 1) <= 0) ::_exit(1);
  try {
    ContentStore store(HomeLayout::open(home));
    RecordingLog log;
    RemoteSession session(make_curl_client({}), {}, log, CancelToken());
    push_image(session, store, {image, {oci::Reference::parse(std::string(authority) + "/acme/app:1")}});
  } catch (const std::exception&) {
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace

TEST_CASE("a push that is killed anywhere leaves no broken tag, and the next push goes on") {
  // KILN_STRESS_KILLS asks for more points.
  const auto points = parse_unsigned(environment_variable("KILN_STRESS_KILLS").value_or("")).value_or(10);
  const auto seed =
      parse_unsigned(environment_variable("KILN_STRESS_SEED").value_or("")).value_or(std::random_device{}());
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (std::uint64_t point = 0; point < points; ++point) {
    TempDir home;
    oci::Descriptor image;
    std::uint64_t bytes = 0;
    {
      ContentStore store(HomeLayout::open(home.path()));
      oci::Manifest manifest;
      oci::ImageConfig config;
      config.platform = oci::Platform::parse("linux/amd64");
      for (unsigned i = 0; i < 4; ++i) {
        manifest.layers.push_back(
            store.put(bytes_of(100'000, i + 1), oci::media_type::kOciLayerGzip, Durability::ephemeral));
        config.diff_ids.push_back(manifest.layers.back().digest);
        bytes += 100'000;
      }
      manifest.config = store.put(oci::serialise(config), oci::media_type::kOciConfig, Durability::ephemeral);
      image = store.put(oci::serialise(manifest), manifest.media_type, Durability::ephemeral);
    }
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const pid_t child = ::fork();  // before the registry's threads exist
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(pipe[1]);
      push_in_child(pipe[0], home.path(), image);
    }
    ::close(pipe[0]);
    HostileRegistry registry;
    const int last = static_cast<int>(random() % 19);  // a whole push is 19 requests
    registry.script([&](const SeenRequest&, int number) {
      if (number == last) ::kill(child, SIGKILL);
      return Reaction{};
    });
    const std::string authority = registry.authority();
    CHECK(::write(pipe[1], authority.data(), authority.size()) == static_cast<ssize_t>(authority.size()));
    ::close(pipe[1]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CAPTURE(last);
    CHECK(WIFSIGNALED(status));
    registry.wait_until_left();
    CHECK(registry.broken_tags().empty());

    registry.script({});
    const std::uint64_t before = registry.blob_bytes_received();
    ContentStore store(HomeLayout::open(home.path()));
    RecordingLog log;
    RemoteSession session(make_curl_client({}), {}, log, CancelToken());
    std::uint64_t there = 0;
    for (const oci::Descriptor& blob : closure_of(store, image))
      there += registry.has_blob("acme/app", blob.digest.str()) ? blob.size : 0;
    push_image(session, store, {image, {oci::Reference::parse(registry.authority() + "/acme/app:1")}});
    CHECK(registry.tag("acme/app", "1") == image.digest.str());
    CHECK(registry.broken_tags().empty());
    // What was there whole is not sent again.
    CHECK(registry.blob_bytes_received() - before <= bytes + 10'000 - there);
  }
}
