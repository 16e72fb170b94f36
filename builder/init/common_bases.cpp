#include "builder/init/common_bases.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/reads.hpp"

namespace kiln::init {

namespace {

namespace df = dockerfile;

constexpr std::size_t kRecordsLookedAt = 50;
constexpr std::uint64_t kMaxComparedBytes = std::uint64_t{1} << 20;

// An instruction of an image's beginning.
struct Step {
  std::string identity;  // equal for equal steps
  std::string text;
  bool makes_layer = false;
};

struct Beginning {
  std::string image;
  std::string from;
  std::vector<Step> steps;
};

// One line; white space counts as one blank where nothing is quoted.
std::string one_line(const std::string& text) {
  if (text.find_first_of("'\"<") != std::string::npos) {
    std::string line = text;
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
  }
  std::string line;
  for (const char c : text) {
    const bool is_blank = c == ' ' || c == '\t' || c == '\n';
    if (!is_blank) line += c;
    if (is_blank && !line.empty() && line.back() != ' ') line += ' ';
  }
  return line;
}

// What a step takes from the context, so that two contexts with the same files are the same; nullopt where that is not
// told by a few small files.
std::optional<std::string> context_identity(const ProposedImage& image, const df::Instruction& instruction) {
  std::string identity;
  for (const df::Read& read : df::reads_of(instruction)) {
    if (!read.is_of_context()) {
      // Stages have names of their own in each Dockerfile.
      const auto& stages = image.planned->dockerfile.stages;
      const bool is_stage = parse_unsigned(read.from) ||
                            std::any_of(stages.begin(), stages.end(),
                                        [&](const auto& stage) { return stage.name == to_lower(read.from); });
      if (is_stage || df::has_variable(read.from)) return std::nullopt;
      continue;
    }
    for (const std::string& path : read.paths) {
      if (path.find("://") != std::string::npos) continue;
      const fs::path file = *image.target.context / fs::path(path).relative_path();
      std::error_code failure;
      const bool is_small = fs::is_regular_file(file, failure) && fs::file_size(file, failure) <= kMaxComparedBytes;
      if (!is_small || failure || df::has_variable(path)) {
        identity += "\ncontext " + image.target.context->string();
        continue;
      }
      try {
        identity += "\nfile " + read_file(file, kMaxComparedBytes);
      } catch (const Error&) {
        return std::nullopt;
      }
    }
  }
  return identity;
}

// Adds the steps of a stage and of the stages that it stands on; false where one is met that can be no other's.
bool add_steps(const ProposedImage& image, std::size_t stage, Beginning& beginning) {
  const PlannedTarget& planned = *image.planned;
  if (const auto* base = std::get_if<StageBase>(&planned.bases[stage])) {
    if (!add_steps(image, base->stage, beginning)) return false;
  }
  for (const df::Instruction& instruction : planned.dockerfile.stages[stage].instructions) {
    const auto read = context_identity(image, instruction);
    if (!read) return false;
    Step step;
    step.text = one_line(instruction.original);
    step.identity = step.text + *read;
    for (const df::Heredoc& heredoc : instruction.heredocs) step.identity += "\n" + heredoc.text();
    if (const auto* arg = std::get_if<df::Arg>(&instruction.body)) {
      for (const df::ArgDefinition& definition : arg->definitions) {
        const auto value = image.target.args.find(definition.name);
        if (value != image.target.args.end()) step.identity += "\n" + value->second;
      }
    }
    step.makes_layer = df::makes_step(instruction) && instruction.keyword != "WORKDIR";
    beginning.steps.push_back(std::move(step));
  }
  return true;
}

std::vector<Beginning> beginnings_of(const std::vector<ProposedImage>& images) {
  std::vector<Beginning> result;
  for (const ProposedImage& image : images) {
    if (!image.planned || !image.target.context) continue;
    Beginning beginning{image.name, "", {}};
    std::size_t stage = image.planned->final_stage;
    while (const auto* base = std::get_if<StageBase>(&image.planned->bases[stage])) stage = base->stage;
    if (const auto* base = std::get_if<ImageBase>(&image.planned->bases[stage])) {
      const auto edge = image.edges.find(base->reference);
      beginning.from = edge == image.edges.end() ? base->reference : edge->second;
    } else if (std::holds_alternative<ScratchBase>(image.planned->bases[stage])) {
      beginning.from = "scratch";
    } else {
      continue;
    }
    add_steps(image, image.planned->final_stage, beginning);
    result.push_back(std::move(beginning));
  }
  return result;
}

// What layers of steps weighed in earlier builds, by image and text.
class StepSizes {
 public:
  explicit StepSizes(const BuildRecordStore& records) {
    const std::vector<std::string> ids = records.ids();
    for (std::size_t i = 0; i < ids.size() && i < kRecordsLookedAt; ++i) {
      std::optional<BuildRecord> record;
      try {
        record = records.load(ids[ids.size() - 1 - i]);
      } catch (const Error&) {
        continue;  // a damaged record tells nothing; 'kiln why' says that it is one
      }
      if (!record) continue;
      for (const BuildRecordTarget& target : record->targets) {
        for (const BuildRecordStep& step : target.steps) {
          if (step.outcome != StepOutcome::failed)
            bytes_.emplace(std::pair(target.image, one_line(step.text)), step.bytes);
        }
      }
    }
  }

