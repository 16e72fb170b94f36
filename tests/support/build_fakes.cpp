#include "tests/support/build_fakes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/steps/fetched_source.hpp"
#include "tests/support/add_file.hpp"

namespace kiln::test {

void write_text(const fs::path& path, const std::string& text) {
  make_directories(path.parent_path());
  write_file_atomically(path, text, Durability::ephemeral);
}

namespace {

FileEntry file_entry(const std::string& path) {
  FileEntry entry;
  entry.path = path;
  entry.mode = 0644;
  return entry;
}

void add_folders(LayerWriter& writer, const std::string& path, std::set<std::string>& made) {
  const std::string folder(parent_path(path));
  if (folder.empty() || !made.insert(folder).second) return;
  add_folders(writer, folder, made);
  FileEntry entry = file_entry(folder);
  entry.type = EntryType::directory;
  entry.mode = 0755;
  writer.add(entry);
}

LayerValue layer_of(LayerAccess& layers, const std::map<std::string, std::string>& files) {
  LayerWriterOptions options;
  options.set_mtime = kReproducibleEpoch;
  LayerWriter writer(layers.store(), layers.pool(), options);
  std::set<std::string> made;
  for (const auto& [path, text] : files) {
    add_folders(writer, path, made);
    add_file(writer, file_entry(path), text);
  }
  return writer.finish();
}

}  // namespace

void RunCall::write(const std::string& path, const std::string& text) const {
  write_text(request.upper.fs / path, text);
}

std::optional<std::string> RunCall::read(const std::string& path) const {
  if (auto text = read_file_if_exists(request.upper.fs / path)) return text;
  for (auto folder = request.lowers.rbegin(); folder != request.lowers.rend(); ++folder) {
    if (auto text = read_file_if_exists(*folder / path)) return text;
  }
  return std::nullopt;
}

std::optional<std::string> RunCall::read_mount(const std::string& target, const std::string& path) const {
  for (const RunMount& mount : request.mounts) {
    const auto* bind = std::get_if<BindSource>(&mount.source);
    if (mount.target != target || !bind) continue;
    for (auto folder = bind->folders.rbegin(); folder != bind->folders.rend(); ++folder) {
      if (auto text = read_file_if_exists(*folder / bind->path / path)) return text;
    }
  }
  return std::nullopt;
}

RunResult FakeRunner::run(const HomeLayout&, const RunRequest& request, const OutputSink& output,
                          const CancelToken& cancel) {
  const RunCall call{request, cancel, output};
  Action action;
  {
    const std::lock_guard lock(mutex_);
    ran_.push_back(call.command());
    if (const auto it = actions_.find(call.command()); it != actions_.end()) action = it->second;
  }
  RunResult result;
  if (action) {
    result.exit_code = action(call);
  } else {
    std::string name = call.command();
    std::replace(name.begin(), name.end(), '/', '_');
    call.write("ran/" + name, "");
  }
  // No file of a layer tells when it ran.
  for (const auto& entry : fs::recursive_directory_iterator(request.upper.fs)) {
    const timespec times[2] = {{kReproducibleEpoch, 0}, {kReproducibleEpoch, 0}};
    ::utimensat(AT_FDCWD, entry.path().c_str(), times, AT_SYMLINK_NOFOLLOW);
  }
  return result;
}

std::vector<std::string> FakeRunner::take_ran() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ran = std::exchange(ran_, {});
  std::sort(ran.begin(), ran.end());
  return ran;
}

void FakeBases::add(const std::string& name, Files files, oci::ContainerConfig config) {
  const std::lock_guard lock(mutex_);
  bases_[name] = {std::move(files), std::move(config), std::nullopt, ""};
}

void FakeBases::describe(const std::string& name, const oci::Digest& digest, const std::string& created) {
  const std::lock_guard lock(mutex_);
  Base& base = bases_.at(name);
  base.digest = digest;
  base.created = created;
}

std::vector<std::string> FakeBases::take_asked() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> asked = std::exchange(asked_, {});
  std::sort(asked.begin(), asked.end());
  return asked;
}

BaseImage FakeBases::image(const std::string& reference, const oci::Platform& platform, Pull pull) {
  const std::lock_guard lock(mutex_);
  asked_.push_back(reference + (pull == Pull::always ? " anew" : ""));
  const auto it = bases_.find(reference);
  if (it == bases_.end()) throw Error(Category::network, fmt::format("there is no image '{}'", reference));
  BaseImage base;
  base.reference = reference;
  base.config.platform = platform;
  base.config.config = it->second.config;
  base.config.created = it->second.created;
  base.digest = it->second.digest;
  ImageLayer layer;
  layer.value = layer_of(*layers_, it->second.files);
  layer.text = reference;
  layer.is_own = false;
  base.layers.push_back(std::move(layer));
  return base;
}

BaseImage FakeBases::layout(const LayoutBase& layout, const oci::Platform& platform) {
  return image(layout.folder.native(), platform, Pull::where_needed);
}

