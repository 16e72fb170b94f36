#include "tests/unit/build/build_fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <regex>

#include "base/error.hpp"
#include "registry/oci/reference.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/pending_pushes.hpp"
#include "tests/support/check_error.hpp"

namespace kiln::test {

namespace {

// Waits between retries take no time.
class ImpatientClock final : public WaitClock {
 public:
  double monotonic_seconds() override { return 1000; }
  UnixSeconds unix_seconds() override { return 1'700'000'000; }
  void wait(double, const CancelToken& cancel) override { cancel.check(); }
};

// The fixture's bases, owned by nothing of the build.
class BorrowedBases final : public BaseSource {
 public:
  BorrowedBases(FakeBases& bases, const BaseTools& tools, bool always) : bases_(bases), always_(always) {
    bases.use(tools.layers, tools.steps);
  }
  BaseImage image(const std::string& reference, const oci::Platform& platform, Pull pull) override {
    return bases_.image(reference, platform, always_ ? Pull::always : pull);
  }
  BaseImage layout(const LayoutBase& layout, const oci::Platform& platform) override {
    return bases_.layout(layout, platform);
  }
  OrBlocked<BaseImage> debian(const DebianRequest& request, const oci::Platform& platform,
                              const std::string& target) override {
    return bases_.debian(request, platform, target);
  }
  void lose(const Blocked& lost) override { bases_.lose(lost); }

 private:
  FakeBases& bases_;
  bool always_;
};

class BorrowedFetcher final : public SourceFetcher {
 public:
  explicit BorrowedFetcher(FakeFetcher& fetcher) : fetcher_(fetcher) {}
  std::shared_ptr<CopySource> fetch(const std::string& url, const std::string& checksum,
                                    const SourceSecrets& secrets) override {
    return fetcher_.fetch(url, checksum, secrets);
  }
  std::shared_ptr<CopySource> check_out(const GitReference& reference, const GitCheckout& options) override {
    return fetcher_.check_out(reference, options);
  }

 private:
  FakeFetcher& fetcher_;
};

// Tells what it hears to an observer that outlives the build.
class HeardBy final : public BuildObserver {
 public:
  explicit HeardBy(std::shared_ptr<HeardBuild> heard) : heard_(std::move(heard)) {}
  void info(std::string_view message) override { heard_->info(message); }
  void warn(std::string_view message) override { heard_->warn(message); }
  void debug(std::string_view message) override { heard_->debug(message); }
  void step_started(const StepView& step) override { heard_->step_started(step); }
  void step_output(int number, std::string_view bytes) override { heard_->step_output(number, bytes); }
  void step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) override {
    heard_->step_progress(number, what, done, total);
  }
  void step_finished(int number, const StepResult& result) override { heard_->step_finished(number, result); }
  void task_finished(int number, std::string_view error) override { heard_->task_finished(number, error); }
  void step_missed(int number, const Miss& miss) override { heard_->step_missed(number, miss); }
  void stage_waits(const StageView& stage, const StageView& other) override { heard_->stage_waits(stage, other); }
  void stage_goes_on(const StageView& stage) override { heard_->stage_goes_on(stage); }
  bool wants_expectation() const override { return heard_->wants_expectation(); }
  void build_expected(const std::vector<ExpectedStage>& stages) override { heard_->build_expected(stages); }

 private:
  std::shared_ptr<HeardBuild> heard_;
};

}  // namespace

class BuildFixture::Host final : public BuildHost {
 public:
  explicit Host(BuildFixture& fixture) : fixture_(fixture) {}
  std::unique_ptr<Runner> start_runner() const override { return nullptr; }
  ContainerRunner& container_runner(Runner*) const override { return fixture_.runner; }
  HomeLayout open_home() const override { return HomeLayout::open(fixture_.home()); }
  std::unique_ptr<RemoteSession> open_remote(Log& log, const CancelToken& cancel) const override {
    RemoteSettings settings;
    settings.parallel_requests = 1;  // requests come in one order
    settings.retry.attempts = 2;
    return std::make_unique<RemoteSession>(make_curl_client({}), settings, log, cancel, wait_clock_);
  }
  std::unique_ptr<BaseSource> open_bases(const BaseTools& tools, const BaseSettings& settings) const override {
    return std::make_unique<BorrowedBases>(fixture_.bases, tools, settings.pull);
  }
  std::unique_ptr<SourceFetcher> open_fetcher(LayerAccess&) const override {
    return std::make_unique<BorrowedFetcher>(fixture_.fetcher);
  }
  const BuildClock& clock() const override { return fixture_.clock; }

