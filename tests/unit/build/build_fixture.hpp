#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/temp_dir.hpp"
#include "builder/build/build.hpp"
#include "builder/plan/forecast.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/store/content_store.hpp"
#include "tests/support/build_fakes.hpp"
#include "tests/support/hostile_registry.hpp"

// The whole of build(), request in, result out, with everything around it made up: runner, bases, sources, clock, and a
// registry in this process whose script decides what it answers. The store, a folder as shared cache, and the files
// that are exported are real.
//
//   BuildFixture fixture;
//   fixture.target("app", "FROM base\nRUN make\n").outputs = {"type=registry"};
//   fixture.build();
//   CHECK(fixture.steps() == Steps{"built RUN make"});
//   CHECK(fixture.named() == Names{"acme/app:1"});
namespace kiln::test {

using Names = std::vector<std::string>;

class BuildFixture {
 public:
  BuildFixture();
  ~BuildFixture();

  // The one target of `kiln build`, without a name, whose image gets the tag "acme/app:1".
  TargetSpec& dockerfile(const std::string& text);
  // A target of a fleet; its image gets the tag "acme/NAME:1".
  TargetSpec& target(const std::string& name, const std::string& text);
  // Files of the build context.
  void context(const std::string& path, const std::string& text);

  // Builds the targets that are named, else all.
  BuildResult build(const Names& targets = {});
  // The same for a build that has to fail.
  Error fail(const Names& targets = {});
  // "hit TEXT", "build TEXT" and "unknown TEXT" of each step, by what the request would do.
  Steps foresee(const Names& targets = {});

  // Another machine, with an empty home. The first is "one".
  void use_machine(const std::string& name) { machine_ = name; }
  fs::path home() const { return top_.path() / "homes" / machine_; }
  ContentStore& store();
  // All machines read and write one folder as their shared cache.
  void share(CacheMode mode = CacheMode::max);
  fs::path shared_blobs() const { return top_.path() / "shared/blobs/sha256"; }
  // A file or folder that an output writes.
  fs::path out(const std::string& name) const { return top_.path() / "out" / name; }

  // The last build.
  Steps steps() const { return heard_->told(); }
  // Steps and the tags that were pushed ("pushed acme/app:1"), in the order in which they ended.
  Steps events() const;
  const HeardBuild& heard() const { return *heard_; }
  std::string reason_of(const std::string& text) const;
  int warnings(const std::string& part) const;
  std::vector<std::string> ran() { return runner.take_ran(); }

  // Names of this machine's store, without the registry's authority, sorted.
  Names named();
  // Those of the pushes that are remembered.
  Names remembered();
  // What a tag of the registry ("acme/app:1") refers to; an empty text where it is not there.
  std::string pushed(const std::string& name) const;
  // A reference to it in requests.
  std::string reference(const std::string& name) const { return registry.authority() + "/" + name; }
  // Lets the registry do this when it is first asked for anything of a manifest, which is when a push begins.
  void when_push_begins(std::function<void()> action);
  // Makes the registry refuse manifests of a repository ("acme/app").
  void refuse_manifests(const std::string& repository);

  FakeRunner runner;
  FakeBases bases;
  FakeFetcher fetcher;
  FakeClock clock;
  HostileRegistry registry;
  CancelToken cancel;
  BuildRequest request;  // its fleet and targets are those above
  std::function<void(const Error&, std::unique_ptr<FailedRun>)> on_failed_run;
  int built_calls = 0;  // of on_built

 private:
  class Host;
  BuildSurroundings surroundings(const BuildHost& host);
  void prepare(const Names& targets);
  std::string without_authority(std::string text) const;

  TempDir top_;
  std::string machine_ = "one";
  std::map<std::string, std::unique_ptr<ContentStore>> stores_;
  std::shared_ptr<HeardBuild> heard_;
};

}  // namespace kiln::test