  std::optional<std::uint64_t> find(const std::vector<std::string>& images, const std::string& text) const {
    for (const std::string& image : images) {
      for (const std::string& name : {image, image + "-baseline"}) {
        if (const auto at = bytes_.find({name, text}); at != bytes_.end()) return at->second;
      }
    }
    return std::nullopt;
  }

 private:
  std::map<std::pair<std::string, std::string>, std::uint64_t> bytes_;
};

class BaseFinder {
 public:
  BaseFinder(std::vector<Beginning> beginnings, const StepSizes& sizes)
      : beginnings_(std::move(beginnings)), sizes_(sizes) {}

  std::vector<CommonBase> run() {
    std::map<std::string, std::vector<std::size_t>> by_base;
    for (std::size_t i = 0; i < beginnings_.size(); ++i) by_base[beginnings_[i].from].push_back(i);
    for (const auto& [from, members] : by_base) divide(members, 0, 0);
    std::stable_sort(bases_.begin(), bases_.end(), [](const CommonBase& a, const CommonBase& b) {
      return a.saved_bytes.value_or(0) != b.saved_bytes.value_or(0)
                 ? a.saved_bytes.value_or(0) > b.saved_bytes.value_or(0)
                 : a.steps.size() * (a.images.size() - 1) > b.steps.size() * (b.images.size() - 1);
    });
    return std::move(bases_);
  }

 private:
  // `members` have the first `depth` steps in common; the base proposed above this has `proposed` of them.
  void divide(const std::vector<std::size_t>& members, std::size_t depth, std::size_t proposed) {
    std::map<std::string, std::vector<std::size_t>> next;
    for (const std::size_t i : members) {
      if (depth < beginnings_[i].steps.size()) next[beginnings_[i].steps[depth].identity].push_back(i);
    }
    const bool goes_on_together = next.size() == 1 && next.begin()->second.size() == members.size();
    if (goes_on_together && members.size() > 1) return divide(members, depth + 1, proposed);
    if (members.size() > 1 && has_layers(members[0], proposed, depth)) {
      propose(members, depth);
      proposed = depth;
    }
    for (const auto& [identity, group] : next) {
      if (group.size() > 1) divide(group, depth + 1, proposed);
    }
  }

  bool has_layers(std::size_t image, std::size_t from, std::size_t to) const {
    const auto& steps = beginnings_[image].steps;
    return std::any_of(steps.begin() + static_cast<std::ptrdiff_t>(from),
                       steps.begin() + static_cast<std::ptrdiff_t>(to),
                       [](const Step& step) { return step.makes_layer; });
  }

  void propose(const std::vector<std::size_t>& members, std::size_t depth) {
    CommonBase base;
    base.from = beginnings_[members[0]].from;
    for (const std::size_t i : members) base.images.push_back(beginnings_[i].image);
    std::sort(base.images.begin(), base.images.end());
    std::uint64_t bytes = 0;
    std::size_t known = 0;
    for (std::size_t i = 0; i < depth; ++i) {
      const Step& step = beginnings_[members[0]].steps[i];
      base.steps.push_back(step.text);
      if (!step.makes_layer) continue;
      const auto size = sizes_.find(base.images, step.text);
      size ? ++known : ++base.unknown_steps;
      bytes += size.value_or(0);
    }
    if (known > 0) base.saved_bytes = bytes * (members.size() - 1);
    bases_.push_back(std::move(base));
  }

  std::vector<Beginning> beginnings_;
  const StepSizes& sizes_;
  std::vector<CommonBase> bases_;
};

}  // namespace

std::vector<CommonBase> common_bases(const std::vector<ProposedImage>& images, const BuildRecordStore& records) {
  return BaseFinder(beginnings_of(images), StepSizes(records)).run();
}

}  // namespace kiln::init