 private:
  BuildFixture& fixture_;
  mutable ImpatientClock wait_clock_;
};

BuildFixture::BuildFixture() {
  make_directories(top_.path() / "context");
  make_directories(top_.path() / "out");
  bases.add("base", {{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"}, {"base", "file of the base"}});
  request.settings.times.epoch = kReproducibleEpoch;
  request.fleet.front_end = FrontEnd::bake_file;
  request.fleet.folder = top_.path();
}

BuildFixture::~BuildFixture() = default;

TargetSpec& BuildFixture::dockerfile(const std::string& text) {
  TargetSpec& spec = target("", text);
  spec.tags = {reference("acme/app:1")};
  request.fleet.front_end = FrontEnd::flags;
  return spec;
}

TargetSpec& BuildFixture::target(const std::string& name, const std::string& text) {
  std::vector<TargetSpec>& targets = request.fleet.targets;
  const auto known =
      std::find_if(targets.begin(), targets.end(), [&](const auto& other) { return other.name == name; });
  TargetSpec& spec = known == targets.end() ? targets.emplace_back() : *known;
  spec.name = spec.image = name;
  spec.tags = {reference("acme/" + name + ":1")};
  spec.dockerfile_text = text;
  spec.dockerfile_name = name.empty() ? "Dockerfile" : name + "/Dockerfile";
  spec.context = top_.path() / "context";
  return spec;
}

void BuildFixture::context(const std::string& path, const std::string& text) {
  write_text(top_.path() / "context" / path, text);
}

ContentStore& BuildFixture::store() {
  auto& store = stores_[machine_];
  if (!store) store = std::make_unique<ContentStore>(HomeLayout::open(home()));
  return *store;
}

void BuildFixture::share(CacheMode mode) {
  CacheReference place;
  place.type = CacheType::local;
  place.place = (top_.path() / "shared").native();
  place.mode = mode;
  request.settings.caches.from = {place};
  request.settings.caches.to = {place};
}

BuildSurroundings BuildFixture::surroundings(const BuildHost& host) {
  return {[this] { return std::make_unique<HeardBy>(heard_); },
          "1.2.3",
          cancel,
          host,
          [this](const Error& error, std::unique_ptr<FailedRun> run, kiln::Workshop&) {
            if (on_failed_run) on_failed_run(error, std::move(run));
          },
          {},
          [this](const std::vector<BuiltTarget>&, kiln::Workshop&) { ++built_calls; }};
}

void BuildFixture::prepare(const Names& targets) {
  heard_ = std::make_shared<HeardBuild>();
  request.fleet.sort();
  request.targets = targets;
  if (!targets.empty()) return;
  for (const TargetSpec& target : request.fleet.targets) request.targets.push_back(target.name);
}

BuildResult BuildFixture::build(const Names& targets) {
  prepare(targets);
  const Host host(*this);
  return kiln::build(request, surroundings(host));
}

Error BuildFixture::fail(const Names& targets) {
  const std::optional<Error> error = caught_error([&] { build(targets); });
  REQUIRE_MESSAGE(error.has_value(), "the build did not fail");
  return *error;
}

Steps BuildFixture::foresee(const Names& targets) {
  prepare(targets);
  const Host host(*this);
  Steps steps;
  for (const ForeseenTarget& target : look_up(request, surroundings(host)).targets) {
    for (const ForeseenStep& step : target.steps) {
      const char* word = step.expectation == Expectation::hit     ? "hit"
                         : step.expectation == Expectation::build ? "build"
                                                                  : "unknown";
      steps.push_back(fmt::format("{} {}", word, step.text));
    }
  }
  return steps;
}

std::string BuildFixture::without_authority(std::string text) const {
  const std::string authority = registry.authority() + "/";
  for (auto at = text.find(authority); at != std::string::npos; at = text.find(authority))
    text.erase(at, authority.size());
  return text;
}

Steps BuildFixture::events() const {
  static const std::regex kDigest("@[0-9a-f]+");
  Steps events;
  for (const std::string& event : heard_->events()) {
    if (!event.starts_with("push ")) events.push_back(std::regex_replace(without_authority(event), kDigest, ""));
  }
  return events;
}

std::string BuildFixture::reason_of(const std::string& text) const {
  std::string reason = "no such step";
  for (const HeardBuild::Heard& heard : heard_->steps()) {
    if (heard.view.text == text) reason = heard.result.reason;
  }
  return reason;
}

int BuildFixture::warnings(const std::string& part) const {
  const std::vector<std::string> warnings = heard_->warnings();
  return static_cast<int>(std::count_if(warnings.begin(), warnings.end(), [&](const std::string& warning) {
    return warning.find(part) != std::string::npos;
  }));
}

Names BuildFixture::named() {
  Names names;
  for (const NamedImage& image : named_images(store())) names.push_back(without_authority(image.name));
  std::sort(names.begin(), names.end());
  return names;
}

Names BuildFixture::remembered() {
  Names names;
  for (const PendingPush& push : PendingPushes(store().home()).list()) names.push_back(without_authority(push.target));
  std::sort(names.begin(), names.end());
  return names;
}

std::string BuildFixture::pushed(const std::string& name) const {
  const std::size_t colon = name.rfind(':');
  return registry.tag(name.substr(0, colon), name.substr(colon + 1)).value_or("");
}

void BuildFixture::when_push_begins(std::function<void()> action) {
  registry.script([action = std::move(action), done = false](const SeenRequest& seen, int) mutable {
    if (!done && seen.path.find("/manifests/") != std::string::npos) {
      done = true;
      action();
    }
    return Reaction{};
  });
}

void BuildFixture::refuse_manifests(const std::string& repository) {
  registry.script([repository](const SeenRequest& seen, int) {
    if (!seen.is("PUT", "/v2/" + repository + "/manifests/")) return Reaction{};
    return Reaction{Reaction::Kind::answer, {403, {}, ""}};
  });
}

}  // namespace kiln::test