OrBlocked<BaseImage> FakeBases::debian(const DebianRequest& request, const oci::Platform& platform,
                                       const std::string& target) {
  Step step;
  step.kind = StepKind::debian;
  step.key = StepKeyBuilder("debian").text("lock", debian_lock).finish();
  step.inputs = {{"epoch", debian_lock}};
  step.view.target = target;
  step.view.platform = platform.str();
  step.view.text = "DEBIAN " + request.suite;
  step.slot = "debian " + request.lock_name;
  step.execute = [&](int, const LayerMade&) {
    return std::vector<LayerValue>{layer_of(*layers_, {{"etc/debian_version", debian_lock}})};
  };
  const OrBlocked<StepDone> done = steps_->solve(step);
  if (done.is_blocked()) return done.blocked();
  BaseImage base;
  base.reference = request.lock_name;
  base.config.platform = platform;
  ImageLayer layer;
  layer.value = done.value().record.layers.at(0);
  layer.key = step.key;
  layer.text = step.view.text;
  base.layers.push_back(std::move(layer));
  return base;
}

std::shared_ptr<CopySource> FakeFetcher::fetch(const std::string& url, const std::string&, const SourceSecrets&) {
  const auto it = texts.find(url);
  if (it == texts.end()) throw Error(Category::network, fmt::format("'{}' answers 404", url));
  return std::make_shared<InlineSource>(std::map<std::string, std::string>{{file_name_of_url(url), it->second}}, 0600,
                                        url);
}

std::shared_ptr<CopySource> FakeFetcher::check_out(const GitReference& reference, const GitCheckout&) {
  const auto it = texts.find(reference.remote);
  if (it == texts.end()) throw Error(Category::network, fmt::format("there is no repository '{}'", reference.remote));
  return std::make_shared<InlineSource>(std::map<std::string, std::string>{{"README", it->second}}, 0644,
                                        reference.remote);
}

void HeardBuild::info(std::string_view message) {
  const std::lock_guard lock(mutex_);
  infos_.emplace_back(message);
}

void HeardBuild::warn(std::string_view message) {
  const std::lock_guard lock(mutex_);
  warnings_.emplace_back(message);
}

void HeardBuild::step_started(const StepView& step) {
  const std::lock_guard lock(mutex_);
  started_[step.number] = step;
}

void HeardBuild::step_output(int, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  output_ += bytes;
}

void HeardBuild::step_finished(int number, const StepResult& result) {
  const std::lock_guard lock(mutex_);
  finished_.push_back({started_.at(number), result});
  events_.push_back(fmt::format("{} {}", to_string(result.outcome), finished_.back().view.text));
}

void HeardBuild::step_missed(int number, const Miss& miss) {
  const std::lock_guard lock(mutex_);
  missed_.push_back(started_.at(number).text + ": " + miss.reason);
}

void HeardBuild::stage_waits(const StageView& stage, const StageView& other) {
  const std::lock_guard lock(mutex_);
  waits_.push_back(stage.target + " waits for " + other.target);
}

void HeardBuild::stage_goes_on(const StageView& stage) {
  const std::lock_guard lock(mutex_);
  waits_.push_back(stage.target + " goes on");
}

void HeardBuild::build_expected(const std::vector<ExpectedStage>& stages) {
  const std::lock_guard lock(mutex_);
  expected_ = stages;
}

std::vector<std::string> HeardBuild::missed() const {
  const std::lock_guard lock(mutex_);
  return missed_;
}

std::vector<std::string> HeardBuild::waits() const {
  const std::lock_guard lock(mutex_);
  return waits_;
}

std::vector<ExpectedStage> HeardBuild::expected() const {
  const std::lock_guard lock(mutex_);
  return expected_;
}

std::vector<HeardBuild::Heard> HeardBuild::steps() const {
  const std::lock_guard lock(mutex_);
  std::vector<Heard> sorted = finished_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Heard& a, const Heard& b) {
    return std::tie(a.view.target, a.view.platform, a.view.stage, a.view.index) <
           std::tie(b.view.target, b.view.platform, b.view.stage, b.view.index);
  });
  return sorted;
}

void HeardBuild::task_finished(int number, std::string_view error) {
  const std::lock_guard lock(mutex_);
  const auto task = started_.find(number);
  if (task == started_.end()) return;
  events_.push_back(error.empty() ? task->second.text : fmt::format("{}: {}", task->second.text, error));
}

Steps HeardBuild::told() const {
  Steps told;
  for (const Heard& heard : steps())
    told.push_back(fmt::format("{} {}", to_string(heard.result.outcome), heard.view.text));
  return told;
}

std::vector<std::string> HeardBuild::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::vector<std::string> HeardBuild::infos() const {
  const std::lock_guard lock(mutex_);
  return infos_;
}

std::vector<std::string> HeardBuild::warnings() const {
  const std::lock_guard lock(mutex_);
  return warnings_;
}

std::string HeardBuild::output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

}  // namespace kiln::test
